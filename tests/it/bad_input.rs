//! Every body with a field that is missing, surplus, of another type, too long, too deep, out of range or ridden with
//! control characters: it gets its 4xx and changes nothing.

use std::collections::BTreeMap;

use axum::body::Body;
use guildhall::http::Operation;
use http::Request;
use serde_json::Value;

use crate::authz::{Row, World, table};
use crate::support::TestApp;

/// What is tried in the place of each field, as JSON text.
fn replacements() -> Vec<String> {
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let long = format!("\"{}\"", "x".repeat(6_000));
    let plain = [
        "null",
        "true",
        "{}",
        "[]",
        "[{}]",
        "-1",
        "0",
        "1.5",
        "1e400",
        "99999999999999999999",
        "\"\"",
        "\"\\u0000x\"",
        "\"a\\u001bb\"",
        "\"\\ud800\"",
        "\"\\u202ex\"",
    ];
    plain.into_iter().map(str::to_owned).chain([deep, long]).collect()
}

/// Whether the document says that `text` is no value of a field with this schema.
fn refused_by(schema: &Value, text: &str) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return true };
    let branches = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array);
    if let Some(branches) = branches {
        return branches.iter().all(|branch| refused_by(branch, text));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return false,
    };
    let kind = match &value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() && kinds.contains(&"integer") => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.contains(&kind) {
        return true;
    }
    match &value {
        Value::String(text) => {
            let long = schema["maxLength"].as_u64().is_some_and(|most| text.chars().count() as u64 > most);
            let short =
                schema["minLength"].as_u64().is_some_and(|least| (text.chars().count() as u64) < least);
            let listed = schema["enum"].as_array().is_none_or(|words| words.contains(&value));
            long || short || !listed || text.chars().any(char::is_control)
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::MAX);
            schema["minimum"].as_f64().is_some_and(|least| number < least)
                || schema["maximum"].as_f64().is_some_and(|most| number > most)
        }
        Value::Array(items) => items.iter().any(|item| refused_by(&schema["items"], &item.to_string())),
        _ => false,
    }
}

/// The bodies that must be refused, each with what is wrong about it.
fn bad_bodies(row: &Row, operation: &Operation) -> Vec<(String, String)> {
    let Some(spec) = &operation.body else { return Vec::new() };
    let schema = (spec.schema)();
    let Some(body) = row.body.as_object() else { return Vec::new() };
    let mut bad = Vec::new();
    let render = |members: Vec<(String, String)>| {
        let members: Vec<String> =
            members.into_iter().map(|(name, text)| format!("{}:{text}", Value::from(name))).collect();
        format!("{{{}}}", members.join(","))
    };
    let present = || body.iter().map(|(name, value)| (name.clone(), value.to_string()));
    let surplus = present().chain([("surplus_field".to_owned(), "1".to_owned())]).collect();
    bad.push(("surplus field".to_owned(), render(surplus)));
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        bad.push((
            format!("without {required}"),
            render(present().filter(|(name, _)| name != required).collect()),
        ));
    }
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        for text in replacements().iter().filter(|text| refused_by(schema, text)) {
            let others = present().filter(|(name, _)| name != field);
            let shown: String = text.chars().take(30).collect();
            bad.push((
                format!("{field} = {shown}"),
                render(others.chain([(field.clone(), text.clone())]).collect()),
            ));
        }
    }
    bad
}

/// How many rows there are and what their versions add up to: anything that was changed shows.
async fn state(app: &TestApp) -> Vec<i64> {
    const COUNTED: &[&str] = &[
        "select cast(count(*) + coalesce(sum(version), 0) as bigint) from users",
        "select cast(count(*) + coalesce(sum(version), 0) as bigint) from profiles",
        "select cast(count(*) + coalesce(sum(version), 0) as bigint) from services",
        "select cast(count(*) + coalesce(sum(version), 0) as bigint) from orders",
        "select cast(count(*) + coalesce(sum(version), 0) as bigint) from payments",
        "select cast(count(*) + coalesce(sum(amount_minor), 0) as bigint) from refunds",
        "select count(*) + count(*) filter (where read) from notifications",
        "select count(*) from reviews",
        "select count(*) from events",
        "select count(*) from sessions",
        "select count(*) from ledger_lines",
        "select count(*) from timers",
    ];
    app.app
        .db()
        .read(|tx| COUNTED.iter().map(|sql| tx.one(sql, &[], |row| row.next())).collect())
        .await
        .unwrap()
}

#[tokio::test]
async fn bad_bodies_are_refused_and_change_nothing() {
    let operations = guildhall::app::operations();
    let mut wrong = Vec::new();
    let mut untouched = BTreeMap::new();
    for row in table() {
        let admitted = row.expected.iter().rposition(|status| (200..300).contains(status));
        let operation = operations
            .iter()
            .find(|operation| operation.method.as_str() == row.method && operation.path == row.path);
        let (Some(column), Some(operation)) = (admitted, operation) else { continue };
        let bad = bad_bodies(&row, operation);
        if bad.is_empty() {
            continue;
        }
        let world = match untouched.remove(&row.story) {
            Some(world) => world,
            None => World::at(row.story).await,
        };
        let before = state(&world.app).await;
        for (what, body) in bad {
            let body = world.named(&body);
            let mut request = Request::builder()
                .method(row.method)
                .uri(world.named(row.target))
                .header("content-type", "application/json")
                .header("content-length", body.len());
            if let Some(person) = &world.cast[column] {
                request = request.header("authorization", format!("Bearer {}", person.token));
            }
            let reply = world.app.raw(request.body(Body::from(body)).unwrap()).await;
            if !(400..500).contains(&reply.status) {
                let answer = String::from_utf8_lossy(&reply.bytes).into_owned();
                wrong.push(format!("{} {} with {what}: {} {answer}", row.method, row.target, reply.status));
            }
        }
        if state(&world.app).await != before {
            wrong.push(format!("{} {}: a refused body changed something", row.method, row.target));
        }
        world.app.settle().await;
        untouched.insert(row.story, world);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
