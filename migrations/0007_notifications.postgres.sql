-- Inboxes: a row per event and person it concerns, written in the transaction of the event.
create table notifications (
    id uuid primary key not null,
    user_id uuid not null references users (id),
    type text not null,
    message text not null,
    data jsonb not null default '{}',
    sender_id uuid references users (id),   -- of a message from one person to another
    event_id uuid references events (id),   -- null: sent through the API
    read boolean not null default false,
    created_at timestamptz not null
);
create index notifications_user on notifications (user_id, id);
create index notifications_unread on notifications (user_id, id) where not read;
create unique index notifications_event_id_user_id on notifications (event_id, user_id) where event_id is not null;

comment on table notifications is 'Inboxes: a row per event and person it concerns, and messages that people send';
comment on column notifications.id is 'UUIDv7: in the order of arrival';
comment on column notifications.user_id is 'Whose inbox it stands in';
comment on column notifications.type is 'The kind of the event, message from a person, or announcement of the house';
comment on column notifications.message is 'What it says, plain text. Private between people where the type is message';
comment on column notifications.data is 'JSON: what it is about, for instance order_id';
comment on column notifications.sender_id is 'Who wrote it, null unless it is a message from one person to another';
comment on column notifications.event_id is 'The event it tells of, null where somebody sent it';
comment on column notifications.read is 'Whether its owner has marked it as read';
comment on column notifications.created_at is 'When it arrived';
