-- Orders: everything they were placed with is frozen in them.
create table orders (
    id blob primary key not null,
    buyer_id blob not null references users (id),
    freelancer_id blob not null references users (id),
    service_id blob not null references services (id),
    service_version integer not null,
    title text not null,
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    amount text generated always as (
        case
            when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                              'VND', 'VUV', 'XAF', 'XOF', 'XPF')
                then printf('%d', amount_minor)
            when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND')
                then printf('%d.%03d', amount_minor / 1000, amount_minor % 1000)
            when currency in ('CLF', 'UYW')
                then printf('%d.%04d', amount_minor / 10000, amount_minor % 10000)
            else printf('%d.%02d', amount_minor / 100, amount_minor % 100)
        end
    ) virtual,
    fee_rate_bp integer not null check (fee_rate_bp between 0 and 10000),
    fee_minor integer not null check (fee_minor >= 0),
    delivery_days integer not null,
    requirements text,
    status text not null check (status in ('pending', 'active', 'delivered', 'completed', 'cancelled', 'disputed')),
    pay_by integer not null,
    due_at integer,
    auto_complete_at integer,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    check (buyer_id <> freelancer_id)
) strict;
create index orders_buyer on orders (buyer_id, id);
create index orders_freelancer on orders (freelancer_id, id);
create index orders_unpaid on orders (buyer_id) where status = 'pending';
