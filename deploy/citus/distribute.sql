-- Spreads a migrated Guildhall over the servers of a Citus cluster, with all its data. README.md beside this says what it
-- changes, and what was tried.
--
-- Stop the program. On the coordinator, as the role that owns the tables:
--     psql -d guildhall -f distribute.sql
-- When it stops half way, run undistribute.sql and begin again. For Citus 12.1 or newer.

\set ON_ERROR_STOP on
\set QUIET on

do $$
begin
    if not exists (select from pg_proc where proname = 'create_reference_table') then
        raise exception 'this database has no Citus, and nothing was changed: create extension citus;';
    end if;
end
$$;

-- Programs of the version before are not replaced one by one here: what was done for them goes.
drop trigger ledger_lines_order on ledger_lines;

-- A key is only seen among rows of the same home. All foreign keys go first: a table can then be spread in any order, and
-- those that are possible come back in the end.
alter table access_tokens drop constraint access_tokens_session_id_fkey;
alter table cases drop constraint cases_order_id_fkey;
alter table cases drop constraint cases_resolved_by_fkey;
alter table chargebacks drop constraint chargebacks_order_id_fkey;
alter table chargebacks drop constraint chargebacks_payment_id_fkey;
alter table debts drop constraint debts_freelancer_id_fkey;
alter table debts drop constraint debts_order_id_fkey;
alter table dispute_messages drop constraint dispute_messages_author_id_fkey;
alter table dispute_messages drop constraint dispute_messages_dispute_id_fkey;
alter table dispute_offers drop constraint dispute_offers_dispute_id_fkey;
alter table disputes drop constraint disputes_decided_by_fkey;
alter table disputes drop constraint disputes_opened_by_fkey;
alter table disputes drop constraint disputes_order_id_fkey;
alter table fee_rules drop constraint fee_rules_created_by_fkey;
alter table fee_rules drop constraint fee_rules_freelancer_id_fkey;
alter table freelancer_stats drop constraint freelancer_stats_user_id_fkey;
alter table known_addresses drop constraint known_addresses_user_id_fkey;
alter table ledger_journals drop constraint ledger_journals_order_id_fkey;
alter table ledger_lines drop constraint ledger_lines_journal_id_fkey;
alter table notifications drop constraint notifications_sender_id_fkey;
alter table notifications drop constraint notifications_user_id_fkey;
alter table offsets drop constraint offsets_debt_id_fkey;
alter table offsets drop constraint offsets_freelancer_id_fkey;
alter table offsets drop constraint offsets_order_id_fkey;
alter table offsets drop constraint offsets_release_id_fkey;
alter table orders drop constraint orders_buyer_id_fkey;
alter table orders drop constraint orders_freelancer_id_fkey;
alter table orders drop constraint orders_service_id_fkey;
alter table payments drop constraint payments_buyer_id_fkey;
alter table payments drop constraint payments_freelancer_id_fkey;
alter table payments drop constraint payments_order_id_fkey;
alter table payout_accounts drop constraint payout_accounts_user_id_fkey;
alter table payout_items drop constraint payout_items_order_id_fkey;
alter table payout_items drop constraint payout_items_payout_id_fkey;
alter table payout_items drop constraint payout_items_release_id_fkey;
alter table payout_settings drop constraint payout_settings_user_id_fkey;
alter table payouts drop constraint payouts_freelancer_id_fkey;
alter table profiles drop constraint profiles_user_id_fkey;
alter table provider_calls drop constraint provider_calls_order_id_fkey;
alter table refresh_tokens drop constraint refresh_tokens_session_id_fkey;
alter table refunds drop constraint refunds_order_id_fkey;
alter table refunds drop constraint refunds_payment_id_fkey;
alter table releases drop constraint releases_freelancer_id_fkey;
alter table releases drop constraint releases_order_id_fkey;
alter table reviews drop constraint reviews_freelancer_id_fkey;
alter table reviews drop constraint reviews_order_id_fkey;
alter table reviews drop constraint reviews_reviewer_id_fkey;
alter table reviews drop constraint reviews_service_id_fkey;
alter table service_search drop constraint service_search_service_id_fkey;
alter table service_tags drop constraint service_tags_service_id_fkey;
alter table services drop constraint services_freelancer_id_fkey;
alter table sessions drop constraint sessions_user_id_fkey;
alter table transactions drop constraint transactions_order_id_fkey;
alter table transactions drop constraint transactions_payment_id_fkey;
alter table transactions drop constraint transactions_user_id_fkey;

