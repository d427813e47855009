//! The OpenAPI 3.1 document, written from the table that serves.

use std::sync::Arc;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::error::{self, Problem};

use super::operation::{Access, Operation};

const ABOUT: &str = include_str!("docs/introduction.md");

/// The document for `operations`, served at `public_url`.
pub fn document(operations: &[Arc<Operation>], public_url: &str) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    let mut forms: Map<String, Value> = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for operation in operations {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        if let Some(body) = &operation.body {
            forms.insert(body.name.to_owned(), (body.schema)());
        }
        let described = describe(operation, &mut generator);
        let path = paths.entry(operation.path.to_owned()).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = described;
    }
    let mut schemas = forms;
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.extend(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Guildhall",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The backend of a freelance marketplace",
            "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" }
        },
        "servers": [{ "url": public_url }],
        "security": [{ "bearer": [] }],
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "The access_token of POST /users/login." }
            },
            "schemas": schemas
        }
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses: Map<String, Value> = Map::new();
    for answer in &operation.answers {
        let mut response = json!({ "description": answer.about });
        if let Some(schema) = answer.schema {
            response["content"] = json!({ "application/json": { "schema": schema(generator) } });
        }
        if operation.versioned && answer.status == 200 {
            response["headers"] = json!({ "ETag": { "description": "Its version, for If-Match and If-None-Match.", "schema": { "type": "string" } } });
        }
        responses.insert(answer.status.to_string(), response);
    }
    if operation.versioned && operation.method == http::Method::GET {
        responses
            .insert("304".to_owned(), json!({ "description": "Unchanged since the ETag in If-None-Match." }));
    }
    for (status, problems) in refusals(operation) {
        responses.insert(status.to_string(), refusal(&problems));
    }
    let mut described = json!({
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "x-who": operation.who,
        "security": match operation.access {
            Access::Signed => json!([{ "bearer": [] }]),
            Access::Anyone => json!([{}, { "bearer": [] }]),
            Access::Unseen => json!([]),
        },
        "parameters": parameters(operation),
        "responses": responses
    });
    if !operation.about.is_empty() {
        described["description"] = json!(operation.about);
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = json!({
            "required": body.required,
            "content": { "application/json": {
                "schema": { "$ref": format!("#/components/schemas/{}", body.name) },
                "example": body.example
            } }
        });
    }
    described
}

/// Every refusal that the operation can answer, by status: its own, and what its shape brings along.
fn refusals(operation: &Operation) -> std::collections::BTreeMap<u16, Vec<&'static Problem>> {
    use http::Method;
    let writes = operation.method != Method::GET;
    let mut all: Vec<&'static Problem> =
        vec![&error::TOO_MANY_REQUESTS, &error::INTERNAL, &error::OVERLOADED, &error::STORAGE_UNAVAILABLE];
    if operation.access != Access::Unseen {
        all.extend([&error::UNAUTHENTICATED, &error::INVALID_TOKEN, &error::TOKEN_EXPIRED]);
    }
    all.push(&error::INVALID_PARAMETER);
    if operation.query.iter().any(|param| param.name == "cursor") {
        all.push(&error::INVALID_CURSOR);
    }
    if writes {
        all.extend([
            &error::INVALID_REQUEST,
            &error::REQUEST_TIMEOUT,
            &error::BODY_TOO_LARGE,
            &error::UNSUPPORTED_MEDIA_TYPE,
            &error::VALIDATION_FAILED,
        ]);
    }
    if operation.path.contains('{') {
        all.push(&error::NOT_FOUND);
    }
    if operation.versioned && writes {
        all.push(&error::STALE_VERSION);
    }
    if operation.method == Method::POST && operation.access != Access::Unseen {
        all.extend([
            &error::INVALID_IDEMPOTENCY_KEY,
            &error::IDEMPOTENCY_KEY_REUSED,
            &error::IDEMPOTENCY_IN_PROGRESS,
        ]);
    }
    all.extend(operation.problems.iter().copied());
    let mut by_status: std::collections::BTreeMap<u16, Vec<&'static Problem>> =
        std::collections::BTreeMap::new();
    for problem in all {
        let same = by_status.entry(problem.status).or_default();
        if !same.contains(&problem) {
            same.push(problem);
        }
    }
    by_status
}

fn refusal(problems: &[&'static Problem]) -> Value {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("- `{}`: {}", problem.code, problem.title)).collect();
    json!({
        "description": lines.join("\n"),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
    })
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| {
            let user = name == "userId" || operation.path.starts_with("/users/");
            let about = if user { "An id, or `me` for yourself." } else { "An id." };
            json!({ "name": name, "in": "path", "required": true, "description": about, "schema": { "type": "string" } })
        })
        .collect();
    parameters.extend(operation.query.iter().map(|param| {
        let mut schema = param.schema.clone();
        if param.repeatable {
            schema = json!({ "type": "array", "items": schema });
        }
        json!({ "name": param.name, "in": "query", "description": param.about, "schema": schema })
    }));
    let header = |name: &str, about: &str| json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } });
    if operation.method == http::Method::POST && operation.access != Access::Unseen {
        let mut key = header(
            "Idempotency-Key",
            "Send the request again with the same key to get the first answer again.",
        );
        key["schema"] =
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$" });
        parameters.push(key);
    }
    if operation.versioned {
        match operation.method {
            http::Method::GET => {
                parameters.push(header("If-None-Match", "The ETag that you have: 304 when it is still true."))
            }
            _ => parameters
                .push(header("If-Match", "The ETag that you have read: 412 when it has changed since.")),
        }
    }
    parameters
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457. Further members stand beside these where an operation says so.",
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
