-- Names what Citus cannot keep unique over several homes and is there twice all the same: nothing, or something is wrong.
-- It looks at every row: run it beside `guildhall verify`.
--     psql -d guildhall -f duplicates.sql

\set ON_ERROR_STOP on
select 'chargebacks_reference_key' as key, reference::text as value, count(*) from chargebacks
    where reference is not null group by reference having count(*) > 1
union all
select 'debts_cause_id_key' as key, cause_id::text as value, count(*) from debts
    where cause_id is not null group by cause_id having count(*) > 1
union all
select 'ledger_journals_cause_id_kind_key' as key, cause_id::text || ' ' || kind::text as value, count(*) from ledger_journals
    where cause_id is not null group by cause_id, kind having count(*) > 1
union all
select 'payments_provider_key_key' as key, provider_key::text as value, count(*) from payments
    where provider_key is not null group by provider_key having count(*) > 1
union all
select 'payments_transaction_id_key' as key, transaction_id::text as value, count(*) from payments
    where transaction_id is not null group by transaction_id having count(*) > 1
union all
select 'payout_items_provider_key_key' as key, provider_key::text as value, count(*) from payout_items
    where provider_key is not null group by provider_key having count(*) > 1
union all
select 'refunds_provider_key_key' as key, provider_key::text as value, count(*) from refunds
    where provider_key is not null group by provider_key having count(*) > 1
union all
select 'refunds_transaction_id_key' as key, transaction_id::text as value, count(*) from refunds
    where transaction_id is not null group by transaction_id having count(*) > 1
union all
select 'reviews_order_id_key' as key, order_id::text as value, count(*) from reviews
    where order_id is not null group by order_id having count(*) > 1
union all
select 'transactions_cause_id_type_key' as key, cause_id::text || ' ' || type::text as value, count(*) from transactions
    where cause_id is not null group by cause_id, type having count(*) > 1
union all
select 'refunds_replaces' as key, replaces_id::text as value, count(*) from refunds
    where replaces_id is not null group by replaces_id having count(*) > 1;
