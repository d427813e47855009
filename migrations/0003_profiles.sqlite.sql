-- The freelancer's page, and what others' deeds add up to.
create table profiles (
    user_id blob primary key not null references users (id),
    first_name text,
    last_name text,
    bio text,
    skills text not null default '[]',      -- JSON list
    experience text,
    portfolio text not null default '[]',   -- JSON list of items, each with its id
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null
) strict;

-- Folded from reviews and completed orders; `verify` recomputes them.
create table freelancer_stats (
    user_id blob primary key not null references users (id),
    rating_sum integer not null default 0,
    rating_count integer not null default 0,
    completed_orders integer not null default 0
) strict;
