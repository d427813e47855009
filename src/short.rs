//! Short texts without an allocation: what becomes a few characters of JSON is written on the stack, and to the answer in
//! one piece.

use std::fmt::{self, Write};

/// Longer than an id, a moment or an amount ever is.
const ROOM: usize = 48;

struct Short {
    bytes: [u8; ROOM],
    length: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Serializes `value` as the string that it is displayed as; an error where that is longer than 48 bytes.
pub fn serialize<S: serde::Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    let mut short = Short { bytes: [0; ROOM], length: 0 };
    let written =
        write!(short, "{value}").ok().and_then(|()| str::from_utf8(&short.bytes[..short.length]).ok());
    match written {
        Some(text) => serializer.serialize_str(text),
        None => Err(serde::ser::Error::custom("a text that is not short")),
    }
}

#[cfg(test)]
mod tests {
    struct Text(&'static str);

    impl serde::Serialize for Text {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            super::serialize(&self.0, serializer)
        }
    }

    #[test]
    fn what_fits_is_the_text_and_what_does_not_is_refused() {
        let fits = "9999999-12-31T23:59:59.999999Z and \"more\" 012345";
        assert_eq!(serde_json::to_string(&Text(fits)).ok(), serde_json::to_string(fits).ok());
        assert!(serde_json::to_string(&Text("a text of forty-nine bytes, which is one too many")).is_err());
    }
}
