//! Shares as people write them, exactly.

use serde_json::{Value, json};

use super::{Field, Node, Read, Wrong};
use crate::money::Rate;

/// A share from 0 to 100 per cent, from a JSON number or string: `"7.5"`.
#[derive(Debug, Clone, Copy)]
pub struct Percent(pub Rate);

impl Field for Percent {
    fn read(node: &Node) -> Read<Self> {
        let (Node::Number(text) | Node::String(text)) = node else {
            return Err(Wrong::kind(&Self::expected(), node));
        };
        let wrong = || vec![Wrong::new("invalid_percent", format!("send {}", Self::expected()))];
        Rate::parse_percent(text).map(Self).ok_or_else(wrong)
    }

    fn schema() -> Value {
        json!({
            "type": ["string", "number"],
            "pattern": r"^(100(\.00?)?|[0-9]{1,2}(\.[0-9]{1,2})?)$",
            "minimum": 0,
            "maximum": 100,
            "examples": ["7.5"]
        })
    }

    fn expected() -> String {
        "a share from 0 to 100 with at most two digits after the point, such as \"7.5\"".to_owned()
    }
}
