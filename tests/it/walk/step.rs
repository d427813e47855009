//! What a walk is made of. Steps name things by a number, and mean the one at that place among those that there are, so
//! that any sequence of them can be walked and shortened.

use proptest::collection::vec;
use proptest::prelude::*;

/// What a step is about, by its place.
pub type Nth = u8;

/// A part of an amount: 0 is nothing, 1 the smallest coin, 254 all but that, 255 everything, else so many of 255 parts.
pub type Part = u8;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who {
    Buyer,
    Seller,
    Admin,
    /// Another buyer.
    Stranger,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bad {
    BeforeItHappens,
    AfterItHappened,
    Crash,
    RefundRefused,
    Error,
    NotNow,
    Misconfigured,
    TransferRefused,
}

/// One step. What is not allowed where it is taken is refused, and changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Place {
        buyer: Nth,
        listing: Nth,
    },
    /// A whole story up to there, for others to go wrong with.
    Sell {
        buyer: Nth,
        listing: Nth,
        method: &'static str,
        to: &'static str,
    },
    Pay {
        order: Nth,
        method: &'static str,
    },
    /// The same request, with its key, twice.
    PayTwice {
        order: Nth,
        method: &'static str,
    },
    Confirm {
        payment: Nth,
    },
    Settle {
        payment: Nth,
        succeeds: bool,
    },
    Move {
        order: Nth,
        to: &'static str,
        by: Who,
    },
    Cancel {
        order: Nth,
        by: Who,
    },
    Dispute {
        order: Nth,
        by: Who,
        wants: Option<Part>,
    },
    Say {
        order: Nth,
        by: Who,
    },
    Offer {
        order: Nth,
        by: Who,
        part: Part,
    },
    Withdraw {
        order: Nth,
        by: Who,
    },
    Accept {
        order: Nth,
        by: Who,
    },
    Decide {
        order: Nth,
        part: Part,
    },
    /// The same by the order's status, with a key and twice.
    DecideTwice {
        order: Nth,
        part: Part,
    },
    Refund {
        payment: Nth,
        part: Option<Part>,
        after_release: bool,
        by: Who,
    },
    RefundTwice {
        payment: Nth,
        part: Part,
        after_release: bool,
    },
    OpenAccount {
        seller: Nth,
    },
    Schedule {
        seller: Nth,
        schedule: &'static str,
    },
    PayOut {
        seller: Nth,
    },
    PayOutTwice {
        seller: Nth,
    },
    /// When everything has cleared.
    PayOutLater {
        seller: Nth,
    },
    Mark {
        payout: Nth,
        status: &'static str,
    },
    ComesBack {
        transfer: Nth,
    },
    TakeBack {
        charge: Nth,
        part: Part,
        asks_first: bool,
    },
    BankGoesOn {
        chargeback: Nth,
        wins: bool,
    },
    FeeRule {
        percent: u8,
        fixed: u8,
    },
    DropFeeRule {
        rule: Nth,
    },
    Suspend {
        seller: Nth,
    },
    Reinstate {
        seller: Nth,
    },
    Review {
        order: Nth,
        rating: u8,
    },
    Resolve {
        case: Nth,
        resolution: Nth,
    },
    Reconcile,
    Approve {
        case: Nth,
    },
    Bad(Bad),
    Knobs {
        seed: u8,
        percent: u8,
    },
    Mend,
    /// What the provider or a bank told once, or will tell, is told now.
    Tell {
        event: Nth,
        times: u8,
    },
    /// The next who comes there dies, and another process goes on.
    Die {
        at: &'static str,
    },
    Restart,
    Work,
    Wait {
        s: u32,
    },
}

/// A house, and what happens in it.
#[derive(Debug, Clone)]
pub struct Walk {
    /// What most is sold in: yen, dollars or dinars.
    pub currency: &'static str,
    pub by_hand: bool,
    /// What the buyer pays beside the price, in basis points.
    pub service_fee_bp: u32,
    pub steps: Vec<Step>,
}

