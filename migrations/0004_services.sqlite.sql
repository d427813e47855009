-- Listings: what freelancers offer. Archived ones stay for the orders and reviews that name them.
create table services (
    search_key integer primary key,         -- the row's number in service_search
    id blob not null unique,
    freelancer_id blob not null references users (id),
    title text not null,
    description text not null,
    category text not null,
    category_folded text not null,
    price_minor integer not null check (price_minor > 0),
    currency text not null,
    price text generated always as (
        case
            when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                              'VND', 'VUV', 'XAF', 'XOF', 'XPF')
                then printf('%d', price_minor)
            when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND')
                then printf('%d.%03d', price_minor / 1000, price_minor % 1000)
            when currency in ('CLF', 'UYW')
                then printf('%d.%04d', price_minor / 10000, price_minor % 10000)
            else printf('%d.%02d', price_minor / 100, price_minor % 100)
        end
    ) virtual,
    delivery_days integer not null check (delivery_days between 1 and 365),
    tags text not null default '[]',        -- JSON list
    status text not null check (status in ('draft', 'published', 'paused')),
    seller_suspended integer not null default 0 check (seller_suspended in (0, 1)),
    archived_at integer,
    -- Found by the public lists: published, not archived, its seller not suspended.
    listed integer not null check (listed in (0, 1)),
    rating_sum integer not null default 0,
    rating_count integer not null default 0,
    rating_centi integer not null default 0, -- the average in hundredths; 0 without reviews
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null
) strict;
create index services_freelancer on services (freelancer_id, id);
create index services_newest on services (id) where listed;
create index services_category on services (category_folded, id) where listed;
create index services_price on services (currency, price_minor, id) where listed;
create index services_category_price on services (category_folded, currency, price_minor, id) where listed;
create index services_rating on services (rating_centi, id) where listed;
create index services_category_rating on services (category_folded, rating_centi, id) where listed;

create table service_tags (
    tag_folded text not null,
    service_id blob not null references services (id),
    primary key (tag_folded, service_id)
) strict, without rowid;
create index service_tags_service_id on service_tags (service_id);

-- The folded words of each listing that is not archived, each once, spaced: the program decides what a word is. Which words
-- there are is asked, never where they stand.
create virtual table service_search using fts5 (title, others, tokenize = ascii, detail = column, columnsize = 0);
