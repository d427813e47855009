-- How freelancers are paid: where to, how often, and every payout with the orders that it pays for.
create table payout_accounts (
    user_id uuid not null references users (id),
    provider text collate "C" not null,     -- `manual`: paid by hand, to what `details` say
    reference text collate "C" unique,      -- the provider's id, once it has answered
    status text not null check (status in ('pending', 'enabled', 'restricted')),
    wanted jsonb not null,                  -- what is still missing, as a JSON list
    details text,
    looked_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (user_id, provider)
);

create table payout_settings (
    user_id uuid primary key not null references users (id),
    schedule text not null check (schedule in ('manual', 'daily', 'weekly')),
    minimum_thousandths bigint check (minimum_thousandths >= 0),
    version bigint not null default 1,
    chosen_at timestamptz not null,
    updated_at timestamptz not null
);

create table payouts (
    id uuid primary key not null,
    freelancer_id uuid not null references users (id),
    provider text not null,
    account text,                           -- the provider's id of the account; none where it is paid by hand
    details text,                           -- where to pay to by hand, as it was when the payout was started
    currency text collate "C" not null,
    amount_minor bigint not null check (amount_minor > 0),
    status text not null check (status in ('pending', 'paid', 'partly_paid', 'failed')),
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index payouts_freelancer on payouts (freelancer_id, id);
create index payouts_open on payouts (id) where status = 'pending';

create table payout_items (
    id uuid primary key not null,
    payout_id uuid not null references payouts (id),
    release_id uuid not null references releases (id),
    order_id uuid not null references orders (id),
    amount_minor bigint not null check (amount_minor > 0),
    currency text collate "C" not null,
    status text not null check (status in ('pending', 'paid', 'returned')),
    provider_key text collate "C" not null unique,
    transaction_id text collate "C",
    failure text,
    failure_message text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index payout_items_payout on payout_items (payout_id, id);
create index payout_items_transaction on payout_items (transaction_id) where transaction_id is not null;
-- What was earned is on its way once at most.
create unique index payout_items_live on payout_items (release_id) where status <> 'returned';

comment on table payout_accounts is 'Where freelancers are paid to: an account at a payment provider, or details for those who pay by hand';
comment on column payout_accounts.user_id is 'Whose account it is';
comment on column payout_accounts.provider is 'At which provider; manual: paid by hand';
comment on column payout_accounts.reference is 'The provider''s id of it, once it has answered';
comment on column payout_accounts.status is 'pending, enabled or restricted';
comment on column payout_accounts.wanted is 'What is still missing, in the provider''s words, as a JSON list';
comment on column payout_accounts.details is 'Where to pay to by hand, in the freelancer''s words';
comment on column payout_accounts.looked_at is 'When the provider last said how it stands';
comment on column payout_accounts.version is 'Counts its changes';
comment on column payout_accounts.created_at is 'When it was begun';
comment on column payout_accounts.updated_at is 'When it last changed';
comment on table payout_settings is 'When freelancers want to be paid; without a row when they ask for it';
comment on column payout_settings.user_id is 'Whose settings they are';
comment on column payout_settings.schedule is 'manual, daily or weekly';
comment on column payout_settings.minimum_thousandths is 'Nothing less is paid out: in thousandths of the unit of whichever currency, null for the house''s';
comment on column payout_settings.version is 'Counts its changes';
comment on column payout_settings.chosen_at is 'When the schedule was chosen, from which it counts';
comment on column payout_settings.updated_at is 'When they last changed';
comment on table payouts is 'Payments to freelancers: each gathers what several orders earned in one currency';
comment on column payouts.id is 'UUIDv7: begins with the time it was started';
comment on column payouts.freelancer_id is 'Who is paid';
comment on column payouts.provider is 'Through which provider; manual: paid by hand';
comment on column payouts.account is 'The provider''s id of the account that it goes to, null where it is paid by hand';
comment on column payouts.details is 'Where to pay to by hand, in the freelancer''s words when it was started; null once the account is deleted';
comment on column payouts.currency is 'ISO 4217 code';
comment on column payouts.amount_minor is 'How much, in the smallest unit of the currency';
comment on column payouts.status is 'pending, paid, partly_paid or failed';
comment on column payouts.version is 'Counts its changes';
comment on column payouts.created_at is 'When it was started';
comment on column payouts.updated_at is 'When it last changed';
comment on table payout_items is 'What a payout consists of: a row per order that it pays for';
comment on column payout_items.id is 'UUIDv7: begins with the time it was started';
comment on column payout_items.payout_id is 'The payout that it belongs to';
comment on column payout_items.release_id is 'The release whose money it is';
comment on column payout_items.order_id is 'The order that earned it';
comment on column payout_items.amount_minor is 'How much, in the smallest unit of the currency';
comment on column payout_items.currency is 'ISO 4217 code';
comment on column payout_items.status is 'pending, paid or returned';
comment on column payout_items.provider_key is 'The idempotency key that the provider is asked with';
comment on column payout_items.transaction_id is 'The provider''s id of the transfer, or the reference of the payment by hand';
comment on column payout_items.failure is 'Why it came back, as a code';
comment on column payout_items.failure_message is 'Why it came back, in words';
comment on column payout_items.created_at is 'When it was started';
comment on column payout_items.updated_at is 'When it last changed';
