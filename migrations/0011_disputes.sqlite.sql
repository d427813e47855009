-- Disputes: who wants what, until when, and how it ended. The money stays in the order's escrow.
create table disputes (
    id blob primary key not null,
    order_id blob not null references orders (id),
    opened_by blob references users (id),                   -- null: the house
    reason text,
    wanted_minor integer check (wanted_minor >= 0),         -- what should go back to the buyer, in its opener's view
    status text not null check (status in ('open', 'settled', 'decided')),
    answered_at integer,                                    -- when the other side first wrote or offered something
    reminded_at integer,                                    -- when both were last told what silence will lead to
    decide_by integer not null,
    refund_minor integer check (refund_minor >= 0),         -- what went back
    decided_by blob references users (id),                  -- who accepted or decided; null: the deadline, the bank
    decision text,
    closed_at integer,
    version integer not null default 1,
    opened_at integer not null,
    check ((status = 'open') = (closed_at is null)),
    check ((closed_at is null) = (refund_minor is null))
) strict;
create index disputes_order on disputes (order_id, id);
create unique index disputes_open on disputes (order_id) where status = 'open';

-- The standing offer of each side.
create table dispute_offers (
    dispute_id blob not null references disputes (id),
    side text not null check (side in ('buyer', 'freelancer')),
    refund_minor integer not null check (refund_minor >= 0),
    message text,
    accepted_at integer,
    offered_at integer not null,
    primary key (dispute_id, side)
) strict, without rowid;

-- What the two sides and administrators write to each other about it.
create table dispute_messages (
    id blob primary key not null,
    dispute_id blob not null references disputes (id),
    author_id blob not null references users (id),
    message text not null,
    created_at integer not null
) strict;
create index dispute_messages_dispute on dispute_messages (dispute_id, id);

-- What is disputed already: two weeks from now, for nobody was told of a deadline, with a reminder three days before.
insert into disputes (id, order_id, opened_by, reason, status, decide_by, opened_at)
select o.id, o.id, e.actor_id, e.body ->> 'message', 'open', (unixepoch() + 1209600) * 1000000, e.at
from orders o join events e on e.subject_id = o.id and e.kind = 'order_disputed'
where o.status = 'disputed';
insert into timers (id, kind, subject_id, due_at)
select id, 'dispute_deadline', id, decide_by - 259200000000 from disputes;
