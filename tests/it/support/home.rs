//! Where a test keeps its data: in a directory of its own or, where `GUILDHALL_TEST_DATABASE_URL` names a PostgreSQL
//! server, in a database of its own there. Both go with the test.

use std::path::Path;

use guildhall::config::Config;
use guildhall::db::{ServerUrl, restore};
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

    /// Another home with what is in the database now. Whoever uses a database on a server is cut off.
    pub fn copy(&self) -> Self {
        match &self.database {
            Some(database) => Self::with(Some(database.copy())),
            None => {
                let copy = Self::embedded();
                restore(&self.config().database_file(), &copy.config().database_file(), |_, _| ()).unwrap();
                copy
            }
        }
    }

    /// Runs statements behind the program's back, and past foreign keys. `{id}`, `{time}` and `{bytes}` in them become a
    /// value of that type that means nothing, `{from_pending}` the body of an event that came from `pending`.
    pub fn damage(&self, statements: &str) {
        let values = match self.database {
            Some(_) => ON_SERVER,
            None => EMBEDDED,
        };
        let statements =
            values.iter().fold(statements.to_owned(), |text, (name, value)| text.replace(name, value));
        match &self.database {
            Some(database) => {
                ask(&database.url, format!("set session_replication_role = replica; {statements}")).unwrap();
            }
            None => {
                let connection = rusqlite::Connection::open(self.config().database_file()).unwrap();
                connection.pragma_update(None, "foreign_keys", false).unwrap();
                connection.execute_batch(&statements).unwrap_or_else(|error| panic!("{error}: {statements}"));
                connection.close().unwrap();
            }
        }
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

/// What stands for the values in [`Home::damage`], in each dialect.
const EMBEDDED: &[(&str, &str)] = &[
    ("{id}", "zeroblob(16)"),
    ("{time}", "0"),
    ("{bytes}", "x'02'"),
    ("{from_pending}", "json_set(body, '$.from', 'pending')"),
];
const ON_SERVER: &[(&str, &str)] = &[
    ("{id}", "cast('00000000-0000-0000-0000-000000000000' as uuid)"),
    ("{time}", "to_timestamp(0)"),
    ("{bytes}", "cast('\\x02' as bytea)"),
    ("{from_pending}", "jsonb_set(body, '{from}', '\"pending\"')"),
];

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
        // Copying files is several times faster than logging every page, where nothing waits for a disk.
        ask(&server, format!("create database {name} template {template} strategy file_copy")).unwrap();
        let mut url = server.clone();
        url.set_path(&name);
        Self { server, name, url }
    }

    fn copy(&self) -> Self {
        let on_server = |statement: String| ask(&self.server, statement).unwrap();
        on_server(format!("alter database {} with allow_connections false", self.name));
        on_server(format!(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{}'",
            self.name
        ));
        let copy = Self::make(self.server.clone(), &self.name);
        on_server(format!("alter database {} with allow_connections true", self.name));
        copy
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
