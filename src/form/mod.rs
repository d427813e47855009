//! Turns a JSON object that a client wrote into a typed command, or into every mistake in it at once. One declaration
//! ([`form!`](crate::form!)) gives the parser and the schema in the API document. Knows no service and no HTTP.

mod amount;
mod field;
mod fold;
mod node;
mod percent;
mod text;

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::{Error, FieldError, Result};
use crate::id::Id;

pub use amount::Amount;
pub use field::{Change, Field, IdRef, Read, Wrong, integer, word};
pub use fold::fold;
pub use node::{Malformed, Node};
pub use percent::Percent;
pub use text::{HttpUrl, Reason, Text, TextLimits};

/// The declaration of one field, for the parser and the document.
pub struct FieldSpec {
    pub name: &'static str,
    pub about: &'static str,
    pub required: bool,
    pub schema: fn() -> Value,
}

/// A command that is read from a JSON object. Implemented by [`form!`](crate::form!).
pub trait Form: Sized + Send + Sync + 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    /// Fields that the server sets, each with where it comes from.
    const SERVER_SETS: &'static [(&'static str, &'static str)];
    fn fields() -> Vec<FieldSpec>;
    fn read(reader: &mut Reader) -> Option<Self>;

    /// Its JSON Schema, as the API document shows it.
    fn schema() -> Value {
        let fields = Self::fields();
        let required: Vec<&str> =
            fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let properties: serde_json::Map<String, Value> = fields
            .iter()
            .map(|field| {
                let mut schema = (field.schema)();
                if !field.about.is_empty() {
                    schema["description"] = json!(field.about);
                }
                (field.name.to_owned(), schema)
            })
            .collect();
        let mut schema = json!({
            "type": "object",
            "description": Self::ABOUT,
            "properties": properties,
            "additionalProperties": false
        });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }
}

/// A body that was parsed as JSON but not yet looked into: authority comes first, so a command checks it when it has
/// found that the caller may act.
pub struct Unchecked<F> {
    body: Arc<Node>,
    form: PhantomData<fn() -> F>,
}

impl<F> Clone for Unchecked<F> {
    fn clone(&self) -> Self {
        Self { body: Arc::clone(&self.body), form: PhantomData }
    }
}

impl<F: Form> Unchecked<F> {
    pub fn new(body: Node) -> Self {
        Self { body: Arc::new(body), form: PhantomData }
    }

    /// The command, or every wrong field. For what is created: there is nothing to send back yet.
    pub fn check(&self) -> Result<F> {
        self.read(&Value::Null)
    }

    /// The command, or every wrong field. `present` is what GET answers the caller now: a read-only field that still
    /// has its value there is accepted, so what was read can be sent back.
    pub fn check_against(&self, present: &impl serde::Serialize) -> Result<F> {
        self.read(&serde_json::to_value(present)?)
    }

    /// Looks at an id before anything is checked: an absent thing is 404 before a wrong field is 422.
    pub fn id<K>(&self, field: &str) -> Option<Id<K>> {
        match self.body.member(field) {
            Some(Node::String(text)) => Some(Id::from_wire(text)),
            _ => None,
        }
    }

    /// Looks at one field before the whole is checked, where its meaning depends on another; `None` when it is wrong.
    pub fn peek<T: Field>(&self, field: &str) -> Option<T> {
        match self.body.member(field) {
            Some(node) => T::read(node).ok(),
            None => T::absent(),
        }
    }

    fn read(&self, present: &Value) -> Result<F> {
        let mut reader = Reader { body: &self.body, errors: Vec::new() };
        reader.refuse_surplus::<F>(present);
        let read = F::read(&mut reader);
        match read {
            Some(form) if reader.errors.is_empty() => Ok(form),
            _ => Err(Error::Invalid(reader.errors)),
        }
    }
}

impl<F: Form> From<Value> for Unchecked<F> {
    fn from(value: Value) -> Self {
        Self::new(Node::from(&value))
    }
}

/// Reads fields one after the other and collects what is wrong.
pub struct Reader<'b> {
    body: &'b Node,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    /// One field; `None` when it is wrong, and then the mistake is noted.
    pub fn field<T: Field>(&mut self, name: &str) -> Option<T> {
        let read = match self.body.member(name) {
            Some(node) => T::read(node),
            None => match T::absent() {
                Some(value) => return Some(value),
                None => {
                    Err(vec![Wrong::new("required", format!("`{name}` is missing: send {}", T::expected()))])
                }
            },
        };
        read.map_err(|wrongs| self.errors.extend(wrongs.into_iter().map(|wrong| wrong.under(name)))).ok()
    }

    fn refuse_surplus<F: Form>(&mut self, present: &Value) {
        let Node::Object(members) = self.body else {
            let detail = "the body is a JSON object: {…}".to_owned();
            return self.errors.push(FieldError { pointer: String::new(), code: "invalid_type", detail });
        };
        let known: Vec<&str> = F::fields().iter().map(|field| field.name).collect();
        for (name, value) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            if let Some(wrong) = surplus::<F>(name, value, present, &known) {
                self.errors.push(wrong.under(name));
            }
        }
    }
}

