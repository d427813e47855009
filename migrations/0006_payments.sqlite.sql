-- Charges, refunds, every movement as its owner sees it, and the ledger that they must agree with.
create table payments (
    id blob primary key not null,
    order_id blob not null references orders (id),
    buyer_id blob not null references users (id),
    freelancer_id blob not null references users (id),
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    amount text generated always as (
        case
            when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                              'VND', 'VUV', 'XAF', 'XOF', 'XPF')
                then printf('%d', amount_minor)
            when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND')
                then printf('%d.%03d', amount_minor / 1000, amount_minor % 1000)
            when currency in ('CLF', 'UYW')
                then printf('%d.%04d', amount_minor / 10000, amount_minor % 10000)
            else printf('%d.%02d', amount_minor / 100, amount_minor % 100)
        end
    ) virtual,
    status text not null check (status in ('pending', 'requires_action', 'success', 'failed')),
    payment_method text not null,
    provider text not null,
    provider_key text not null unique,      -- the idempotency key that every attempt at the provider carries
    transaction_id text unique,             -- the provider's own id, once it is known
    failure text,
    -- Whether its buyer has confirmed it: from then on asking the provider means asking for that again.
    confirmed integer not null default 0 check (confirmed in (0, 1)),
    refunded_minor integer not null default 0 check (refunded_minor between 0 and amount_minor), -- reserved included
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null
) strict;
create index payments_order on payments (order_id, id);
-- One live payment an order: two at once, or one retried, never charge twice.
create unique index payments_order_id_live on payments (order_id)
    where status in ('pending', 'requires_action', 'success');

create table refunds (
    id blob primary key not null,
    payment_id blob not null references payments (id),
    order_id blob not null references orders (id),
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    status text not null check (status in ('pending', 'success', 'failed')),
    reason text not null,
    provider_key text not null unique,
    requested_by blob,                      -- null: the program itself, for an order that was cancelled
    transaction_id text unique,
    created_at integer not null,
    updated_at integer not null
) strict;
create index refunds_payment on refunds (payment_id, id);

-- What `GET /payments/transactions` lists: a row per movement of money or attempted charge, for the one it concerns.
create table transactions (
    id blob primary key not null,
    user_id blob not null references users (id),
    type text not null check (type in ('charge', 'refund', 'release', 'fee', 'payout')),
    status text not null check (status in ('success', 'failed', 'pending')),
    amount_minor integer not null check (amount_minor >= 0),
    currency text not null,
    order_id blob not null references orders (id),
    payment_id blob not null references payments (id),
    cause_id blob not null,                 -- the payment, refund or order behind it
    transaction_id text,
    created_at integer not null,
    unique (cause_id, type)
) strict;
create index transactions_user on transactions (user_id, id);
create index transactions_order on transactions (order_id, id);

-- Double entry: a journal is two or more lines that sum to zero. Rows are never updated or deleted.
create table ledger_journals (
    id blob primary key not null,
    at integer not null,
    order_id blob not null references orders (id),
    kind text not null,
    cause_id blob not null,                 -- the payment, refund or order behind it: once per kind
    unique (cause_id, kind)
) strict;
create index ledger_journals_order on ledger_journals (order_id);

create table ledger_lines (
    journal_id blob not null references ledger_journals (id),
    line integer not null,
    account text not null,                  -- provider, fees, escrow:<order>, refunds:<order>, payable:<freelancer>
    amount_minor integer not null check (amount_minor <> 0),
    currency text not null,
    primary key (journal_id, line)
) strict, without rowid;
create index ledger_lines_account on ledger_lines (account, currency, amount_minor);

-- The sandbox provider's own books: it plays a peer outside, and nobody else reads these.
create table sandbox_charges (
    id text primary key not null,
    key text not null unique,
    amount_minor integer not null,
    currency text not null,
    method text not null,
    status text not null check (status in ('succeeded', 'declined', 'requires_action', 'pending')),
    failure text,
    settles_at integer,
    created_at integer not null
) strict;
create table sandbox_refunds (
    id text primary key not null,
    key text not null unique,
    charge_id text not null references sandbox_charges (id),
    amount_minor integer not null,
    created_at integer not null
) strict;
