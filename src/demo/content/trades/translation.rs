//! Translation: documents, sites and books between languages.

use super::{Pattern, Trade};

pub(super) const TRADE: Trade = Trade {
    category: "Translation",
    doer: "translator",
    skills: "Translation|Localisation|Proofreading|Subtitling|Legal translation|\
             Medical translation|Technical translation|Transcription|Terminology|CAT tools|\
             Post-editing|Interpreting",
    words: &[(
        "pair",
        "English to German|English to French|English to Spanish|English to Portuguese|\
         English to Polish|English to Japanese|German to English|French to English|\
         Spanish to English|Italian to English|Dutch to English|Swedish to English|\
         Arabic to English|Ukrainian to English|English to Turkish|English to Vietnamese|\
         Korean to English|English to Greek",
    )],
    patterns: &[
        Pattern {
            title: "{pair} translation, up to {1,000|1,500|2,000} words",
            pitch: "{Accurate|Careful} and natural, by somebody who lives in the language.",
            ask: "It is a general text without much jargon. Please keep the headings and the layout.",
            tags: "translation|{pair}|documents",
            price: (45, 160),
            days: (2, 5),
        },
        Pattern {
            title: "Website localisation, {pair}",
            pitch: "Not only the words: also dates, units, forms and {jokes|the things between the lines}.",
            ask: "The site has about thirty pages. We can export the texts as a spreadsheet.",
            tags: "localisation|website|{pair}",
            price: (160, 690),
            days: (5, 14),
        },
        Pattern {
            title: "Technical manual translated, {pair}",
            pitch: "Consistent terms from the first page to the last, with {a glossary for next time|a list of terms}.",
            ask: "The manual has about forty pages with drawings. The terms of our industry are listed at the end.",
            tags: "technical translation|manual|{pair}",
            price: (240, 980),
            days: (7, 18),
        },
        Pattern {
            title: "Contract or terms of service, {pair}",
            pitch: "Legal texts {word by word|clause by clause}, with notes where the two legal systems differ.",
            ask: "It is a supply contract of nine pages. It is for reading only and needs no certification.",
            tags: "legal translation|contract|{pair}",
            price: (110, 480),
            days: (3, 8),
        },
        Pattern {
            title: "Subtitles for your video, {pair}, up to {twenty|thirty} minutes",
            pitch: "Timed, readable and {short enough to follow|kind to the eye}, as SRT and VTT files.",
            ask: "The film is an interview. A transcript exists but has small gaps.",
            tags: "subtitles|video|{pair}",
            price: (80, 340),
            days: (3, 7),
        },
        Pattern {
            title: "Proofreading of a translated text, {pair}",
            pitch: "I compare it line by line with the original and {mark every change|explain the larger changes}.",
            ask: "The translation was made by a colleague. We want to be sure before we publish it.",
            tags: "proofreading|revision|{pair}",
            price: (30, 120),
            days: (1, 4),
        },
        Pattern {
            title: "Restaurant menu translation, {pair}",
            pitch: "Dishes people {want to order|can imagine}, not words from a dictionary.",
            ask: "The menu has about sixty lines and changes four times a year.",
            tags: "menu|restaurant|{pair}",
            price: (30, 110),
            days: (1, 3),
        },
        Pattern {
            title: "Product listings for an online shop, {pair}",
            pitch: "Descriptions that {sell|read well} in the new language, with the search terms people really use there.",
            ask: "We have about a hundred and twenty short descriptions in a spreadsheet.",
            tags: "e-commerce|product texts|{pair}",
            price: (95, 420),
            days: (3, 9),
        },
        Pattern {
            title: "Sample chapter of your novel, {pair}",
            pitch: "{Up to fifteen pages|One chapter} in a voice of its own, ready to show to publishers.",
            ask: "It is the first chapter of a family novel. The tone matters more than every single word.",
            tags: "literary translation|novel|{pair}",
            price: (180, 640),
            days: (7, 20),
        },
        Pattern {
            title: "Transcript and translation of an interview, {pair}",
            pitch: "First word for word, then translated, {with time codes|with the speakers named}.",
            ask: "The recording is about fifty minutes long, two voices, some street noise.",
            tags: "transcription|interview|{pair}",
            price: (70, 260),
            days: (2, 6),
        },
    ],
    promises: &[
        "I translate only into languages I grew up with.",
        "Your layout and numbering stay as they were.",
        "A second pair of eyes reads every text before you get it.",
        "No machine output passed off as a translation.",
    ],
    bios: &[
        "I grew up with two languages and have translated between them for {years} years.",
        "Translator with a degree and a stubborn belief that a good translation does not look like one.",
        "Sober texts are my daily bread, novels my Sundays.",
        "I translate for engineers, lawyers and cooks, and I enjoy the last group most.",
    ],
    careers: &[
        "{years} years as an in-house translator at {employer}; since then freelance. Member of the national association.",
        "Master's degree in translation, first post at {employer}, about four million words so far.",
        "Interpreter at trade fairs, later {years} years of written work for machine builders and museums.",
    ],
    works: &[
        ("Guide to {town}", "A walking guide of a hundred and twenty pages."),
        ("Audio guide for a museum", "Forty stations, written for the ear."),
        ("Manual of a coffee machine", "Three versions, one set of terms."),
        ("{company} website", "All pages and the newsletter, kept up to date every month."),
    ],
    details: &[
        "Please leave product names and units as they are.",
        "We address our readers informally.",
        "A glossary of an earlier translation is attached.",
        "Questions about terms are welcome at any time.",
    ],
    deliveries: &[
        "The translated file has the same layout as the original.",
        "I left three comments where the original can be understood in two ways.",
        "The list of terms is in a separate file, for next time.",
    ],
    changes: &[
        "Please use the informal form of address throughout.",
        "We call this part differently in our industry; the term is marked.",
        "The headline is a little long for the page, could you shorten it?",
        "Two lines in the table were left in the original language.",
    ],
    faults: &[
        "This is plainly the output of a machine, with sentences that make no sense.",
        "Whole paragraphs of the original are missing from the translation.",
        "A lawyer who read it says that two clauses now mean the opposite.",
    ],
    praise: &[
        "The translation reads as if it had been written in the language.",
        "Careful questions about every unclear term.",
        "Our colleagues abroad could not tell that it was a translation.",
        "The layout was kept down to the last footnote.",
        "Difficult jokes were handled with real skill.",
    ],
    gripes: &[
        "Some sentences sounded stiff and too literal.",
        "The terms were not consistent from page to page.",
        "A few lines had been forgotten.",
        "The glossary we sent was ignored.",
    ],
};
