-- What payment providers tell by themselves: a row per event, applied once whatever arrives how often and in which order.
create table webhook_inbox (
    provider text collate "C" not null,
    event_id text collate "C" not null,
    id uuid not null unique,
    kind text collate "C" not null,
    said text collate "C" not null,         -- the provider's word for what happened
    reference text collate "C" not null,
    key text collate "C",
    account text collate "C",
    order_id uuid,                          -- the order that it names, ours or not
    live boolean not null,
    happened_at timestamptz not null,
    received_at timestamptz not null,
    state text collate "C" not null check (state in ('waiting', 'parked', 'done', 'ignored')),
    tries bigint not null default 0,
    note text,
    done_at timestamptz,
    primary key (provider, event_id),
    check ((done_at is null) = (state in ('waiting', 'parked')))
);
create index webhook_inbox_received on webhook_inbox (received_at);

-- The sandbox provider's own books: what it tells, and whether it was heard.
create table sandbox_events (
    id uuid primary key not null,
    said text collate "C" not null,
    object text collate "C" not null,
    reference text collate "C" not null,
    key text collate "C",
    order_id uuid,
    created_at timestamptz not null,
    heard_at timestamptz
);
create index sandbox_events_created on sandbox_events (created_at);

comment on table webhook_inbox is 'What payment providers told by themselves: a row per event, kept for 90 days';
comment on column webhook_inbox.provider is 'Who told it';
comment on column webhook_inbox.event_id is 'The provider''s id of the event: told again, it is the same';
comment on column webhook_inbox.id is 'UUIDv7: begins with the time it arrived';
comment on column webhook_inbox.kind is 'What it is about: charge, refund, transfer, account, chargeback, payout, other';
comment on column webhook_inbox.said is 'What happened, in the provider''s words';
comment on column webhook_inbox.reference is 'The provider''s id of that object';
comment on column webhook_inbox.key is 'Our key of it, where the provider tells it';
comment on column webhook_inbox.account is 'The freelancer''s account that it happened in, null for the house''s own';
comment on column webhook_inbox.order_id is 'The order that it names, ours or not';
comment on column webhook_inbox.live is 'Whether it is about real money';
comment on column webhook_inbox.happened_at is 'When it happened, as the provider has it';
comment on column webhook_inbox.received_at is 'When it arrived first';
comment on column webhook_inbox.state is 'waiting, parked (its object is not known yet), done or ignored';
comment on column webhook_inbox.tries is 'How often its object was not known';
comment on column webhook_inbox.note is 'Why it is parked or ignored';
comment on column webhook_inbox.done_at is 'When it was done or given up, null before';
comment on table sandbox_events is 'The sandbox provider''s own books: what it tells by itself';
comment on column sandbox_events.id is 'UUIDv7: begins with the time it was noted';
comment on column sandbox_events.said is 'What happened, charge.succeeded for instance';
comment on column sandbox_events.object is 'What it is about: charge, refund, transfer, account, dispute';
comment on column sandbox_events.reference is 'The provider''s id of that object';
comment on column sandbox_events.key is 'The key that the object was asked for with';
comment on column sandbox_events.order_id is 'The order that the object was asked for with, where that is known';
comment on column sandbox_events.created_at is 'When it happened';
comment on column sandbox_events.heard_at is 'When it was delivered, null before';
