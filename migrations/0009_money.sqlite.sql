-- What freelancers earned and may be paid, what they owe, what a person must look at; and the transactions that show it.
create table releases (
    id blob primary key not null,
    order_id blob not null unique references orders (id),
    freelancer_id blob not null references users (id),
    currency text not null,
    net_minor integer not null check (net_minor >= 0),
    fee_minor integer not null check (fee_minor >= 0),
    service_fee_minor integer not null check (service_fee_minor >= 0),
    -- Taken back, frozen or set off: the rest is paid out.
    taken_minor integer not null default 0 check (taken_minor between 0 and net_minor),
    available_at integer not null,
    payout_id blob,                         -- the payout that it belongs to, once it does
    created_at integer not null
) strict;
create index releases_freelancer on releases (freelancer_id, available_at);
create index releases_unpaid on releases (freelancer_id, available_at) where payout_id is null;

create table debts (
    id blob primary key not null,
    freelancer_id blob not null references users (id),
    order_id blob not null references orders (id),
    cause_id blob not null unique,          -- the refund or chargeback behind it
    currency text not null,
    amount_minor integer not null check (amount_minor > 0),
    paid_minor integer not null default 0 check (paid_minor between 0 and amount_minor),
    created_at integer not null
) strict;
create index debts_freelancer on debts (freelancer_id, id);

create table cases (
    id blob primary key not null,
    kind text not null,
    subject_id blob not null,
    order_id blob references orders (id),
    detail text not null,
    opened_at integer not null,
    resolved_at integer,
    resolution text,
    reason text,
    resolved_by blob references users (id),
    unique (kind, subject_id),
    check ((resolved_at is null) = (resolution is null))
) strict;
create index cases_open on cases (opened_at, id) where resolved_at is null;
-- Whoever is told of them.
create index users_admins on users (id) where role = 'admin';

-- Made anew, for it knows more types: SQLite cannot change a check.
create table transactions_new (
    id blob primary key not null,
    user_id blob not null references users (id),
    type text not null
        check (type in ('charge', 'refund', 'release', 'fee', 'payout', 'clawback', 'fee_return', 'offset')),
    status text not null check (status in ('success', 'failed', 'pending')),
    amount_minor integer not null check (amount_minor >= 0),
    currency text not null,
    order_id blob not null references orders (id),
    payment_id blob not null references payments (id),
    cause_id blob not null,
    transaction_id text,
    created_at integer not null,
    unique (cause_id, type)
) strict;
insert into transactions_new (id, user_id, type, status, amount_minor, currency, order_id, payment_id, cause_id,
    transaction_id, created_at)
select id, user_id, type, status, amount_minor, currency, order_id, payment_id, cause_id, transaction_id, created_at
from transactions;
drop table transactions;
alter table transactions_new rename to transactions;
create index transactions_user on transactions (user_id, id);
create index transactions_order on transactions (order_id, id);

-- What was released before: it has cleared.
insert into releases (id, order_id, freelancer_id, currency, net_minor, fee_minor, service_fee_minor, available_at,
    created_at)
select j.id, o.id, o.freelancer_id, o.currency,
    coalesce((select sum(l.amount_minor) from ledger_lines l where l.journal_id = j.id and l.account like 'payable:%'), 0),
    coalesce((select sum(l.amount_minor) from ledger_lines l where l.journal_id = j.id and l.account = 'fees'), 0),
    0, j.at, j.at
from ledger_journals j join orders o on o.id = j.order_id
where j.kind = 'release';

-- The sandbox provider's own books.
create table sandbox_accounts (
    id text primary key not null,
    key text not null unique,
    created_at integer not null
) strict;
create table sandbox_transfers (
    id text primary key not null,
    key text not null unique,
    account_id text not null references sandbox_accounts (id),
    charge_id text not null references sandbox_charges (id),
    amount_minor integer not null,
    currency text not null,
    created_at integer not null
) strict;
