//! The words every trade shares, and the small talk around an order.

use super::voice::Words;

pub(super) const SHARED: Words = &[
    (
        "shop",
        "bakery|yoga studio|coffee roastery|bike workshop|dental practice|flower shop|craft brewery|bookshop|\
      hair salon|vegan restaurant|pottery studio|dog grooming salon|language school|physiotherapy practice|wine bar|\
      climbing gym|furniture workshop|ice cream parlour|travel agency|garden centre|toy shop|architecture practice|\
      cleaning company|music school|organic farm|guest house|optician|plumbing company|skincare brand|tea house",
    ),
    (
        "company",
        "Blue Heron|Juniper & Sons|Northlight|Copper Kettle|Little Harbour|Saltmarsh|Maple & Moss|Tall Pines|\
      Paper Lantern|Wildflower Row|Stone Bridge|Golden Hour|Kestrel|Morning Tide|Fig & Olive|Red Door|Lighthouse Lane|\
      Second Spring|Hazelwood|Old Mill|Brightwater|Foxglove|Quiet Corner|Silver Birch|Sunday Market|Green Lantern|\
      Twelve Oaks|Amber & Ash|Three Rivers|Cloudberry|High Meadow|Open Window|Nine Elms|White Pebble|Tin Roof|\
      Winter Garden|Honeycomb|Long Field|Rook & Raven|Sea Glass|Marigold|Slow Train|Velvet Crane|Driftwood|Big Dipper",
    ),
    (
        "town",
        "Leeds|Porto|Ghent|Kraków|Lyon|Tampere|Bristol|Valencia|Graz|Aarhus|Utrecht|Bologna|Galway|Leipzig|\
      Gothenburg|Tallinn|Thessaloniki|Brno|Ljubljana|Toronto|Wellington|Austin|Montréal|Cape Town|Nairobi|Accra|\
      Buenos Aires|Medellín|São Paulo|Mexico City|Chennai|Pune|Manila|Penang|Da Nang|Osaka|Busan|Izmir|Amman|Kigali",
    ),
    ("years", "three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen"),
    (
        "employer",
        "a small agency|a regional newspaper|a family business|a public broadcaster|a fast-growing start-up|\
      a design studio of six people|a consultancy|a university department|a retail chain|a non-profit|a publishing house|\
      a software company|a museum|a travel company|an advertising agency",
    ),
    ("day", "Monday|Tuesday|Wednesday|Thursday|Friday"),
    (
        "deadline",
        "by the end of the month|within the next two weeks|before our opening day|by the end of next week|\
      before the spring season starts|in time for a trade fair|before we go to print",
    ),
];

pub(super) const WAYS: &[&str] = &[
    "I {begin|start} with a few short questions, so that the first version is already close.",
    "You {see|get} a first version early and we {refine|improve} it together.",
    "The price includes {one round|two rounds|three rounds} of changes.",
    "I answer messages {every working day|within a few hours|on the same day} and say so early if something is in the way.",
    "{Small|Minor} corrections after the delivery are free for {two weeks|thirty days|ten days}.",
    "Everything is made from scratch for you, and all rights are yours once the order is complete.",
    "{Before you order|If you are unsure}, send me a message and I will tell you honestly whether this fits.",
    "I {only take on|accept} {two|three|four} orders at a time, so yours gets {my full attention|proper care}.",
];

pub(super) const CLOSINGS: &[&str] = &[
    "Need {it sooner|something larger|more than this}? {Ask me|Write to me} first.",
    "I look forward to {hearing about your project|working with you}.",
    "Larger projects are welcome; just ask for a quote.",
    "Everything you send me stays confidential.",
    "Repeat clients get {first place in my calendar|a little extra each time}.",
];

pub(super) const BIO_WAYS: &[&str] = &[
    "I like clear briefs, honest deadlines and clients who tell me when something is not right yet.",
    "Most of my clients come back, and that is the figure I am proudest of.",
    "I work alone, so the person you write to is the person who does the work.",
    "I reply in English, usually within a few hours, and I keep to the date we agreed.",
    "What I promise is simple: no surprises, no jargon, and the files you need in the format you need.",
    "I ask a lot of questions at the start. It saves both of us time later.",
    "I would rather turn a job down than hand in something I would not sign.",
    "My rates are fixed and fair, and the first conversation costs nothing.",
];

