//! Freelancers and their listings.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::people::Person;
use super::trades::{Pattern, TRADES, Trade};
use super::voice::{Picks, Voice, chance, pick, some_of};
use super::words;

#[derive(Clone, Debug)]
pub struct Freelancer {
    pub person: Person,
    pub trade: &'static Trade,
    /// One to three paragraphs.
    pub bio: String,
    pub skills: Vec<String>,
    pub experience: String,
    pub portfolio: Vec<PortfolioItem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortfolioItem {
    pub title: String,
    pub description: String,
    pub url: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Offer {
    pub title: String,
    pub description: String,
    pub category: &'static str,
    pub tags: Vec<String>,
    /// For a currency with two digits.
    pub price_minor: i64,
    pub delivery_days: u16,
    pub topic: Topic,
}

/// What an offer is about: enough to speak of it later, and small enough to keep when the offer's text is gone.
#[derive(Clone, Debug)]
pub struct Topic {
    pub trade: &'static Trade,
    pub(super) pattern: &'static Pattern,
    pub(super) picks: Picks,
}

pub fn freelancer(rng: &mut ChaCha8Rng, person: Person) -> Freelancer {
    let trade = some_trade(rng);
    let skill_count = rng.random_range(3..=8);
    let skills = some_of(rng, trade.skills, skill_count).into_iter().map(str::to_owned).collect();
    let portfolio = portfolio(rng, trade, &person.username);
    let mut voice = Voice::new(rng, trade.words, Vec::new());
    let bio = bio(&mut voice, trade);
    let experience = voice.say(trade.careers);
    Freelancer { person, trade, bio, skills, experience, portfolio }
}

/// The earlier of two draws, so that the trades listed first have more people.
fn some_trade(rng: &mut ChaCha8Rng) -> &'static Trade {
    let (one, other) = (rng.random_range(0..TRADES.len()), rng.random_range(0..TRADES.len()));
    TRADES[if chance(rng, 50) { one.min(other) } else { one }]
}

fn bio(voice: &mut Voice, trade: &'static Trade) -> String {
    let mut paragraphs = vec![voice.say(trade.bios)];
    if voice.chance(80) {
        let mut sentences = vec![voice.say(words::BIO_WAYS), voice.say(trade.promises)];
        sentences.truncate(if voice.chance(60) { 2 } else { 1 });
        paragraphs.push(sentences.join(" "));
    }
    if voice.chance(45) {
        paragraphs.push(voice.say(words::BIO_LIVES));
    }
    paragraphs.join("\n\n")
}

fn portfolio(rng: &mut ChaCha8Rng, trade: &'static Trade, username: &str) -> Vec<PortfolioItem> {
    let mut works = trade.works.to_vec();
    works.shuffle(rng);
    works.truncate(rng.random_range(0..=4));
    works.into_iter().map(|work| portfolio_item(rng, trade, work, username)).collect()
}

fn portfolio_item(
    rng: &mut ChaCha8Rng,
    trade: &'static Trade,
    (title, description): (&'static str, &'static str),
    username: &str,
) -> PortfolioItem {
    let mut voice = Voice::new(rng, trade.words, Vec::new());
    let (title, description) = (voice.fill(title), voice.fill(description));
    let url = voice.chance(65).then(|| format!("https://portfolio.example.com/{username}/{}", slug(&title)));
    PortfolioItem { title, description, url }
}

fn slug(title: &str) -> String {
    let spaced: String =
        title.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { ' ' }).collect();
    spaced.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
}

pub fn offer(rng: &mut ChaCha8Rng, trade: &'static Trade) -> Offer {
    let pattern = &trade.patterns[rng.random_range(0..trade.patterns.len())];
    offer_of(rng, trade, pattern)
}

/// `count` offers of one freelancer, no two of the same kind until the trade has no other kinds.
pub fn offers(rng: &mut ChaCha8Rng, trade: &'static Trade, count: usize) -> Vec<Offer> {
    let mut patterns: Vec<&'static Pattern> = trade.patterns.iter().collect();
    patterns.shuffle(rng);
    patterns.into_iter().cycle().take(count).map(|pattern| offer_of(rng, trade, pattern)).collect()
}

fn offer_of(rng: &mut ChaCha8Rng, trade: &'static Trade, pattern: &'static Pattern) -> Offer {
    let price_minor = price(rng, pattern.price);
    let delivery_days = rng.random_range(pattern.days.0..=pattern.days.1);
    let mut voice = Voice::new(rng, trade.words, Vec::new());
    let title = voice.fill(pattern.title);
    let description = description(&mut voice, trade, pattern);
    let tags = tags(&mut voice, pattern);
    let topic = Topic { trade, pattern, picks: voice.picks() };
    Offer { title, description, category: trade.category, tags, price_minor, delivery_days, topic }
}

fn description(voice: &mut Voice, trade: &'static Trade, pattern: &'static Pattern) -> String {
    let mut sentences = vec![voice.fill(pattern.pitch), voice.say(trade.promises)];
    if voice.chance(85) {
        sentences.push(voice.say(words::WAYS));
    }
    if voice.chance(40) {
        sentences.push(voice.say(words::CLOSINGS));
    }
    sentences.join(" ")
}

fn tags(voice: &mut Voice, pattern: &'static Pattern) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in pattern.tags.split('|') {
        let tag = voice.fill(tag).to_lowercase();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// A price inside the range, in minor units, rounded the way people price: 49, 150, 125.50, 1,200.
fn price(rng: &mut ChaCha8Rng, (low, high): (i64, i64)) -> i64 {
    // The smaller of two draws: most ask for less, a few for much more.
    let major = rng.random_range(low..=high).min(rng.random_range(low..=high));
    let step = match major {
        ..100 => 5,
        100..500 => 10,
        500..1000 => 25,
        _ => 50,
    };
    let major = (major / step * step).max(low);
    match rng.random_range(0..20) {
        0..4 if major > low => major * 100 - 100,
        4 => major * 100 + 50,
        5 if major < 100 => major * 100 + pick(rng, &[25, 90, 99]),
        _ => major * 100,
    }
}
