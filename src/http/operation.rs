//! One entry per operation: the router, the API document, the rate class and the authorization test all read it.

use axum::handler::Handler;
use axum::routing::{self, MethodFilter, MethodRouter};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::app::App;
use crate::error::{self, Problem, Result};
use crate::form::{Form, Unchecked};

use super::limits::RateClass;

/// Which credentials an operation looks at. What the caller may then do is decided by the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// None are needed; those that are sent must be good.
    Anyone,
    /// A live access token.
    Signed,
    /// None are looked at: register, login, refresh.
    Unseen,
}

/// A query parameter.
#[derive(Debug, Clone)]
pub struct Param {
    pub name: &'static str,
    pub about: &'static str,
    pub schema: Value,
    pub repeatable: bool,
}

impl Param {
    pub fn new(name: &'static str, about: &'static str, schema: Value) -> Self {
        Self { name, about, schema, repeatable: false }
    }

    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

/// The JSON body that an operation takes.
pub struct BodySpec {
    pub name: &'static str,
    pub schema: fn() -> Value,
    pub example: Value,
    pub required: bool,
    /// Whether the form takes a body.
    pub check: fn(&Value) -> Result<()>,
}

/// A body that an operation takes byte for byte, whatever it is.
pub struct RawSpec {
    pub about: &'static str,
    /// How many bytes it may have.
    pub most: usize,
}

/// A success that an operation answers.
pub struct AnswerSpec {
    pub status: u16,
    pub about: &'static str,
    pub schema: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// Also as text of this media type, for who asks for it.
    pub text: Option<&'static str>,
}

/// An operation of the API.
pub struct Operation {
    pub method: Method,
    pub path: &'static str,
    /// The operation's id in the document, in camel case.
    pub name: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub about: &'static str,
    pub access: Access,
    /// Who may call it, in words.
    pub who: &'static str,
    pub rate: RateClass,
    pub query: Vec<Param>,
    pub body: Option<BodySpec>,
    pub raw: Option<RawSpec>,
    pub answers: Vec<AnswerSpec>,
    pub problems: Vec<&'static Problem>,
    /// A single resource: `ETag`, and conditional requests.
    pub versioned: bool,
    /// Its answer says where the new thing is read.
    pub located: bool,
    /// It reads what is public: strangers may be shown what was there a moment ago.
    pub public: bool,
    pub(super) handler: MethodRouter<App>,
}

fn operation(method: Method, path: &'static str, handler: MethodRouter<App>) -> Operation {
    Operation {
        method,
        path,
        name: "",
        tag: "",
        summary: "",
        about: "",
        access: Access::Signed,
        who: "",
        rate: RateClass::Default,
        query: Vec::new(),
        body: None,
        raw: None,
        answers: Vec::new(),
        problems: Vec::new(),
        versioned: false,
        located: false,
        public: false,
        handler,
    }
}

pub fn get<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Operation {
    operation(Method::GET, path, routing::get(handler))
}

pub fn post<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Operation {
    operation(Method::POST, path, routing::post(handler))
}

/// PUT changes the fields given, so PATCH is the same operation.
pub fn put<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Operation {
    operation(Method::PUT, path, routing::put(handler))
}

/// The second name of a PUT.
pub fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Operation {
    operation(Method::PATCH, path, routing::patch(handler))
}

pub fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Operation {
    operation(Method::DELETE, path, routing::delete(handler))
}

impl Operation {
    #[must_use]
    pub fn named(mut self, name: &'static str, summary: &'static str) -> Self {
        self.name = name;
        self.summary = summary;
        self
    }

    /// The same operation in a process that does not serve it.
    #[must_use]
    pub fn elsewhere(mut self) -> Self {
        let handler = || async {
            error::NOT_FOUND.error(
                "this process does not serve this operation: ask the public address, which knows who does",
            )
        };
        let filter = MethodFilter::try_from(self.method.clone()).unwrap_or(MethodFilter::GET);
        self.handler = routing::on(filter, handler);
        self
    }

    #[must_use]
    pub fn tagged(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    #[must_use]
    pub fn access(mut self, access: Access, who: &'static str) -> Self {
        self.access = access;
        self.who = who;
        self
    }

    #[must_use]
    pub fn rate(mut self, rate: RateClass) -> Self {
        self.rate = rate;
        self
    }

    #[must_use]
    pub fn query(mut self, params: Vec<Param>) -> Self {
        self.query.extend(params);
        self
    }

    /// A list: `limit` and `cursor`.
    #[must_use]
    pub fn paged(self) -> Self {
        self.query(vec![
            Param::new(
                "limit",
                "How many rows, 20 unless said.",
                serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }),
            ),
            Param::new(
                "cursor",
                "`next_cursor` of the page before.",
                serde_json::json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }),
            ),
        ])
    }

    /// The body, with an example that works when pasted.
    #[must_use]
    pub fn body<F: Form>(mut self, example: Value) -> Self {
        let required = F::fields().iter().any(|field| field.required);
        let check: fn(&Value) -> Result<()> = |body| Unchecked::<F>::from(body.clone()).check().map(drop);
        self.body = Some(BodySpec { name: F::NAME, schema: F::schema, example, required, check });
        self
    }

    /// The body, for [`super::RawCall`].
    #[must_use]
    pub fn raw(mut self, about: &'static str, most: usize) -> Self {
        self.raw = Some(RawSpec { about, most });
        self
    }

    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16, about: &'static str) -> Self {
        let schema: fn(&mut SchemaGenerator) -> Schema = |generator| generator.subschema_for::<T>();
        self.answers.push(AnswerSpec { status, about, schema: Some(schema), text: None });
        self
    }

    /// The last answer, also as text of another media type.
    #[must_use]
    pub fn also_as(mut self, media_type: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.text = Some(media_type);
        }
        self
    }

    #[must_use]
    pub fn answers_nothing(mut self, about: &'static str) -> Self {
        self.answers.push(AnswerSpec { status: 204, about, schema: None, text: None });
        self
    }

    #[must_use]
    pub fn problems(mut self, problems: &[&'static Problem]) -> Self {
        self.problems.extend_from_slice(problems);
        self
    }

    /// A single resource with an `ETag`.
    #[must_use]
    pub fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// Its answer carries a `Location`.
    #[must_use]
    pub fn located(mut self) -> Self {
        self.located = true;
        self
    }

    /// It reads what is public: a replica of the database may answer.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// Whether it honours an Idempotency-Key: every POST whose caller can be known.
    pub(super) fn takes_key(&self) -> bool {
        self.method == Method::POST && self.access != Access::Unseen
    }

    /// Whether it honours If-Match: every change of a single resource that is there already.
    pub(super) fn takes_version(&self) -> bool {
        self.versioned && !matches!(self.method, Method::GET | Method::POST)
    }

    pub(super) fn is_paged(&self) -> bool {
        self.query.iter().any(|param| param.name == "cursor")
    }
}
