-- What payment providers tell by themselves: a row per event, applied once whatever arrives how often and in which order.
create table webhook_inbox (
    provider text not null,
    event_id text not null,
    id blob not null unique,
    kind text not null,
    said text not null,                     -- the provider's word for what happened
    reference text not null,
    key text,
    account text,
    order_id blob,                          -- the order that it names, ours or not
    live integer not null check (live in (0, 1)),
    happened_at integer not null,
    received_at integer not null,
    state text not null check (state in ('waiting', 'parked', 'done', 'ignored')),
    tries integer not null default 0,
    note text,
    done_at integer,
    primary key (provider, event_id),
    check ((done_at is null) = (state in ('waiting', 'parked')))
) strict;
create index webhook_inbox_received on webhook_inbox (received_at);

-- The sandbox provider's own books: what it tells, and whether it was heard.
create table sandbox_events (
    id blob primary key not null,
    said text not null,
    object text not null,
    reference text not null,
    key text,
    order_id blob,
    created_at integer not null,
    heard_at integer
) strict;
create index sandbox_events_created on sandbox_events (created_at);
