-- Every index is a tree that each write has to find its place in, and most places are pages of their own.

-- The unpaid orders of a buyer are among those that he placed within the time to pay, and ids begin with their time.
drop index orders_unpaid;

-- Read and unread stand apart in one index; a whole inbox is both, merged.
drop index notifications_unread;
drop index notifications_user;
create index notifications_user on notifications (user_id, read, id);

-- What is asked of releases is what is unpaid of them, which has an index of its own.
drop index releases_freelancer;

-- A timer is named by its kind and subject.
alter table timers drop column id;
alter table timers drop constraint timers_kind_subject_id_key;
alter table timers add primary key (kind, subject_id);
