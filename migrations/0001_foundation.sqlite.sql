-- What every service stands on: the event log, timers, idempotency keys.
-- Ids are 16-byte UUIDv7, times microseconds since 1970 in UTC, money whole minor units.

-- One row per thing that happened, written in the transaction that made it true.
create table events (
    id blob primary key not null,
    at integer not null,
    actor_id blob,                       -- null: a deadline or the operator
    kind text not null,
    subject_id blob not null,            -- the order, listing or account it happened to
    body text not null                   -- JSON
) strict;
create index events_subject on events (subject_id, id);

-- What is due when: deadlines, and reactions that reach outside. A row is claimed by moving `due_at`.
create table timers (
    id blob primary key not null,
    kind text not null,
    subject_id blob not null,
    due_at integer not null,
    attempts integer not null default 0,
    leased_by blob,                      -- the node that is at it until `due_at`; null: nobody
    unique (kind, subject_id)
) strict;
create index timers_due on timers (due_at);
create index timers_leased_by on timers (leased_by) where leased_by is not null;

-- The processes that share this database. What one holds when it falls silent, another frees.
create table nodes (
    id blob primary key not null,
    host text not null,
    listen text not null,
    services text not null,              -- comma-separated
    version text not null,
    started_at integer not null,
    seen_at integer not null             -- moves while it lives
) strict;

-- First answers by key, kept for 72 hours. `status` is null while the first request runs.
create table idempotency_keys (
    user_id blob not null,
    key text not null,
    fingerprint blob not null,
    status integer,
    headers text,
    body blob,
    effect_id blob,                      -- the payment or other thing that a request of several transactions makes
    claimed_at integer not null,
    primary key (user_id, key)
) strict;
create index idempotency_keys_claimed_at on idempotency_keys (claimed_at);

-- Small facts about this installation.
create table settings (
    name text primary key not null,
    value text not null
) strict;
