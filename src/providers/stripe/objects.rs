//! Stripe's objects, as far as they are read. What is missing, new or unknown in them is no reason not to read the rest:
//! statuses stay the words they are.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::secret::Secret;

/// Free words that we gave an object.
type Metadata = Option<Map<String, Value>>;

/// An object, or just its id where it was not asked to be expanded.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

impl<T: HasId> Expandable<T> {
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id(),
        }
    }

    pub fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

pub(super) trait HasId {
    fn id(&self) -> &str;
}

macro_rules! has_id {
    ($($name:ident),*) => { $(impl HasId for $name { fn id(&self) -> &str { &self.id } })* };
}
has_id!(PaymentIntent, Charge, BalanceTransaction, Refund, Transfer, Account, Event);

#[derive(Deserialize)]
pub(super) struct PaymentIntent {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub amount: i64,
    pub amount_received: Option<i64>,
    #[serde(default)]
    pub currency: String,
    client_secret: Option<String>,
    pub latest_charge: Option<Expandable<Charge>>,
    next_action: Option<NextAction>,
    pub last_payment_error: Option<Refusal>,
    metadata: Metadata,
}

impl PaymentIntent {
    pub fn metadata(&self, name: &str) -> Option<&str> {
        word(&self.metadata, name)
    }

    pub fn client_secret(&self) -> Option<Secret> {
        self.client_secret.clone().map(Secret::new)
    }

    /// The page where the buyer acts.
    pub fn url(&self) -> Option<Secret> {
        self.next_action.as_ref()?.redirect_to_url.as_ref()?.url.clone().map(Secret::new)
    }
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<RedirectToUrl>,
}

#[derive(Deserialize)]
struct RedirectToUrl {
    url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Charge {
    pub id: String,
    pub balance_transaction: Option<Expandable<BalanceTransaction>>,
}

#[derive(Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub status: String,
    pub failure_reason: Option<String>,
    metadata: Metadata,
}

impl Refund {
    pub fn metadata(&self, name: &str) -> Option<&str> {
        word(&self.metadata, name)
    }
}

#[derive(Deserialize)]
pub(super) struct Transfer {
    pub id: String,
    #[serde(default)]
    reversed: bool,
    #[serde(default)]
    amount: i64,
    #[serde(default)]
    amount_reversed: i64,
    metadata: Metadata,
}

impl Transfer {
    /// Whether all of it came back; a part of it leaves the rest where it went.
    pub fn is_taken_back(&self) -> bool {
        self.reversed || (self.amount > 0 && self.amount_reversed >= self.amount)
    }

    pub fn metadata(&self, name: &str) -> Option<&str> {
        word(&self.metadata, name)
    }
}

#[derive(Deserialize)]
pub(super) struct Account {
    pub id: String,
    #[serde(default)]
    pub payouts_enabled: bool,
    capabilities: Option<Map<String, Value>>,
    requirements: Option<Requirements>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Requirements {
    currently_due: Option<Vec<String>>,
    past_due: Option<Vec<String>>,
    disabled_reason: Option<String>,
}

impl Account {
    pub fn metadata(&self, name: &str) -> Option<&str> {
        word(&self.metadata, name)
    }

    /// Whether it can be transferred to and pays out.
    pub fn is_enabled(&self) -> bool {
        self.payouts_enabled && word(&self.capabilities, "transfers") == Some("active")
    }

    /// What Stripe still wants to know.
    pub fn wanted(&self) -> Vec<String> {
        let Some(requirements) = &self.requirements else { return Vec::new() };
        let due = [&requirements.past_due, &requirements.currently_due].into_iter().flatten().flatten();
        let mut wanted: Vec<String> = due.chain(&requirements.disabled_reason).cloned().collect();
        wanted.sort();
        wanted.dedup();
        wanted
    }
}

#[derive(Deserialize)]
pub(super) struct AccountLink {
    pub url: String,
}

#[derive(Deserialize)]
pub(super) struct Dispute {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    #[serde(default)]
    pub reason: String,
    charge: Option<Value>,
    payment_intent: Option<Value>,
    evidence_details: Option<EvidenceDetails>,
}

#[derive(Deserialize)]
struct EvidenceDetails {
    due_by: Option<i64>,
}

impl Dispute {
    /// What we know its charge by.
    pub fn charge(&self) -> String {
        named(&self.payment_intent).or_else(|| named(&self.charge)).unwrap_or_default().to_owned()
    }

