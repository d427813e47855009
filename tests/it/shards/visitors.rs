//! What stands anywhere in a statement or an expression, however deep.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Statement, TableFactor, Visit, Visitor};

use super::reading::{Habit, name_of};

/// The names that a query gives to what it reads from.
pub fn aliases_of(query: &Query) -> BTreeSet<String> {
    struct Aliases(BTreeSet<String>);
    impl Visitor for Aliases {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            let alias = match factor {
                TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.as_ref(),
                _ => None,
            };
            self.0.extend(alias.map(|alias| alias.name.value.to_lowercase()));
            ControlFlow::Continue(())
        }
    }
    let mut aliases = Aliases(BTreeSet::new());
    let _ = query.visit(&mut aliases);
    aliases.0
}

/// The columns that a query speaks of, with the alias before them.
pub fn idents_of(query: &Query) -> Vec<(Option<String>, String)> {
    struct Idents(Vec<(Option<String>, String)>);
    impl Visitor for Idents {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
                    self.0.push((Some(parts[0].value.to_lowercase()), parts[1].value.to_lowercase()));
                }
                Expr::Identifier(ident) => self.0.push((None, ident.value.to_lowercase())),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut idents = Idents(Vec::new());
    let _ = query.visit(&mut idents);
    idents.0
}

/// The queries in an expression that stand in no other query.
pub fn queries_in(expr: &Expr) -> Vec<Query> {
    struct Top(Vec<Query>, usize);
    impl Visitor for Top {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            if self.1 == 0 {
                self.0.push(query.clone());
            }
            self.1 += 1;
            ControlFlow::Continue(())
        }
        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.1 -= 1;
            ControlFlow::Continue(())
        }
    }
    let mut top = Top(Vec::new(), 0);
    let _ = expr.visit(&mut top);
    top.0
}

const CLOCKS: &[&str] =
    &["now", "clock_timestamp", "current_timestamp", "random", "gen_random_uuid", "nextval", "currval"];

pub fn habits_of(statement: &Statement) -> BTreeSet<Habit> {
    let mut habits = Habits(BTreeSet::new());
    let _ = statement.visit(&mut habits);
    habits.0
}

struct Habits(BTreeSet<Habit>);

impl Visitor for Habits {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if !query.locks.is_empty() {
            self.0.insert(Habit::Locks);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && CLOCKS.contains(&name_of(&function.name).as_str())
        {
            self.0.insert(Habit::ReadsTheClock);
        }
        ControlFlow::Continue(())
    }
}
