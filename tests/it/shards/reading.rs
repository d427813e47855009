//! What a statement says of tables and columns: which tables it names, which of their columns it holds equal to each other
//! or to a value, and what it changes.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, ConflictTarget, Expr, FromTable, InTarget, Insert,
    JoinConstraint, JoinOperator, ObjectName, OnConflictAction, OnInsert, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, TableObject, TableWithJoins, UpdateTableFromKind, Value,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use super::visitors::{aliases_of, habits_of, idents_of, queries_in};

/// Something that can be equal: a column of a table that is named, or a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    Column(usize, String),
    Value(String),
}

/// A table where it is named.
#[derive(Debug)]
pub struct Named {
    pub table: String,
    /// What is joined, or looked at for each other's rows, has the same.
    pub together: usize,
    /// Looked for per row of what stands before it: the right side of an outer join, the inside of a correlated query.
    pub per_row: bool,
}

/// What a statement does that no map of shards is needed to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Habit {
    NamesNoColumns,
    AsksInsideValues,
    Locks,
    ReadsTheClock,
}

#[derive(Debug, Default)]
pub struct Reading {
    pub named: Vec<Named>,
    equal: Vec<(Term, Term)>,
    pub habits: BTreeSet<Habit>,
    /// The table that rows are added to, and in which columns.
    pub added: Option<(usize, Vec<String>)>,
    pub conflict: Option<Vec<String>>,
    /// The table whose columns are set.
    pub set: Vec<(usize, String)>,
}

/// The columns of each table: an unqualified name is of the table that has it.
pub type Columns = BTreeMap<String, BTreeSet<String>>;

pub fn parse(sql: &str, embedded: bool) -> Result<Statement, String> {
    let dialect: &dyn Dialect = if embedded { &SQLiteDialect {} } else { &PostgreSqlDialect {} };
    // The parser knows a condition of it in other dialects only, and to where rows are it is a join like any other.
    let sql = sql.replace(" cross join ", " join ");
    let mut parsed = Parser::parse_sql(dialect, &sql).map_err(|error| error.to_string())?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err("not one statement".to_owned()),
    }
}

pub fn read(statement: &Statement, columns: &Columns) -> Reading {
    let mut reader = Reader { columns, scopes: Vec::new(), reading: Reading::default(), groups: 0 };
    reader.statement(statement);
    reader.reading.habits.extend(habits_of(statement));
    reader.reading
}

impl Reading {
    /// Everything that must be equal to `term`, itself included.
    pub fn class(&self, term: &Term) -> BTreeSet<Term> {
        let mut class = BTreeSet::from([term.clone()]);
        loop {
            let more: Vec<Term> = self
                .equal
                .iter()
                .flat_map(|(a, b)| [(a, b), (b, a)])
                .filter(|(a, b)| class.contains(a) && !class.contains(b))
                .map(|(_, b)| b.clone())
                .collect();
            if more.is_empty() {
                return class;
            }
            class.extend(more);
        }
    }
}

/// What an alias stands for.
enum Meaning {
    Table(usize),
    /// The result of a query: what of it is a column or a value as it stands.
    Query(BTreeMap<String, Term>),
}

struct Scope {
    aliases: Vec<(String, Meaning)>,
    together: usize,
}

struct Reader<'c> {
    columns: &'c Columns,
    scopes: Vec<Scope>,
    reading: Reading,
    groups: usize,
}

pub fn name_of(name: &ObjectName) -> String {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .map_or_else(String::new, |ident| ident.value.to_lowercase())
}

