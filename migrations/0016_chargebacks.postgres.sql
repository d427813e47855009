-- What buyers' banks took back, where money that went back was taken from, and what releases paid of debts.
create table chargebacks (
    id uuid primary key not null,
    payment_id uuid not null references payments (id),
    order_id uuid not null references orders (id),
    reference text collate "C" not null unique,         -- the provider's own id
    amount_minor bigint not null check (amount_minor > 0),
    currency text collate "C" not null,
    status text collate "C" not null check (status in ('warning', 'open', 'won', 'lost')),
    reason text collate "C" not null,
    evidence_due timestamptz,
    -- Whether the provider took the money; it may have given it back since.
    withdrawn boolean not null default false,
    -- Of what was released, frozen until it is decided.
    frozen_minor bigint not null default 0 check (frozen_minor >= 0),
    -- What covered it when it was lost; what is missing of amount_minor the house bears.
    escrow_minor bigint not null default 0 check (escrow_minor >= 0),
    fees_minor bigint not null default 0 check (fees_minor >= 0),
    payable_minor bigint not null default 0 check (payable_minor >= 0),
    owed_minor bigint not null default 0 check (owed_minor >= 0),
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index chargebacks_order on chargebacks (order_id, id);
create index chargebacks_payment on chargebacks (payment_id);
create index chargebacks_open on chargebacks (id) where status = 'open';

create table offsets (
    id uuid primary key not null,
    debt_id uuid not null references debts (id),
    release_id uuid not null references releases (id),
    order_id uuid not null references orders (id),
    freelancer_id uuid not null references users (id),
    currency text collate "C" not null,
    amount_minor bigint not null check (amount_minor > 0),
    created_at timestamptz not null
);
create index offsets_debt on offsets (debt_id);
create index offsets_release on offsets (release_id);

alter table payments add column charged_back_minor bigint not null default 0
    check (charged_back_minor >= 0 and refunded_minor + charged_back_minor <= amount_minor);

-- Where a refund was taken from, so that a refused one goes back there.
alter table refunds add column escrow_minor bigint not null default 0 check (escrow_minor >= 0);
alter table refunds add column fees_minor bigint not null default 0 check (fees_minor >= 0);
alter table refunds add column payable_minor bigint not null default 0 check (payable_minor >= 0);
alter table refunds add column owed_minor bigint not null default 0 check (owed_minor >= 0);
-- The refund that had succeeded and came back, in whose place this one is.
alter table refunds add column replaces_id uuid;
create unique index refunds_replaces on refunds (replaces_id);
update refunds set escrow_minor = amount_minor;

-- What of an order's money went back to its buyer or is on its way there.
alter table orders add column given_back_minor bigint not null default 0 check (given_back_minor >= 0);
update orders set given_back_minor = (select p.refunded_minor from payments p where p.order_id = orders.id and p.status = 'success')
where exists (select 1 from payments p where p.order_id = orders.id and p.status = 'success');

create index refunds_order on refunds (order_id, id);
create index refunds_pending on refunds (id) where status = 'pending';

comment on table chargebacks is 'What buyers'' banks took back, or inquired about';
comment on column chargebacks.id is 'UUIDv7: begins with the time the provider told of it';
comment on column chargebacks.payment_id is 'The payment that it is about';
comment on column chargebacks.order_id is 'The order of that payment';
comment on column chargebacks.reference is 'The provider''s id of it';
comment on column chargebacks.amount_minor is 'How much the bank wants back, in the smallest unit of the currency';
comment on column chargebacks.currency is 'ISO 4217 code';
comment on column chargebacks.status is 'warning, open, won or lost, as the house sees it';
comment on column chargebacks.reason is 'Why, in the provider''s words';
comment on column chargebacks.evidence_due is 'Until when the provider takes evidence';
comment on column chargebacks.withdrawn is 'Whether the provider took the money; it may have given it back since';
comment on column chargebacks.frozen_minor is 'What is frozen of the money released to the freelancer until it is decided';
comment on column chargebacks.escrow_minor is 'What escrow covered when it was lost';
comment on column chargebacks.fees_minor is 'What the house''s fees covered when it was lost';
comment on column chargebacks.payable_minor is 'What the freelancer''s unpaid earnings covered when it was lost';
comment on column chargebacks.owed_minor is 'What the freelancer owed since it was lost, for it had been paid out';
comment on column chargebacks.created_at is 'When the provider told of it first';
comment on column chargebacks.updated_at is 'When it last changed';
comment on table offsets is 'What a release paid of a debt: a row for each pair of them';
comment on column offsets.id is 'UUIDv7: begins with the time it was set off; the cause of its journal';
comment on column offsets.debt_id is 'The debt that it paid';
comment on column offsets.release_id is 'The release that it was taken from';
comment on column offsets.order_id is 'The order of the release';
comment on column offsets.freelancer_id is 'Whose debt and release they are';
comment on column offsets.currency is 'ISO 4217 code';
comment on column offsets.amount_minor is 'How much, in the smallest unit of the currency';
comment on column offsets.created_at is 'When it was set off';
comment on column orders.given_back_minor is 'What went back to the buyer, is on its way, or was taken back by the bank, in the smallest unit of the currency';
comment on column payments.charged_back_minor is 'What the buyer''s bank took back for good, in the smallest unit of the currency';
comment on column refunds.escrow_minor is 'What of it was taken from escrow';
comment on column refunds.fees_minor is 'What of it was taken from the house''s fees';
comment on column refunds.payable_minor is 'What of it was taken from the freelancer''s unpaid earnings';
comment on column refunds.replaces_id is 'The refund that had succeeded and came back, in whose place this one is';
comment on column refunds.owed_minor is 'What of it the freelancer owed, for it had been paid out';
