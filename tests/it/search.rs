//! What a query finds: one table of listings and one of answers, the same on every engine.

use serde_json::{Value, json};

use crate::support::{TestApp, path_of};

/// A name for the tables below, title, tags, description; offered in this order.
const LISTINGS: &[(&str, &str, &[&str], &str)] = &[
    ("coin", "A logo that fits on a coin", &["branding"], "Three drafts, then two rounds of changes."),
    (
        "cafe",
        "Café menus",
        &["crème brûlée", "Naïve"],
        "Menus for the cafe\u{301} next door; jalapeño included.",
    ),
    ("street", "Straßenschilder", &["FUẞBALL"], "Große Schilder, weiß auf blau."),
    ("greek", "Οδός προς την θάλασσα", &["ΜΟΥΣΙΚΉ"], "ΟΔΟΣ ΑΘΗΝΑΣ"),
    ("russian", "Логотип для Ёлки", &["дизайн"], "Мой СЪЁМНЫЙ щит"),
    ("turkish", "İstanbul ILIK çay", &["ışık"], "DİYARBAKIR ığdır"),
    ("japanese", "ロゴ デザイン", &["ｶﾞﾗｽ"], "漢字のロゴ、ガラスに彫ります。"),
    ("crow", "カラス", &["鳥"], "からす"),
    ("korean", "로고 디자인", &[], "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af} 로고"),
    ("hindi", "हिन्दी किताब", &[], "का की"),
    ("hebrew", "שָׁלוֹם", &[], "מִכְתָּב"),
    ("arabic", "مُحَمَّد", &[], "أحمد إلى"),
    ("hyphen", "State-of-the-art e-mail", &["e-mail"], "Co-operate with O'Neill: don't wait, l\u{2019}été."),
    (
        "contact",
        "Contact me",
        &["web"],
        "Write to ada.lovelace+work@example.co.uk or see https://example.org/a_b?c=d%20e#f.",
    ),
    (
        "code",
        "snake_case and C++ and C# and .NET 8.0",
        &["node.js"],
        "Since 2024-11-05, for $1,000.50 or 50%: x² + ½.",
    ),
    ("wide", "ＦＵＬＬ　ＷＩＤＴＨ", &["ﬁne ﬂow"], "Ⅳ ①"),
    (
        "marks",
        "❤\u{fe0f} Love & \"quotes\" (NEAR) *stars*",
        &["AND", "or"],
        "NOT title:x ^caret -minus {braces}",
    ),
    ("soft", "Wolken\u{ad}bilder", &[], "zero\u{200b}width, non\u{a0}breaking"),
    ("again", "Coin purse", &["coin", "Coin purse"], "coin coin COIN, a logo on it"),
    ("lone", "1", &["2"], "3"),
    ("letters", "Łódź", &["smørrebrød"], "Þór, œuvre, ĳsvogel"),
];