impl Reader<'_> {
    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => drop(self.query(query)),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                self.open();
                let target = self.reading.named.len();
                self.tables(std::slice::from_ref(&update.table));
                if let Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) =
                    &update.from
                {
                    self.tables(from);
                }
                self.sets(target, &update.assignments);
                self.condition(update.selection.as_ref());
                self.scopes.pop();
            }
            Statement::Delete(delete) => {
                self.open();
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                self.tables(from);
                self.condition(delete.selection.as_ref());
                self.scopes.pop();
            }
            other => panic!("no statement of ours: {other}"),
        }
    }

    fn open(&mut self) {
        self.groups += 1;
        self.scopes.push(Scope { aliases: Vec::new(), together: self.groups });
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(table) = &insert.table else { panic!("no table: {insert}") };
        let target = self.add(&name_of(table), false);
        let columns: Vec<String> = insert.columns.iter().map(name_of).collect();
        if columns.is_empty() {
            self.reading.habits.insert(Habit::NamesNoColumns);
        }
        if let Some(source) = &insert.source {
            self.rows(target, &columns, source);
        }
        if let Some(OnInsert::OnConflict(on)) = &insert.on {
            if let Some(ConflictTarget::Columns { columns, .. }) = &on.conflict_target {
                let target = columns.iter().map(|column| column.value.to_lowercase());
                self.reading.conflict = Some(target.collect());
            }
            if let OnConflictAction::DoUpdate(update) = &on.action {
                self.sets(target, &update.assignments);
            }
        }
        self.reading.added = Some((target, columns));
    }

    /// The rows that are added, as values or as what a query found.
    fn rows(&mut self, target: usize, columns: &[String], source: &Query) {
        let SetExpr::Values(values) = source.body.as_ref() else {
            let found = self.query(source);
            for (column, (_, term)) in columns.iter().zip(found) {
                self.hold_equal(Term::Column(target, column.clone()), term);
            }
            return;
        };
        for row in &values.rows {
            for (column, value) in columns.iter().zip(row.iter()) {
                self.hold_equal(Term::Column(target, column.clone()), self.term(value));
                if !queries_in(value).is_empty() {
                    self.reading.habits.insert(Habit::AsksInsideValues);
                }
            }
        }
    }

    fn sets(&mut self, target: usize, assignments: &[Assignment]) {
        for assignment in assignments {
            let names = match &assignment.target {
                AssignmentTarget::ColumnName(name) => vec![name_of(name)],
                AssignmentTarget::Tuple(names) => names.iter().map(name_of).collect(),
            };
            self.reading.set.extend(names.into_iter().map(|name| (target, name)));
            self.inner_queries(&assignment.value);
        }
    }

    fn add(&mut self, table: &str, per_row: bool) -> usize {
        let together = self.scopes.last().map_or(0, |scope| scope.together);
        self.reading.named.push(Named { table: table.to_owned(), together, per_row });
        self.reading.named.len() - 1
    }

    /// What each column of the answer is, where it is a column or a value as it stands.
    fn query(&mut self, query: &Query) -> Vec<(String, Option<Term>)> {
        let mut made = Vec::new();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.query(&cte.query);
            made.push((cte.alias.name.value.to_lowercase(), Meaning::Query(known(columns))));
        }
        if !made.is_empty() {
            self.open();
            self.scopes.last_mut().unwrap().aliases = made;
        }
        let answer = self.body(&query.body);
        if query.with.is_some() {
            self.scopes.pop();
        }
        answer
    }

    fn body(&mut self, body: &SetExpr) -> Vec<(String, Option<Term>)> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let names = self.body(left);
                self.body(right);
                names.into_iter().map(|(name, _)| (name, None)).collect()
            }
            SetExpr::Values(_) => Vec::new(),
            other => panic!("no query of ours: {other}"),
        }
    }

    fn select(&mut self, select: &Select) -> Vec<(String, Option<Term>)> {
        self.open();
        self.tables(&select.from);
        self.condition(select.selection.as_ref());
        self.condition(select.having.as_ref());
        let mut answer = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    self.inner_queries(expr);
                    let name = match expr {
                        Expr::Identifier(ident) => ident.value.to_lowercase(),
                        Expr::CompoundIdentifier(parts) => parts.last().unwrap().value.to_lowercase(),
                        _ => String::new(),
                    };
                    answer.push((name, self.term(expr)));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    self.inner_queries(expr);
                    answer.push((alias.value.to_lowercase(), self.term(expr)));
                }
                _ => drop(self.reading.habits.insert(Habit::NamesNoColumns)),
            }
        }
        self.scopes.pop();
        answer
    }

    fn tables(&mut self, from: &[TableWithJoins]) {
        for tables in from {
            self.table(&tables.relation, false);
            for join in &tables.joins {
                let outer = matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
                self.table(&join.relation, outer);
                let (JoinOperator::Join(on)
                | JoinOperator::Inner(on)
                | JoinOperator::Left(on)
                | JoinOperator::LeftOuter(on)
                | JoinOperator::CrossJoin(on)) = &join.join_operator
                else {
                    panic!("no join of ours: {join}")
                };
                if let JoinConstraint::On(condition) = on {
                    self.condition(Some(condition));
                }
            }
        }
    }

    fn table(&mut self, factor: &TableFactor, per_row: bool) {
        let (alias, meaning) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let table = name_of(name);
                let alias = alias.as_ref().map_or(table.clone(), |alias| alias.name.value.to_lowercase());
                if self.made(&table) {
                    return;
                }
                (alias, Meaning::Table(self.add(&table, per_row)))
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let alias = alias.as_ref().map_or(String::new(), |alias| alias.name.value.to_lowercase());
                let first = self.reading.named.len();
                let columns = self.query(subquery);
                // What a query in `from` found is joined to what stands beside it.
                let together = self.scopes.last().unwrap().together;
                for named in &mut self.reading.named[first..] {
                    named.together = together;
                }
                (alias, Meaning::Query(known(columns)))
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                return self.tables(std::slice::from_ref(table_with_joins.as_ref()));
            }
            other => panic!("no table of ours: {other}"),
        };
        self.scopes.last_mut().unwrap().aliases.push((alias, meaning));
    }

    /// Whether the name is of a query that stands before.
    fn made(&self, name: &str) -> bool {
        let aliases = self.scopes.iter().flat_map(|scope| &scope.aliases);
        aliases.into_iter().any(|(alias, meaning)| alias == name && matches!(meaning, Meaning::Query(_)))
    }

    fn condition(&mut self, condition: Option<&Expr>) {
        let Some(condition) = condition else { return };
        self.inner_queries(condition);
        self.equalities(condition);
    }

    fn equalities(&mut self, condition: &Expr) {
        match condition {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.equalities(left);
                self.equalities(right);
            }
            Expr::Nested(inner) => self.equalities(inner),
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                if let (Some(left), Some(right)) = (self.term(left), self.term(right)) {
                    self.reading.equal.push((left, right));
                }
            }
            Expr::In { expr, target: InTarget::List(list), negated: false, .. } => {
                if let (Some(column), Some(value)) = (self.term(expr), self.term(&list[0])) {
                    self.reading.equal.push((column, value));
                }
            }
            _ => {}
        }
    }

    fn hold_equal(&mut self, column: Term, to: Option<Term>) {
        if let Some(to) = to {
            self.reading.equal.push((column, to));
        }
    }

    fn term(&self, expr: &Expr) -> Option<Term> {
        match expr {
            Expr::Identifier(ident) => self.column(None, &ident.value.to_lowercase()),
            Expr::CompoundIdentifier(parts) => match &parts[..] {
                [alias, column] => {
                    self.column(Some(&alias.value.to_lowercase()), &column.value.to_lowercase())
                }
                _ => None,
            },
            Expr::Value(value) => match &value.value {
                Value::Null => None,
                value => Some(Term::Value(value.to_string())),
            },
            Expr::Cast { expr, .. } | Expr::Nested(expr) => self.term(expr),
            _ => None,
        }
    }

    fn column(&self, of: Option<&str>, name: &str) -> Option<Term> {
        self.place(of, name).map(|(_, term)| term)
    }

    /// In which scope a column is found, and what it is.
    fn place(&self, of: Option<&str>, name: &str) -> Option<(usize, Term)> {
        for (depth, scope) in self.scopes.iter().enumerate().rev() {
            for (alias, meaning) in &scope.aliases {
                if of.is_some_and(|of| of != alias) {
                    continue;
                }
                match meaning {
                    Meaning::Table(at) => {
                        let table = &self.reading.named[*at].table;
                        if self.columns.get(table).is_none_or(|columns| columns.contains(name)) {
                            return Some((depth, Term::Column(*at, name.to_owned())));
                        }
                    }
                    Meaning::Query(columns) => {
                        if let Some(term) = columns.get(name) {
                            return Some((depth, term.clone()));
                        }
                    }
                }
            }
        }
        None
    }

    /// Reads the queries inside an expression. One that speaks of what stands outside is looked at for each row of that.
    fn inner_queries(&mut self, expr: &Expr) {
        for query in queries_in(expr) {
            let (first, depth) = (self.reading.named.len(), self.scopes.len());
            self.query(&query);
            if self.speaks_of_outside(&query, first, depth) {
                let together = self.scopes.last().unwrap().together;
                for named in &mut self.reading.named[first..] {
                    named.together = together;
                    named.per_row = true;
                }
            }
        }
    }

    fn speaks_of_outside(&self, query: &Query, first: usize, depth: usize) -> bool {
        let idents = idents_of(query);
        let inner: BTreeSet<&str> =
            self.reading.named[first..].iter().map(|named| named.table.as_str()).collect();
        let aliases = aliases_of(query);
        idents.iter().any(|(of, name)| match of {
            Some(of) => !aliases.contains(of) && !inner.contains(of.as_str()),
            None => {
                let own = inner
                    .iter()
                    .any(|table| self.columns.get(*table).is_none_or(|columns| columns.contains(name)));
                !own && depth > 0 && self.place(None, name).is_some()
            }
        })
    }
}

fn known(columns: Vec<(String, Option<Term>)>) -> BTreeMap<String, Term> {
    columns.into_iter().filter_map(|(name, term)| Some((name, term?))).collect()
}
