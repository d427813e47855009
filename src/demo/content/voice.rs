//! Turns patterns into sentences: `{shop}` is a word from a list, `{a shop}` the same with its article,
//! `{new|fresh}` one of the alternatives. A word once picked stays, so one text speaks of one thing.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::words;

/// Named lists of words, each list written as `one|two|three`.
pub(super) type Words = &'static [(&'static str, &'static str)];

/// The words one listing settled on, by the name of their list.
pub(super) type Picks = Vec<(&'static str, &'static str)>;

pub(super) struct Voice<'a> {
    rng: &'a mut ChaCha8Rng,
    words: Words,
    picks: Picks,
}

impl<'a> Voice<'a> {
    pub fn new(rng: &'a mut ChaCha8Rng, words: Words, picks: Picks) -> Self {
        Self { rng, words, picks }
    }

    pub fn picks(self) -> Picks {
        self.picks
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        chance(self.rng, percent)
    }

    /// One of the texts, filled in.
    pub fn say(&mut self, texts: &[&'static str]) -> String {
        let text = pick(self.rng, texts);
        self.fill(text)
    }

    /// The text with every brace replaced and its first letter made a capital. A name that no list has keeps its
    /// braces, where a test finds it.
    pub fn fill(&mut self, text: &'static str) -> String {
        let mut filled = String::with_capacity(text.len() + 32);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let (slot, after) = after.split_once('}').unwrap_or((after, ""));
            self.slot(slot, &mut filled);
            rest = after;
        }
        filled.push_str(rest);
        capitalized(filled)
    }

    fn slot(&mut self, slot: &'static str, filled: &mut String) {
        if slot.contains('|') {
            return filled.push_str(one_of(self.rng, slot));
        }
        let (article, name) = slot.strip_prefix("a ").map_or((false, slot), |name| (true, name));
        match self.word(name) {
            Some(word) if article => {
                filled.push_str(if word.starts_with(['a', 'e', 'i', 'o']) { "an " } else { "a " });
                filled.push_str(word);
            }
            Some(word) => filled.push_str(word),
            None => {
                filled.push('{');
                filled.push_str(slot);
                filled.push('}');
            }
        }
    }

    fn word(&mut self, name: &'static str) -> Option<&'static str> {
        if let Some((_, word)) = self.picks.iter().find(|(picked, _)| *picked == name) {
            return Some(word);
        }
        let (_, list) = self.words.iter().chain(words::SHARED).find(|(known, _)| *known == name)?;
        let word = one_of(self.rng, list);
        self.picks.push((name, word));
        Some(word)
    }
}

pub(super) fn chance(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    rng.random_ratio(percent, 100)
}

/// One of `all`, which must not be empty.
pub(super) fn pick<T: Copy>(rng: &mut ChaCha8Rng, all: &[T]) -> T {
    all[rng.random_range(0..all.len())]
}

/// One word of a list written as `one|two|three`.
pub(super) fn one_of(rng: &mut ChaCha8Rng, list: &'static str) -> &'static str {
    let wanted = rng.random_range(0..list.split('|').count());
    list.split('|').nth(wanted).unwrap_or(list)
}

/// `count` different words of the list, or all of them where it has fewer, in its own order.
pub(super) fn some_of(rng: &mut ChaCha8Rng, list: &'static str, count: usize) -> Vec<&'static str> {
    let mut words: Vec<_> = list.split('|').collect();
    while words.len() > count {
        words.remove(rng.random_range(0..words.len()));
    }
    words
}

fn capitalized(text: String) -> String {
    match text.chars().next() {
        Some(first) if first.is_lowercase() => first.to_uppercase().chain(text.chars().skip(1)).collect(),
        _ => text,
    }
}
