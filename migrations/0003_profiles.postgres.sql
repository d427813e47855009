-- The freelancer's page, and what others' deeds add up to.
create table profiles (
    user_id uuid primary key not null references users (id),
    first_name text,
    last_name text,
    bio text,
    skills jsonb not null default '[]',     -- list
    experience text,
    portfolio jsonb not null default '[]',  -- list of items, each with its id
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- Folded from reviews and completed orders; `verify` recomputes them.
create table freelancer_stats (
    user_id uuid primary key not null references users (id),
    rating_sum bigint not null default 0,
    rating_count bigint not null default 0,
    completed_orders bigint not null default 0
);

comment on table profiles is 'Pages of freelancers. One who never wrote anything has no row';
comment on column profiles.user_id is 'The freelancer''s account';
comment on column profiles.first_name is 'As they wrote it, may be null';
comment on column profiles.last_name is 'As they wrote it, may be null';
comment on column profiles.bio is 'Plain text about themselves';
comment on column profiles.skills is 'JSON list of texts, at most 50';
comment on column profiles.experience is 'Plain text about what they have done';
comment on column profiles.portfolio is 'JSON list of works: id, title, description, url, image_url';
comment on column profiles.version is 'Grows with each change';
comment on column profiles.created_at is 'When the page was first written';
comment on column profiles.updated_at is 'When it was last changed';
comment on table freelancer_stats is 'What reviews and completed orders of a freelancer add up to. No row: nothing yet';
comment on column freelancer_stats.user_id is 'The freelancer''s account';
comment on column freelancer_stats.rating_sum is 'Sum of the ratings of visible reviews';
comment on column freelancer_stats.rating_count is 'Number of visible reviews: rating_sum / rating_count is the average';
comment on column freelancer_stats.completed_orders is 'Number of orders they have completed';
