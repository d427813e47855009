//! The API document: complete, consistent with itself, and with examples that work.

use std::collections::{BTreeMap, BTreeSet};

use guildhall::app;
use guildhall::error;
use guildhall::http::Operation;
use serde_json::Value;

use crate::support::TestApp;

async fn document() -> Value {
    TestApp::new().await.get("/openapi.json", None).await.expect(200).json()
}

/// Which operation a failed assertion is about.
fn label(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.path)
}

#[test]
fn operations_have_names_of_their_own() {
    let mut seen = BTreeMap::new();
    for operation in app::operations() {
        let camel = operation.name.chars().next().is_some_and(|first| first.is_ascii_lowercase())
            && operation.name.chars().all(|symbol| symbol.is_ascii_alphanumeric());
        assert!(camel, "{}: `{}` is not in camel case", label(&operation), operation.name);
        let other = seen.insert(operation.name, label(&operation));
        assert_eq!(other, None, "{} has the name {} too", label(&operation), operation.name);
    }
}

#[test]
fn operations_say_what_they_do_and_for_whom() {
    for operation in app::operations() {
        let label = label(&operation);
        assert!(!operation.summary.is_empty() && !operation.summary.ends_with('.'), "{label}: summary");
        assert!(!operation.who.is_empty(), "{label}: who");
        assert!(operation.answers.iter().any(|answer| answer.status < 300), "{label}: no success");
        assert!(operation.answers.iter().all(|answer| !answer.about.is_empty()), "{label}: answer");
        assert!(operation.query.iter().all(|param| !param.about.is_empty()), "{label}: parameter");
    }
}

#[test]
fn examples_are_accepted_by_their_forms() {
    for operation in app::operations() {
        let Some(body) = &operation.body else { continue };
        let checked = (body.check)(&body.example);
        assert!(checked.is_ok(), "{}: {} {:?}", label(&operation), body.example, checked.err());
    }
}

#[test]
fn a_put_is_also_a_patch() {
    let operations = app::operations();
    for put in operations.iter().filter(|operation| operation.method == http::Method::PUT) {
        let patch = operations
            .iter()
            .find(|operation| operation.method == http::Method::PATCH && operation.path == put.path);
        let patch = patch.unwrap_or_else(|| panic!("{} has no PATCH", put.path));
        let body = |operation: &Operation| operation.body.as_ref().map(|body| body.name);
        assert_eq!((body(patch), patch.versioned), (body(put), put.versioned), "{}", put.path);
    }
}

#[test]
fn a_problem_code_means_one_thing() {
    let mut seen = BTreeMap::new();
    let of_services = app::operations().into_iter().flat_map(|operation| operation.problems);
    for problem in error::PROBLEMS.iter().copied().chain(of_services) {
        let known = seen.insert(problem.code, problem).unwrap_or(problem);
        assert_eq!(known, problem, "two problems have the code {}", problem.code);
        assert!(!problem.title.ends_with('.') && problem.about.ends_with('.'), "{}", problem.code);
        for member in problem.members {
            assert!(
                problem.about.contains(&format!("`{member}`")),
                "{}: {member} is not explained",
                problem.code
            );
        }
    }
}

#[tokio::test]
async fn every_problem_in_the_document_has_a_page() {
    let app = TestApp::new().await;
    let document = app.get("/openapi.json", None).await.expect(200).json();
    let mut codes = BTreeSet::new();
    each(&document["paths"], &mut |value| {
        let listed = value.pointer("/properties/code/enum").and_then(Value::as_array);
        codes.extend(listed.into_iter().flatten().map(|code| code.as_str().unwrap().to_owned()));
    });
    assert!(codes.contains("validation_failed") && codes.contains("email_taken"), "{codes:?}");
    for code in codes {
        app.get(&format!("/problems/{code}"), None).await.expect(200);
    }
}

#[tokio::test]
async fn tags_are_listed_in_the_order_of_the_table() {
    let document = document().await;
    let listed: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let operations = app::operations();
    let mut tags: Vec<&str> = operations.iter().map(|operation| operation.tag).collect();
    tags.dedup();
    assert_eq!(listed, tags, "operations of a tag stand together");
    assert!(!tags.contains(&""));
}

#[tokio::test]
async fn references_lead_somewhere() {
    let document = document().await;
    let mut references = BTreeSet::new();
    each(&document, &mut |value| {
        references.extend(value.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    assert!(references.contains("#/components/schemas/Problem"));
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}

/// A form and an answer of the same name would overwrite each other in the document.
#[tokio::test]
async fn schemas_do_not_share_a_name() {
    let document = document().await;
    for operation in app::operations() {
        let Some(body) = &operation.body else { continue };
        let shown = &document["components"]["schemas"][body.name];
        assert_eq!(shown, &(body.schema)(), "{}: {}", label(&operation), body.name);
    }
}

/// Visits every object of `value`.
fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(members) => {
            visit(value);
            members.values().for_each(|member| each(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        _ => {}
    }
}
