//! What an account is, and the rules of its parts.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::actor::{Role, UserId};
use crate::form;
use crate::form::{Change, Field, Node, Read, Reason, Text, TextLimits, Wrong, fold};
use crate::time::Time;
use crate::words;

words! {
    /// The roles that a person can choose.
    pub enum ChosenRole {
        Buyer = "buyer",
        Freelancer = "freelancer",
        Both = "both",
    }
}

impl From<ChosenRole> for Role {
    fn from(role: ChosenRole) -> Self {
        match role {
            ChosenRole::Buyer => Self::Buyer,
            ChosenRole::Freelancer => Self::Freelancer,
            ChosenRole::Both => Self::Both,
        }
    }
}

words! {
    /// What has become of an account.
    pub enum Status {
        Active = "active",
        Suspended = "suspended",
        Deleted = "deleted",
    }
}

/// 3 to 32 ASCII letters, digits, `_`, `.`, `-`; none that could be taken for the house.
#[derive(Debug, Clone)]
pub struct Username(String);

const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "support",
    "system",
    "me",
    "guildhall",
    "moderator",
    "staff",
    "help",
    "security",
    "postmaster",
    "abuse",
    "deleted",
    "null",
    "undefined",
];

impl Username {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if !(3..=32).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(Wrong::new(
                "invalid_username",
                "send 3 to 32 of the letters a-z, digits, `_`, `.` and `-`",
            ));
        }
        if RESERVED.contains(&fold(text).as_str()) {
            return Err(Wrong::new("reserved_username", "this name is kept for the house: choose another"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl Field for Username {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::String(text) => Self::parse(text).map_err(|wrong| vec![wrong]),
            _ => Err(Wrong::kind("a string", node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 3, "maxLength": 32, "pattern": "^[A-Za-z0-9_.-]+$" })
    }

    fn expected() -> String {
        "3 to 32 letters, digits, `_`, `.` or `-`".to_owned()
    }
}

/// An address that mail can be sent to; compared folded, its domain in ASCII.
#[derive(Debug, Clone)]
pub struct Email {
    given: String,
    folded: String,
}

impl Email {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("invalid_email", "send an address such as ada@example.com");
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let plain = |symbol: char| {
            !symbol.is_whitespace() && !symbol.is_control() && !"\"(),:;<>[\\]@".contains(symbol)
        };
        let dotted = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        if local.is_empty() || local.len() > 64 || text.len() > 254 || !local.chars().all(plain) || !dotted {
            return Err(wrong());
        }
        let host = match url::Host::parse(domain) {
            Ok(url::Host::Domain(host))
                if host.contains('.') && !host.ends_with('.') && !host.starts_with('.') =>
            {
                host
            }
            _ => return Err(wrong()),
        };
        let labels = host.split('.').all(|label| {
            !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
        });
        if !labels || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
            return Err(wrong());
        }
        Ok(Self { given: text.to_owned(), folded: format!("{}@{host}", fold(local)) })
    }

    pub fn as_str(&self) -> &str {
        &self.given
    }

    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl Field for Email {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::String(text) => Self::parse(text).map_err(|wrong| vec![wrong]),
            _ => Err(Wrong::kind("a string", node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "email", "maxLength": 254 })
    }

    fn expected() -> String {
        "an e-mail address".to_owned()
    }
}

/// Whom a login names, in the form that accounts are compared in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginName {
    Email(String),
    Username(String),
}

impl LoginName {
    pub fn email(text: &str) -> Self {
        Self::Email(Email::parse(text).map_or_else(|_| fold(text), |email| email.folded))
    }

    pub fn username(text: &str) -> Self {
        Self::Username(fold(text))
    }

    /// Whichever it looks like: no username has an `@`.
    pub fn either(text: &str) -> Self {
        if text.contains('@') { Self::email(text) } else { Self::username(text) }
    }
}

