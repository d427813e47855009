//! How values of settings are written: in the file, in variables and in flags alike.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().ok()
}

pub(super) fn web_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    (plain && url.fragment().is_none()).then(|| url.as_str().trim_end_matches('/').to_owned())
}

pub(super) fn origin(text: &str) -> Option<String> {
    let url = web_url(text)?;
    let exact = Url::parse(&url).ok()?.origin().ascii_serialization();
    (exact == url && !exact.contains('*')).then_some(exact)
}

pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "true" | "on" | "yes" | "1" => Some(true),
        "false" | "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

pub(super) fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(parse).collect()
}

pub(super) fn joined(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

pub(super) fn whole(text: &str, least: u64, most: u64, unit_s: u64) -> Option<Duration> {
    Some(Duration::from_secs(number(text, least, most)? * unit_s))
}

pub(super) fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let number: u64 = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    (least..=most).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        assert_eq!(origin("https://app.example.com").as_deref(), Some("https://app.example.com"));
        assert_eq!(origin("http://localhost:3000").as_deref(), Some("http://localhost:3000"));
        for bad in ["*", "https://app.example.com/shop", "app.example.com", "https://*", "null"] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
