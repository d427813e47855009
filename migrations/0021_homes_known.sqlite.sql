-- The lines from before 0020 get their order, and from now on each has one.
create table new_ledger_lines (
    journal_id blob not null references ledger_journals (id),
    line integer not null,
    account text not null,
    amount_minor integer not null check (amount_minor <> 0),
    currency text not null,
    order_id blob not null,
    primary key (journal_id, line)
) strict, without rowid;
insert into new_ledger_lines (journal_id, line, account, amount_minor, currency, order_id)
    select l.journal_id, l.line, l.account, l.amount_minor, l.currency, j.order_id
    from ledger_lines l join ledger_journals j on j.id = l.journal_id
    order by l.journal_id, l.line;
drop table ledger_lines;
alter table new_ledger_lines rename to ledger_lines;
create index ledger_lines_account on ledger_lines (account, currency, amount_minor);
