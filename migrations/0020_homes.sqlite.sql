-- What belongs to an order names it, so that one rule says where a row is at home, on many servers too (deploy/citus). The
-- lines of a journal did not. An index would be written by every booking, and nothing looks for it.
alter table ledger_lines add column order_id blob;
