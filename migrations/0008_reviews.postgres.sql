-- What buyers say of completed orders, once each.
create table reviews (
    id uuid primary key not null,
    service_id uuid not null references services (id),
    order_id uuid not null unique references orders (id),
    reviewer_id uuid not null references users (id),
    freelancer_id uuid not null references users (id),
    rating bigint not null check (rating between 1 and 5),
    comment text,
    hidden_at timestamptz,
    hidden_reason text,
    created_at timestamptz not null
);
create index reviews_service on reviews (service_id, id) where hidden_at is null;
create index reviews_reviewer on reviews (reviewer_id, id) where hidden_at is null;
create index reviews_freelancer on reviews (freelancer_id, id) where hidden_at is null;

-- How often each rating was given to a listing or a freelancer, so that a summary needs no scan.
create table rating_tallies (
    subject_id uuid not null,
    rating bigint not null check (rating between 1 and 5),
    count bigint not null check (count >= 0),
    primary key (subject_id, rating)
);

comment on table reviews is 'What buyers say of completed orders, once per order';
comment on column reviews.id is 'UUIDv7: begins with the time of writing';
comment on column reviews.service_id is 'The listing that was ordered';
comment on column reviews.order_id is 'The completed order';
comment on column reviews.reviewer_id is 'The buyer who wrote it';
comment on column reviews.freelancer_id is 'The freelancer it is about';
comment on column reviews.rating is 'A whole number from 1 to 5';
comment on column reviews.comment is 'Plain text, may be null';
comment on column reviews.hidden_at is 'When an administrator hid it, null while it is visible. Hidden ones count nowhere';
comment on column reviews.hidden_reason is 'Why it was hidden';
comment on column reviews.created_at is 'When it was written';
comment on table rating_tallies is 'How often each rating was given to a listing or a freelancer, hidden reviews left out';
comment on column rating_tallies.subject_id is 'The listing or the freelancer''s account';
comment on column rating_tallies.rating is 'A whole number from 1 to 5';
comment on column rating_tallies.count is 'How many visible reviews gave it';
