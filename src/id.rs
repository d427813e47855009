//! Identifiers: UUIDv7, one type per kind of thing, minted by the program and never by a database.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use uuid::{Builder, ContextV7, Timestamp, Uuid};

use crate::time::Time;

/// The id of a `K`. Ids of different kinds do not mix.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// An id out of a stored or generated UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    /// What a client wrote. Text that is no id becomes the nil id, which names nothing: the contract answers a
    /// malformed id like an absent thing, with 404.
    pub fn from_wire(text: &str) -> Self {
        let hyphenated = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten();
        Self::from_uuid(hyphenated.unwrap_or(Uuid::nil()))
    }

    /// The lowest id that can be minted at `time`.
    pub const fn first_at(time: Time) -> Self {
        let millis = time.as_micros().div_euclid(1_000) as u64;
        Self::from_uuid(Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// The sixteen bytes that are stored.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.uuid
    }

    /// The same bytes as the id of another kind: an event's subject is named without its kind.
    pub const fn cast<L>(self) -> Id<L> {
        Id::from_uuid(self.uuid)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<K> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}
impl<'de, K> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::from_wire(&text))
    }
}
impl<K> schemars::JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// Mints ids that increase: those of one process sort by the order in which they were made.
pub struct Mint(std::sync::Mutex<ContextV7>);

impl Default for Mint {
    fn default() -> Self {
        Self(std::sync::Mutex::new(ContextV7::new().with_additional_precision()))
    }
}

impl Mint {
    /// A new id whose time part is `now`.
    pub fn mint<K>(&self, now: Time) -> Id<K> {
        let context = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let micros = now.as_micros();
        let nanos = (micros.rem_euclid(1_000_000) * 1_000) as u32;
        Id::from_uuid(Uuid::new_v7(Timestamp::from_unix(
            &*context,
            micros.div_euclid(1_000_000) as u64,
            nanos,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_increase_even_within_one_microsecond() {
        let mint = Mint::default();
        let ids: Vec<Id<()>> =
            (0..5_000).map(|_| mint.mint(Time::from_micros(1_790_000_000_000_000))).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_first_id_of_a_moment_lies_between_those_before_and_after() {
        let (mint, moment) = (Mint::default(), Time::from_micros(1_790_000_000_000_000));
        let earlier: Id<()> = mint.mint(Time::from_micros(moment.as_micros() - 1_000));
        let first = Id::first_at(moment);
        assert!(earlier < first && first <= mint.mint(moment));
    }

    #[test]
    fn malformed_text_names_nothing() {
        for text in
            ["", "1", "me", "018f0000-0000-7000-8000-00000000000g", "{018f0000-0000-7000-8000-000000000001}"]
        {
            assert_eq!(Id::<()>::from_wire(text).as_uuid(), &Uuid::nil());
        }
    }
}
