//! What reviews add up to.

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The sum and the number of ratings. On the wire `{average, count}`: the average a number with two decimals, null
/// without ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rating {
    pub sum: i64,
    pub count: i64,
}

impl Rating {
    /// The average in hundredths, half up; 0 without ratings.
    pub fn centi(self) -> i64 {
        match self.count {
            0 => 0,
            count => (self.sum * 200 + count) / (count * 2),
        }
    }
}

impl Serialize for Rating {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let average = match self.count {
            0 => None,
            _ => Some(format!("{}.{:02}", self.centi() / 100, self.centi() % 100)),
        };
        let average = average.map(RawValue::from_string).transpose().map_err(serde::ser::Error::custom)?;
        let mut fields = serializer.serialize_struct("Rating", 2)?;
        fields.serialize_field("average", &average)?;
        fields.serialize_field("count", &self.count)?;
        fields.end()
    }
}

impl JsonSchema for Rating {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rating".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "required": ["average", "count"],
            "properties": {
                "average": { "type": ["number", "null"], "minimum": 1, "maximum": 5, "description": "With two decimals; null without ratings." },
                "count": { "type": "integer", "minimum": 0 }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Rating;

    #[test]
    fn averages_have_two_decimals() {
        let json = |sum, count| serde_json::to_string(&Rating { sum, count }).expect("serializes");
        assert_eq!(json(9, 2), r#"{"average":4.50,"count":2}"#);
        assert_eq!(json(14, 3), r#"{"average":4.67,"count":3}"#);
        assert_eq!(json(0, 0), r#"{"average":null,"count":0}"#);
    }
}
