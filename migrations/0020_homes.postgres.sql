-- What belongs to an order names it, so that one rule says where a row is at home, on many servers too (deploy/citus). The
-- lines of a journal did not. An index would be written by every booking, and nothing looks for it.
alter table ledger_lines add column order_id uuid;
comment on column ledger_lines.order_id is 'The order of its journal';

-- Programs from before this step may still book while they are replaced. They do not name it, so it is put in for them; the
-- first step of the next version takes this away again.
create function ledger_lines_order() returns trigger language plpgsql as $$
begin
    new.order_id := (select order_id from ledger_journals where id = new.journal_id);
    return new;
end
$$;
create trigger ledger_lines_order before insert on ledger_lines
    for each row when (new.order_id is null) execute function ledger_lines_order();

-- For what comes from now on; the lines from before follow in the next step. A program that looks at its invariants meanwhile
-- says that this was never checked.
alter table ledger_lines add constraint ledger_lines_order_known check (order_id is not null) not valid;
