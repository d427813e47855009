//! Voice over: speech for films, courses and telephones.

use super::{Pattern, Trade};

pub(super) const TRADE: Trade = Trade {
    category: "Voice over",
    doer: "voice artist",
    skills: "Voice acting|Narration|Audiobooks|Commercials|E-learning|Character voices|\
             Dubbing|Audio editing|Home studio|Pronunciation coaching|Script adaptation|\
             Radio",
    words: &[
        ("voice", "warm|clear|deep|youthful|calm|lively"),
        (
            "accent",
            "British|Irish|Scottish|American|Canadian|Australian|Indian|South African|\
         New Zealand",
        ),
    ],
    patterns: &[
        Pattern {
            title: "{voice} {accent} English voice for your film, up to {two|three} minutes",
            pitch: "Read {naturally|to the picture}, recorded in a quiet studio, delivered clean.",
            ask: "It is a film about our work. The script has about three hundred words.",
            tags: "voice over|{accent} english|narration",
            price: (50, 240),
            days: (1, 4),
        },
        Pattern {
            title: "Audiobook narration in a {voice} voice, per finished hour",
            pitch: "{Steady|Lively} over many hours, with voices for the dialogue and proofing included.",
            ask: "The book has nine hours. We would like to hear two pages first.",
            tags: "audiobook|narration|{accent} english",
            price: (120, 390),
            days: (7, 30),
        },
        Pattern {
            title: "Telephone greetings and waiting messages, {voice} and friendly",
            pitch: "{Six|Eight} announcements that make waiting {bearable|shorter}, in the format of your system.",
            ask: "We need a greeting, a message outside opening hours and one for holidays.",
            tags: "telephone|ivr|announcement",
            price: (35, 140),
            days: (1, 3),
        },
        Pattern {
            title: "Radio or podcast advertisement, {20|30} seconds",
            pitch: "{Three|Two} takes in different moods, {timed to the second|with music if you like}.",
            ask: "The spot is for {a shop}. It should sound like a neighbour and not like a salesman.",
            tags: "radio|commercial|advertising",
            price: (60, 290),
            days: (1, 3),
        },
        Pattern {
            title: "E-learning narration with a {voice} {accent} voice, up to {2,000|3,000} words",
            pitch: "Clear at any speed, with {every slide as its own file|difficult names checked}.",
            ask: "The course has fourteen lessons. The names of the files are in the script.",
            tags: "e-learning|narration|course",
            price: (90, 390),
            days: (3, 8),
        },
        Pattern {
            title: "Character voices for your game, {three|four|five} roles",
            pitch: "Creatures, {shopkeepers|elders} and heroes, each with lines, laughs and sighs.",
            ask: "There are about a hundred and sixty short lines, with notes on the mood.",
            tags: "character voice|game|voice acting",
            price: (95, 420),
            days: (4, 9),
        },
        Pattern {
            title: "Museum audio guide, {voice} narration per station",
            pitch: "Texts for people who stand and look, {spoken to one person|never in a hurry}.",
            ask: "There are twenty-six stations of about one minute each.",
            tags: "audio guide|museum|narration",
            price: (140, 560),
            days: (4, 12),
        },
        Pattern {
            title: "Meditation or sleep story, recorded in a {voice} voice",
            pitch: "Slow, {with real pauses|close to the microphone}, mixed with soft sound if you wish.",
            ask: "The text takes about eighteen minutes. Please take your time with the pauses.",
            tags: "meditation|sleep story|relaxation",
            price: (55, 220),
            days: (2, 5),
        },
        Pattern {
            title: "Your script edited for the ear",
            pitch: "I {shorten|loosen} sentences nobody can say in one breath and mark the stresses.",
            ask: "Our script was written to be read and sounds stiff when spoken.",
            tags: "script|editing|spoken word",
            price: (30, 120),
            days: (1, 3),
        },
    ],
    promises: &[
        "Recorded in a treated room and delivered as WAV and MP3.",
        "Breaths and clicks are edited, the life in the voice is not.",
        "Small corrections of the reading are free.",
        "The usage rights for online media are part of the price.",
    ],
    bios: &[
        "A voice that explains without lecturing.",
        "I have spoken for {years} years: museums, machines, a talking hedgehog.",
        "Trained actor with a studio in the attic and a very quiet street.",
        "I read your text aloud three times before I switch the microphone on.",
    ],
    careers: &[
        "{years} years as a presenter at {employer}, then my own studio.",
        "Drama school, repertory theatre, and {years} years in front of a microphone.",
        "Speech therapist by training, narrator of more than forty audiobooks.",
    ],
    works: &[
        ("Audio guide in {town}", "Forty stations in a harbour museum."),
        ("Voice of {company}", "Everything callers hear, from greeting to goodbye."),
        ("Audiobook, a family saga", "Fourteen hours and thirty-one characters."),
        ("Course on first aid", "Twelve lessons that stay calm."),
    ],
    details: &[
        "The pronunciation of the names is written at the end of the script.",
        "A friendly tone, please, as if to a colleague.",
        "The film is attached so that you can check the timing.",
        "We need one file per paragraph.",
    ],
    deliveries: &[
        "You get the edited recording and a second take with a little more energy.",
        "Every paragraph is its own file, named as in your script.",
        "I checked the names with your list and twice with a native speaker.",
    ],
    changes: &[
        "Could you read the second paragraph a little slower?",
        "Our name is stressed on the first syllable, sorry for not saying so.",
        "Please record the last sentence once more, the figure has changed.",
        "A bit more smile in the opening would be nice.",
    ],
    faults: &[
        "The recording was made by a speech program although the listing offers a human voice.",
        "There is traffic noise under the whole recording.",
        "A third of the script was not recorded.",
    ],
    praise: &[
        "A lovely voice that suits our film exactly.",
        "Spotless recording, not a click to be heard.",
        "Every name was pronounced correctly at the first attempt.",
        "The timing fitted the picture to the second.",
        "Our callers now compliment us on the waiting message.",
    ],
    gripes: &[
        "There was an audible hum in the recording.",
        "The reading sounded hurried.",
        "Several names were pronounced wrongly despite our notes.",
        "The tone did not suit the text.",
    ],
};
