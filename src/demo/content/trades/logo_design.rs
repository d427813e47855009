//! Logo design: marks, wordmarks and the small identities around them.

use super::{Pattern, Trade};

pub(super) const TRADE: Trade = Trade {
    category: "Logo design",
    doer: "logo designer",
    skills: "Logo design|Brand identity|Typography|Adobe Illustrator|Hand lettering|\
             Colour theory|Vector drawing|Packaging|Figma|Style guides|Monograms|\
             Print production",
    words: &[("style", "minimal|hand-drawn|vintage|geometric|playful|elegant|rustic|modern")],
    patterns: &[
        Pattern {
            title: "{style} logo for your {shop}",
            pitch: "A {clear|memorable|timeless} mark that looks right on a sign, a website and a business card.",
            ask: "We need a new logo with a {style} feel. At the moment we only have our name set in a plain typeface.",
            tags: "logo|branding|{style}|small business",
            price: (60, 260),
            days: (3, 8),
        },
        Pattern {
            title: "Wordmark with custom lettering, {style} style",
            pitch: "Your name drawn letter by letter, so that {nobody else has it|it belongs to you alone}.",
            ask: "Please draw our name as a {style} wordmark. It must stay legible when it is very small.",
            tags: "wordmark|lettering|typography|logo",
            price: (120, 420),
            days: (4, 10),
        },
        Pattern {
            title: "Complete visual identity for {a shop}: logo, colours, typefaces",
            pitch: "You get {a coherent|a small but complete} identity instead of a lonely logo.",
            ask: "We would like the whole package: logo, colours and typefaces that we can use ourselves.",
            tags: "brand identity|style guide|logo|colours",
            price: (350, 1200),
            days: (10, 21),
        },
        Pattern {
            title: "Refresh of an old logo without losing its character",
            pitch: "I redraw what your customers already know, {cleaner|simpler} and ready for screens.",
            ask: "Our logo dates from the founding years. Keep the main shape, but make it lighter and easier to print.",
            tags: "logo redesign|rebrand|vector",
            price: (90, 340),
            days: (3, 9),
        },
        Pattern {
            title: "Logo redrawn as clean vectors from a photo or scan",
            pitch: "Send me {a scan|a photo|an old file} and receive sharp vector artwork in every common format.",
            ask: "We have lost the original file. Attached is the best scan we could find.",
            tags: "vector tracing|logo|print ready",
            price: (20, 65),
            days: (1, 3),
        },
        Pattern {
            title: "{style} monogram from two or three initials",
            pitch: "{A quiet|An unusual} sign for letterheads, stamps, invitations and shop windows.",
            ask: "The initials should work as a stamp and be engraved on a brass plate later.",
            tags: "monogram|initials|stamp|{style}",
            price: (45, 180),
            days: (2, 6),
        },
        Pattern {
            title: "Packaging label design for {jars|bottles|boxes|coffee bags} with {style} artwork",
            pitch: "A label that {stands out on the shelf|tells your story at arm's length}, set up for your printer.",
            ask: "The label is 90 by 120 mm. The printer's template and the legal text are in the folder.",
            tags: "packaging|label design|print|{style}",
            price: (110, 460),
            days: (5, 12),
        },
        Pattern {
            title: "Business cards and letterhead to match your logo",
            pitch: "Stationery with {good paper in mind|a calm layout}, delivered as print-ready files.",
            ask: "We need cards for {three|four|six} people and a letterhead as a template.",
            tags: "business cards|stationery|print design",
            price: (40, 150),
            days: (2, 5),
        },
        Pattern {
            title: "Logo animation of five seconds from your existing logo",
            pitch: "Your mark comes alive for intros, {stories and presentations|websites and trade fairs}.",
            ask: "Please animate our logo for the start of our videos, calm rather than loud.",
            tags: "logo animation|motion design|intro",
            price: (70, 280),
            days: (3, 8),
        },
    ],
    promises: &[
        "You receive the final artwork as SVG, PDF and PNG, in colour and in black.",
        "{Two|Three|Four} different concepts are included, and you choose which one we develop.",
        "A one-page guide explains sizes, colours and clear space.",
        "No templates and no clip art: every line is drawn for you.",
        "The files are checked for {print and screen|embroidery and engraving} before you get them.",
    ],
    bios: &[
        "I design logos for small businesses that want to look like themselves and not like everybody else.",
        "Logo designer with {years} years of practice and a weakness for good lettering.",
        "I draw marks that still work when they are one centimetre wide, and I have done so for {years} years.",
        "Identity design for people who make things: bakers, builders, brewers and the occasional orchestra.",
    ],
    careers: &[
        "{years} years as a designer at {employer}, freelance since then. Degree in visual communication.",
        "Trained as a sign painter, then {years} years of identity work for shops, festivals and cooperatives.",
        "Junior and later senior designer at {employer}; more than a hundred logos in use today.",
    ],
    works: &[
        (
            "Identity for {a shop} in {town}",
            "Logo, signage and paper goods, built around one hand-cut letter.",
        ),
        ("{company} wordmark", "A custom wordmark in three weights, from shop window to delivery van."),
        (
            "Labels for a small orchard",
            "A family of six labels that share one drawing and change with the season.",
        ),
        ("Festival mark, {town}", "A modular mark that the volunteers could use without a manual."),
        ("Rebrand of {company}", "A forty-year-old logo, redrawn with a lighter hand."),
    ],
    details: &[
        "Our colours so far are dark green and cream, but we are open to suggestions.",
        "Please avoid the usual clichés of the trade, we have seen them all.",
        "It has to work in one colour too, because we stamp our bags by hand.",
        "We like the look of old shop signs and dislike gradients.",
    ],
    deliveries: &[
        "The folder holds the logo in all formats, the one-page guide and a black version for stamps.",
        "You will find the artwork as SVG, PDF and PNG, with the colour values written on the guide.",
        "I also added a small version for the browser icon.",
    ],
    changes: &[
        "Could you make the letters a touch heavier and open up the spacing?",
        "Please try the second concept with the colours of the first.",
        "The symbol feels a little large next to the name; could it shrink by a fifth?",
        "We would like to see the green slightly darker, our printer says it comes out pale.",
    ],
    faults: &[
        "The mark is nearly identical to one I found in a stock collection, although the listing says it is drawn from scratch.",
        "The vector files contain an embedded photo, so our printer cannot use them.",
        "Only one of the promised concepts was delivered.",
    ],
    praise: &[
        "The logo looks as good on our van as it does on the cards.",
        "Several concepts, each with a thought behind it.",
        "The lettering is beautiful and full of small details.",
        "Our printer praised the files, which has never happened before.",
        "We finally have a mark that feels like us.",
    ],
    gripes: &[
        "The concepts looked very much alike.",
        "The logo becomes unreadable at small sizes.",
        "The colours came out differently in print than on screen.",
        "It felt like a template with our name put in.",
    ],
};
