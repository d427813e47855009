-- Every index is a tree that each write has to find its place in, and most places are pages of their own.

-- The unpaid orders of a buyer are among those that he placed within the time to pay, and ids begin with their time.
drop index orders_unpaid;

-- Read and unread stand apart in one index; a whole inbox is both, merged.
drop index notifications_unread;
drop index notifications_user;
create index notifications_user on notifications (user_id, read, id);

-- What is asked of releases is what is unpaid of them, which has an index of its own.
drop index releases_freelancer;

-- A timer is named by its kind and subject, and its row stands where its key does.
create table new_timers (
    kind text not null,
    subject_id blob not null,
    due_at integer not null,
    attempts integer not null default 0,
    leased_by blob,                      -- the node that is at it until `due_at`; null: nobody
    primary key (kind, subject_id)
) strict, without rowid;
insert into new_timers (kind, subject_id, due_at, attempts, leased_by)
    select kind, subject_id, due_at, attempts, leased_by from timers order by kind, subject_id;
drop table timers;
alter table new_timers rename to timers;
create index timers_due on timers (due_at);
create index timers_leased_by on timers (leased_by) where leased_by is not null;
