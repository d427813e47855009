//! How an engine says that it will answer a statement, as far as the rules look at it.

use guildhall::db::Statement;

use super::embedded::Embedded;
use super::server::Server;
use crate::support::Home;

/// Rows that are read.
#[derive(Debug, PartialEq)]
pub struct Walk {
    pub table: String,
    pub index: Option<String>,
    /// The conditions that the walk begins or ends at; none where it passes by everything.
    pub bounds: Option<String>,
}

impl Walk {
    /// Whether it begins or ends beyond a value, as the page after a cursor does.
    pub fn is_cut(&self) -> bool {
        self.bounds.as_ref().is_some_and(|bounds| bounds.contains(['<', '>']))
    }
}

/// The plan of one statement.
pub struct Plan {
    /// In the words of the engine, a step a line.
    pub text: String,
    pub walks: Vec<Walk>,
    pub sorts: bool,
}

impl Plan {
    /// An index of what is open holds little, however much there is: to walk all of it is no reading of the table.
    pub fn bound_by(&mut self, partial: &[String]) {
        for walk in &mut self.walks {
            if walk.bounds.is_none() && walk.index.as_ref().is_some_and(|index| partial.contains(index)) {
                walk.bounds = Some("what the index holds".to_owned());
            }
        }
    }
}

/// An engine with every table and nothing in them, so that a plan depends on the schema alone.
pub struct Planner {
    _home: Home,
    engine: Engine,
}

enum Engine {
    Embedded(Embedded),
    Server(Server),
}

impl Planner {
    /// Of the engine that the tests run on.
    pub async fn new() -> Self {
        let home = Home::new();
        super::migrate(&home).await;
        let engine = match home.database_url() {
            Some(url) => Engine::Server(Server::at(url).await),
            None => Engine::Embedded(Embedded::at(&home.config().database_file())),
        };
        Self { _home: home, engine }
    }

    /// What the snapshots are called; none where the words of another version would be compared.
    pub fn name(&self) -> Option<&'static str> {
        match &self.engine {
            Engine::Embedded(_) => Some("embedded"),
            Engine::Server(server) => server.is_of_the_snapshots().then_some("server"),
        }
    }

    pub fn is_embedded(&self) -> bool {
        matches!(self.engine, Engine::Embedded(_))
    }

    pub async fn plan(&self, statement: &Statement) -> Plan {
        match &self.engine {
            Engine::Embedded(engine) => engine.plan(&statement.sql),
            Engine::Server(engine) => engine.plan(statement).await,
        }
    }

    /// The indexes that no constraint brought with it.
    pub async fn indexes(&self) -> Vec<String> {
        match &self.engine {
            Engine::Embedded(engine) => engine.indexes(),
            Engine::Server(engine) => engine.indexes().await,
        }
    }
}