    pub fn due_by(&self) -> Option<i64> {
        self.evidence_details.as_ref()?.due_by
    }
}

/// A line of Stripe's own books.
#[derive(Deserialize)]
pub(super) struct BalanceTransaction {
    pub id: String,
    #[serde(default)]
    pub amount: i64,
    #[serde(default)]
    pub fee: i64,
    pub currency: String,
    #[serde(default)]
    pub created: i64,
    /// What Stripe calls such a movement.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What it is about, expanded.
    pub source: Option<Value>,
}

/// The object that a line of the books is about; which members it has depends on what it is.
#[derive(Deserialize)]
pub(super) struct Source {
    pub id: String,
    pub object: String,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub status: Option<String>,
    charge: Option<Value>,
    payment_intent: Option<Value>,
    transfer: Option<Value>,
    pub transfer_group: Option<String>,
    metadata: Metadata,
}

impl Source {
    pub fn metadata(&self, name: &str) -> Option<&str> {
        word(&self.metadata, name)
    }

    /// The intent or charge that it belongs to.
    pub fn charge(&self) -> Option<&str> {
        named(&self.payment_intent).or_else(|| named(&self.charge))
    }

    pub fn transfer(&self) -> Option<&str> {
        named(&self.transfer)
    }
}

#[derive(Deserialize)]
pub(super) struct Balance {
    available: Vec<Funds>,
    pending: Vec<Funds>,
}

impl Balance {
    pub fn funds(&self) -> impl Iterator<Item = &Funds> {
        self.available.iter().chain(&self.pending)
    }
}

#[derive(Deserialize)]
pub(super) struct Funds {
    pub amount: i64,
    pub currency: String,
}

/// An event, kept whole: it is read as those are that come by themselves.
#[derive(Deserialize)]
pub(super) struct Event {
    pub id: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Event {
    /// The bytes that would have been sent.
    pub fn raw(&self) -> Vec<u8> {
        let mut whole = self.rest.clone();
        whole.insert("id".to_owned(), Value::String(self.id.clone()));
        Value::Object(whole).to_string().into_bytes()
    }
}

/// One page of a list, newest first.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

#[derive(Deserialize)]
pub(super) struct ApiError {
    pub error: Refusal,
}

/// Why Stripe refuses, or why the last attempt of an intent failed.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
    payment_intent: Option<Named>,
}

/// The id of an object, and nothing else of it.
#[derive(Debug, Deserialize)]
struct Named {
    id: String,
}

impl Refusal {
    /// The most exact word that Stripe has for it.
    pub fn code(&self) -> String {
        let code = self.decline_code.as_ref().or(self.code.as_ref()).or(self.kind.as_ref());
        code.cloned().unwrap_or_else(|| "refused".to_owned())
    }

    pub fn message(&self) -> String {
        self.message.clone().unwrap_or_else(|| "Stripe refused it".to_owned())
    }

    /// The intent that it is about; empty where none was made.
    pub fn reference(&self) -> &str {
        self.payment_intent.as_ref().map_or("", |intent| &intent.id)
    }

    /// The key stands for a request with other words.
    pub fn is_about_the_key(&self) -> bool {
        self.kind.as_deref() == Some("idempotency_error")
    }

    /// What it names does not exist.
    pub fn is_missing(&self) -> bool {
        self.code.as_deref() == Some("resource_missing")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

fn word<'w>(words: &'w Option<Map<String, Value>>, name: &str) -> Option<&'w str> {
    words.as_ref()?.get(name)?.as_str()
}

/// The id of what may be an id or an object.
fn named(value: &Option<Value>) -> Option<&str> {
    let value = value.as_ref()?;
    value.as_str().or_else(|| value.get("id")?.as_str())
}
