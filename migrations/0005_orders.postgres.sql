-- Orders: everything they were placed with is frozen in them.
create table orders (
    id uuid primary key not null,
    buyer_id uuid not null references users (id),
    freelancer_id uuid not null references users (id),
    service_id uuid not null references services (id),
    service_version bigint not null,
    title text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text collate "C" not null,
    amount numeric generated always as (
        amount_minor * case
            when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                              'VND', 'VUV', 'XAF', 'XOF', 'XPF')
                then 1
            when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 0.001
            when currency in ('CLF', 'UYW') then 0.0001
            else 0.01
        end
    ) stored,
    fee_rate_bp bigint not null check (fee_rate_bp between 0 and 10000),
    fee_minor bigint not null check (fee_minor >= 0),
    delivery_days bigint not null,
    requirements text,
    status text not null check (status in ('pending', 'active', 'delivered', 'completed', 'cancelled', 'disputed')),
    pay_by timestamptz not null,
    due_at timestamptz,
    auto_complete_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check (buyer_id <> freelancer_id)
);
create index orders_buyer on orders (buyer_id, id);
create index orders_freelancer on orders (freelancer_id, id);
create index orders_unpaid on orders (buyer_id) where status = 'pending';

comment on table orders is 'Orders: a buyer, a freelancer, and the terms of the listing as they were when it was placed';
comment on column orders.id is 'UUIDv7: begins with the time of placing';
comment on column orders.buyer_id is 'Who ordered and pays';
comment on column orders.freelancer_id is 'Who does the work: the seller at the time of placing';
comment on column orders.service_id is 'The listing it was placed for';
comment on column orders.service_version is 'Which version of the listing';
comment on column orders.title is 'The listing''s title when it was placed';
comment on column orders.amount_minor is 'What the buyer pays, in the smallest unit of the currency';
comment on column orders.currency is 'ISO 4217 code. Amounts of different currencies are never added';
comment on column orders.amount is 'What the buyer pays as a decimal with the digits of its currency, computed from amount_minor';
comment on column orders.fee_rate_bp is 'The marketplace''s share in basis points (1000 is 10 per cent), fixed at placing';
comment on column orders.fee_minor is 'The fee in minor units: what it will be while the order is open, what was kept once it is completed, 0 when cancelled';
comment on column orders.delivery_days is 'Days from payment to the promised delivery';
comment on column orders.requirements is 'What the buyer asked for, plain text';
comment on column orders.status is 'pending (unpaid), active (paid), delivered, completed, cancelled or disputed';
comment on column orders.pay_by is 'Unpaid by then, it is cancelled';
comment on column orders.due_at is 'When the delivery is due: set when it is paid, anew with a revision, null before';
comment on column orders.auto_complete_at is 'When it completes by itself unless the buyer answers, null unless it is delivered';
comment on column orders.version is 'Grows with each change';
comment on column orders.created_at is 'When it was placed';
comment on column orders.updated_at is 'When it was last changed. When it took each step is in events';
