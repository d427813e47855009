-- Every operation at the provider before it is sent, money that came after its payment had failed, and a sandbox that can
-- misbehave.
create table provider_calls (
    key text primary key not null,          -- the idempotency key that the provider is given
    kind text not null check (kind in ('charge', 'refund', 'transfer', 'account')),
    subject_id blob not null,               -- the payment, refund, transfer or freelancer behind it
    order_id blob references orders (id),
    params_hash blob not null,              -- SHA-256 of what is asked for: under one key it is always the same
    begun_at integer not null,
    first_sent_at integer,                  -- null until a byte may have left
    last_sent_at integer,
    tries integer not null default 0,       -- how often the provider was turned to since it last answered, to send or to look
    same_failures integer not null default 0, -- identical failures in a row
    absent_since integer,                   -- when, after it was last sent, the provider first had none of it
    last_answer text,
    state text not null check (state in ('open', 'answered', 'needs_review'))
) strict;
create index provider_calls_subject on provider_calls (subject_id);
create index cases_subject on cases (subject_id);

-- A failed payment whose charge succeeded all the same: it stays failed, and its money is booked and goes back.
alter table payments add column late_capture integer not null default 0 check (late_capture in (0, 1));

-- The sandbox provider's own books.
alter table sandbox_refunds add column status text not null default 'succeeded'
    check (status in ('succeeded', 'pending', 'failed'));
alter table sandbox_refunds add column settles_at integer;
create table sandbox_chargebacks (
    id text primary key not null,
    charge_id text not null unique references sandbox_charges (id),
    amount_minor integer not null,
    currency text not null,
    status text not null check (status in ('open', 'won', 'lost')),
    opened_at integer not null,
    closed_at integer
) strict;
-- What goes wrong on the way to it, in percent. One row at most.
create table sandbox_knobs (
    one integer primary key not null check (one = 1),
    seed integer not null,
    delay_ms integer not null,
    drop_before integer not null,
    drop_after integer not null,
    error_after integer not null,
    duplicate integer not null,
    reorder integer not null,
    late integer not null,
    never integer not null,
    forge integer not null
) strict;
