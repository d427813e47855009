-- Takes back what distribute.sql did: every table is on the coordinator again, with the constraints that it had. It also
-- mends a distribute.sql that stopped half way.
--
-- Stop the program. On the coordinator, which needs room for everything, as the role that owns the tables:
--     psql -d guildhall -f undistribute.sql

\set ON_ERROR_STOP on
\set QUIET on

-- Citus makes a new table for each and forgets its comments.
create temporary table said as
    select format('comment on table %s is %L', objoid::regclass, description) as comment
    from pg_description join pg_class c on c.oid = objoid
    where classoid = 'pg_class'::regclass and objsubid = 0 and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
    union all
    select format('comment on column %s.%I is %L', objoid::regclass, attname, description)
    from pg_description join pg_attribute a on a.attrelid = objoid and a.attnum = objsubid
        join pg_class c on c.oid = objoid
    where classoid = 'pg_class'::regclass and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace;

alter table access_tokens drop constraint if exists access_tokens_session_id_fkey;
alter table cases drop constraint if exists cases_order_id_fkey;
alter table cases drop constraint if exists cases_resolved_by_fkey;
alter table chargebacks drop constraint if exists chargebacks_order_id_fkey;
alter table chargebacks drop constraint if exists chargebacks_payment_id_fkey;
alter table debts drop constraint if exists debts_freelancer_id_fkey;
alter table debts drop constraint if exists debts_order_id_fkey;
alter table dispute_messages drop constraint if exists dispute_messages_author_id_fkey;
alter table dispute_messages drop constraint if exists dispute_messages_dispute_id_fkey;
alter table dispute_offers drop constraint if exists dispute_offers_dispute_id_fkey;
alter table disputes drop constraint if exists disputes_decided_by_fkey;
alter table disputes drop constraint if exists disputes_opened_by_fkey;
alter table disputes drop constraint if exists disputes_order_id_fkey;
alter table fee_rules drop constraint if exists fee_rules_created_by_fkey;
alter table fee_rules drop constraint if exists fee_rules_freelancer_id_fkey;
alter table freelancer_stats drop constraint if exists freelancer_stats_user_id_fkey;
alter table known_addresses drop constraint if exists known_addresses_user_id_fkey;
alter table ledger_journals drop constraint if exists ledger_journals_order_id_fkey;
alter table ledger_lines drop constraint if exists ledger_lines_journal_id_fkey;
alter table notifications drop constraint if exists notifications_sender_id_fkey;
alter table notifications drop constraint if exists notifications_user_id_fkey;
alter table offsets drop constraint if exists offsets_debt_id_fkey;
alter table offsets drop constraint if exists offsets_freelancer_id_fkey;
alter table offsets drop constraint if exists offsets_order_id_fkey;
alter table offsets drop constraint if exists offsets_release_id_fkey;
alter table orders drop constraint if exists orders_buyer_id_fkey;
alter table orders drop constraint if exists orders_freelancer_id_fkey;
alter table orders drop constraint if exists orders_service_id_fkey;
alter table payments drop constraint if exists payments_buyer_id_fkey;
alter table payments drop constraint if exists payments_freelancer_id_fkey;
alter table payments drop constraint if exists payments_order_id_fkey;
alter table payout_accounts drop constraint if exists payout_accounts_user_id_fkey;
alter table payout_items drop constraint if exists payout_items_order_id_fkey;
alter table payout_items drop constraint if exists payout_items_payout_id_fkey;
alter table payout_items drop constraint if exists payout_items_release_id_fkey;
alter table payout_settings drop constraint if exists payout_settings_user_id_fkey;
alter table payouts drop constraint if exists payouts_freelancer_id_fkey;
alter table profiles drop constraint if exists profiles_user_id_fkey;
alter table provider_calls drop constraint if exists provider_calls_order_id_fkey;
alter table refresh_tokens drop constraint if exists refresh_tokens_session_id_fkey;
alter table refunds drop constraint if exists refunds_order_id_fkey;
alter table refunds drop constraint if exists refunds_payment_id_fkey;
alter table releases drop constraint if exists releases_freelancer_id_fkey;
alter table releases drop constraint if exists releases_order_id_fkey;
alter table reviews drop constraint if exists reviews_freelancer_id_fkey;
alter table reviews drop constraint if exists reviews_order_id_fkey;
alter table reviews drop constraint if exists reviews_reviewer_id_fkey;
alter table reviews drop constraint if exists reviews_service_id_fkey;
alter table service_search drop constraint if exists service_search_service_id_fkey;
alter table service_tags drop constraint if exists service_tags_service_id_fkey;
alter table services drop constraint if exists services_freelancer_id_fkey;
alter table sessions drop constraint if exists sessions_user_id_fkey;
alter table transactions drop constraint if exists transactions_order_id_fkey;
alter table transactions drop constraint if exists transactions_payment_id_fkey;
alter table transactions drop constraint if exists transactions_user_id_fkey;

