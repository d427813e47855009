//! What a statement must keep to so that it can be answered by many servers: the rules of Citus, as far as our statements
//! come near them.

use std::collections::BTreeSet;

use super::map::{Home, home};
use super::reading::{Habit, Reading, Term};

/// How a statement may break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Every server is asked: nothing says whose rows are wanted.
    Scattered,
    /// Rows are joined that may be on different servers.
    Apart,
    /// Rows that are spread are joined with rows that only one server has.
    Mixed,
    /// Rows that are spread are looked for per row of a table that every server has.
    PerCopy,
    /// A row is added without saying where it is at home.
    Homeless,
    /// A conflict is looked for on other servers.
    ConflictElsewhere,
    /// A row would have to move to another server.
    MovesHome,
    Habit(Habit),
}

/// What breaks a rule, and the table that it is about.
pub fn flaws(reading: &Reading, reads_all: bool) -> BTreeSet<(String, Flaw)> {
    let mut flaws = BTreeSet::new();
    if let Some((table, spread)) = added(reading) {
        flaws.extend(spread.into_iter().map(|flaw| (table.clone(), flaw)));
    }
    for (at, column) in &reading.set {
        let table = &reading.named[*at].table;
        if matches!(home(table), Home::By(_, own) if own == column) {
            flaws.insert((table.clone(), Flaw::MovesHome));
        }
    }
    for together in groups(reading) {
        flaws.extend(beside_each_other(reading, &together, reads_all));
    }
    let of = reading.named.first().map_or_else(String::new, |named| named.table.clone());
    flaws.extend(reading.habits.iter().map(|habit| (of.clone(), Flaw::Habit(*habit))));
    flaws
}

fn added(reading: &Reading) -> Option<(String, Vec<Flaw>)> {
    let (at, columns) = reading.added.as_ref()?;
    let table = reading.named[*at].table.clone();
    let Home::By(_, own) = home(&table) else { return None };
    let mut flaws = Vec::new();
    if !columns.iter().any(|column| column == own) {
        flaws.push(Flaw::Homeless);
    }
    if reading.conflict.as_ref().is_some_and(|target| !target.iter().any(|column| column == own)) {
        flaws.push(Flaw::ConflictElsewhere);
    }
    Some((table, flaws))
}

/// The tables that are joined, or looked at for each other's rows.
fn groups(reading: &Reading) -> Vec<Vec<usize>> {
    let all: BTreeSet<usize> = reading.named.iter().map(|named| named.together).collect();
    let of =
        |group: usize| (0..reading.named.len()).filter(|at| reading.named[*at].together == group).collect();
    all.into_iter().map(of).collect()
}

