//! Forms read as clients write them.

use serde_json::json;

use super::*;

pub struct Short;
impl TextLimits for Short {
    const MIN: usize = 3;
    const MAX: usize = 10;
}

form! {
    /// A thing.
    pub struct Thing {
        /// What it is called.
        title: Text<Short>,
        _urgent: Option<bool>,
        link: Change<Option<HttpUrl>>,
    }
    server_sets { owner_id: "from your token" }
}

fn wrongs(body: Value, present: &Value) -> Vec<(String, &'static str, String)> {
    match Unchecked::<Thing>::from(body).check_against(present) {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|e| (e.pointer, e.code, e.detail)).collect(),
        other => panic!("expected mistakes, got {other:?}"),
    }
}

#[test]
fn every_mistake_is_named_at_once() {
    let found = wrongs(
        json!({ "titel": "x", "_urgent": "yes", "owner_id": 1, "link": "javascript:1" }),
        &Value::Null,
    );
    let pointers: Vec<_> = found.iter().map(|(pointer, code, _)| (pointer.as_str(), *code)).collect();
    assert_eq!(
        pointers,
        [
            ("/titel", "unknown_field"),
            ("/owner_id", "read_only"),
            ("/title", "required"),
            ("/_urgent", "invalid_type"),
            ("/link", "url_not_allowed")
        ]
    );
    assert!(found[0].2.contains("did you mean `title`?"), "{found:?}");
}

#[test]
fn a_synonym_is_a_near_miss() {
    assert!(wrongs(json!({ "name": "abc" }), &Value::Null)[0].2.contains("did you mean `title`?"));
}

#[test]
fn what_was_read_can_be_sent_back() {
    let present = json!({ "id": "x", "rating": { "average": 4.50, "count": 2 } });
    let body = json!({ "title": "abc", "id": "x", "rating": { "count": 2, "average": 4.5 } });
    let thing = Unchecked::<Thing>::from(body).check_against(&present).expect("nothing changed");
    assert_eq!(thing.title.as_str(), "abc");
    assert_eq!(wrongs(json!({ "title": "abc", "id": "y" }), &present)[0].1, "read_only");
}

#[test]
fn absent_null_and_given_differ_in_a_change() {
    let link = |body: Value| Unchecked::<Thing>::from(body).check().expect("valid").link;
    assert!(matches!(link(json!({ "title": "abc" })), Change::Keep));
    assert!(matches!(link(json!({ "title": "abc", "link": null })), Change::To(None)));
    assert!(matches!(link(json!({ "title": "abc", "link": "https://a.example/" })), Change::To(Some(_))));
}

#[test]
fn bodies_that_are_no_plain_json_are_malformed() {
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    for text in [
        "",
        "{",
        "{\"a\":1,\"a\":2}",
        "[{\"a\":1,\"a\":2}]",
        "{} x",
        "NaN",
        "\u{feff}{}",
        "{\"a\":01}",
        "'a'",
        &deep,
    ] {
        assert!(Node::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Node::parse(b"{\"a\": \"\\ud800\"}").is_err());
    assert!(Node::parse(&[b'"', 0xff, b'"']).is_err());
    let edge = format!("{}1{}", "[".repeat(31), "]".repeat(31));
    assert!(Node::parse(edge.as_bytes()).is_ok());
}

#[test]
fn numbers_keep_their_digits() {
    assert_eq!(Node::parse(b"49.90"), Ok(Node::Number("49.90".to_owned())));
    assert_eq!(Node::parse(b"1e400"), Ok(Node::Number("1e400".to_owned())));
}

#[test]
fn integers_are_not_strings_nor_decimals() {
    for node in ["\"5\"", "4.5", "5e0", "true", "null", "6", "0", "99999999999999999999"] {
        assert!(integer(&Node::parse(node.as_bytes()).expect("json"), 1..=5).is_err(), "{node}");
    }
    assert_eq!(integer(&Node::Number("5".to_owned()), 1..=5).ok(), Some(5));
}

#[test]
fn percents_are_exact() {
    let read = |json: &str| {
        let node = Node::parse(json.as_bytes()).expect("json");
        Percent::read(&node).ok().map(|percent| percent.0.basis_points())
    };
    for (json, points) in
        [("12.5", 1_250), ("\"33.33\"", 3_333), ("0", 0), ("100", 10_000), ("\"100.00\"", 10_000)]
    {
        assert_eq!(read(json), Some(points), "{json}");
    }
    for wrong in ["100.01", "-1", "1e1", "33.333", "101", "\"7,5\"", "true", "null"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn urls_are_of_the_web_and_without_credentials() {
    for bad in [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://u:p@h/",
        "ftp://h/",
        "//h/",
        "http://",
        "https://h/\n",
    ] {
        assert!(HttpUrl::parse(bad).is_none(), "{bad}");
    }
    assert!(HttpUrl::parse("https://example.com/a?b=c#d").is_some());
}