select format('select undistribute_table(%L)', logicalrelid) from pg_dist_partition order by logicalrelid::text \gexec

alter table chargebacks drop constraint if exists chargebacks_pkey, add constraint chargebacks_pkey primary key (id);
alter table chargebacks drop constraint if exists chargebacks_reference_key, add constraint chargebacks_reference_key unique (reference);
alter table debts drop constraint if exists debts_pkey, add constraint debts_pkey primary key (id);
alter table debts drop constraint if exists debts_cause_id_key, add constraint debts_cause_id_key unique (cause_id);
alter table dispute_messages drop constraint if exists dispute_messages_pkey, add constraint dispute_messages_pkey primary key (id);
alter table disputes drop constraint if exists disputes_pkey, add constraint disputes_pkey primary key (id);
alter table events drop constraint if exists events_pkey, add constraint events_pkey primary key (id);
alter table ledger_journals drop constraint if exists ledger_journals_pkey, add constraint ledger_journals_pkey primary key (id);
alter table ledger_journals drop constraint if exists ledger_journals_cause_id_kind_key, add constraint ledger_journals_cause_id_kind_key unique (cause_id, kind);
alter table ledger_lines drop constraint if exists ledger_lines_pkey, add constraint ledger_lines_pkey primary key (journal_id, line);
alter table notifications drop constraint if exists notifications_pkey, add constraint notifications_pkey primary key (id);
alter table offsets drop constraint if exists offsets_pkey, add constraint offsets_pkey primary key (id);
alter table payments drop constraint if exists payments_pkey, add constraint payments_pkey primary key (id);
alter table payments drop constraint if exists payments_provider_key_key, add constraint payments_provider_key_key unique (provider_key);
alter table payments drop constraint if exists payments_transaction_id_key, add constraint payments_transaction_id_key unique (transaction_id);
alter table payout_items drop constraint if exists payout_items_pkey, add constraint payout_items_pkey primary key (id);
alter table payout_items drop constraint if exists payout_items_provider_key_key, add constraint payout_items_provider_key_key unique (provider_key);
alter table refunds drop constraint if exists refunds_pkey, add constraint refunds_pkey primary key (id);
alter table refunds drop constraint if exists refunds_provider_key_key, add constraint refunds_provider_key_key unique (provider_key);
alter table refunds drop constraint if exists refunds_transaction_id_key, add constraint refunds_transaction_id_key unique (transaction_id);
alter table releases drop constraint if exists releases_pkey, add constraint releases_pkey primary key (id);
alter table reviews drop constraint if exists reviews_pkey, add constraint reviews_pkey primary key (id);
alter table reviews drop constraint if exists reviews_order_id_key, add constraint reviews_order_id_key unique (order_id);
alter table transactions drop constraint if exists transactions_pkey, add constraint transactions_pkey primary key (id);
alter table transactions drop constraint if exists transactions_cause_id_type_key, add constraint transactions_cause_id_type_key unique (cause_id, type);
drop index if exists payout_items_live;
create unique index payout_items_live on payout_items (release_id) where status <> 'returned';
drop index if exists refunds_replaces;
create unique index refunds_replaces on refunds (replaces_id);

