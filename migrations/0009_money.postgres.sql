-- What freelancers earned and may be paid, what they owe, what a person must look at; and the transactions that show it.
create table releases (
    id uuid primary key not null,
    order_id uuid not null unique references orders (id),
    freelancer_id uuid not null references users (id),
    currency text collate "C" not null,
    net_minor bigint not null check (net_minor >= 0),
    fee_minor bigint not null check (fee_minor >= 0),
    service_fee_minor bigint not null check (service_fee_minor >= 0),
    -- Taken back, frozen or set off: the rest is paid out.
    taken_minor bigint not null default 0 check (taken_minor between 0 and net_minor),
    available_at timestamptz not null,
    payout_id uuid,                         -- the payout that it belongs to, once it does
    created_at timestamptz not null
);
create index releases_freelancer on releases (freelancer_id, available_at);
create index releases_unpaid on releases (freelancer_id, available_at) where payout_id is null;

create table debts (
    id uuid primary key not null,
    freelancer_id uuid not null references users (id),
    order_id uuid not null references orders (id),
    cause_id uuid not null unique,          -- the refund or chargeback behind it
    currency text collate "C" not null,
    amount_minor bigint not null check (amount_minor > 0),
    paid_minor bigint not null default 0 check (paid_minor between 0 and amount_minor),
    created_at timestamptz not null
);
create index debts_freelancer on debts (freelancer_id, id);

create table cases (
    id uuid primary key not null,
    kind text collate "C" not null,
    subject_id uuid not null,
    order_id uuid references orders (id),
    detail jsonb not null,
    opened_at timestamptz not null,
    resolved_at timestamptz,
    resolution text,
    reason text,
    resolved_by uuid references users (id),
    unique (kind, subject_id),
    check ((resolved_at is null) = (resolution is null))
);
create index cases_open on cases (opened_at, id) where resolved_at is null;
-- Whoever is told of them.
create index users_admins on users (id) where role = 'admin';

alter table transactions drop constraint transactions_type_check;
alter table transactions add constraint transactions_type_check
    check (type in ('charge', 'refund', 'release', 'fee', 'payout', 'clawback', 'fee_return', 'offset'));

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
    id text collate "C" primary key not null,
    key text collate "C" not null unique,
    created_at timestamptz not null
);
create table sandbox_transfers (
    id text collate "C" primary key not null,
    key text collate "C" not null unique,
    account_id text collate "C" not null references sandbox_accounts (id),
    charge_id text collate "C" not null references sandbox_charges (id),
    amount_minor bigint not null,
    currency text collate "C" not null,
    created_at timestamptz not null
);

comment on table releases is 'What freelancers earned: a row per completed order that held money';
comment on column releases.id is 'UUIDv7: begins with the time of the release';
comment on column releases.order_id is 'The order whose money was released';
comment on column releases.freelancer_id is 'Who earned it';
comment on column releases.currency is 'ISO 4217 code';
comment on column releases.net_minor is 'What the freelancer earned, in the smallest unit of the currency';
comment on column releases.fee_minor is 'What the house kept of the amount when it was released';
comment on column releases.service_fee_minor is 'What the house kept of the buyer''s service fee when it was released';
comment on column releases.taken_minor is 'What was taken back, frozen or set off of net_minor since: the rest is paid out';
comment on column releases.available_at is 'From when on it can be paid out';
comment on column releases.payout_id is 'The payout that it belongs to, null until it does';
comment on column releases.created_at is 'When it was released';
comment on table debts is 'What freelancers owe: money that went back to buyers after it had been paid out';
comment on column debts.id is 'UUIDv7: begins with the time the debt arose';
comment on column debts.freelancer_id is 'Who owes it';
comment on column debts.order_id is 'The order whose money went back';
comment on column debts.cause_id is 'The refund or chargeback behind it';
comment on column debts.currency is 'ISO 4217 code';
comment on column debts.amount_minor is 'How much it was, in the smallest unit of the currency';
comment on column debts.paid_minor is 'How much of it later releases have paid';
comment on column debts.created_at is 'When it arose';
comment on table cases is 'What a person must look at: money whose fate the program may not decide';
comment on column cases.id is 'UUIDv7: begins with the time it was opened';
comment on column cases.kind is 'Why, for instance unknown_outcome, integrity_failure, captured_after_failure, refund_refused';
comment on column cases.subject_id is 'The payment, refund, payout or difference that it is about';
comment on column cases.order_id is 'The order that it is about, where there is one';
comment on column cases.detail is 'What is known, as JSON';
comment on column cases.opened_at is 'When it was opened';
comment on column cases.resolved_at is 'When it was closed, null while it is open';
comment on column cases.resolution is 'How it was closed';
comment on column cases.reason is 'Why so, in the words of the administrator who closed it';
comment on column cases.resolved_by is 'Who closed it';
comment on table sandbox_accounts is 'The sandbox provider''s own books: accounts of freelancers';
comment on column sandbox_accounts.id is 'The provider''s id of the account';
comment on column sandbox_accounts.key is 'The idempotency key that it was opened with';
comment on column sandbox_accounts.created_at is 'When it was opened';
comment on table sandbox_transfers is 'The sandbox provider''s own books: money sent to freelancers';
comment on column sandbox_transfers.id is 'The provider''s id of the transfer';
comment on column sandbox_transfers.key is 'The idempotency key that it was asked for with';
comment on column sandbox_transfers.account_id is 'The account that it went to';
comment on column sandbox_transfers.charge_id is 'The charge that it came from';
comment on column sandbox_transfers.amount_minor is 'How much, in the smallest unit of the currency';
comment on column sandbox_transfers.currency is 'ISO 4217 code';
comment on column sandbox_transfers.created_at is 'When it was sent';
