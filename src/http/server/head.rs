//! Where a request's head ends and how its body is framed, read from the raw bytes before hyper's parser sees
//! them. Refuses what two parsers could read in two ways; never rewrites a byte.

use http::StatusCode;

use super::Limits;

/// A complete head: how many bytes it has and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub bytes: usize,
    pub body: Framing,
}

/// How the bytes after a head are told from the next head.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Framing {
    Sized(u64),
    Chunked,
}

/// Goes through a growing buffer line by line and looks at each byte once.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    scanned: usize,
    line_start: usize,
    lines: usize,
    length: Option<u64>,
    chunked: bool,
}

impl Scanner {
    /// Nothing of the head has been looked at.
    pub fn is_fresh(&self) -> bool {
        self.scanned == 0
    }

    /// `buffer` starts at the head's first byte and only grows between calls. `None`: more bytes are needed.
    /// An error is the status to answer before closing: 400, 414 or 431.
    pub fn scan(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<Head>, StatusCode> {
        while let Some(found) = buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let line_end = self.scanned + found;
            // RFC 9112 2.2 lets a recipient take a bare LF for a line's end; one that does and one that does not
            // see different requests.
            let line =
                buffer[self.line_start..line_end].strip_suffix(b"\r").ok_or(StatusCode::BAD_REQUEST)?;
            if line.contains(&b'\r') {
                return Err(StatusCode::BAD_REQUEST);
            }
            self.scanned = line_end + 1;
            self.line_start = self.scanned;
            if self.scanned > limits.header_bytes {
                break;
            }
            if line.is_empty() {
                let body =
                    if self.chunked { Framing::Chunked } else { Framing::Sized(self.length.unwrap_or(0)) };
                return Ok(Some(Head { bytes: self.scanned, body }));
            }
            match self.lines {
                0 => request_line(line, limits)?,
                fields if fields > limits.header_count => {
                    return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                }
                _ => self.field(line)?,
            }
            self.lines += 1;
        }
        self.scanned = self.scanned.max(buffer.len());
        if buffer.len() < limits.header_bytes {
            return Ok(None);
        }
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Err(if self.lines == 0 { StatusCode::URI_TOO_LONG } else { too_large })
    }

    /// RFC 9112 6.3 asks for care with a length and a coding together, 6.1 with codings, 5.2 with folded lines:
    /// all are refused, as is any second statement of the body's length, also where both agree.
    fn field(&mut self, line: &[u8]) -> Result<(), StatusCode> {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(StatusCode::BAD_REQUEST)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
            return Err(StatusCode::BAD_REQUEST);
        }
        let framed = self.length.is_some() || self.chunked;
        if name.eq_ignore_ascii_case(b"content-length") {
            self.length = Some(decimal(value).filter(|_| !framed).ok_or(StatusCode::BAD_REQUEST)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if framed || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(StatusCode::BAD_REQUEST);
            }
            self.chunked = true;
        }
        Ok(())
    }
}

fn request_line(line: &[u8], limits: &Limits) -> Result<(), StatusCode> {
    let target = line.split(|byte| *byte == b' ').nth(1).ok_or(StatusCode::BAD_REQUEST)?;
    if target.len() > limits.uri_bytes { Err(StatusCode::URI_TOO_LONG) } else { Ok(()) }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(head: &str) -> Result<Option<Head>, StatusCode> {
        Scanner::default().scan(head.as_bytes(), &Limits::default())
    }

    fn status(head: &str) -> Option<u16> {
        scan(head).err().map(|status| status.as_u16())
    }

    #[test]
    fn a_head_ends_at_its_empty_line_and_says_how_its_body_is_framed() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(scan(get), Ok(Some(Head { bytes: get.len(), body: Framing::Sized(0) })));
        let post = "POST / HTTP/1.1\r\ncontent-LENGTH:  12 \r\n\r\n";
        let more = format!("{post}hello");
        assert_eq!(scan(&more), Ok(Some(Head { bytes: post.len(), body: Framing::Sized(12) })));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(scan(chunked), Ok(Some(Head { bytes: chunked.len(), body: Framing::Chunked })));
        assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None));
    }

    #[test]
    fn what_two_parsers_could_read_in_two_ways_is_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length : 5\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "A: b\r\n folded\r\n",
            "A: b\r\n\tfolded\r\n",
            " A: b\r\n",
            "A: b\nC: d\r\n",
            ": empty\r\n",
            "no colon\r\n",
        ] {
            assert_eq!(status(&format!("POST / HTTP/1.1\r\n{fields}\r\n")), Some(400), "{fields:?}");
        }
        assert_eq!(status("GET / HTTP/1.1\nHost: a\n\n"), Some(400));
        assert_eq!(status("nonsense\r\n\r\n"), Some(400));
    }

    #[test]
    fn each_cap_holds_to_the_byte() {
        let limits = Limits::default();
        let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(bytes - 1));
        assert_eq!(status(&target(limits.uri_bytes)), None);
        assert_eq!(status(&target(limits.uri_bytes + 1)), Some(414));
        assert_eq!(status(&"G".repeat(limits.header_bytes)), Some(414));

        let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert_eq!(status(&fields(limits.header_count)), None);
        assert_eq!(status(&fields(limits.header_count + 1)), Some(431));

        let frame = "GET / HTTP/1.1\r\na: \r\n\r\n".len();
        let bytes = |total: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(total - frame));
        assert_eq!(status(&bytes(limits.header_bytes)), None);
        assert_eq!(status(&bytes(limits.header_bytes + 1)), Some(431));
        assert_eq!(status(&bytes(limits.header_bytes + 4_000)), Some(431));
    }

    proptest! {
        #[test]
        fn a_head_that_arrives_in_pieces_is_judged_as_one_that_arrives_whole(
            lines in prop::collection::vec("[A-Za-z]{0,3}(Content-Length|Transfer-Encoding)?: ?(chunked|[0-9]{1,3})?[\r\n]?", 0..6),
            cut in 1usize..7,
        ) {
            let head = format!("POST /a HTTP/1.1\r\n{}\r\n\r\nbody", lines.join("\r\n"));
            let limits = Limits::default();
            let mut scanner = Scanner::default();
            let mut pieces = Ok(None);
            for end in (0..head.len()).step_by(cut).chain([head.len()]) {
                pieces = scanner.scan(&head.as_bytes()[..end], &limits);
                if pieces != Ok(None) {
                    break;
                }
            }
            prop_assert_eq!(pieces, scan(&head));
        }
    }
}
