-- Inboxes: a row per event and person it concerns, written in the transaction of the event.
create table notifications (
    id blob primary key not null,
    user_id blob not null references users (id),
    type text not null,
    message text not null,
    data text not null default '{}',        -- JSON
    sender_id blob references users (id),   -- of a message from one person to another
    event_id blob references events (id),   -- null: sent through the API
    read integer not null default 0 check (read in (0, 1)),
    created_at integer not null
) strict;
create index notifications_user on notifications (user_id, id);
create index notifications_unread on notifications (user_id, id) where not read;
create unique index notifications_event_id_user_id on notifications (event_id, user_id) where event_id is not null;