pub(super) const BIO_LIVES: &[&str] = &[
    "When I am not working you will find me {on a bicycle|in the garden|at the climbing wall|at a flea market}.",
    "I live {near|just outside|in} {town} with {my family|two cats|an elderly dog|too many books}.",
    "I work from a shared studio in {town} with {a potter and two architects|a few other freelancers|a view of the station}.",
    "Outside work I {coach a youth team|sing in a choir|bake bread|restore old radios|volunteer at the local library}.",
];

pub(super) const INTRODUCTIONS: &[&str] = &[
    "We are {company}, {a shop} in {town}.",
    "I run {company}, {a shop} in {town}, together with {my sister|my partner|two friends|a small team}.",
    "Hello! This is for {company}, {a shop} {near|in} {town}.",
    "Hi, I am opening {a shop} in {town} called {company}.",
    "Hello, I look after marketing at {company}, {a shop} in {town}.",
];

/// For orders that are nobody's business.
pub(super) const GREETINGS: &[&str] = &[
    "Hello, this is a private order.",
    "Hi! I saw your listing and knew at once that this is what I was looking for.",
    "Hello from {town}!",
    "Hi, a friend in {town} told me about you.",
];

pub(super) const REQUEST_ENDINGS: &[&str] = &[
    "We would like to have it {deadline}.",
    "There is no hurry; {quality matters more|take the days you need}.",
    "Please ask if anything is unclear, I {usually answer the same day|am around all week}.",
    "I trust your judgement on the details.",
    "If you need anything else from us, just write.",
    "It would be great to see a first version {early|this week|in a few days}.",
];

pub(super) const DELIVERY_OPENINGS: &[&str] = &[
    "Hello! Everything is ready.",
    "Here is the finished work.",
    "Good news: your order is done.",
    "Hi, please find the final version attached to this order.",
    "All done! Thank you for the quick answers along the way.",
    "Here we are, a little ahead of time.",
];

pub(super) const DELIVERY_ENDINGS: &[&str] = &[
    "Have a look in peace and tell me if anything should change.",
    "If something is not quite right, ask for a revision and I will see to it.",
    "It was a pleasure to work on this.",
    "I hope you like it as much as I enjoyed making it.",
    "Let me know by {day} if you would like any adjustments.",
];

pub(super) const REVISION_OPENINGS: &[&str] = &[
    "Thank you, this is very close!",
    "We like the direction a lot.",
    "Good work so far.",
    "Thanks for the quick delivery.",
    "I showed it to my colleagues and we have one or two wishes.",
];

pub(super) const REVISION_ENDINGS: &[&str] = &[
    "Everything else can stay as it is.",
    "The rest is lovely.",
    "After that we are happy to accept.",
    "Thank you for your patience with us.",
];

pub(super) const BUYER_DISPUTES: &[&str] = &[
    "I have asked twice for the missing part and got no answer for {four|five|six} days.",
    "What was delivered does not match the listing, and the offered fix would cost extra.",
    "The same mistakes came back after the second revision, so I ask for a decision on a partial refund.",
    "We agreed on a date in the messages. It has passed and I cannot use the work any more.",
];

pub(super) const FREELANCER_DISPUTES: &[&str] = &[
    "Everything in the brief was delivered. The buyer now asks for work that was never part of this order.",
    "This is the fifth round of changes and each one contradicts the last. I ask for the order to be settled.",
    "The buyer has been using the delivered files for a week while refusing to accept the order.",
    "I have waited {eight|ten|twelve} days for the material I need and get no reply.",
];

pub(super) const BUYER_CANCELS: &[&str] = &[
    "Our plans have changed and we no longer need this. Sorry for the trouble.",
    "I ordered the wrong listing by mistake and will place a new order.",
    "The project is postponed to next season.",
    "We found somebody in-house to do it. Thank you all the same.",
    "The delivery is overdue and we cannot wait any longer.",
    "Our budget was cut this week. I hope we can work together another time.",
];

