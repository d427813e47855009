//! The program under a supervisor: what systemd is told, and when.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Program, read_answer};

/// Where systemd would listen.
fn listen(program: &Program) -> (UnixDatagram, PathBuf) {
    let path = program.dir().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (socket, path)
}

fn told(socket: &UnixDatagram) -> String {
    let mut message = [0; 1_024];
    let length = socket.recv(&mut message).unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap()
}

#[test]
fn it_says_that_it_is_ready_when_it_is_and_that_it_stops_when_it_does() {
    let program = Program::new();
    let (socket, path) = listen(&program);
    let mut server = program.begin(&[], &[("NOTIFY_SOCKET", &path)]);
    let first = told(&socket);
    let address =
        first.strip_prefix("READY=1\nSTATUS=answers at http://").unwrap_or_else(|| panic!("{first}"));
    server.address = address.trim_end().to_owned();
    server.get("/readyz").expect(200);

    // A connection that is open already is listened to for a while.
    let mut open = server.connect();
    open.write_all(b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let mut lines = BufReader::new(open.try_clone().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "alive"));
    drop(lines);
    server.terminate();
    let last = told(&socket);
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    open.write_all(b"GET /readyz HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    read_answer(open).expect(503);
    assert_eq!(server.ended(), 0);
}

#[test]
fn one_that_cannot_serve_is_never_ready() {
    let program = Program::new();
    let (socket, path) = listen(&program);
    let server = program.begin(&["--no-migrate"], &[("NOTIFY_SOCKET", &path)]);
    assert_eq!(server.ended(), 1);
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0; 1_024]).unwrap_err().kind(), ErrorKind::WouldBlock);
}