fn beside_each_other(reading: &Reading, together: &[usize], reads_all: bool) -> Vec<(String, Flaw)> {
    let mut flaws = Vec::new();
    let table = |at: usize| reading.named[at].table.clone();
    let spread: Vec<(usize, super::map::Group, BTreeSet<Term>)> = together
        .iter()
        .filter_map(|at| match home(&table(*at)) {
            Home::By(group, own) => Some((*at, group, reading.class(&Term::Column(*at, own.to_owned())))),
            Home::Everywhere | Home::Coordinator => None,
        })
        .collect();
    let Some((first, group, class)) = spread.first() else { return flaws };
    let is_said = class.iter().any(|term| matches!(term, Term::Value(_)));
    let is_added = reading.added.as_ref().is_some_and(|(at, _)| at == first);
    if !is_said && !is_added && !reads_all {
        flaws.push((table(*first), Flaw::Scattered));
    }
    for (at, other, own) in &spread[1..] {
        if other != group || own != class {
            flaws.push((table(*at), Flaw::Apart));
        }
    }
    if together.iter().any(|at| home(&table(*at)) == Home::Coordinator) {
        flaws.push((table(*first), Flaw::Mixed));
    }
    // One server answers all of what says its home.
    if !is_said && together[0] != *first && reading.named[*first].per_row {
        flaws.push((table(*first), Flaw::PerCopy));
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::super::reading::{Columns, parse, read};
    use super::*;
    use Flaw::{Apart, ConflictElsewhere, Homeless, Mixed, MovesHome, PerCopy, Scattered};

    fn flaws_of(sql: &str) -> Vec<Flaw> {
        let columns: Columns =
            [("orders", "id"), ("payments", "id"), ("payments", "order_id"), ("users", "id")]
                .into_iter()
                .fold(Columns::new(), |mut columns, (table, column)| {
                    columns.entry(table.to_owned()).or_default().insert(column.to_owned());
                    columns
                });
        let found = flaws(&read(&parse(sql, false).unwrap(), &columns), false);
        found.into_iter().map(|(_, flaw)| flaw).collect()
    }

    #[test]
    fn what_says_its_home_is_answered_by_one_server() {
        for sql in [
            "select id from orders where id = $1",
            "select p.id from payments p join orders o on o.id = p.order_id where o.id = $1",
            "select id from payments where order_id in ($1, $2)",
            "select o.id from orders o where o.id = $1 and exists (select 1 from payments p where p.order_id = o.id)",
            "select p.id from (select id, order_id from payments where order_id = $1) as latest
                 join payments p on p.order_id = latest.order_id",
            "select u.id from users u join profiles p on p.user_id = u.id",
            "insert into orders (id, title) values ($1, $2)",
            "insert into refunds (id, order_id) select $1, order_id from refunds where id = $2 and order_id = $3",
            "insert into timers (kind, subject_id, due_at) values ($1, $2, $3)
                 on conflict (kind, subject_id) do update set due_at = excluded.due_at",
            "update payments set status = 'failed' where id = $1 and order_id = $2",
            "select id from orders where id = $1 union all select order_id from payments where order_id = $1",
        ] {
            assert_eq!(flaws_of(sql), [], "{sql}");
        }
    }

    #[test]
    fn what_many_servers_cannot_answer_well_is_found() {
        for (sql, flaw) in [
            ("select id from payments where id = $1", Scattered),
            ("update payments set status = 'failed' where id = $1", Scattered),
            ("delete from orders where id in (select id from orders where status = $1 limit 5)", Scattered),
            ("select id from orders where id = $1 or status = $2", Scattered),
            (
                "select id from orders where id = $1 union all select order_id from payments where id = $1",
                Scattered,
            ),
            (
                "select p.id from payments p join refunds r on r.payment_id = p.id where p.order_id = $1",
                Apart,
            ),
            ("select o.id from orders o join reviews r on r.service_id = o.id where o.id = $1", Apart),
            (
                "select p.id from payments p where p.order_id = $1 and exists (
                 select 1 from timers t where t.subject_id = p.id)",
                Apart,
            ),
            ("select o.id from orders o join sessions s on s.user_id = o.buyer_id where o.id = $1", Mixed),
            ("select u.id, (select count(*) from orders o where o.buyer_id = u.id) from users u", PerCopy),
            ("select u.id from users u left join orders o on o.buyer_id = u.id", PerCopy),
            ("insert into payments (id, status) values ($1, $2)", Homeless),
            (
                "insert into payments (id, order_id) values ($1, $2) on conflict (id) do nothing",
                ConflictElsewhere,
            ),
            ("update orders set id = $2 where id = $1", MovesHome),
            (
                "insert into orders (id) values ((select id from users where id = $1))",
                Flaw::Habit(Habit::AsksInsideValues),
            ),
            ("select * from orders where id = $1", Flaw::Habit(Habit::NamesNoColumns)),
            ("select id from orders where id = $1 for update", Flaw::Habit(Habit::Locks)),
            ("update orders set pay_by = now() where id = $1", Flaw::Habit(Habit::ReadsTheClock)),
        ] {
            assert!(flaws_of(sql).contains(&flaw), "{flaw:?} was not found, but {:?}: {sql}", flaws_of(sql));
        }
    }
}