/// A password of usable length. Whether it can be guessed depends on the account: [`guessable`].
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Field for Password {
    fn read(node: &Node) -> Read<Self> {
        let Node::String(text) = node else { return Err(Wrong::kind("a string", node)) };
        match text.len() {
            8..=1_024 if text.chars().any(char::is_control) => Err(vec![without_controls()]),
            8..=1_024 => Ok(Self(text.clone())),
            0..8 => {
                Err(vec![Wrong::new("too_short", "send at least 8 bytes: three unrelated words are good")])
            }
            _ => Err(vec![Wrong::new("too_long", "send at most 1,024 bytes")]),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "password", "minLength": 8, "maxLength": 1024, "pattern": NO_CONTROLS })
    }

    fn expected() -> String {
        "a password of at least 8 bytes".to_owned()
    }
}

const NO_CONTROLS: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

/// No keyboard writes them, so a client that sends them has a fault.
fn without_controls() -> Wrong {
    Wrong::new("invalid_characters", "remove the control characters")
}

/// Fewer guesses than this find it (zxcvbn); the account's own words count as known.
const ENOUGH_GUESSES: u64 = 10_000;

/// Whether somebody who knows the account would soon guess the password.
pub fn guessable(password: &str, own_words: &[&str]) -> bool {
    let mut known = vec!["guildhall"];
    for word in own_words {
        known.push(word);
        known.extend(word.split(|symbol: char| !symbol.is_alphanumeric()).filter(|part| part.len() > 2));
    }
    // The estimate takes quadratic time, and nobody guesses a passphrase of a hundred letters by its end.
    let start: String = password.chars().take(100).collect();
    zxcvbn::zxcvbn(&start, &known).guesses() < ENOUGH_GUESSES
}

/// A password that somebody claims: any text, for it is only compared.
#[derive(Clone)]
pub struct Attempt(String);

impl Attempt {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempt(…)")
    }
}

impl Field for Attempt {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::String(text) if text.chars().any(char::is_control) => Err(vec![without_controls()]),
            Node::String(text) if text.len() <= 1_024 => Ok(Self(text.clone())),
            Node::String(_) => Err(vec![Wrong::new("too_long", "send at most 1,024 bytes")]),
            _ => Err(Wrong::kind("a string", node)),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "password", "maxLength": 1024, "pattern": NO_CONTROLS })
    }

    fn expected() -> String {
        "the password".to_owned()
    }
}

/// A name or token that is only looked up.
pub struct LookedUp;
impl TextLimits for LookedUp {
    const MIN: usize = 1;
    const MAX: usize = 254;
}

form! {
    /// A new account.
    pub struct Register {
        /// Public; letters, digits, `_`, `.`, `-`.
        username: Username,
        /// Never shown to others.
        email: Email,
        /// Not guessable: three unrelated words are good.
        password: Password,
        /// `buyer` unless said; PUT /users/me changes it later.
        role: Option<ChosenRole>,
    }
    server_sets {
        id: "by the server", created_at: "by the server", updated_at: "by the server",
        email_verified: "when the address has been verified"
    }
}

form! {
    /// Who logs in: by `email` or by `username`.
    pub struct Login {
        email: Option<Text<LookedUp>>,
        username: Option<Text<LookedUp>>,
        password: Attempt,
    }
}

form! {
    /// The refresh token of the last login or refresh.
    pub struct Refresh {
        refresh_token: Text<LookedUp>,
    }
}

form! {
    /// Which sessions to end.
    pub struct Logout {
        /// Every session of the account, not only this one.
        all: Option<bool>,
    }
}

form! {
    /// Changes to an account.
    pub struct ChangeAccount {
        username: Change<Username>,
        email: Change<Email>,
        role: Change<Role>,
        /// The new password.
        password: Change<Password>,
        /// Needed when e-mail or password change.
        current_password: Option<Attempt>,
    }
}

