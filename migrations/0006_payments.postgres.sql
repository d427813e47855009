-- Charges, refunds, every movement as its owner sees it, and the ledger that they must agree with.
create table payments (
    id uuid primary key not null,
    order_id uuid not null references orders (id),
    buyer_id uuid not null references users (id),
    freelancer_id uuid not null references users (id),
    amount_minor bigint not null check (amount_minor > 0),
    currency text collate "C" not null,
    amount numeric generated always as (
        amount_minor * case
            when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                              'VND', 'VUV', 'XAF', 'XOF', 'XPF')
                then 1
            when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 0.001
            when currency in ('CLF', 'UYW') then 0.0001
            else 0.01
        end
    ) stored,
    status text not null check (status in ('pending', 'requires_action', 'success', 'failed')),
    payment_method text not null,
    provider text not null,
    provider_key text collate "C" not null unique, -- the idempotency key that every attempt at the provider carries
    transaction_id text collate "C" unique, -- the provider's own id, once it is known
    failure text,
    -- Whether its buyer has confirmed it: from then on asking the provider means asking for that again.
    confirmed boolean not null default false,
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and amount_minor), -- reserved included
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index payments_order on payments (order_id, id);
-- One live payment an order: two at once, or one retried, never charge twice.
create unique index payments_order_id_live on payments (order_id)
    where status in ('pending', 'requires_action', 'success');

