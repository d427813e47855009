//! `guildhall ready`: asks the process that serves here whether it can do its work, for supervisors that only run a command:
//! a container's image has no other program that could ask.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Failure, say};
use crate::config::Config;

/// It answers within two seconds that its database is away.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer is far shorter.
const ANSWER_BYTES: u64 = 64 * 1024;

/// What `/readyz` answered.
struct Answer {
    status_line: String,
    /// A JSON object; whoever else listens there may have a whole page to say.
    body: Option<String>,
}

pub fn ready(config: &Config) -> Result<(), Failure> {
    let address = from_here(config.listen);
    let answer =
        ask(address).map_err(Failure::of(format!("{address} does not answer as a guildhall would")))?;
    match answer.body {
        Some(body) if answer.status_line.starts_with("HTTP/1.1 200 ") => say(body),
        body => {
            let said = body.unwrap_or(answer.status_line);
            Err(Failure::new(format!("{address} is not ready: {said}")))
        }
    }
}

/// Whether what listens there answers as a guildhall does, ready or not.
pub fn is_ours(listen: SocketAddr) -> bool {
    ask(from_here(listen)).is_ok_and(|answer| answer.body.is_some())
}

/// Who listens everywhere is asked on this machine.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok(Answer {
        status_line: head.lines().next().unwrap_or_default().to_owned(),
        body: body.starts_with('{').then(|| body.trim_end().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        let asked = |listen: &str| from_here(listen.parse().expect("an address")).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080"), "[::1]:8080");
        assert_eq!(asked("10.0.0.7:8080"), "10.0.0.7:8080");
    }
}
