-- Known from the check before, so nobody waits while it is looked at again.
alter table ledger_lines alter column order_id set not null;
alter table ledger_lines drop constraint ledger_lines_order_known;