-- What is unique must hold the column that rows are spread by.
alter table chargebacks drop constraint chargebacks_pkey, add constraint chargebacks_pkey primary key (id, order_id);
alter table chargebacks drop constraint chargebacks_reference_key, add constraint chargebacks_reference_key unique (reference, order_id);
alter table debts drop constraint debts_pkey, add constraint debts_pkey primary key (id, order_id);
alter table debts drop constraint debts_cause_id_key, add constraint debts_cause_id_key unique (cause_id, order_id);
alter table dispute_messages drop constraint dispute_messages_pkey, add constraint dispute_messages_pkey primary key (id, dispute_id);
alter table disputes drop constraint disputes_pkey, add constraint disputes_pkey primary key (id, order_id);
alter table events drop constraint events_pkey, add constraint events_pkey primary key (id, subject_id);
alter table ledger_journals drop constraint ledger_journals_pkey, add constraint ledger_journals_pkey primary key (id, order_id);
alter table ledger_journals drop constraint ledger_journals_cause_id_kind_key, add constraint ledger_journals_cause_id_kind_key unique (cause_id, kind, order_id);
alter table ledger_lines drop constraint ledger_lines_pkey, add constraint ledger_lines_pkey primary key (journal_id, line, order_id);
alter table notifications drop constraint notifications_pkey, add constraint notifications_pkey primary key (id, user_id);
alter table offsets drop constraint offsets_pkey, add constraint offsets_pkey primary key (id, order_id);
alter table payments drop constraint payments_pkey, add constraint payments_pkey primary key (id, order_id);
alter table payments drop constraint payments_provider_key_key, add constraint payments_provider_key_key unique (provider_key, order_id);
alter table payments drop constraint payments_transaction_id_key, add constraint payments_transaction_id_key unique (transaction_id, order_id);
alter table payout_items drop constraint payout_items_pkey, add constraint payout_items_pkey primary key (id, order_id);
alter table payout_items drop constraint payout_items_provider_key_key, add constraint payout_items_provider_key_key unique (provider_key, order_id);
alter table refunds drop constraint refunds_pkey, add constraint refunds_pkey primary key (id, order_id);
alter table refunds drop constraint refunds_provider_key_key, add constraint refunds_provider_key_key unique (provider_key, order_id);
alter table refunds drop constraint refunds_transaction_id_key, add constraint refunds_transaction_id_key unique (transaction_id, order_id);
alter table releases drop constraint releases_pkey, add constraint releases_pkey primary key (id, order_id);
alter table reviews drop constraint reviews_pkey, add constraint reviews_pkey primary key (id, service_id);
alter table reviews drop constraint reviews_order_id_key, add constraint reviews_order_id_key unique (order_id, service_id);
alter table transactions drop constraint transactions_pkey, add constraint transactions_pkey primary key (id, order_id);
alter table transactions drop constraint transactions_cause_id_type_key, add constraint transactions_cause_id_type_key unique (cause_id, type, order_id);
drop index payout_items_live;
create unique index payout_items_live on payout_items (release_id, order_id) where status <> 'returned';
drop index refunds_replaces;
create unique index refunds_replaces on refunds (replaces_id, order_id);

-- Every server has all of these.
select create_reference_table('users');
select create_reference_table('profiles');
select create_reference_table('services');
select create_reference_table('service_tags');
select create_reference_table('service_search');
select create_reference_table('fee_rules');
select create_reference_table('payouts');
select create_reference_table('payout_accounts');
select create_reference_table('payout_settings');
select create_reference_table('cases');

-- Spread. The first of a group makes it; what has the same home is on the same server.
select create_distributed_table('orders', 'id', colocate_with => 'none');
select create_distributed_table('payments', 'order_id', colocate_with => 'orders');
select create_distributed_table('refunds', 'order_id', colocate_with => 'orders');
select create_distributed_table('transactions', 'order_id', colocate_with => 'orders');
select create_distributed_table('ledger_journals', 'order_id', colocate_with => 'orders');
select create_distributed_table('ledger_lines', 'order_id', colocate_with => 'orders');
select create_distributed_table('releases', 'order_id', colocate_with => 'orders');
select create_distributed_table('debts', 'order_id', colocate_with => 'orders');
select create_distributed_table('offsets', 'order_id', colocate_with => 'orders');
select create_distributed_table('chargebacks', 'order_id', colocate_with => 'orders');
select create_distributed_table('payout_items', 'order_id', colocate_with => 'orders');
select create_distributed_table('disputes', 'order_id', colocate_with => 'orders');
select create_distributed_table('events', 'subject_id', colocate_with => 'orders');
select create_distributed_table('timers', 'subject_id', colocate_with => 'orders');
select create_distributed_table('dispute_offers', 'dispute_id', colocate_with => 'none');
select create_distributed_table('dispute_messages', 'dispute_id', colocate_with => 'dispute_offers');
select create_distributed_table('notifications', 'user_id', colocate_with => 'none');
select create_distributed_table('idempotency_keys', 'user_id', colocate_with => 'notifications');
select create_distributed_table('known_addresses', 'user_id', colocate_with => 'notifications');
select create_distributed_table('freelancer_stats', 'user_id', colocate_with => 'notifications');
select create_distributed_table('reviews', 'service_id', colocate_with => 'none');
select create_distributed_table('rating_tallies', 'subject_id', colocate_with => 'reviews');
select create_distributed_table('provider_calls', 'key', colocate_with => 'none');