alter table access_tokens add constraint access_tokens_session_id_fkey foreign key (session_id) references sessions (id) on delete cascade;
alter table cases add constraint cases_order_id_fkey foreign key (order_id) references orders (id);
alter table cases add constraint cases_resolved_by_fkey foreign key (resolved_by) references users (id);
alter table chargebacks add constraint chargebacks_order_id_fkey foreign key (order_id) references orders (id);
alter table chargebacks add constraint chargebacks_payment_id_fkey foreign key (payment_id) references payments (id);
alter table debts add constraint debts_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table debts add constraint debts_order_id_fkey foreign key (order_id) references orders (id);
alter table dispute_messages add constraint dispute_messages_author_id_fkey foreign key (author_id) references users (id);
alter table dispute_messages add constraint dispute_messages_dispute_id_fkey foreign key (dispute_id) references disputes (id);
alter table dispute_offers add constraint dispute_offers_dispute_id_fkey foreign key (dispute_id) references disputes (id);
alter table disputes add constraint disputes_decided_by_fkey foreign key (decided_by) references users (id);
alter table disputes add constraint disputes_opened_by_fkey foreign key (opened_by) references users (id);
alter table disputes add constraint disputes_order_id_fkey foreign key (order_id) references orders (id);
alter table fee_rules add constraint fee_rules_created_by_fkey foreign key (created_by) references users (id);
alter table fee_rules add constraint fee_rules_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table freelancer_stats add constraint freelancer_stats_user_id_fkey foreign key (user_id) references users (id);
alter table known_addresses add constraint known_addresses_user_id_fkey foreign key (user_id) references users (id);
alter table ledger_journals add constraint ledger_journals_order_id_fkey foreign key (order_id) references orders (id);
alter table ledger_lines add constraint ledger_lines_journal_id_fkey foreign key (journal_id) references ledger_journals (id);
alter table notifications add constraint notifications_sender_id_fkey foreign key (sender_id) references users (id);
alter table notifications add constraint notifications_user_id_fkey foreign key (user_id) references users (id);
alter table offsets add constraint offsets_debt_id_fkey foreign key (debt_id) references debts (id);
alter table offsets add constraint offsets_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table offsets add constraint offsets_order_id_fkey foreign key (order_id) references orders (id);
alter table offsets add constraint offsets_release_id_fkey foreign key (release_id) references releases (id);
alter table orders add constraint orders_buyer_id_fkey foreign key (buyer_id) references users (id);
alter table orders add constraint orders_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table orders add constraint orders_service_id_fkey foreign key (service_id) references services (id);
alter table payments add constraint payments_buyer_id_fkey foreign key (buyer_id) references users (id);
alter table payments add constraint payments_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table payments add constraint payments_order_id_fkey foreign key (order_id) references orders (id);
alter table payout_accounts add constraint payout_accounts_user_id_fkey foreign key (user_id) references users (id);
alter table payout_items add constraint payout_items_order_id_fkey foreign key (order_id) references orders (id);
alter table payout_items add constraint payout_items_payout_id_fkey foreign key (payout_id) references payouts (id);
alter table payout_items add constraint payout_items_release_id_fkey foreign key (release_id) references releases (id);
alter table payout_settings add constraint payout_settings_user_id_fkey foreign key (user_id) references users (id);
alter table payouts add constraint payouts_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table profiles add constraint profiles_user_id_fkey foreign key (user_id) references users (id);
alter table provider_calls add constraint provider_calls_order_id_fkey foreign key (order_id) references orders (id);
alter table refresh_tokens add constraint refresh_tokens_session_id_fkey foreign key (session_id) references sessions (id) on delete cascade;
alter table refunds add constraint refunds_order_id_fkey foreign key (order_id) references orders (id);
alter table refunds add constraint refunds_payment_id_fkey foreign key (payment_id) references payments (id);
alter table releases add constraint releases_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table releases add constraint releases_order_id_fkey foreign key (order_id) references orders (id);
alter table reviews add constraint reviews_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table reviews add constraint reviews_order_id_fkey foreign key (order_id) references orders (id);
alter table reviews add constraint reviews_reviewer_id_fkey foreign key (reviewer_id) references users (id);
alter table reviews add constraint reviews_service_id_fkey foreign key (service_id) references services (id);
alter table service_search add constraint service_search_service_id_fkey foreign key (service_id) references services (id);
alter table service_tags add constraint service_tags_service_id_fkey foreign key (service_id) references services (id);
alter table services add constraint services_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table sessions add constraint sessions_user_id_fkey foreign key (user_id) references users (id);
alter table transactions add constraint transactions_order_id_fkey foreign key (order_id) references orders (id);
alter table transactions add constraint transactions_payment_id_fkey foreign key (payment_id) references payments (id);
alter table transactions add constraint transactions_user_id_fkey foreign key (user_id) references users (id);

alter table service_search alter column words set statistics 1000;
select comment from said \gexec
analyze;

create or replace trigger ledger_lines_order before insert on ledger_lines
    for each row when (new.order_id is null) execute function ledger_lines_order();
