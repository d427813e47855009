-- What buyers' banks took back, where money that went back was taken from, and what releases paid of debts.
create table chargebacks (
    id blob primary key not null,
    payment_id blob not null references payments (id),
    order_id blob not null references orders (id),
    reference text not null unique,         -- the provider's own id
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    status text not null check (status in ('warning', 'open', 'won', 'lost')),
    reason text not null,
    evidence_due integer,
    -- Whether the provider took the money; it may have given it back since.
    withdrawn integer not null default 0 check (withdrawn in (0, 1)),
    -- Of what was released, frozen until it is decided.
    frozen_minor integer not null default 0 check (frozen_minor >= 0),
    -- What covered it when it was lost; what is missing of amount_minor the house bears.
    escrow_minor integer not null default 0 check (escrow_minor >= 0),
    fees_minor integer not null default 0 check (fees_minor >= 0),
    payable_minor integer not null default 0 check (payable_minor >= 0),
    owed_minor integer not null default 0 check (owed_minor >= 0),
    created_at integer not null,
    updated_at integer not null
) strict;
create index chargebacks_order on chargebacks (order_id, id);
create index chargebacks_payment on chargebacks (payment_id);
create index chargebacks_open on chargebacks (id) where status = 'open';

create table offsets (
    id blob primary key not null,
    debt_id blob not null references debts (id),
    release_id blob not null references releases (id),
    order_id blob not null references orders (id),
    freelancer_id blob not null references users (id),
    currency text not null,
    amount_minor integer not null check (amount_minor > 0),
    created_at integer not null
) strict;
create index offsets_debt on offsets (debt_id);
create index offsets_release on offsets (release_id);

alter table payments add column charged_back_minor integer not null default 0
    check (charged_back_minor >= 0 and refunded_minor + charged_back_minor <= amount_minor);

-- Where a refund was taken from, so that a refused one goes back there.
alter table refunds add column escrow_minor integer not null default 0 check (escrow_minor >= 0);
alter table refunds add column fees_minor integer not null default 0 check (fees_minor >= 0);
alter table refunds add column payable_minor integer not null default 0 check (payable_minor >= 0);
alter table refunds add column owed_minor integer not null default 0 check (owed_minor >= 0);
-- The refund that had succeeded and came back, in whose place this one is.
alter table refunds add column replaces_id blob;
create unique index refunds_replaces on refunds (replaces_id);
update refunds set escrow_minor = amount_minor;

-- What of an order's money went back to its buyer or is on its way there.
alter table orders add column given_back_minor integer not null default 0 check (given_back_minor >= 0);
update orders set given_back_minor = (select p.refunded_minor from payments p where p.order_id = orders.id and p.status = 'success')
where exists (select 1 from payments p where p.order_id = orders.id and p.status = 'success');

create index refunds_order on refunds (order_id, id);
create index refunds_pending on refunds (id) where status = 'pending';
