-- An inbox row is written in the transaction of its event, and events are never deleted. To look the event up all the same,
-- each transaction read the page of the index that every other one writes its own event to, and most were overtaken by
-- another. `guildhall verify` looks for rows without an event instead.
alter table notifications drop constraint notifications_event_id_fkey;
