-- The lines from before 0020 get their order, in a transaction of its own: others book on meanwhile. Hundreds of millions of
-- lines take hours and as much room again; where that is too long, run this beforehand, over and over until it changes nothing:
--     update ledger_lines l set order_id = j.order_id from ledger_journals j
--     where j.id = l.journal_id and (l.journal_id, l.line) in (
--         select journal_id, line from ledger_lines where order_id is null limit 100000);
update ledger_lines set order_id = j.order_id from ledger_journals j
where j.id = journal_id and ledger_lines.order_id is null;

-- Checked beside those who write.
alter table ledger_lines validate constraint ledger_lines_order_known;
