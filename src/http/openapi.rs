//! The OpenAPI 3.1 document, written from the table that serves.

mod responses;

use std::sync::Arc;

use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Access, Operation};

const ABOUT: &str = include_str!("docs/introduction.md");

/// The document for `operations`, served at `public_url`.
pub fn document(operations: &[Arc<Operation>], public_url: &str) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for operation in operations {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        if let Some(body) = &operation.body {
            schemas.insert(body.name.to_owned(), (body.schema)());
        }
        let path = paths.entry(operation.path.to_owned()).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = describe(operation, &mut generator);
    }
    schemas.insert("Problem".to_owned(), responses::problem_schema());
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
            "headers": responses::headers(),
            "schemas": schemas
        }
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
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
        "responses": responses::responses(operation, generator)
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
    if let Some(raw) = &operation.raw {
        described["requestBody"] = json!({
            "required": true,
            "description": raw.about,
            "content": { "application/json": { "schema": {} } }
        });
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| {
            let (about, schema) = match name == "userId" || operation.path.starts_with("/users/") {
                _ if name == "provider" => ("The name of the payment provider.", json!({ "type": "string" })),
                true => (
                    "An id, or `me` for yourself.",
                    json!({ "anyOf": [{ "type": "string", "format": "uuid" }, { "const": "me" }] }),
                ),
                false => ("An id.", json!({ "type": "string", "format": "uuid" })),
            };
            json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
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
    if operation.takes_key() {
        let mut key = header(
            "Idempotency-Key",
            "Send the request again with the same key to get the first answer again.",
        );
        key["schema"] =
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$" });
        parameters.push(key);
    }
    if operation.versioned && operation.method == Method::GET {
        parameters.push(header("If-None-Match", "The ETag that you have: 304 when it is still true."));
    }
    if operation.takes_version() {
        parameters.push(header("If-Match", "The ETag that you have read: 412 when it has changed since."));
    }
    parameters
}