pub fn walks(longest: usize) -> impl Strategy<Value = Walk> {
    let currency = prop::sample::select(&["JPY", "USD", "KWD"]);
    let service_fee_bp = prop::sample::select(&[0_u32, 0, 250, 1_333]);
    (currency, prop::bool::weighted(0.15), service_fee_bp, vec(step(), longest / 2..=longest)).prop_map(
        |(currency, by_hand, service_fee_bp, steps)| Walk { currency, by_hand, service_fee_bp, steps },
    )
}

fn nth() -> impl Strategy<Value = Nth> {
    0..8_u8
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![2 => any::<u8>(), 1 => prop::sample::select(&[0_u8, 1, 127, 254, 255])]
}

/// Mostly the one; the others try.
fn mostly(who: Who) -> impl Strategy<Value = Who> {
    let anybody = prop::sample::select(&[Who::Buyer, Who::Seller, Who::Admin, Who::Stranger]);
    prop_oneof![8 => Just(who), 1 => anybody]
}

fn side() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::Buyer), Just(Who::Seller)]
}

/// All but the one that answers after three seconds of everybody's time.
fn method() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        9 => Just("pm_card_visa"),
        1 => prop::sample::select(&[
            "pm_card_visa_chargeDeclined",
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "pm_sandbox_never",
        ]),
        5 => prop::sample::select(&[
            "pm_card_authenticationRequired",
            "pm_sandbox_pending",
            "pm_sandbox_dropAfterCommit",
            "pm_sandbox_500AfterCommit",
            "pm_sandbox_refundFails",
            "pm_sandbox_refundPending",
            "pm_sandbox_chargeback",
        ]),
    ]
}

const PLACES: &[&str] = &[
    "charge:begun",
    "charge:sent",
    "charge:applied",
    "refund:reserved",
    "refund:sent",
    "refund:applied",
    "release:committed",
    "payout:claimed",
    "payout:sent",
    "payout:applied",
];

const BADS: &[Bad] = &[
    Bad::BeforeItHappens,
    Bad::AfterItHappened,
    Bad::Crash,
    Bad::RefundRefused,
    Bad::Error,
    Bad::NotNow,
    Bad::Misconfigured,
    Bad::TransferRefused,
];

fn step() -> BoxedStrategy<Step> {
    prop_oneof![
        30 => trade(),
        9 => dispute(),
        8 => refund(),
        11 => payout(),
        7 => bank(),
        6 => house(),
        10 => trouble(),
        9 => Just(Step::Work),
        10 => prop::sample::select(&[2_u32, 61, 661, 7_200, 90_000, 262_800, 788_400, 1_900_000])
            .prop_map(|s| Step::Wait { s }),
    ]
    .boxed()
}

fn trade() -> impl Strategy<Value = Step> {
    let moved = prop_oneof![
        4 => (Just("delivered"), mostly(Who::Seller)),
        1 => (Just("active"), mostly(Who::Buyer)),
        6 => (Just("completed"), mostly(Who::Buyer)),
        1 => (Just("cancelled"), mostly(Who::Seller)),
    ];
    let to = prop::sample::select(&["active", "delivered", "completed", "completed"]);
    let kept = prop_oneof![
        3 => Just("pm_card_visa"),
        1 => Just("pm_sandbox_refundFails"),
        1 => Just("pm_sandbox_refundPending"),
    ];
    prop_oneof![
        9 => (nth(), nth(), kept, to).prop_map(|(buyer, listing, method, to)| Step::Sell {
            buyer, listing, method, to
        }),
        4 => (nth(), nth()).prop_map(|(buyer, listing)| Step::Place { buyer, listing }),
        9 => (nth(), method()).prop_map(|(order, method)| Step::Pay { order, method }),
        1 => (nth(), method()).prop_map(|(order, method)| Step::PayTwice { order, method }),
        2 => nth().prop_map(|payment| Step::Confirm { payment }),
        1 => (nth(), any::<bool>()).prop_map(|(payment, succeeds)| Step::Settle { payment, succeeds }),
        10 => (nth(), moved).prop_map(|(order, (to, by))| Step::Move { order, to, by }),
        1 => (nth(), mostly(Who::Seller)).prop_map(|(order, by)| Step::Cancel { order, by }),
        1 => (nth(), 0..7_u8).prop_map(|(order, rating)| Step::Review { order, rating }),
    ]
}

