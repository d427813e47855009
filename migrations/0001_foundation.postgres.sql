-- What every service stands on: the event log, timers, idempotency keys.
-- Ids are UUIDv7 minted by the program, money whole minor units. Text that is looked up by an index is compared by its
-- bytes (collate "C"): the same order everywhere, and no index to rebuild when the system's collations change.

-- One row per thing that happened, written in the transaction that made it true.
create table events (
    id uuid primary key not null,
    at timestamptz not null,
    actor_id uuid,                       -- null: a deadline or the operator
    kind text not null,
    subject_id uuid not null,            -- the order, listing or account it happened to
    body jsonb not null
);
create index events_subject on events (subject_id, id);

-- What is due when: deadlines, and reactions that reach outside. A row is claimed by moving `due_at`.
create table timers (
    id uuid primary key not null,
    kind text collate "C" not null,
    subject_id uuid not null,
    due_at timestamptz not null,
    attempts bigint not null default 0,
    leased_by uuid,                      -- the node that is at it until `due_at`; null: nobody
    unique (kind, subject_id)
);
create index timers_due on timers (due_at);
create index timers_leased_by on timers (leased_by) where leased_by is not null;

-- The processes that share this database. What one holds when it falls silent, another frees.
create table nodes (
    id uuid primary key not null,
    host text not null,
    listen text not null,
    services text not null,              -- comma-separated
    version text not null,
    started_at timestamptz not null,
    seen_at timestamptz not null         -- moves while it lives
);

-- First answers by key, kept for 72 hours. `status` is null while the first request runs.
create table idempotency_keys (
    user_id uuid not null,
    key text collate "C" not null,
    fingerprint bytea not null,
    status bigint,
    headers jsonb,
    body bytea,
    effect_id uuid,                      -- the payment or other thing that a request of several transactions makes
    claimed_at timestamptz not null,
    primary key (user_id, key)
);
create index idempotency_keys_claimed_at on idempotency_keys (claimed_at);

-- Small facts about this installation.
create table settings (
    name text collate "C" primary key not null,
    value text not null
);

-- One row per write, committed with it: whether a commit came through whose answer was lost on the way. This engine only.
create table commits (
    id uuid primary key not null,
    at timestamptz not null,
    done boolean not null                -- false: whoever looked it up was first, so it never will be
);
create index commits_at on commits (at);

comment on table events is 'Everything that happened, a row each, never changed: the timeline of orders, the audit log, the source of notifications';
comment on column events.id is 'UUIDv7: in the order of time';
comment on column events.at is 'When it happened';
comment on column events.actor_id is 'The account that did it, null for a deadline or the operator';
comment on column events.kind is 'What happened, for instance order_placed, order_paid, payment_succeeded, review_submitted';
comment on column events.subject_id is 'What it happened to: the order for kinds of orders and payments, the service for reviews and listings, the account otherwise';
comment on column events.body is 'What is to be told of it: buyer_id, freelancer_id, service_id, title, amount, currency, message, and from and status where an order moved';
comment on table timers is 'What is due when: deadlines of orders, questions to the payment provider, housekeeping';
comment on table nodes is 'The processes that share this database: a row each while it runs, seen_at moves every second';
comment on table idempotency_keys is 'First answers to requests that carried an Idempotency-Key, kept for 72 hours';
comment on table settings is 'Small facts about this installation';
comment on table commits is 'A row per write, committed with it: tells whether a commit came through whose answer was lost';