/// A query, and what it finds: every word in the title first, each newest first.
const ANSWERS: &[(&str, &[&str])] = &[
    // Every word must occur, in any place and order; more often is not better.
    ("coin", &["again", "coin"]),
    ("logo", &["coin", "again"]),
    ("COIN logo", &["coin", "again"]),
    ("logo coin coin", &["coin", "again"]),
    ("branding logo", &["coin"]),
    ("branding purse", &[]),
    ("drafts two coin", &["coin"]),
    ("coi", &[]),
    ("coins", &[]),
    // Accents.
    ("cafe", &["cafe"]),
    ("CAFÉ", &["cafe"]),
    ("cafe\u{301}", &["cafe"]),
    ("creme brulee", &["cafe"]),
    ("Crème Brûlée naive JALAPENO", &["cafe"]),
    // Case that a letter alone does not tell.
    ("strassenschilder", &["street"]),
    ("STRASSENSCHILDER weiss", &["street"]),
    ("fußball GROSSE", &["street"]),
    ("οδος", &["greek"]),
    ("ΟΔΌΣ", &["greek"]),
    ("θαλασσα μουσική αθηνας", &["greek"]),
    ("istanbul", &["turkish"]),
    ("ISTANBUL ılık CAY", &["turkish"]),
    ("isik diyarbakır IĞDIR", &["turkish"]),
    // A stroke or a ligature makes another letter, unless it is only a way to print two.
    ("łodz", &["letters"]),
    ("lodz", &[]),
    ("SMØRREBRØD þor ŒUVRE", &["letters"]),
    ("ijsvogel", &["letters"]),
    ("oeuvre", &[]),
    // Cyrillic.
    ("елки", &["russian"]),
    ("ЛОГОТИП ёлки", &["russian"]),
    ("съемный ДИЗАЙН мой", &["russian"]),
    // Without spaces a run is a word.
    ("ロゴ", &["japanese"]),
    ("ﾛｺﾞ", &["japanese"]),
    ("ガラス", &["japanese"]),
    ("カラス", &["crow"]),
    ("漢字のロゴ", &["japanese"]),
    ("漢字", &[]),
    ("鳥", &["crow"]),
    ("로고", &["korean"]),
    ("한글", &["korean"]),
    // Marks that make the word stay, those that people leave out do not.
    ("किताब", &["hindi"]),
    ("कताब", &[]),
    ("का", &["hindi"]),
    ("क", &[]),
    ("שלום", &["hebrew"]),
    ("שָׁלוֹם מכתב", &["hebrew"]),
    ("محمد", &["arabic"]),
    ("احمد الى", &["arabic"]),
    ("احمد", &["arabic"]),
    // Apostrophes and hyphens separate.
    ("state of the art", &["hyphen"]),
    ("e-mail", &["hyphen"]),
    ("mail", &["hyphen"]),
    ("email", &[]),
    ("cooperate", &[]),
    ("co-operate", &["hyphen"]),
    ("o'neill", &["hyphen"]),
    ("O\u{2019}NEILL don't", &["hyphen"]),
    ("l'ete", &["hyphen"]),
    // Addresses.
    ("ada.lovelace+work@example.co.uk", &["contact"]),
    ("lovelace uk", &["contact"]),
    ("https://example.org/a_b?c=d%20e#f.", &["contact"]),
    ("example.org", &["contact"]),
    ("a_b", &["contact"]),
    // Digits, underscores, signs.
    ("snake_case", &["code"]),
    ("snake", &["code"]),
    ("_case_", &["code"]),
    ("c++", &["code", "contact"]),
    ("C#", &["code", "contact"]),
    (".net 8", &["code"]),
    ("8.0", &["code"]),
    ("80", &[]),
    ("2024-11-05", &["code"]),
    ("1,000", &["code"]),
    ("x2", &["code"]),
    ("1/2", &["lone", "code"]),
    ("node.js", &["code"]),
    ("50%", &["code"]),
    ("1", &["lone", "wide", "code"]),
    ("1 2 3", &["lone"]),
    // Compatible forms.
    ("full width", &["wide"]),
    ("Fine FLOW", &["wide"]),
    ("iv", &["wide"]),
    ("①", &["lone", "wide", "code"]),
    // What an engine could take for its own.
    ("love AND quotes", &["marks"]),
    ("\"quotes\" near(love)", &["marks"]),
    ("or not title", &["marks"]),
    ("title:x", &["marks"]),
    ("logo OR coin", &[]),
    ("logo NOT coin", &[]),
    ("coi*", &[]),
    ("'logo' & 'coin':A", &["coin", "again"]),
    ("logo | coin !purse <-> (on", &["again"]),
    ("\\logo\\ '' \"\" coin\u{a0}%", &["coin", "again"]),
    ("{braces} ^caret -minus *stars*", &["marks"]),
    // What is not seen.
    ("wolkenbilder", &["soft"]),
    ("wolken\u{ad}BILDER", &["soft"]),
    ("zero width", &["soft"]),
    ("zerowidth", &[]),
    ("non breaking", &["soft"]),
    // No word at all.
    ("", &[]),
    ("   ", &[]),
    ("*\"'()%_&|!:<->\\", &[]),
    ("❤\u{fe0f}", &[]),
    ("\u{301}", &[]),
];

