//! One way to compare names that people type in different ways.

use unicode_normalization::UnicodeNormalization;

/// The form in which text is compared: composed (NFC) and lower case.
pub fn fold(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}