-- These stay on the coordinator. Citus is told of those that are written together with rows elsewhere, so that one commit
-- is one commit. The others it need not know: settings (each write locks it), nodes, schema_migrations, sandbox_*.
select citus_add_local_table_to_metadata('sessions');
select citus_add_local_table_to_metadata('access_tokens');
select citus_add_local_table_to_metadata('refresh_tokens');
select citus_add_local_table_to_metadata('login_throttles');
select citus_add_local_table_to_metadata('webhook_inbox');
select citus_add_local_table_to_metadata('reconciliations');
select citus_add_local_table_to_metadata('commits');

-- Within a home and to what every server has. README.md names those that stay away.
alter table access_tokens add constraint access_tokens_session_id_fkey foreign key (session_id) references sessions (id) on delete cascade;
alter table cases add constraint cases_resolved_by_fkey foreign key (resolved_by) references users (id);
alter table chargebacks add constraint chargebacks_order_id_fkey foreign key (order_id) references orders (id);
alter table chargebacks add constraint chargebacks_payment_id_fkey foreign key (payment_id, order_id) references payments (id, order_id);
alter table debts add constraint debts_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table debts add constraint debts_order_id_fkey foreign key (order_id) references orders (id);
alter table dispute_messages add constraint dispute_messages_author_id_fkey foreign key (author_id) references users (id);
alter table disputes add constraint disputes_decided_by_fkey foreign key (decided_by) references users (id);
alter table disputes add constraint disputes_opened_by_fkey foreign key (opened_by) references users (id);
alter table disputes add constraint disputes_order_id_fkey foreign key (order_id) references orders (id);
alter table fee_rules add constraint fee_rules_created_by_fkey foreign key (created_by) references users (id);
alter table fee_rules add constraint fee_rules_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table freelancer_stats add constraint freelancer_stats_user_id_fkey foreign key (user_id) references users (id);
alter table known_addresses add constraint known_addresses_user_id_fkey foreign key (user_id) references users (id);
alter table ledger_journals add constraint ledger_journals_order_id_fkey foreign key (order_id) references orders (id);
alter table ledger_lines add constraint ledger_lines_journal_id_fkey foreign key (journal_id, order_id) references ledger_journals (id, order_id);
alter table notifications add constraint notifications_sender_id_fkey foreign key (sender_id) references users (id);
alter table notifications add constraint notifications_user_id_fkey foreign key (user_id) references users (id);
alter table offsets add constraint offsets_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table offsets add constraint offsets_order_id_fkey foreign key (order_id) references orders (id);
alter table offsets add constraint offsets_release_id_fkey foreign key (release_id, order_id) references releases (id, order_id);
alter table orders add constraint orders_buyer_id_fkey foreign key (buyer_id) references users (id);
alter table orders add constraint orders_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table orders add constraint orders_service_id_fkey foreign key (service_id) references services (id);
alter table payments add constraint payments_buyer_id_fkey foreign key (buyer_id) references users (id);
alter table payments add constraint payments_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table payments add constraint payments_order_id_fkey foreign key (order_id) references orders (id);
alter table payout_accounts add constraint payout_accounts_user_id_fkey foreign key (user_id) references users (id);
alter table payout_items add constraint payout_items_order_id_fkey foreign key (order_id) references orders (id);
alter table payout_items add constraint payout_items_payout_id_fkey foreign key (payout_id) references payouts (id);
alter table payout_items add constraint payout_items_release_id_fkey foreign key (release_id, order_id) references releases (id, order_id);
alter table payout_settings add constraint payout_settings_user_id_fkey foreign key (user_id) references users (id);
alter table payouts add constraint payouts_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table profiles add constraint profiles_user_id_fkey foreign key (user_id) references users (id);
alter table refresh_tokens add constraint refresh_tokens_session_id_fkey foreign key (session_id) references sessions (id) on delete cascade;
alter table refunds add constraint refunds_order_id_fkey foreign key (order_id) references orders (id);
alter table refunds add constraint refunds_payment_id_fkey foreign key (payment_id, order_id) references payments (id, order_id);
alter table releases add constraint releases_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table releases add constraint releases_order_id_fkey foreign key (order_id) references orders (id);
alter table reviews add constraint reviews_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table reviews add constraint reviews_reviewer_id_fkey foreign key (reviewer_id) references users (id);
alter table reviews add constraint reviews_service_id_fkey foreign key (service_id) references services (id);
alter table service_search add constraint service_search_service_id_fkey foreign key (service_id) references services (id);
alter table service_tags add constraint service_tags_service_id_fkey foreign key (service_id) references services (id);
alter table services add constraint services_freelancer_id_fkey foreign key (freelancer_id) references users (id);
alter table sessions add constraint sessions_user_id_fkey foreign key (user_id) references users (id);
alter table transactions add constraint transactions_order_id_fkey foreign key (order_id) references orders (id);
alter table transactions add constraint transactions_payment_id_fkey foreign key (payment_id, order_id) references payments (id, order_id);
alter table transactions add constraint transactions_user_id_fkey foreign key (user_id) references users (id);

analyze;
