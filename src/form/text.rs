//! Text that people write: bounded, without control characters, stored as given.

use std::marker::PhantomData;

use serde_json::{Value, json};

use super::{Field, Node, Read, Wrong};

/// The limits of a kind of text, in characters.
pub trait TextLimits: Send + Sync + 'static {
    const MIN: usize;
    const MAX: usize;
    /// Whether newline and tab may occur.
    const MULTILINE: bool = false;
}

/// The limits of a reason.
pub struct ReasonLimits;
impl TextLimits for ReasonLimits {
    const MIN: usize = 1;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}

/// Why somebody decides so, in their words.
pub type Reason = Text<ReasonLimits>;

/// Text within the limits of `L`.
pub struct Text<L>(String, PhantomData<fn() -> L>);

impl<L: TextLimits> Text<L> {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let length = text.chars().count();
        if text.chars().any(|symbol| forbidden(symbol, L::MULTILINE)) {
            let allowed =
                if L::MULTILINE { " other than newline and tab; a line ends with \\n alone" } else { "" };
            return Err(Wrong::new("invalid_characters", format!("remove the control characters{allowed}")));
        }
        if length > L::MAX {
            return Err(Wrong::new("too_long", format!("send {}; this has {length}", Self::expected())));
        }
        if length < L::MIN || (L::MIN > 0 && text.trim().is_empty()) {
            return Err(Wrong::new("too_short", format!("send {}, not only spaces", Self::expected())));
        }
        Ok(Self(text.to_owned(), PhantomData))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl<L> std::fmt::Debug for Text<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<L> Clone for Text<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<L: TextLimits> Field for Text<L> {
    fn read(node: &Node) -> Read<Self> {
        match node {
            Node::String(text) => Self::parse(text).map_err(|wrong| vec![wrong]),
            _ => Err(Wrong::kind("a string", node)),
        }
    }

    fn schema() -> Value {
        // The same characters as `forbidden`.
        let bad = match L::MULTILINE {
            true => r"\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069",
            false => r"\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069",
        };
        match L::MIN {
            0 => json!({ "type": "string", "maxLength": L::MAX, "pattern": format!("^[^{bad}]*$") }),
            min => json!({
                "type": "string",
                "minLength": min,
                "maxLength": L::MAX,
                "pattern": format!(r"^[^{bad}]*[^\s{bad}][^{bad}]*$")
            }),
        }
    }

    fn expected() -> String {
        match L::MIN {
            0 => format!("up to {} characters", L::MAX),
            min => format!("{min} to {} characters", L::MAX),
        }
    }
}

/// Control characters, and the invisible ones that turn the direction of what follows.
fn forbidden(symbol: char, multiline: bool) -> bool {
    let layout = multiline && matches!(symbol, '\n' | '\t');
    let bidi = matches!(symbol, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    (symbol.is_control() && !layout) || bidi
}

/// An `http(s)` address, at most 2,048 bytes, without credentials. Never fetched by the program.
#[derive(Debug, Clone)]
pub struct HttpUrl(String);

impl HttpUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn parse(text: &str) -> Option<Self> {
        let url = url::Url::parse(text).ok()?;
        let plain =
            text.len() <= 2_048 && !text.chars().any(|symbol| symbol.is_control() || symbol.is_whitespace());
        let web = matches!(url.scheme(), "http" | "https") && url.has_host();
        (plain && web && url.username().is_empty() && url.password().is_none()).then(|| Self(text.to_owned()))
    }
}

impl Field for HttpUrl {
    fn read(node: &Node) -> Read<Self> {
        let Node::String(text) = node else { return Err(Wrong::kind("a URL as a string", node)) };
        Self::parse(text).ok_or_else(|| {
            let detail =
                "send an http:// or https:// URL of at most 2,048 bytes, without user name and password";
            vec![Wrong::new("url_not_allowed", detail)]
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "uri", "maxLength": 2048 })
    }
}
