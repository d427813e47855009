//! The ceiling of a benchmark: `ceiling FILE` answers every request with the recorded answer in FILE, out of memory and
//! behind the accept loop of the program. It prints its port and serves until it is ended.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use guildhall::http::server::{Limits, serve};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tokio::net::TcpListener;

/// The program's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What hyper writes by itself.
const HYPERS_OWN: [HeaderName; 3] = [header::DATE, header::CONTENT_LENGTH, header::CONNECTION];

struct Recorded {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Recorded {
    /// An answer as it came over the wire.
    fn parse(bytes: &[u8]) -> Result<Self, Box<dyn Error>> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no end of the head")?;
        let mut lines = std::str::from_utf8(&bytes[..end])?.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?.parse()?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").ok_or("a field without a value")?;
            let name = HeaderName::try_from(name)?;
            if !HYPERS_OWN.contains(&name) {
                headers.append(name, HeaderValue::from_str(value)?);
            }
        }
        Ok(Self { status, headers, body: Bytes::copy_from_slice(&bytes[end + 4..]) })
    }

    fn answer(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: ceiling FILE")?;
    let recorded = Arc::new(Recorded::parse(&std::fs::read(file)?)?);
    // The body of the request is read, as the program reads it.
    let answers = Router::new().fallback(move |_: Bytes| async move { recorded.answer() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    Ok(serve(listener, answers, Limits::default(), std::future::pending()).await?)
}
