-- Fee rules, and what an order froze of the one that counted; the buyer's service fee.
create table fee_rules (
    id uuid primary key not null,
    position bigint not null unique check (position between 1 and 1000000),
    scope text not null check (scope in ('category', 'freelancer', 'default')),
    category text,
    category_folded text,
    freelancer_id uuid references users (id),
    rate_bp bigint not null check (rate_bp between 0 and 10000),
    fixed jsonb not null default '[]',      -- list of {currency, minor}
    active boolean not null,
    version bigint not null default 1,
    created_by uuid references users (id),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check ((scope = 'category') = (category is not null)),
    check ((category is null) = (category_folded is null)),
    check ((scope = 'freelancer') = (freelancer_id is not null))
);

alter table orders add column fee_fixed_minor bigint not null default 0 check (fee_fixed_minor >= 0);
-- No foreign key: the rule may go, what it said stays.
alter table orders add column fee_rule_id uuid;
alter table orders add column fee_basis text check (fee_basis in ('category', 'freelancer', 'default', 'configured'));
alter table orders add column fee_category text;
alter table orders add column service_fee_rate_bp bigint not null default 0
    check (service_fee_rate_bp between 0 and 10000);
alter table orders add column service_fee_minor bigint not null default 0 check (service_fee_minor >= 0);

comment on table fee_rules is 'What the marketplace keeps of orders: the active rule with the lowest position that covers an order counts when it is placed';
comment on column fee_rules.id is 'UUIDv7: begins with the time of its creation';
comment on column fee_rules.position is 'Rules are asked from the lowest on';
comment on column fee_rules.scope is 'What it goes by: category, freelancer, or default, which covers everything';
comment on column fee_rules.category is 'Whose listings it covers, as the administrator wrote it; null with other scopes';
comment on column fee_rules.category_folded is 'The category without case';
comment on column fee_rules.freelancer_id is 'Whose sales it covers; null with other scopes';
comment on column fee_rules.rate_bp is 'The share of the amount in basis points (1000 is 10 per cent)';
comment on column fee_rules.fixed is 'JSON list of {currency, minor}: the fixed part beside the share, in the currencies that have one';
comment on column fee_rules.active is 'Whether it counts';
comment on column fee_rules.version is 'Grows with each change. What changed and who did it is in events';
comment on column fee_rules.created_by is 'Which administrator made it';
comment on column fee_rules.created_at is 'When it was made';
comment on column fee_rules.updated_at is 'When it was last changed';
comment on column orders.amount_minor is 'The price that was agreed, in the smallest unit of the currency; the buyer pays it and service_fee_minor';
comment on column orders.amount is 'The agreed price as a decimal with the digits of its currency, computed from amount_minor';
comment on column orders.fee_fixed_minor is 'The fixed part of the fee beside its rate, fixed at placing';
comment on column orders.fee_rule_id is 'The fee rule that counted at placing; it may be gone. Null where none did';
comment on column orders.fee_basis is 'What that rule went by: category, freelancer or default; configured where there was none; null for orders from before rules';
comment on column orders.fee_category is 'What that rule called the category, where it went by one';
comment on column orders.service_fee_rate_bp is 'The buyer''s service fee in basis points of the amount, fixed at placing';
comment on column orders.service_fee_minor is 'The buyer''s service fee in minor units, fixed at placing: paid beside the amount';
