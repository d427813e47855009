-- A role that may look at the marketplace and change nothing: guildhall_reader.
--
-- Run it with psql as a superuser, or as the role that owns Guildhall's tables if that may create roles:
--     psql -d guildhall -f read-only-role.sql
-- It may run again at any time. Run it after each upgrade: what a newer version adds is hidden until it is listed here.
--
-- The role has no password and cannot log in over the network until you give it one: \password guildhall_reader
--
-- Hidden from it: password hashes, sessions and tokens, kept answers, what was guessed from where, what people wrote
-- to each other, and the program's own housekeeping.

\set ON_ERROR_STOP on

select 'create role guildhall_reader login'
where not exists (select 1 from pg_roles where rolname = 'guildhall_reader') \gexec

begin;

select format('grant connect on database %I to guildhall_reader', current_database()) \gexec

-- A forgotten session must not keep the database from clearing away old rows.
alter role guildhall_reader set default_transaction_read_only = on;
alter role guildhall_reader set statement_timeout = '5min';
alter role guildhall_reader set idle_in_transaction_session_timeout = '1min';

-- From nothing, and nothing by default: a new table is granted here or not at all.
revoke all on all tables in schema public from public, guildhall_reader;
revoke all on all sequences in schema public from public, guildhall_reader;
select format('alter default privileges for role %I in schema public revoke all on tables from public, guildhall_reader',
              tableowner)
from pg_tables where schemaname = 'public' group by tableowner \gexec
grant usage on schema public to guildhall_reader;

-- The seven tables. Of accounts everything but the password's hash; of orders and inboxes everything but what people wrote.
grant select (id, username, username_folded, email, email_folded, email_verified, role, status, version, created_at,
              updated_at)
    on users to guildhall_reader;
grant select on profiles, services, payments to guildhall_reader;
grant select (id, buyer_id, freelancer_id, service_id, service_version, title, amount_minor, currency, amount,
              fee_rate_bp, fee_minor, fee_fixed_minor, fee_rule_id, fee_basis, fee_category, service_fee_rate_bp,
              service_fee_minor, given_back_minor, delivery_days, status, pay_by, due_at, auto_complete_at, version,
              created_at, updated_at)
    on orders to guildhall_reader;
grant select (id, service_id, order_id, reviewer_id, freelancer_id, rating, comment, hidden_at, created_at)
    on reviews to guildhall_reader;
grant select (id, user_id, type, sender_id, event_id, read, created_at) on notifications to guildhall_reader;

-- What stands beside them. The body of an event holds what was written with it.
grant select (id, at, actor_id, kind, subject_id) on events to guildhall_reader;
grant select (id, order_id, opened_by, wanted_minor, status, answered_at, reminded_at, decide_by, refund_minor, decided_by,
              closed_at, version, opened_at)
    on disputes to guildhall_reader;
grant select (dispute_id, side, refund_minor, accepted_at, offered_at) on dispute_offers to guildhall_reader;
grant select (id, dispute_id, author_id, created_at) on dispute_messages to guildhall_reader;
grant select (id, payment_id, order_id, amount_minor, currency, status, provider_key, requested_by, transaction_id,
              escrow_minor, fees_minor, payable_minor, owed_minor, replaces_id, created_at, updated_at)
    on refunds to guildhall_reader;
grant select (id, kind, subject_id, order_id, opened_at, resolved_at, resolution, resolved_by) on cases
    to guildhall_reader;
-- Of payout accounts and payouts everything but the details that freelancers wrote down to be paid by hand.
grant select (user_id, provider, reference, status, wanted, looked_at, version, created_at, updated_at)
    on payout_accounts to guildhall_reader;
grant select (id, freelancer_id, provider, account, currency, amount_minor, status, version, created_at, updated_at)
    on payouts to guildhall_reader;
grant select on chargebacks, debts, fee_rules, freelancer_stats, ledger_journals, ledger_lines, offsets, payout_items,
    payout_settings, provider_calls, rating_tallies, reconciliations, releases, service_tags, transactions
    to guildhall_reader;

commit;
