-- What buyers say of completed orders, once each.
create table reviews (
    id blob primary key not null,
    service_id blob not null references services (id),
    order_id blob not null unique references orders (id),
    reviewer_id blob not null references users (id),
    freelancer_id blob not null references users (id),
    rating integer not null check (rating between 1 and 5),
    comment text,
    hidden_at integer,
    hidden_reason text,
    created_at integer not null
) strict;
create index reviews_service on reviews (service_id, id) where hidden_at is null;
create index reviews_reviewer on reviews (reviewer_id, id) where hidden_at is null;
create index reviews_freelancer on reviews (freelancer_id, id) where hidden_at is null;

-- How often each rating was given to a listing or a freelancer, so that a summary needs no scan.
create table rating_tallies (
    subject_id blob not null,
    rating integer not null check (rating between 1 and 5),
    count integer not null check (count >= 0),
    primary key (subject_id, rating)
) strict, without rowid;