fn surplus<F: Form>(name: &str, value: &Node, present: &Value, known: &[&str]) -> Option<Wrong> {
    if let Some(current) = present.get(name) {
        let same = value.equals(current);
        return (!same).then(|| {
            Wrong::new("read_only", format!("`{name}` is read-only: leave it out, or send it back unchanged"))
        });
    }
    if let Some((_, source)) = F::SERVER_SETS.iter().find(|(field, _)| *field == name) {
        return Some(Wrong::new("read_only", format!("leave `{name}` out: it is set {source}")));
    }
    let hint = match near(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "this operation takes no fields".to_owned(),
        None => format!("known fields: {}", known.join(", ")),
    };
    Some(Wrong::new("unknown_field", format!("there is no field `{name}`: {hint}")))
}

/// Other words that people use for a field.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("title", &["name", "headline", "subject"]),
    ("username", &["name", "user", "login", "handle", "user_name"]),
    ("email", &["mail", "e_mail", "email_address"]),
    ("price", &["amount", "cost", "rate"]),
    ("amount", &["price", "total", "sum"]),
    ("percent", &["rate", "percentage", "share", "fee"]),
    ("description", &["details", "text", "summary"]),
    ("message", &["text", "body", "content", "note"]),
    ("comment", &["text", "body", "message", "review"]),
    ("rating", &["stars", "score"]),
    ("service_id", &["service", "listing_id", "listing"]),
    ("order_id", &["order"]),
    ("user_id", &["user", "to", "recipient", "recipient_id"]),
    ("payment_method", &["method", "card", "source", "token"]),
    ("delivery_days", &["days", "delivery_time", "delivery"]),
    ("requirements", &["message", "note", "notes", "brief"]),
    ("status", &["state"]),
    ("current_password", &["old_password", "password_current"]),
    ("password", &["new_password", "pass", "pwd"]),
    ("refresh_token", &["token"]),
    ("image_url", &["image", "picture"]),
    ("url", &["link", "href"]),
    ("bio", &["about", "description"]),
];

/// The known field that was probably meant.
fn near<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let folded = fold(name).replace('-', "_");
    let alike = |field: &&&str| folded.replace('_', "") == field.replace('_', "");
    let synonym = |field: &&&str| {
        SYNONYMS.iter().any(|(word, others)| word == *field && others.contains(&folded.as_str()))
    };
    let misspelt =
        |field: &&&str| strsim::damerau_levenshtein(&folded, field) <= if field.len() > 5 { 2 } else { 1 };
    known
        .iter()
        .find(alike)
        .or_else(|| known.iter().find(misspelt))
        .or_else(|| known.iter().find(synonym))
        .copied()
}

/// Declares a command that is read from JSON:
///
/// ```ignore
/// form! {
///     /// What it asks for.
///     pub struct PlaceOrder {
///         /// Which listing.
///         service_id: IdRef<Listing>,
///         requirements: Option<Requirements>,
///     }
///     server_sets { amount: "from the service" }
/// }
/// ```
#[macro_export]
macro_rules! form {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident { $($(#[doc = $field_about:literal])* $field:ident : $type:ty),* $(,)? }
        $(server_sets { $($set:ident : $source:literal),* $(,)? })?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        pub struct $name { $($(#[doc = $field_about])* pub $field: $type),* }

        impl $crate::form::Form for $name {
            const NAME: &'static str = stringify!($name);
            const ABOUT: &'static str = concat!($($about),*).trim_ascii();
            const SERVER_SETS: &'static [(&'static str, &'static str)] = &[$($((stringify!($set), $source)),*)?];

            fn fields() -> Vec<$crate::form::FieldSpec> {
                vec![$($crate::form::FieldSpec {
                    name: stringify!($field).trim_start_matches("r#"),
                    about: concat!($($field_about),*).trim_ascii(),
                    required: <$type as $crate::form::Field>::absent().is_none(),
                    schema: <$type as $crate::form::Field>::schema,
                }),*]
            }

            #[allow(unused_variables)]
            fn read(reader: &mut $crate::form::Reader) -> Option<Self> {
                $(let $field = reader.field(stringify!($field).trim_start_matches("r#"));)*
                Some(Self { $($field: $field?),* })
            }
        }
    };
}

form! {
    /// Nothing: the operation takes no fields.
    pub struct Nothing {}
}

#[cfg(test)]
mod tests;
