//! The words of the demo keep the limits of the API.

use std::collections::HashSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::voice::Voice;
use super::{words, *};

const MANY: usize = 5_000;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn assert_text(text: &str, longest: usize) {
    let length = text.chars().count();
    assert!((1..=longest).contains(&length), "{length} characters: {text}");
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
    assert!(!text.contains(['{', '}', '|']) && !text.contains("  "), "{text:?}");
    assert_eq!(text, text.trim());
}

fn some_offers(seed: u64, count: usize) -> (ChaCha8Rng, Vec<Offer>) {
    let mut rng = rng(seed);
    let offers = (0..count).map(|at| offer(&mut rng, TRADES[at % TRADES.len()])).collect();
    (rng, offers)
}

#[test]
fn one_seed_always_says_the_same_and_another_something_else() {
    let story = |seed| {
        let mut rng = rng(seed);
        let mut crowd = Crowd::default();
        (0..50)
            .map(|_| {
                let person = crowd.newcomer(&mut rng);
                let freelancer = freelancer(&mut rng, person);
                let offer = offer(&mut rng, freelancer.trade);
                let stars = rating(&mut rng);
                let said = (requirements(&mut rng, &offer.topic), review(&mut rng, &offer.topic, stars));
                format!("{freelancer:?} {offer:?} {said:?}")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn every_slot_of_every_text_has_its_list() {
    let mut rng = rng(1);
    let mut check = |trade: &Trade, text: &'static str| {
        let filled = Voice::new(&mut rng, trade.words, Vec::new()).fill(text);
        assert_text(&filled, 300);
    };
    for trade in TRADES {
        for texts in [
            trade.promises,
            trade.bios,
            trade.careers,
            trade.details,
            trade.deliveries,
            trade.changes,
            trade.faults,
            trade.praise,
            trade.gripes,
            words::WAYS,
            words::CLOSINGS,
            words::BIO_WAYS,
            words::BIO_LIVES,
            words::INTRODUCTIONS,
            words::GREETINGS,
            words::REQUEST_ENDINGS,
            words::DELIVERY_OPENINGS,
            words::DELIVERY_ENDINGS,
            words::REVISION_OPENINGS,
            words::REVISION_ENDINGS,
            words::BUYER_DISPUTES,
            words::FREELANCER_DISPUTES,
            words::BUYER_CANCELS,
            words::FREELANCER_CANCELS,
            words::BUYER_CHAT,
            words::FREELANCER_CHAT,
        ] {
            texts.iter().for_each(|text| check(trade, text));
        }
        trade
            .works
            .iter()
            .for_each(|(title, about)| [title, about].into_iter().for_each(|text| check(trade, text)));
        for pattern in trade.patterns {
            [pattern.title, pattern.pitch, pattern.ask].into_iter().for_each(|text| check(trade, text));
            pattern.tags.split('|').for_each(|text| check(trade, text));
        }
    }
}

#[test]
fn there_are_twelve_trades_of_eight_patterns_or_more() {
    let categories: HashSet<_> = TRADES.iter().map(|trade| trade.category).collect();
    assert!(categories.len() >= 12 && categories.len() == TRADES.len());
    for trade in TRADES {
        let titles: HashSet<_> = trade.patterns.iter().map(|pattern| pattern.title).collect();
        assert!(titles.len() >= 8 && titles.len() == trade.patterns.len(), "{}", trade.category);
    }
}

#[test]
fn offers_keep_to_the_limits() {
    for offer in some_offers(2, MANY).1 {
        assert_text(&offer.title, 120);
        assert!(offer.title.len() >= 3);
        assert_text(&offer.description, 5_000);
        assert_text(offer.category, 64);
        assert!((2..=6).contains(&offer.tags.len()), "{:?}", offer.tags);
        offer.tags.iter().for_each(|tag| assert_text(tag, 64));
        assert_eq!(offer.tags.iter().collect::<HashSet<_>>().len(), offer.tags.len());
        assert!((1_500..1_000_000).contains(&offer.price_minor), "{}", offer.price_minor);
        assert!((1..=365).contains(&offer.delivery_days));
        let (low, high) = offer.topic.pattern.price;
        assert!((low * 100..=high * 100 + 99).contains(&offer.price_minor), "{}", offer.price_minor);
    }
}

#[test]
fn two_listings_rarely_read_the_same() {
    let offers = some_offers(3, 2_000).1;
    let descriptions: HashSet<_> = offers.iter().map(|offer| &offer.description).collect();
    assert!(descriptions.len() > 1_950, "{} of 2,000 differ", descriptions.len());
}

#[test]
fn the_listings_of_one_freelancer_are_of_different_kinds() {
    let mut rng = rng(4);
    for trade in TRADES {
        let titles: HashSet<_> =
            offers(&mut rng, trade, 8).iter().map(|offer| offer.topic.pattern.title).collect();
        assert_eq!(titles.len(), 8);
    }
    assert_eq!(offers(&mut rng, TRADES[0], 25).len(), 25);
}

#[test]
fn freelancers_keep_to_the_limits() {
    let (mut rng, mut crowd) = (rng(5), Crowd::default());
    let mut trades = HashSet::new();
    for _ in 0..MANY {
        let person = crowd.newcomer(&mut rng);
        let freelancer = freelancer(&mut rng, person);
        trades.insert(freelancer.trade.category);
        assert_text(&freelancer.bio, 5_000);
        assert!((1..=3).contains(&freelancer.bio.split("\n\n").count()));
        assert_text(&freelancer.experience, 5_000);
        assert!((3..=8).contains(&freelancer.skills.len()));
        freelancer.skills.iter().for_each(|skill| assert_text(skill, 64));
        assert!(freelancer.portfolio.len() <= 4);
        for item in &freelancer.portfolio {
            assert_text(&item.title, 120);
            assert_text(&item.description, 5_000);
            if let Some(text) = &item.url {
                let address = url::Url::parse(text).expect("an address");
                assert!(
                    address.as_str() == text && address.scheme() == "https" && address.username().is_empty()
                );
            }
        }
    }
    assert_eq!(trades.len(), TRADES.len());
}

#[test]
fn nobody_shares_a_username_or_an_address() {
    let (mut rng, mut crowd) = (rng(6), Crowd::default());
    let (mut usernames, mut emails, mut accents) = (HashSet::new(), HashSet::new(), 0);
    for _ in 0..20_000 {
        let person = crowd.newcomer(&mut rng);
        assert_text(&person.first_name, 64);
        assert_text(&person.last_name, 64);
        accents += usize::from(!person.first_name.is_ascii() || !person.last_name.is_ascii());
        let name = &person.username;
        assert!((3..=32).contains(&name.len()), "{name}");
        assert!(
            name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter)),
            "{name}"
        );
        assert!(name.chars().next_back().is_some_and(|last| last.is_ascii_alphanumeric()), "{name}");
        let (local, host) = person.email.split_once('@').expect("a host");
        assert!(
            local.len() <= 64 && local.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
        );
        assert!(["example.com", "example.org", "example.net"].contains(&host));
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        assert!(usernames.insert(plain.to_lowercase()), "{name} twice");
        assert!(emails.insert(person.email.to_lowercase()), "{} twice", person.email);
    }
    assert!(accents > 5_000, "{accents} names with accents");
}

#[test]
fn all_talk_keeps_to_the_limits() {
    let (mut rng, offers) = some_offers(9, MANY);
    for offer in offers {
        let topic = &offer.topic;
        let mut talk = vec![
            requirements(&mut rng, topic),
            delivery_note(&mut rng, topic),
            revision_request(&mut rng, topic),
        ];
        for side in [Side::Buyer, Side::Freelancer] {
            talk.push(dispute_reason(&mut rng, topic, side));
            talk.push(cancel_reason(&mut rng, topic, side));
            talk.push(message(&mut rng, topic, side));
        }
        talk.extend((1..=5).map(|stars| review(&mut rng, topic, stars)).filter(|said| !said.is_empty()));
        talk.iter().for_each(|text| assert_text(text, 1_000));
    }
}

#[test]
fn requirements_speak_of_what_was_offered() {
    let mut rng = rng(10);
    let logo = TRADES.iter().find(|trade| trade.category == "Logo design").expect("the trade");
    let mut checked = 0;
    for _ in 0..500 {
        let offer = offer(&mut rng, logo);
        for (list, word) in &offer.topic.picks {
            if offer.topic.pattern.ask.contains(&format!("{{{list}}}")) {
                assert!(requirements(&mut rng, &offer.topic).contains(word), "{}", offer.title);
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "{checked} requests named a word of their offer");
}

#[test]
fn the_tone_of_a_review_fits_its_stars() {
    const BITTER: &[&str] = &[
        "disappoint",
        "waste",
        "cannot recommend",
        "not order here again",
        "half use",
        "unanswered",
        "redo",
    ];
    const SWEET: &[&str] = &[
        "excellent",
        "wonderful",
        "could not be happier",
        "highly recommended",
        "fantastic",
        "lovely",
        "we will be back",
    ];
    let has = |text: &str, words: &[&str]| words.iter().any(|word| text.to_lowercase().contains(word));
    let (mut rng, offers) = some_offers(11, MANY);
    let (mut bitter, mut sweet, mut silent) = (0, 0, 0);
    for offer in offers {
        for stars in [5, 4] {
            let said = review(&mut rng, &offer.topic, stars);
            assert!(!has(&said, BITTER), "{stars}: {said}");
            sweet += usize::from(stars == 5 && has(&said, SWEET));
            silent += usize::from(said.is_empty());
        }
        for stars in [1, 2] {
            let said = review(&mut rng, &offer.topic, stars);
            assert!(!has(&said, SWEET), "{stars}: {said}");
            assert!(!offer.topic.trade.praise.iter().any(|praise| said.contains(praise)), "{stars}: {said}");
            bitter += usize::from(stars == 1 && has(&said, BITTER));
        }
    }
    assert!(sweet > MANY / 4 && bitter > MANY / 4, "{sweet} sweet, {bitter} bitter");
    assert!((MANY / 10..MANY).contains(&silent), "{silent} without a word");
}

#[test]
fn most_ratings_are_good_and_every_one_occurs() {
    let mut rng = rng(12);
    let mut stars = [0; 6];
    (0..MANY).for_each(|_| stars[usize::from(rating(&mut rng))] += 1);
    assert!(stars[1..].iter().all(|count| *count > 0) && stars[0] == 0, "{stars:?}");
    assert!(stars[5] > stars[4] && stars[4] > stars[3] && stars[5] + stars[4] > MANY * 8 / 10, "{stars:?}");
}
