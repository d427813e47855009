//! What buyer and freelancer write to each other around an order, and what the buyer says of it afterwards.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::offers::Topic;
use super::voice::Voice;
use super::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buyer,
    Freelancer,
}

/// Tags of what people order for themselves and not for a business.
const PRIVATE: &[&str] = &["gift", "wedding", "memories", "botanical"];

/// What the buyer writes when ordering.
pub fn requirements(rng: &mut ChaCha8Rng, topic: &Topic) -> String {
    let mut voice = about(rng, topic);
    let private = topic.pattern.tags.split('|').any(|tag| PRIVATE.contains(&tag));
    let opening = if private { words::GREETINGS } else { words::INTRODUCTIONS };
    let mut sentences = vec![voice.say(opening), voice.fill(topic.pattern.ask)];
    if !private && voice.chance(75) {
        sentences.push(voice.say(topic.trade.details));
    }
    if voice.chance(60) {
        sentences.push(voice.say(words::REQUEST_ENDINGS));
    }
    sentences.join(" ")
}

pub fn delivery_note(rng: &mut ChaCha8Rng, topic: &Topic) -> String {
    framed(rng, topic, words::DELIVERY_OPENINGS, topic.trade.deliveries, words::DELIVERY_ENDINGS)
}

pub fn revision_request(rng: &mut ChaCha8Rng, topic: &Topic) -> String {
    framed(rng, topic, words::REVISION_OPENINGS, topic.trade.changes, words::REVISION_ENDINGS)
}

pub fn dispute_reason(rng: &mut ChaCha8Rng, topic: &Topic, side: Side) -> String {
    let mut voice = about(rng, topic);
    match side {
        Side::Buyer if voice.chance(60) => voice.say(topic.trade.faults),
        Side::Buyer => voice.say(words::BUYER_DISPUTES),
        Side::Freelancer => voice.say(words::FREELANCER_DISPUTES),
    }
}

pub fn cancel_reason(rng: &mut ChaCha8Rng, topic: &Topic, side: Side) -> String {
    let mut voice = about(rng, topic);
    voice.say(match side {
        Side::Buyer => words::BUYER_CANCELS,
        Side::Freelancer => words::FREELANCER_CANCELS,
    })
}

/// A message between the two while the order is under way.
pub fn message(rng: &mut ChaCha8Rng, topic: &Topic, side: Side) -> String {
    let mut voice = about(rng, topic);
    match side {
        Side::Buyer if voice.chance(30) => voice.say(topic.trade.details),
        Side::Buyer => voice.say(words::BUYER_CHAT),
        Side::Freelancer => voice.say(words::FREELANCER_CHAT),
    }
}

/// Stars from 1 to 5, spread as buyers give them: two thirds the best, nine in ten good.
pub fn rating(rng: &mut ChaCha8Rng) -> u8 {
    match rng.random_range(0..100) {
        0..67 => 5,
        67..89 => 4,
        89..95 => 3,
        95..98 => 2,
        _ => 1,
    }
}

/// A comment in the tone of the rating; empty when the buyer had nothing to add.
pub fn review(rng: &mut ChaCha8Rng, topic: &Topic, rating: u8) -> String {
    let trade = topic.trade;
    let mut voice = about(rng, topic);
    if voice.chance(if rating >= 4 { 18 } else { 5 }) {
        return String::new();
    }
    let (mut sentences, ending, ending_chance) = match rating {
        5.. => (vec![words::DELIGHTED, trade.praise], words::DELIGHTED_ENDINGS, 55),
        4 => (vec![words::PLEASED, trade.praise], words::PLEASED_BUT, 55),
        3 => (vec![words::LUKEWARM, trade.praise], trade.gripes, 100),
        2 => (vec![words::POOR], trade.gripes, 100),
        _ => (vec![words::AWFUL, trade.gripes], words::AWFUL_ENDINGS, 55),
    };
    if voice.chance(ending_chance) {
        sentences.push(ending);
    }
    let sentences: Vec<String> = sentences.into_iter().map(|texts| voice.say(texts)).collect();
    sentences.join(" ")
}

/// A voice that keeps to the words the offer settled on.
fn about<'a>(rng: &'a mut ChaCha8Rng, topic: &Topic) -> Voice<'a> {
    Voice::new(rng, topic.trade.words, topic.picks.clone())
}

fn framed(
    rng: &mut ChaCha8Rng,
    topic: &Topic,
    openings: &[&'static str],
    middle: &[&'static str],
    endings: &[&'static str],
) -> String {
    let mut voice = about(rng, topic);
    let mut sentences = Vec::with_capacity(3);
    if voice.chance(75) {
        sentences.push(voice.say(openings));
    }
    sentences.push(voice.say(middle));
    if voice.chance(50) {
        sentences.push(voice.say(endings));
    }
    sentences.join(" ")
}
