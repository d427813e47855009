//! What a word is, for listings and queries alike. Decided here and not by an engine's tokenizer, so that every engine
//! finds the same listings.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A word counts by as many bytes from its start: PostgreSQL keeps none of 2 KB, and no query is that long.
const LONGEST_BYTES: usize = 1_024;

/// The words of a query, each once.
#[derive(Debug, Clone)]
pub struct Words(BTreeSet<String>);

impl Words {
    /// `None` when `text` holds no word.
    pub fn parse(text: &str) -> Option<Self> {
        let words: BTreeSet<String> = folded(text).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// Letters, digits and marks only: nothing in them means anything to an engine.
    pub(in crate::db) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The words of a listing, each once and in order.
#[derive(Debug, PartialEq)]
pub(in crate::db) struct Entry {
    pub title: BTreeSet<String>,
    /// Those of tags and description that are not in the title.
    pub others: BTreeSet<String>,
}

impl Entry {
    pub fn new(title: &str, tags: &[String], description: &str) -> Self {
        let title: BTreeSet<String> = folded(title).collect();
        let others = tags.iter().map(String::as_str).chain([description]).flat_map(folded);
        let others = others.filter(|word| !title.contains(word)).collect();
        Self { title, others }
    }
}

/// What is neither letter nor digit separates words. Folding brings up more of it: `½` is `1⁄2`.
fn folded(text: &str) -> impl Iterator<Item = String> {
    split(text).flat_map(|piece| split(&fold(piece)).map(shortened).collect::<Vec<_>>())
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|symbol: char| !(symbol.is_alphanumeric() || is_combining_mark(symbol) || unwritten(symbol)))
        .filter(|piece| piece.contains(char::is_alphanumeric))
}

/// Compatible forms are one, accents are dropped, and case is folded in full: upper case between makes `ß` equal `ss`, `ς`
/// equal `σ`, and every Turkish `i` the same.
fn fold(piece: &str) -> String {
    if piece.is_ascii() {
        return piece.to_ascii_lowercase();
    }
    let bare = piece.nfkd().filter(|symbol| !unwritten(*symbol));
    let lower = bare.flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    lower.nfc().collect()
}

/// What people leave out or cannot see: accents, Hebrew and Arabic points, soft hyphens, joiners, selectors of a variant.
/// Other marks make another letter of theirs (`か` and `が`) and stay.
fn unwritten(symbol: char) -> bool {
    let accent = matches!(
        symbol,
        '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
            | '\u{FE20}'..='\u{FE2F}'
    );
    let point = matches!(
        symbol,
        '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}'
            | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}'
    );
    let invisible = matches!(
        symbol,
        '\u{AD}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{E0100}'..='\u{E01EF}'
    );
    accent || point || invisible
}

fn shortened(word: &str) -> String {
    word[..word.floor_char_boundary(LONGEST_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        folded(text).collect()
    }

    #[test]
    fn punctuation_separates_and_means_nothing() {
        assert_eq!(words("logo*, NEAR(\"brand\" OR x:y) %_"), ["logo", "near", "brand", "or", "x", "y"]);
        assert_eq!(words("ada_l@example.com's ½"), ["ada", "l", "example", "com", "s", "1", "2"]);
        assert!(Words::parse(" *\"()%_ \u{301} ❤\u{FE0F} \u{AD}").is_none());
    }

    #[test]
    fn what_people_write_in_two_ways_is_one_word() {
        for (one, other) in [
            ("Café", "CAFE\u{301}"),
            ("Straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("ΟΔΟΣ", "οδός"),
            ("İstanbul ılık", "istanbul ILIK"),
            ("Ёлка", "елка"),
            ("ＬＯＧＯ", "logo"),
            ("ﬁne", "FINE"),
            ("ｶﾞ", "ガ"),
            ("사이트", "사이트"),
            ("Wolken\u{AD}bild", "wolkenbild"),
            ("שָׁלוֹם", "שלום"),
        ] {
            assert_eq!(words(one), words(other), "{one} {other}");
        }
        assert_ne!(words("が"), words("か"));
        assert_ne!(words("कि"), words("का"));
    }

    #[test]
    fn a_word_without_end_is_cut_between_characters() {
        let long = words(&"界".repeat(5_000));
        assert_eq!(long, ["界".repeat(LONGEST_BYTES / 3)]);
    }

    #[test]
    fn a_word_that_is_in_the_title_is_not_kept_twice() {
        let entry = Entry::new("Logo, logo!", &["Logo".to_owned(), "bird".to_owned()], "A LOGO");
        assert_eq!(entry.title, BTreeSet::from(["logo".to_owned()]));
        assert_eq!(entry.others, BTreeSet::from(["a".to_owned(), "bird".to_owned()]));
    }

    proptest! {
        #[test]
        fn words_are_letters_digits_and_marks_and_fold_to_themselves(text in "\\PC{0,40}") {
            for word in words(&text) {
                prop_assert!(word.chars().all(|symbol| symbol.is_alphanumeric() || is_combining_mark(symbol)), "{word:?}");
                prop_assert_eq!(words(&word), [word]);
            }
        }

        #[test]
        fn text_and_its_normal_forms_hold_the_same_words(text in "\\PC{0,40}") {
            let decomposed: String = text.nfd().collect();
            let composed: String = text.nfc().collect();
            prop_assert_eq!(words(&decomposed), words(&composed));
        }
    }
}