pub(super) const FREELANCER_CANCELS: &[&str] = &[
    "I am ill and cannot finish in time. You will be refunded in full.",
    "After reading the brief I do not think I am the right person for this, and I would rather say so now.",
    "The material I need has not arrived, so I cannot start. Please order again when you have it.",
    "A family matter needs me for the next weeks. I am sorry to let you down.",
    "The work asked for is much larger than this listing covers. Happy to send a new quote.",
];

pub(super) const BUYER_CHAT: &[&str] = &[
    "Hi! Do you have everything you need to start?",
    "Just checking in: are we still on course for {day}?",
    "I have added {two more examples|a short note|the missing details} to the shared folder.",
    "Thank you for the update, that looks promising.",
    "Could we {talk briefly|have a short call} on {day}? I have one question.",
    "One small thing I forgot: please write our name as {company}.",
    "That works for us. Please go ahead.",
    "Sorry for the slow reply, it was a busy week at {company}.",
    "My colleague prefers the {first|second} version, and so do I.",
    "Would it be possible to get a preview before {day}?",
];

pub(super) const FREELANCER_CHAT: &[&str] = &[
    "Thank you for your order! I will start on {day} and keep you posted.",
    "Quick question before I begin: who is the main audience?",
    "Work is going well. You will see a first version on {day}.",
    "I have everything I need, thank you for the clear brief.",
    "Could you send me {one or two examples you like|the texts in an editable format|the latest version}?",
    "A short update: about {half|two thirds|three quarters} is done and I am on schedule.",
    "I have two ideas for this and will show you both.",
    "Good point, I will take that into account.",
    "I am away on {day} afternoon and back the next morning.",
    "Noted! That is no problem and does not change the price.",
];

pub(super) const DELIGHTED: &[&str] = &[
    "Excellent {work|experience} from start to finish.",
    "Could not be happier with the result.",
    "Exactly what we hoped for.",
    "A real professional, and a pleasure to work with.",
    "Fantastic {work|result}, and delivered {ahead of time|right on time}.",
    "This is the {second|third} time I have ordered here and it was wonderful again.",
    "Highly recommended.",
    "Better than I had imagined.",
];

pub(super) const DELIGHTED_ENDINGS: &[&str] = &[
    "We will be back!",
    "Thank you so much!",
    "Will definitely order again.",
    "Communication was quick and friendly throughout.",
    "Worth every cent.",
    "Our customers have already noticed.",
];

pub(super) const PLEASED: &[&str] = &[
    "Good {work|result} overall.",
    "Very solid work, with small things to improve.",
    "Happy with the result.",
    "A good experience and fair value.",
    "We are pleased with what we got.",
];

pub(super) const PLEASED_BUT: &[&str] = &[
    "It needed one more round of changes than I expected.",
    "Replies took a little longer than I would have liked.",
    "The first version missed part of the brief, but it was fixed quickly.",
    "It came a day later than planned, though I was told in advance.",
    "A few more questions at the start would have helped.",
];

pub(super) const LUKEWARM: &[&str] = &[
    "An average experience.",
    "The result is usable, no more than that.",
    "Mixed feelings about this one.",
    "It does the job, but I expected more for the price.",
    "Fine in the end, after a bumpy start.",
];

pub(super) const POOR: &[&str] = &[
    "Not what I had hoped for.",
    "Disappointing, to be honest.",
    "I had to redo a good part of it myself.",
    "Below what the listing promises.",
    "We ended up with something we can only half use.",
];

pub(super) const AWFUL: &[&str] = &[
    "A waste of time, sadly.",
    "I cannot recommend this.",
    "Very disappointing from beginning to end.",
    "We could not use the result at all.",
    "My brief does not seem to have been read.",
];

pub(super) const AWFUL_ENDINGS: &[&str] = &[
    "My messages went unanswered for days.",
    "I would not order here again.",
    "In the end we had to hire somebody else.",
    "Two rounds of changes did not help.",
];