fn dispute() -> impl Strategy<Value = Step> {
    let wants = || prop::option::of(part());
    prop_oneof![
        4 => (nth(), side(), wants()).prop_map(|(order, by, wants)| Step::Dispute { order, by, wants }),
        1 => (nth(), side()).prop_map(|(order, by)| Step::Say { order, by }),
        3 => (nth(), side(), part()).prop_map(|(order, by, part)| Step::Offer { order, by, part }),
        1 => (nth(), side()).prop_map(|(order, by)| Step::Withdraw { order, by }),
        3 => (nth(), side()).prop_map(|(order, by)| Step::Accept { order, by }),
        2 => (nth(), part()).prop_map(|(order, part)| Step::Decide { order, part }),
        1 => (nth(), part()).prop_map(|(order, part)| Step::DecideTwice { order, part }),
    ]
}

fn refund() -> impl Strategy<Value = Step> {
    let some = || prop::option::weighted(0.75, part());
    let by = prop_oneof![3 => Just(Who::Admin), 2 => Just(Who::Seller), 1 => mostly(Who::Buyer)];
    prop_oneof![
        5 => (nth(), some(), any::<bool>(), by).prop_map(|(payment, part, after_release, by)| {
            Step::Refund { payment, part, after_release, by }
        }),
        1 => (nth(), part(), any::<bool>()).prop_map(|(payment, part, after_release)| {
            Step::RefundTwice { payment, part, after_release }
        }),
    ]
}

fn payout() -> impl Strategy<Value = Step> {
    let schedule = prop::sample::select(&["manual", "daily", "weekly"]);
    let status = prop::sample::select(&["paid", "paid", "returned"]);
    prop_oneof![
        3 => nth().prop_map(|seller| Step::OpenAccount { seller }),
        1 => (nth(), schedule).prop_map(|(seller, schedule)| Step::Schedule { seller, schedule }),
        6 => nth().prop_map(|seller| Step::PayOut { seller }),
        1 => nth().prop_map(|seller| Step::PayOutTwice { seller }),
        4 => nth().prop_map(|seller| Step::PayOutLater { seller }),
        2 => (nth(), status).prop_map(|(payout, status)| Step::Mark { payout, status }),
        2 => nth().prop_map(|transfer| Step::ComesBack { transfer }),
    ]
}

fn bank() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (nth(), part(), prop::bool::weighted(0.3))
            .prop_map(|(charge, part, asks_first)| Step::TakeBack { charge, part, asks_first }),
        3 => (nth(), any::<bool>()).prop_map(|(chargeback, wins)| Step::BankGoesOn { chargeback, wins }),
        4 => (any::<u8>(), 1..3_u8).prop_map(|(event, times)| Step::Tell { event, times }),
    ]
}

fn house() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<u8>(), any::<u8>()).prop_map(|(percent, fixed)| Step::FeeRule { percent, fixed }),
        1 => nth().prop_map(|rule| Step::DropFeeRule { rule }),
        1 => nth().prop_map(|seller| Step::Suspend { seller }),
        2 => nth().prop_map(|seller| Step::Reinstate { seller }),
        3 => (nth(), nth()).prop_map(|(case, resolution)| Step::Resolve { case, resolution }),
        2 => Just(Step::Reconcile),
        1 => nth().prop_map(|case| Step::Approve { case }),
    ]
}

fn trouble() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::sample::select(BADS).prop_map(Step::Bad),
        2 => (any::<u8>(), 0..60_u8).prop_map(|(seed, percent)| Step::Knobs { seed, percent }),
        2 => Just(Step::Mend),
        4 => prop::sample::select(PLACES).prop_map(|at| Step::Die { at }),
        1 => Just(Step::Restart),
    ]
}
