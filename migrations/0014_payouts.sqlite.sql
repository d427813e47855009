-- How freelancers are paid: where to, how often, and every payout with the orders that it pays for.
create table payout_accounts (
    user_id blob not null references users (id),
    provider text not null,                 -- `manual`: paid by hand, to what `details` say
    reference text unique,                  -- the provider's id, once it has answered
    status text not null check (status in ('pending', 'enabled', 'restricted')),
    wanted text not null,                   -- what is still missing, as a JSON list
    details text,
    looked_at integer,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    primary key (user_id, provider)
) strict;

create table payout_settings (
    user_id blob primary key not null references users (id),
    schedule text not null check (schedule in ('manual', 'daily', 'weekly')),
    minimum_thousandths integer check (minimum_thousandths >= 0),
    version integer not null default 1,
    chosen_at integer not null,             -- when the schedule was: it counts from then
    updated_at integer not null
) strict;

create table payouts (
    id blob primary key not null,
    freelancer_id blob not null references users (id),
    provider text not null,
    account text,                           -- the provider's id of the account; none where it is paid by hand
    details text,                           -- where to pay to by hand, as it was when the payout was started
    currency text not null,
    amount_minor integer not null check (amount_minor > 0),
    status text not null check (status in ('pending', 'paid', 'partly_paid', 'failed')),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null
) strict;
create index payouts_freelancer on payouts (freelancer_id, id);
create index payouts_open on payouts (id) where status = 'pending';

create table payout_items (
    id blob primary key not null,
    payout_id blob not null references payouts (id),
    release_id blob not null references releases (id),
    order_id blob not null references orders (id),
    amount_minor integer not null check (amount_minor > 0),
    currency text not null,
    status text not null check (status in ('pending', 'paid', 'returned')),
    provider_key text not null unique,
    transaction_id text,
    failure text,
    failure_message text,
    created_at integer not null,
    updated_at integer not null
) strict;
create index payout_items_payout on payout_items (payout_id, id);
create index payout_items_transaction on payout_items (transaction_id) where transaction_id is not null;
-- What was earned is on its way once at most.
create unique index payout_items_live on payout_items (release_id) where status <> 'returned';