/// A market with [`LISTINGS`], a description that is one word, and one with every word that fits.
async fn market() -> TestApp {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    for (_, title, tags, description) in LISTINGS {
        app.listing_with(
            &seller,
            json!({ "title": titled(title), "tags": tags, "description": description }),
        )
        .await;
    }
    app
}

/// A title has three characters or more; what is added is no word.
fn titled(title: &str) -> String {
    format!("{title} …!")
}

/// What `query` finds, by the names of the table; asked for in pages of two.
async fn found(app: &TestApp, query: &str, sort: &str) -> Vec<String> {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/services?q={query}{sort}&limit=2{cursor}");
        let page = app.get(&path, None).await.expect(200).json();
        names.extend(page["data"].as_array().unwrap().iter().map(name));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

fn name(listing: &Value) -> String {
    let of = |title: &str| listing["title"] == titled(title);
    LISTINGS.iter().find(|(_, title, _, _)| of(title)).map_or("?", |(name, _, _, _)| name).to_owned()
}

#[tokio::test]
async fn a_query_finds_the_same_on_every_engine() {
    let app = market().await;
    let mut wrong = Vec::new();
    for (query, expected) in ANSWERS {
        let found = found(&app, query, "").await;
        if found != *expected {
            wrong.push(format!("{query:?} finds {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(app.search_differences().await, Vec::<String>::new());
}

#[tokio::test]
async fn another_order_finds_the_same_listings() {
    let app = market().await;
    for (query, expected) in ANSWERS {
        let age = |name: &String| LISTINGS.iter().position(|(known, ..)| known == name);
        for sort in ["&sort=newest", "&sort=-price"] {
            let found = found(&app, query, sort).await;
            assert!(
                found.is_sorted_by_key(|name| std::cmp::Reverse(age(name))),
                "{query:?}{sort} finds {found:?}"
            );
            assert_eq!(found.len(), expected.len(), "{query:?}{sort} finds {found:?}");
            assert!(
                found.iter().all(|name| expected.contains(&name.as_str())),
                "{query:?}{sort} finds {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_longest_texts_are_indexed_and_found() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let endless = "界".repeat(5_000);
    let distinct: String = (0..).map(|number| format!("{number:x} ")).take(1_100).collect();
    let tags: Vec<String> = (0..10).map(|number| format!("{number}{}", "𐐀".repeat(63))).collect();
    for description in [&endless, &distinct] {
        app.listing_with(&seller, json!({ "title": "Every word", "description": description, "tags": tags }))
            .await;
    }
    let every = (0..66).map(|number| format!("{:x}", number + 16)).collect::<Vec<_>>().join(" ");
    for (query, rows) in
        [("every 44b", 1), (every.as_str(), 1), (&format!("3{}", "𐐨".repeat(63)), 2), ("界", 0)]
    {
        assert_eq!(found(&app, query, "").await.len(), rows, "{query}");
    }
    assert_eq!(app.search_differences().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_the_index_holds_follows_the_listing() {
    let app = TestApp::new().await;
    let seller = app.seller().await;
    let (kept, gone) = (app.listing(&seller).await, app.listing(&seller).await);
    app.put(&path_of(&kept), &seller, json!({ "title": "Stämpel" })).await.expect(200);
    app.delete(&path_of(&gone), &seller).await.expect(204);
    assert_eq!(found(&app, "stampel", "").await.len(), 1);
    assert_eq!(found(&app, "coin", "").await.len(), 0);
    assert_eq!(app.search_differences().await, Vec::<String>::new());
}