create table refunds (
    id uuid primary key not null,
    payment_id uuid not null references payments (id),
    order_id uuid not null references orders (id),
    amount_minor bigint not null check (amount_minor > 0),
    currency text collate "C" not null,
    status text not null check (status in ('pending', 'success', 'failed')),
    reason text not null,
    provider_key text collate "C" not null unique,
    requested_by uuid,                      -- null: the program itself, for an order that was cancelled
    transaction_id text collate "C" unique,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index refunds_payment on refunds (payment_id, id);

-- What `GET /payments/transactions` lists: a row per movement of money or attempted charge, for the one it concerns.
create table transactions (
    id uuid primary key not null,
    user_id uuid not null references users (id),
    type text collate "C" not null check (type in ('charge', 'refund', 'release', 'fee', 'payout')),
    status text not null check (status in ('success', 'failed', 'pending')),
    amount_minor bigint not null check (amount_minor >= 0),
    currency text collate "C" not null,
    order_id uuid not null references orders (id),
    payment_id uuid not null references payments (id),
    cause_id uuid not null,                 -- the payment, refund or order behind it
    transaction_id text,
    created_at timestamptz not null,
    unique (cause_id, type)
);
create index transactions_user on transactions (user_id, id);
create index transactions_order on transactions (order_id, id);

-- Double entry: a journal is two or more lines that sum to zero. Rows are never updated or deleted.
create table ledger_journals (
    id uuid primary key not null,
    at timestamptz not null,
    order_id uuid not null references orders (id),
    kind text collate "C" not null,
    cause_id uuid not null,                 -- the payment, refund or order behind it: once per kind
    unique (cause_id, kind)
);
create index ledger_journals_order on ledger_journals (order_id);

create table ledger_lines (
    journal_id uuid not null references ledger_journals (id),
    line bigint not null,
    account text collate "C" not null,      -- provider, fees, escrow:<order>, refunds:<order>, payable:<freelancer>
    amount_minor bigint not null check (amount_minor <> 0),
    currency text collate "C" not null,
    primary key (journal_id, line)
);
create index ledger_lines_account on ledger_lines (account, currency, amount_minor);

-- The sandbox provider's own books: it plays a peer outside, and nobody else reads these.
create table sandbox_charges (
    id text collate "C" primary key not null,
    key text collate "C" not null unique,
    amount_minor bigint not null,
    currency text collate "C" not null,
    method text not null,
    status text not null check (status in ('succeeded', 'declined', 'requires_action', 'pending')),
    failure text,
    settles_at timestamptz,
    created_at timestamptz not null
);
create table sandbox_refunds (
    id text collate "C" primary key not null,
    key text collate "C" not null unique,
    charge_id text collate "C" not null references sandbox_charges (id),
    amount_minor bigint not null,
    created_at timestamptz not null
);

comment on table payments is 'Attempts to pay an order. At most one per order is not failed';
comment on column payments.id is 'UUIDv7: begins with the time of the attempt';
comment on column payments.order_id is 'The order that is paid';
comment on column payments.buyer_id is 'Who pays';
comment on column payments.freelancer_id is 'Who is to get it, less the fee';
comment on column payments.amount_minor is 'The order''s amount, in the smallest unit of the currency';
comment on column payments.currency is 'ISO 4217 code. Amounts of different currencies are never added';
comment on column payments.amount is 'The amount as a decimal with the digits of its currency, computed from amount_minor';
comment on column payments.status is 'pending (asked, no answer yet), requires_action (the buyer must confirm), success or failed';
comment on column payments.payment_method is 'The provider''s name of the method';
comment on column payments.provider is 'Who moves the money, for instance sandbox';
comment on column payments.provider_key is 'The idempotency key that every attempt at the provider carries';
comment on column payments.transaction_id is 'The provider''s own id of the charge, once it is known';
comment on column payments.failure is 'Why it failed, as a code, for instance card_declined, insufficient_funds, replaced, order_cancelled';
comment on column payments.confirmed is 'Whether the buyer has confirmed it with the provider';
comment on column payments.refunded_minor is 'What was sent back of it in minor units, reserved included';
comment on column payments.version is 'Grows with each change';
comment on column payments.created_at is 'When it was attempted';
comment on column payments.updated_at is 'When it was last changed';
comment on table refunds is 'Money on its way back to buyers: a row per refund of a payment';
comment on column refunds.id is 'UUIDv7: begins with the time it was decided';
comment on column refunds.payment_id is 'The payment it gives back from';
comment on column refunds.order_id is 'The order of that payment';
comment on column refunds.amount_minor is 'How much, in the smallest unit of the currency';
comment on column refunds.currency is 'ISO 4217 code';
comment on column refunds.status is 'pending (reserved, on its way), success or failed';
comment on column refunds.reason is 'Why, in the words of whoever asked for it';
comment on column refunds.provider_key is 'The idempotency key that every attempt at the provider carries';
comment on column refunds.requested_by is 'The account that asked for it, null for the program itself';
comment on column refunds.transaction_id is 'The provider''s own id of the refund, once it is known';
comment on column refunds.created_at is 'When it was decided';
comment on column refunds.updated_at is 'When it was last changed';
comment on table transactions is 'Movements of money and attempted charges as the person concerned sees them, a row each';
comment on column transactions.id is 'UUIDv7: begins with the time of the movement';
comment on column transactions.user_id is 'Whom it concerns: the buyer for charge and refund, the freelancer otherwise';
comment on column transactions.type is 'charge, refund, release (to the freelancer), fee (kept by the marketplace) or payout';
comment on column transactions.status is 'success, failed or pending';
comment on column transactions.amount_minor is 'How much, in the smallest unit of the currency, never negative';
comment on column transactions.currency is 'ISO 4217 code';
comment on column transactions.order_id is 'The order it belongs to';
comment on column transactions.payment_id is 'The payment it belongs to';
comment on column transactions.cause_id is 'The payment, refund or order behind it';
comment on column transactions.transaction_id is 'The provider''s own id, once it is known';
comment on column transactions.created_at is 'When it began';
comment on table ledger_journals is 'Double entry: money that moved at once, never changed. Its lines sum to zero';
comment on column ledger_journals.id is 'UUIDv7';
comment on column ledger_journals.at is 'When it was booked';
comment on column ledger_journals.order_id is 'The order whose money it is';
comment on column ledger_journals.kind is 'charge, release, refund_reserved, refund or refund_returned';
comment on column ledger_journals.cause_id is 'The payment, refund or order behind it, booked once per kind';
comment on table ledger_lines is 'The lines of the journals. The balance of an account is the sum of its lines, per currency';
comment on column ledger_lines.journal_id is 'The journal';
comment on column ledger_lines.line is 'Its place in the journal, from 1';
comment on column ledger_lines.account is 'provider, fees, escrow:<order id>, refunds:<order id> or payable:<freelancer''s id>';
comment on column ledger_lines.amount_minor is 'What it adds to the account in minor units, or takes where negative';
comment on column ledger_lines.currency is 'ISO 4217 code, one per journal';
comment on table sandbox_charges is 'The books of the built-in provider, which moves no real money: charges';
comment on table sandbox_refunds is 'The books of the built-in provider, which moves no real money: refunds';
