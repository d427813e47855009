//! What an operation answers: its successes, and every refusal that its shape brings along.

use std::collections::BTreeMap;

use http::Method;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::error::{self, Problem};
use crate::http::operation::{Access, AnswerSpec, Operation};

/// Every answer of `operation`, by status.
pub(super) fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut responses = Map::new();
    for answer in &operation.answers {
        responses.insert(answer.status.to_string(), success(operation, answer, generator));
    }
    if operation.versioned && operation.method == Method::GET {
        let about = "Unchanged since the ETag in If-None-Match.";
        responses.insert(
            "304".to_owned(),
            json!({ "description": about, "headers": named(&["X-Request-Id", "ETag"]) }),
        );
    }
    for (status, problems) in refusals(operation) {
        responses.insert(status.to_string(), refusal(status, &problems));
    }
    responses
}

fn success(operation: &Operation, answer: &AnswerSpec, generator: &mut SchemaGenerator) -> Value {
    let mut headers = vec!["X-Request-Id"];
    if operation.versioned && answer.schema.is_some() {
        headers.push("ETag");
    }
    if operation.located && matches!(answer.status, 201 | 202) {
        headers.push("Location");
    }
    if operation.is_paged() {
        headers.push("Link");
    }
    if operation.takes_key() {
        headers.push("Idempotency-Replayed");
    }
    let mut response = json!({ "description": answer.about, "headers": named(&headers) });
    if let Some(schema) = answer.schema {
        response["content"] = json!({ "application/json": { "schema": schema(generator) } });
        if let Some(media_type) = answer.text {
            response["content"][media_type] = json!({ "schema": { "type": "string" } });
        }
    }
    response
}

/// Every refusal that the operation can answer, by status: its own, and what its shape brings along.
fn refusals(operation: &Operation) -> BTreeMap<u16, Vec<&'static Problem>> {
    let writes = operation.method != Method::GET;
    let mut all: Vec<&'static Problem> = vec![
        &error::INVALID_PARAMETER,
        &error::TOO_MANY_REQUESTS,
        &error::INTERNAL,
        &error::OVERLOADED,
        &error::STORAGE_UNAVAILABLE,
    ];
    if operation.access != Access::Unseen {
        all.extend([&error::UNAUTHENTICATED, &error::INVALID_TOKEN, &error::TOKEN_EXPIRED]);
    }
    if operation.is_paged() {
        all.push(&error::INVALID_CURSOR);
    }
    if writes {
        all.extend([
            &error::OUTCOME_UNKNOWN,
            &error::INVALID_REQUEST,
            &error::REQUEST_TIMEOUT,
            &error::BODY_TOO_LARGE,
        ]);
    }
    if writes && operation.raw.is_none() {
        all.extend([&error::UNSUPPORTED_MEDIA_TYPE, &error::VALIDATION_FAILED]);
    }
    if operation.access == Access::Signed {
        all.extend([&error::FORBIDDEN, &error::ROLE_REQUIRED]);
    }
    if operation.path.contains('{') || names_something(operation) {
        all.push(&error::NOT_FOUND);
    }
    if operation.takes_version() {
        all.push(&error::STALE_VERSION);
    }
    if operation.takes_key() {
        all.extend([
            &error::INVALID_IDEMPOTENCY_KEY,
            &error::IDEMPOTENCY_KEY_REUSED,
            &error::IDEMPOTENCY_IN_PROGRESS,
        ]);
    }
    all.extend(operation.problems.iter().copied());
    let mut by_status: BTreeMap<u16, Vec<&'static Problem>> = BTreeMap::new();
    for problem in all {
        let same = by_status.entry(problem.status).or_default();
        if !same.contains(&problem) {
            same.push(problem);
        }
    }
    by_status
}

/// Whether its body names something by id, which may not be there.
fn names_something(operation: &Operation) -> bool {
    operation.body.as_ref().is_some_and(|body| {
        let schema = (body.schema)();
        let properties = schema["properties"].as_object();
        properties.is_some_and(|fields| fields.values().any(|field| field["format"] == "uuid"))
    })
}

fn refusal(status: u16, problems: &[&'static Problem]) -> Value {
    let lines: Vec<String> = problems.iter().map(|problem| line(problem)).collect();
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    let mut headers = vec!["X-Request-Id"];
    match status {
        401 => headers.push("WWW-Authenticate"),
        429 => headers.extend(["Retry-After", "RateLimit"]),
        503 => headers.push("Retry-After"),
        _ => {}
    }
    json!({
        "description": lines.join("\n"),
        "headers": named(&headers),
        "content": { "application/problem+json": { "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "status": { "const": status }, "code": { "enum": codes } }
        } } }
    })
}

/// A problem as one item of a list, with the members that its document carries beside the usual ones.
fn line(problem: &Problem) -> String {
    let Problem { code, title, members, .. } = problem;
    match members {
        [] => format!("- `{code}`: {title}"),
        _ => format!("- `{code}`: {title} (with `{}`)", members.join("`, `")),
    }
}

/// References to headers of the document.
fn named(names: &[&str]) -> Value {
    let reference =
        |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    names.iter().map(reference).collect::<Map<String, Value>>().into()
}

/// The headers that answers carry.
pub(super) fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({ "description": about, "schema": schema });
    let text = || json!({ "type": "string" });
    let seconds = || json!({ "type": "integer", "minimum": 1 });
    json!({
        "X-Request-Id": header("Names this request in the logs.", json!({ "type": "string", "format": "uuid" })),
        "ETag": header("The version, for If-Match and If-None-Match.", json!({ "type": "string", "pattern": "^\"[0-9]+\\.[0-9a-f]+\"$" })),
        "Location": header("Where the new thing is read.", json!({ "type": "string", "format": "uri-reference" })),
        "Link": header("The next page, as `<…>; rel=\"next\"`; absent on the last one.", text()),
        "Idempotency-Replayed": header("`true` when this is the first answer to the same Idempotency-Key again.", json!({ "const": "true" })),
        "Retry-After": header("Seconds to wait before trying again.", seconds()),
        "RateLimit": header("What is left of the quota (`r`) and the seconds until it is refilled (`t`).", text()),
        "WWW-Authenticate": header("`Bearer`.", json!({ "const": "Bearer" }))
    })
}

/// RFC 9457, as every refusal carries it.
pub(super) fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457. Further members stand beside these where the description of a refusal says “with”.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "examples": ["/problems/not_found"] },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What happened, and the mend." },
            "code": { "type": "string", "description": "Fixed for programs to act on." },
            "request_id": { "type": "string", "format": "uuid" },
            "errors": {
                "type": "array",
                "description": "Every wrong field (only with `validation_failed`).",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "format": "json-pointer" },
                        "code": { "type": "string" },
                        "detail": { "type": "string" }
                    }
                }
            }
        }
    })
}
