-- Fee rules, and what an order froze of the one that counted; the buyer's service fee.
create table fee_rules (
    id blob primary key not null,
    position integer not null unique check (position between 1 and 1000000),
    scope text not null check (scope in ('category', 'freelancer', 'default')),
    category text,
    category_folded text,
    freelancer_id blob references users (id),
    rate_bp integer not null check (rate_bp between 0 and 10000),
    fixed text not null default '[]',       -- list of {currency, minor}
    active integer not null check (active in (0, 1)),
    version integer not null default 1,
    created_by blob references users (id),
    created_at integer not null,
    updated_at integer not null,
    check ((scope = 'category') = (category is not null)),
    check ((category is null) = (category_folded is null)),
    check ((scope = 'freelancer') = (freelancer_id is not null))
) strict;

alter table orders add column fee_fixed_minor integer not null default 0 check (fee_fixed_minor >= 0);
-- No foreign key: the rule may go, what it said stays.
alter table orders add column fee_rule_id blob;
alter table orders add column fee_basis text check (fee_basis in ('category', 'freelancer', 'default', 'configured'));
alter table orders add column fee_category text;
alter table orders add column service_fee_rate_bp integer not null default 0
    check (service_fee_rate_bp between 0 and 10000);
alter table orders add column service_fee_minor integer not null default 0 check (service_fee_minor >= 0);
