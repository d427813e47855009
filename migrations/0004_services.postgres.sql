-- Listings: what freelancers offer. Archived ones stay for the orders and reviews that name them.
create table services (
    id uuid primary key not null,
    freelancer_id uuid not null references users (id),
    title text not null,
    description text not null,
    category text not null,
    category_folded text collate "C" not null,
    price_minor bigint not null check (price_minor > 0),
    currency text collate "C" not null,
    -- A factor with as many digits after the point as the currency has gives a product with as many.
    price numeric generated always as (
        price_minor * case
            when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                              'VND', 'VUV', 'XAF', 'XOF', 'XPF')
                then 1
            when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 0.001
            when currency in ('CLF', 'UYW') then 0.0001
            else 0.01
        end
    ) stored,
    delivery_days bigint not null check (delivery_days between 1 and 365),
    tags jsonb not null default '[]',       -- list
    status text not null check (status in ('draft', 'published', 'paused')),
    seller_suspended boolean not null default false,
    archived_at timestamptz,
    -- Found by the public lists: published, not archived, its seller not suspended.
    listed boolean not null,
    rating_sum bigint not null default 0,
    rating_count bigint not null default 0,
    rating_centi bigint not null default 0, -- the average in hundredths; 0 without reviews
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index services_freelancer on services (freelancer_id, id);
create index services_newest on services (id) where listed;
create index services_category on services (category_folded, id) where listed;
create index services_price on services (currency, price_minor, id) where listed;
create index services_category_price on services (category_folded, currency, price_minor, id) where listed;
create index services_rating on services (rating_centi, id) where listed;
create index services_category_rating on services (category_folded, rating_centi, id) where listed;

create table service_tags (
    tag_folded text collate "C" not null,
    service_id uuid not null references services (id),
    primary key (tag_folded, service_id)
);
create index service_tags_service_id on service_tags (service_id);

-- The folded words of each listing that is not archived, those of its title once more behind a ^: the program decides what
-- a word is.
create table service_search (
    service_id uuid primary key not null references services (id),
    words tsvector not null
);
-- Listings are looked for far more often than they are written: no list of pending words that every search would read.
create index service_search_words on service_search using gin (words) with (fastupdate = off);
-- With the usual 100 the rare words are not known, and looking for one may read every listing in the order of the answer.
alter table service_search alter column words set statistics 1000;

comment on table services is 'What freelancers offer: listings. Archived ones stay for the orders and reviews that name them';
comment on column services.id is 'UUIDv7: begins with the time of its creation';
comment on column services.freelancer_id is 'The account that offers it';
comment on column services.title is '3 to 120 characters';
comment on column services.description is 'Plain text';
comment on column services.category is 'As the freelancer wrote it';
comment on column services.category_folded is 'The category without case: group by this one';
comment on column services.price_minor is 'The price in the smallest unit of its currency, 4990 for 49.90 USD';
comment on column services.currency is 'ISO 4217 code of the price. Amounts of different currencies are never added';
comment on column services.price is 'The price as a decimal with the digits of its currency, computed from price_minor';
comment on column services.delivery_days is 'Days from payment to the promised delivery';
comment on column services.tags is 'JSON list of texts, at most 10';
comment on column services.status is 'draft, published or paused: what its freelancer wants';
comment on column services.seller_suspended is 'Whether its freelancer is suspended';
comment on column services.archived_at is 'When it was taken away for good, null while it is offered';
comment on column services.listed is 'Whether the public finds it: published, not archived, its freelancer not suspended';
comment on column services.rating_sum is 'Sum of the ratings of its visible reviews';
comment on column services.rating_count is 'Number of its visible reviews';
comment on column services.rating_centi is 'The average rating in hundredths (450 is 4.50), 0 without reviews';
comment on column services.version is 'Grows with each change by its freelancer. Orders remember the version they were placed with';
comment on column services.created_at is 'When it was created';
comment on column services.updated_at is 'When it was last changed';
comment on table service_tags is 'The tags of listings that are not archived, without case: a row per tag and listing';
comment on column service_tags.tag_folded is 'The tag without case';
comment on column service_tags.service_id is 'The listing';
comment on table service_search is 'The words of listings that are not archived, for full text search';
