//! The program itself, as a process with a working directory of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use super::{Home, PASSWORD};

/// Where the program runs; its data directory is the default one below it.
pub struct Program {
    home: Home,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new() -> Self {
        Self { home: Home::empty() }
    }

    /// On the embedded database, whichever the others are on.
    pub fn embedded() -> Self {
        Self { home: Home::embedded() }
    }

    pub fn dir(&self) -> &Path {
        self.home.dir()
    }

    /// The program with these arguments and none of the surrounding settings, but for its database.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GUILDHALL_") || text == "RUST_LOG" {
                command.env_remove(&name);
            }
        }
        if let Some(url) = self.home.database_url() {
            command.env("GUILDHALL_DATABASE_URL", url).env("GUILDHALL_ALLOW_UNSAFE_DATABASE", "true");
            command.env("GUILDHALL_DATABASE_CONNECTIONS", "4");
        }
        command.args(arguments).current_dir(self.dir());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// Runs it to its end with `input` on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that ends without reading closes the pipe, which is its right.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// An administrator called `keeper`.
    pub fn make_administrator(&self) {
        let arguments =
            ["admin", "create", "--username", "keeper", "--email", "keeper@example.com", "--password-stdin"];
        self.run_with(&arguments, &format!("{PASSWORD}\n")).expect(0);
    }

    /// Serves on a port that the system chooses, and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut server = self.begin(arguments, &[]);
        let listening = server.logged("listening");
        server.address = listening["address"].as_str().unwrap().replace("http://", "");
        server.listening = listening;
        server
    }

    /// The same without waiting, so without an address, and with these variables.
    pub fn begin(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments).envs(variables.iter().copied());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Server { child, log, address: String::new(), listening: Value::Null }
    }
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// A guildhall that serves; it ends with the test.
pub struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    pub address: String,
    /// What it logged when it was ready.
    pub listening: Value,
}

/// Status, head and body of an answer.
pub struct Answered {
    pub status: u16,
    pub body: String,
}

impl Server {
    /// Reads the log up to the line with this message.
    #[track_caller]
    pub fn logged(&mut self, message: &str) -> Value {
        let mut seen = String::new();
        loop {
            let before = seen.len();
            assert_ne!(self.log.read_line(&mut seen).unwrap(), 0, "it ended without “{message}”:\n{seen}");
            let line: Value = serde_json::from_str(&seen[before..]).unwrap_or_default();
            if line["message"].as_str().is_some_and(|text| text.starts_with(message)) {
                return line;
            }
        }
    }

    pub fn get(&self, path: &str) -> Answered {
        self.send("GET", path, None, None)
    }

    pub fn get_as(&self, path: &str, token: &str) -> Answered {
        self.send("GET", path, Some(token), None)
    }

    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answered {
        self.send("POST", path, token, Some(body))
    }

    fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answered {
        let body = body.map(Value::to_string).unwrap_or_default();
        let credentials = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{credentials}{kind}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        read_answer(stream)
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// An access token for somebody with everybody's password.
    pub fn log_in(&self, username: &str) -> String {
        let body = serde_json::json!({ "username": username, "password": PASSWORD });
        let tokens = self.post("/users/login", None, &body).expect(200).json();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    /// Its exit code, once it has ended by itself.
    pub fn ended(mut self) -> i32 {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything up to the end of the connection, as an answer.
pub fn read_answer(mut stream: TcpStream) -> Answered {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answered { status, body: body.to_owned() }
}

impl Answered {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
