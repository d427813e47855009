//! Where a test keeps its data: in a directory of its own or, where `GUILDHALL_TEST_DATABASE_URL` names a PostgreSQL
//! server, in a database of its own there. Both go with the test.

use std::path::Path;

use guildhall::config::Config;
use guildhall::db::ServerUrl;
use url::Url;

/// Made by `scripts/postgres template`.
const TEMPLATE: &str = "guildhall_template";

/// A directory, and a database in it or on the server.
pub struct Home {
    database: Option<Database>,
    dir: tempfile::TempDir,
}

impl Home {
    /// With every table where it lies on a server: copying them is faster than making them.
    pub fn new() -> Self {
        Self::with(server().map(|server| Database::make(server, TEMPLATE)))
    }

    /// With nothing in it.
    pub fn empty() -> Self {
        Self::with(server().map(|server| Database::make(server, "template1")))
    }

    /// For what only the embedded database has: a file.
    pub fn embedded() -> Self {
        Self::with(None)
    }

    fn with(database: Option<Database>) -> Self {
        Self { database, dir: tempfile::tempdir().unwrap() }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The database's URL, where it lies on a server.
    pub fn database_url(&self) -> Option<&str> {
        self.database.as_ref().map(|database| database.url.as_str())
    }

    /// The default settings, at home here.
    pub fn config(&self) -> Config {
        Config {
            data_dir: self.dir().to_owned(),
            database_url: self.database_url().map(|url| ServerUrl::parse(url).unwrap()),
            database_connections: 4,
            allow_unsafe_database: true,
            ..Config::default()
        }
    }
}

/// The server that the tests are to use.
fn server() -> Option<Url> {
    let url = std::env::var("GUILDHALL_TEST_DATABASE_URL").ok()?;
    Some(Url::parse(&url).expect("GUILDHALL_TEST_DATABASE_URL is a URL"))
}

/// A database of a server.
struct Database {
    server: Url,
    name: String,
    url: Url,
}

impl Database {
    fn make(server: Url, template: &str) -> Self {
        let name = format!("guildhall_test_{}", uuid::Uuid::now_v7().simple());
        ask(&server, format!("create database {name} template {template}")).unwrap();
        let mut url = server.clone();
        url.set_path(&name);
        Self { server, name, url }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = ask(&self.server, format!("drop database {} with (force)", self.name));
        if !std::thread::panicking() {
            dropped.unwrap();
        }
    }
}

/// Runs a statement on a thread of its own: tests are asynchronous and dropping is not.
fn ask(server: &Url, statement: String) -> Result<(), tokio_postgres::Error> {
    let server = server.to_string();
    let asked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await?;
            let running = tokio::spawn(connection);
            client.batch_execute(&statement).await?;
            drop(client);
            running.await.unwrap()
        })
    });
    asked.join().unwrap()
}
