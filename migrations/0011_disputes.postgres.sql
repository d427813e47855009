-- Disputes: who wants what, until when, and how it ended. The money stays in the order's escrow.
create table disputes (
    id uuid primary key not null,
    order_id uuid not null references orders (id),
    opened_by uuid references users (id),                   -- null: the house
    reason text,
    wanted_minor bigint check (wanted_minor >= 0),          -- what should go back to the buyer, in its opener's view
    status text not null check (status in ('open', 'settled', 'decided')),
    answered_at timestamptz,                                -- when the other side first wrote or offered something
    reminded_at timestamptz,                                -- when both were last told what silence will lead to
    decide_by timestamptz not null,
    refund_minor bigint check (refund_minor >= 0),          -- what went back
    decided_by uuid references users (id),                  -- who accepted or decided; null: the deadline, the bank
    decision text,
    closed_at timestamptz,
    version bigint not null default 1,
    opened_at timestamptz not null,
    check ((status = 'open') = (closed_at is null)),
    check ((closed_at is null) = (refund_minor is null))
);
create index disputes_order on disputes (order_id, id);
create unique index disputes_open on disputes (order_id) where status = 'open';

-- The standing offer of each side.
create table dispute_offers (
    dispute_id uuid not null references disputes (id),
    side text collate "C" not null check (side in ('buyer', 'freelancer')),
    refund_minor bigint not null check (refund_minor >= 0),
    message text,
    accepted_at timestamptz,
    offered_at timestamptz not null,
    primary key (dispute_id, side)
);

-- What the two sides and administrators write to each other about it.
create table dispute_messages (
    id uuid primary key not null,
    dispute_id uuid not null references disputes (id),
    author_id uuid not null references users (id),
    message text not null,
    created_at timestamptz not null
);
create index dispute_messages_dispute on dispute_messages (dispute_id, id);

-- What is disputed already: two weeks from now, for nobody was told of a deadline, with a reminder three days before.
insert into disputes (id, order_id, opened_by, reason, status, decide_by, opened_at)
select o.id, o.id, e.actor_id, e.body ->> 'message', 'open', now() + interval '336 hours', e.at
from orders o join events e on e.subject_id = o.id and e.kind = 'order_disputed'
where o.status = 'disputed';
insert into timers (id, kind, subject_id, due_at)
select id, 'dispute_deadline', id, decide_by - interval '72 hours' from disputes;

comment on table disputes is 'Disputes about orders: one open at most per order, which is disputed meanwhile';
comment on column disputes.order_id is 'The order, which holds the currency of the amounts here';
comment on column disputes.opened_by is 'Its buyer or its freelancer, null where the house froze the order';
comment on column disputes.reason is 'Why, plain text, private';
comment on column disputes.wanted_minor is 'What should go back to the buyer in the view of whoever opened it, in minor units, null where they did not say';
comment on column disputes.status is 'open, settled (both sides agreed) or decided (by an administrator, the deadline or the bank)';
comment on column disputes.answered_at is 'When the side that did not open it first wrote or offered something';
comment on column disputes.reminded_at is 'When both were last told what silence will lead to';
comment on column disputes.decide_by is 'When it ends as its opener wishes if the other side stays silent, else when administrators are told again';
comment on column disputes.refund_minor is 'What went back to the buyer in the end, in minor units, null while it is open';
comment on column disputes.decided_by is 'Who accepted the offer or decided, null for the deadline and for the bank of the buyer';
comment on column disputes.decision is 'What was said with the end, plain text, private';
comment on column disputes.closed_at is 'When it ended, null while it is open';
comment on table dispute_offers is 'What each side of a dispute offers at present: so much goes back, the rest is released';
comment on column dispute_offers.refund_minor is 'What would go back to the buyer, in minor units';
comment on column dispute_offers.accepted_at is 'When the other side took it, null otherwise';
comment on table dispute_messages is 'What is written about a dispute: private between its sides and administrators';