form! {
    /// Why an account is suspended or reinstated.
    pub struct Suspend {
        reason: Reason,
    }
}

/// An account as it is stored, without its secrets.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: UserId,
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub role: Role,
    pub status: Status,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

impl Account {
    pub fn is_deleted(&self) -> bool {
        self.status == Status::Deleted
    }

    /// What guessers of its password try first.
    pub fn own_words(&self) -> Vec<&str> {
        [self.username.as_deref(), self.email.as_deref()].into_iter().flatten().collect()
    }

    /// The names that it logs in with.
    pub fn login_names(&self) -> Vec<LoginName> {
        let username = self.username.as_deref().map(LoginName::username);
        username.into_iter().chain(self.email.as_deref().map(LoginName::email)).collect()
    }
}

/// What anyone sees of an account; a deleted one is only its id.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Card {
    Live {
        id: UserId,
        username: String,
        role: Role,
        created_at: Time,
    },
    Deleted {
        id: UserId,
        /// Always true.
        deleted: bool,
    },
}

/// What the owner and an administrator see.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OwnAccount {
    pub id: UserId,
    pub username: String,
    pub role: Role,
    pub created_at: Time,
    pub email: String,
    pub email_verified: bool,
    pub updated_at: Time,
    /// Only of an account that is suspended, for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
}

/// An account as the reader may see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum SeenAccount {
    Own(OwnAccount),
    Card(Card),
}

impl Account {
    /// Neither suspended nor deleted.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    pub fn card(&self) -> Card {
        match (&self.username, self.status) {
            (Some(username), Status::Active | Status::Suspended) => Card::Live {
                id: self.id,
                username: username.clone(),
                role: self.role,
                created_at: self.created_at,
            },
            _ => Card::Deleted { id: self.id, deleted: true },
        }
    }

    /// As its owner sees it.
    pub fn own(&self) -> SeenAccount {
        match (&self.username, &self.email, self.status) {
            (Some(username), Some(email), status) if status != Status::Deleted => {
                SeenAccount::Own(OwnAccount {
                    id: self.id,
                    username: username.clone(),
                    role: self.role,
                    created_at: self.created_at,
                    email: email.clone(),
                    email_verified: self.email_verified,
                    updated_at: self.updated_at,
                    suspended: (status == Status::Suspended).then_some(true),
                })
            }
            _ => SeenAccount::Card(self.card()),
        }
    }

    /// As `actor` may see it.
    pub fn seen_by(&self, actor: &crate::actor::Actor) -> SeenAccount {
        if actor.is(self.id) || actor.is_admin() { self.own() } else { SeenAccount::Card(self.card()) }
    }
}

/// What a login and a refresh answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tokens {
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    pub refresh_token: String,
    pub user: SeenAccount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fold_to_one_form() {
        let folded = |text: &str| Email::parse(text).map(|email| email.folded).ok();
        assert_eq!(folded("Ada@Example.COM").as_deref(), Some("ada@example.com"));
        assert_eq!(folded("ada@bücher.example"), folded("ada@xn--bcher-kva.example"));
        assert_ne!(folded("ada+a@example.com"), folded("ada@example.com"));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a@b@example.com",
            "a..b@example.com",
            "a@-x.com",
            "a@exa mple.com",
            "a@1.2.3.4",
            "a\r\nbcc:x@example.com",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn usernames_are_ascii_and_not_the_houses() {
        for bad in ["ab", "аdmin1", "Admin", "me", "has space", "é-clair", &"x".repeat(33)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
        assert!(Username::parse("ada.lovelace-1815").is_ok());
    }

    #[test]
    fn the_accounts_own_words_are_known_to_guessers() {
        assert!(guessable("password1", &[]));
        assert!(guessable("adalovelace", &["adalovelace", "ada@example.com"]));
        assert!(!guessable("quiet copper lantern", &["ada", "ada@example.com"]));
    }
}
