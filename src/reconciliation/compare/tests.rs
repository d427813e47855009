//! Each kind of difference by itself, and that clean days have none.

use proptest::prelude::*;

use super::*;
use crate::id::Id;
use crate::money::Currency;
use crate::reconciliation::model::{Sums, Window};
use crate::time::Time;

const HOUR: i64 = 3_600_000_000;

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").expect("a listed currency"))
}

fn id(number: u128) -> Id<()> {
    Id::from_uuid(uuid::Uuid::from_u128(number))
}

fn at(hour: i64) -> Time {
    Time::from_micros(hour * HOUR)
}

fn entry(what: Recorded, number: u128, reference: &str, of: &str, minor: i64) -> Entry {
    Entry {
        what,
        id: id(number),
        reference: Some(reference.to_owned()),
        of: Some(of.to_owned()),
        amount: usd(minor),
        fee_minor: 0,
        standing: Standing::Booked,
        since: at(10),
        at: at(10),
    }
}

fn record(what: Recorded, reference: &str, of: &str, minor: i64) -> Record {
    Record {
        what,
        reference: reference.to_owned(),
        of: of.to_owned(),
        key: None,
        amount: usd(minor),
        fee: None,
        at: at(10),
    }
}

/// One order, paid by ch_1: 100.00, of which 10.00 went back and 50.00 to its freelancer.
fn ours() -> Ours {
    let entries = vec![
        entry(Recorded::Charge, 2, "ch_1", "ch_1", 10_000),
        entry(Recorded::Refund, 3, "re_1", "ch_1", 1_000),
        entry(Recorded::Transfer, 4, "tr_1", "ch_1", 5_000),
    ];
    let order = OrderBooks { id: id(1), freelancer_id: id(9), left: usd(9_000), entries };
    let day = Window { from: at(0), to: at(24) };
    Ours { orders: vec![order], window: day, asked: day, settled_before: at(24) }
}

fn theirs() -> Vec<Record> {
    vec![
        record(Recorded::Charge, "ch_1", "ch_1", 10_000),
        record(Recorded::Refund, "re_1", "ch_1", 1_000),
        record(Recorded::Transfer, "tr_1", "ch_1", 5_000),
    ]
}

/// The only difference, if it is of this kind.
#[track_caller]
fn only(kind: Kind, ours: &Ours, theirs: &[Record]) -> Difference {
    let mut found = compare(ours, theirs);
    let kinds: Vec<_> = found.iter().map(|difference| difference.kind).collect();
    assert_eq!(kinds, [kind]);
    found.remove(0)
}

fn lines(difference: &Difference) -> Vec<(Account, i64)> {
    difference.proposed.as_ref().map(|proposal| proposal.lines.clone()).unwrap_or_default()
}

#[test]
fn a_clean_day_has_none() {
    assert_eq!(compare(&ours(), &theirs()), []);
    assert_eq!(compare(&Ours { orders: Vec::new(), ..ours() }, &[]), []);
}

#[test]
fn a_charge_that_names_nothing_of_ours_is_missing_here() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Charge, "ch_2", "ch_2", 700));
    let found = only(Kind::MissingLocalCharge, &ours(), &theirs);
    assert_eq!((found.order_id, found.effect, found.proposed), (None, vec![usd(700)], None));
}

#[test]
fn a_charge_of_a_payment_that_failed_here_is_booked_and_goes_back() {
    let mut ours = ours();
    ours.orders[0].entries.truncate(1);
    ours.orders[0].entries[0].standing = Standing::Off;
    let mut charge = record(Recorded::Charge, "ch_1", "ch_1", 10_000);
    charge.fee = Some(usd(300));
    let found = only(Kind::MissingLocalCharge, &ours, std::slice::from_ref(&charge));
    let back = Account::Refunds(id(1));
    assert_eq!(lines(&found), [(Account::Provider, -9_700), (Account::Costs, -300), (back, 10_000)]);
    assert_eq!(found.effect, [usd(9_700)]);
    charge.amount = usd(10_001);
    assert_eq!(only(Kind::MissingLocalCharge, &ours, &[charge]).proposed, None, "nobody agreed to that");
}

#[test]
fn a_charge_that_is_under_way_is_missing_only_when_it_is_old() {
    let mut ours = ours();
    ours.orders[0].entries.truncate(1);
    ours.orders[0].entries[0].standing = Standing::UnderWay;
    let charge = [record(Recorded::Charge, "ch_1", "ch_1", 10_000)];
    let found = only(Kind::MissingLocalCharge, &ours, &charge);
    assert_eq!(found.proposed, None, "it settles by itself");
    ours.settled_before = at(9);
    let outcome = Comparison::of(&ours, &charge);
    assert_eq!((outcome.differences.len(), outcome.under_way), (0, vec![usd(10_000)]));
}

#[test]
fn a_charge_that_the_provider_has_not_is_missing_there() {
    let found = only(Kind::MissingProviderCharge, &ours(), &theirs()[1..]);
    assert_eq!((found.subject, found.effect), (id(2), vec![usd(-10_000)]));
}

#[test]
fn what_lies_outside_the_time_that_was_asked_about_is_not_missed() {
    let mut ours = ours();
    ours.asked.from = at(11);
    assert_eq!(compare(&ours, &[]), []);
    (ours.asked.from, ours.settled_before) = (at(0), at(9));
    assert_eq!(compare(&ours, &[]), [], "it may come yet");
}

#[test]
fn another_amount_is_named_and_not_booked() {
    for index in 0..3 {
        let mut theirs = theirs();
        theirs[index].amount = usd(theirs[index].amount.minor() + 1);
        assert_eq!(only(Kind::AmountDiffers, &ours(), &theirs).proposed, None);
    }
}

#[test]
fn another_currency_is_named_before_the_amount() {
    let mut theirs = theirs();
    theirs[0].amount = Money::new(9_000, Currency::parse("EUR").expect("a listed currency"));
    let found = only(Kind::CurrencyDiffers, &ours(), &theirs);
    assert_eq!(found.effect, [theirs[0].amount, usd(-10_000)]);
}

#[test]
fn a_second_charge_of_a_paid_order_is_a_duplicate_until_it_went_back() {
    let mut theirs = theirs();
    let mut second = record(Recorded::Charge, "ch_2", "ch_2", 10_000);
    second.key = Some(format!("payment-{}-2", id(2)));
    theirs.push(second);
    assert_eq!(only(Kind::DuplicateCharge, &ours(), &theirs).proposed, None);
    theirs.push(record(Recorded::Refund, "re_2", "ch_2", 10_000));
    assert_eq!(compare(&ours(), &theirs), []);
}

#[test]
fn a_refund_at_the_provider_is_one_of_the_payment_as_long_as_that_has_as_much_left() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Refund, "re_2", "ch_1", 7_000));
    let back = Account::Refunds(id(1));
    let found = only(Kind::RefundOnlyAtProvider, &ours(), &theirs);
    assert_eq!(lines(&found), [(back, -7_000), (Account::Provider, 7_000)]);
    theirs.push(record(Recorded::Refund, "re_3", "ch_1", 2_001));
    let both: Vec<_> = compare(&ours(), &theirs).iter().flat_map(lines).collect();
    assert_eq!(both, [(back, -7_000), (Account::Provider, 7_000)], "2.000 are left");
}

#[test]
fn a_refund_that_the_provider_has_not_is_only_ours_until_it_is_made_there() {
    let mut theirs = theirs();
    theirs[1].reference = "re_9".to_owned();
    assert_eq!(compare(&ours(), &theirs), [], "as much, of the same charge");
    theirs.remove(1);
    assert_eq!(only(Kind::RefundOnlyLocal, &ours(), &theirs).effect, [usd(1_000)]);
}

#[test]
fn a_transfer_that_the_provider_has_not_is_only_ours() {
    assert_eq!(only(Kind::TransferOnlyLocal, &ours(), &theirs()[..2]).subject, id(4));
}

#[test]
fn a_transfer_that_we_did_not_send_is_only_the_providers() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Transfer, "tr_2", "ch_1", 60));
    assert_eq!(only(Kind::TransferOnlyAtProvider, &ours(), &theirs).effect, [usd(-60)]);
}

#[test]
fn a_transfer_that_was_taken_back_is_owed_again() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Reversal, "trr_1", "tr_1", 5_000));
    let mut ours = ours();
    let found = only(Kind::TransferReversedOutside, &ours, &theirs);
    assert_eq!(lines(&found), [(Account::Provider, -5_000), (Account::Payable(id(9)), 5_000)]);
    let mut known = entry(Recorded::Reversal, 4, "trr_1", "tr_1", 5_000);
    known.reference = None;
    ours.orders[0].entries.push(known);
    assert_eq!(compare(&ours, &theirs), []);
    assert_eq!(only(Kind::TransferOnlyAtProvider, &ours, &theirs[..3]).subject, id(4));
}

#[test]
fn a_transfer_that_was_taken_back_in_part_is_not_owed_again_as_a_whole() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Reversal, "trr_1", "tr_1", 2_000));
    let mut ours = ours();
    let part = only(Kind::AmountDiffers, &ours, &theirs);
    assert_eq!((part.proposed, part.effect), (None, vec![usd(2_000)]));
    theirs.push(record(Recorded::Reversal, "trr_2", "tr_1", 3_000));
    let whole = only(Kind::TransferReversedOutside, &ours, &theirs);
    assert_eq!(lines(&whole), [(Account::Provider, -5_000), (Account::Payable(id(9)), 5_000)]);
    let mut known = entry(Recorded::Reversal, 4, "", "tr_1", 5_000);
    known.reference = None;
    ours.orders[0].entries.push(known);
    let outcome = Comparison::of(&ours, &theirs);
    assert_eq!(outcome.differences, [], "the notice of the second part was enough");
    assert!(outcome.days.values().all(|(ours, theirs)| ours == theirs), "{:?}", outcome.days);
}

#[test]
fn a_transfer_that_our_books_say_never_was_and_that_came_back_is_nothing() {
    let mut ours = ours();
    ours.orders[0].entries[2].standing = Standing::Off;
    let mut theirs = theirs();
    theirs.push(record(Recorded::Reversal, "trr_1", "tr_1", 5_000));
    assert_eq!(compare(&ours, &theirs), []);
}

#[test]
fn a_transfer_made_by_hand_is_known_by_the_order_that_it_is_grouped_with() {
    let mut theirs = theirs();
    let group = id(1).to_string();
    theirs[2] = record(Recorded::Transfer, "tr_9", &group, 5_000);
    assert_eq!(compare(&ours(), &theirs), []);
    theirs.push(record(Recorded::Transfer, "tr_10", &group, 5_000));
    assert_eq!(only(Kind::TransferOnlyAtProvider, &ours(), &theirs).order_id, Some(id(1)));
}

#[test]
fn a_dispute_that_takes_and_gives_back_is_two_things_to_decide() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Chargeback, "du_1", "ch_1", 10_000));
    theirs.push(record(Recorded::Reinstatement, "du_1", "ch_1", 10_000));
    let found = compare(&ours(), &theirs);
    assert_eq!(found.iter().map(|found| found.kind).collect::<Vec<_>>(), [Kind::ChargebackUnseen; 2]);
    assert_ne!(found[0].subject, found[1].subject);
}

#[test]
fn what_the_house_moves_itself_is_named_and_explains_the_balance() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::TakenOut, "po_1", "payout", 3_000));
    let found = only(Kind::HouseMovement, &ours(), &theirs);
    assert_eq!((found.effect.clone(), found.order_id), (vec![usd(-3_000)], None));
    let (here, there) = ([usd(4_000)], [usd(1_000)]);
    let sides = Balances { ours: &here, theirs: &there, under_way: &[], accepted: &[] };
    let sums = balance(&sides, &[found], at(10));
    assert!(sums[0].is_summary && sums[0].says.contains("-30.00 house_movement"), "{}", sums[0].says);
}

#[test]
fn a_chargeback_is_seen_once_for_each_time_it_was_booked() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::Chargeback, "dp_1", "ch_1", 10_000));
    let mut ours = ours();
    let found = only(Kind::ChargebackUnseen, &ours, &theirs);
    assert_eq!(lines(&found), [(Account::Losses, -10_000), (Account::Provider, 10_000)]);
    let mut known = entry(Recorded::Chargeback, 5, "dp_1", "ch_1", 10_000);
    known.reference = None;
    ours.orders[0].entries.push(known);
    assert_eq!(compare(&ours, &theirs), []);
    theirs.push(record(Recorded::Reinstatement, "dp_1-won", "ch_1", 10_000));
    let found = only(Kind::ChargebackUnseen, &ours, &theirs);
    assert_eq!(lines(&found), [(Account::Provider, -10_000), (Account::Losses, 10_000)]);
    assert_eq!(only(Kind::ChargebackOnlyLocal, &ours, &theirs[..3]).subject, id(5));
}

#[test]
fn a_fee_that_is_not_the_booked_one_is_a_cost() {
    let mut theirs = theirs();
    theirs[0].fee = Some(usd(30));
    let mut ours = ours();
    let found = only(Kind::FeeDrift, &ours, &theirs);
    assert_eq!(lines(&found), [(Account::Costs, -30), (Account::Provider, 30)]);
    assert_eq!(found.effect, [usd(-30)]);
    ours.orders[0].entries[0].fee_minor = 40;
    let lower = only(Kind::FeeDrift, &ours, &theirs);
    assert_eq!(lines(&lower), [(Account::Costs, 10), (Account::Provider, -10)]);
    theirs[0].fee = None;
    assert_eq!(compare(&ours, &theirs), [], "where it says nothing, ours stands");
}

#[test]
fn a_payout_that_did_not_arrive_is_named_until_it_is_back() {
    let mut theirs = theirs();
    theirs.push(record(Recorded::FailedPayout, "po_1", "tr_1", 5_000));
    let mut ours = ours();
    assert_eq!(only(Kind::PayoutFailed, &ours, &theirs).effect, []);
    theirs.push(record(Recorded::Reversal, "trr_1", "tr_1", 5_000));
    ours.orders[0].entries.push(entry(Recorded::Reversal, 4, "trr_1", "tr_1", 5_000));
    assert_eq!(compare(&ours, &theirs), []);
}

#[test]
fn balances_that_differ_say_what_that_comes_from() {
    let found = only(Kind::MissingProviderCharge, &ours(), &theirs()[1..]);
    let sides = |theirs: &'static [Money]| Balances { ours: &[], theirs, under_way: &[], accepted: &[] };
    assert_eq!(balance(&sides(&[]), &[], at(10)), []);
    let mut sides = sides(&[]);
    let held = [usd(10_000)];
    sides.ours = &held;
    let explained = balance(&sides, std::slice::from_ref(&found), at(10));
    assert!(explained[0].is_summary && explained[0].says.contains("-100.00 missing_provider_charge"));
    let riddle = balance(&sides, &[], at(10));
    assert!(!riddle[0].is_summary && riddle[0].says.contains("-100.00 unexplained"));
    assert_eq!(balance(&Balances { under_way: &[usd(-10_000)], ..sides }, &[], at(10)), []);
}

#[test]
fn totals_stand_under_the_day_of_the_provider() {
    let days = Comparison::of(&ours(), &theirs()).days;
    let sums = Sums { charged: 10_000, refunded: 1_000, transferred: 5_000, ..Sums::default() };
    assert_eq!(days.get(&("1970-01-01".to_owned(), usd(0).currency())), Some(&(sums, sums)));
    let later = Window { from: at(11), to: at(24) };
    assert!(Comparison::of(&Ours { window: later, ..ours() }, &theirs()).days.is_empty());
}

/// How an order of a clean day went: what was charged, given back and sent, whether keys and references are known on both
/// sides, and how late our books were.
type Story = (i64, Vec<i64>, Vec<i64>, bool, bool, i64, i64);

fn stories() -> impl Strategy<Value = Vec<Story>> {
    let parts = || prop::collection::vec(1_i64..500, 0..4);
    let story = (5_000_i64..1_000_000, parts(), parts(), any::<bool>(), any::<bool>(), 0_i64..300, 0_i64..3);
    prop::collection::vec(story, 0..30)
}

/// Both sides of a day on which everything went well.
fn clean(stories: &[Story]) -> (Ours, Vec<Record>) {
    let (mut orders, mut records) = (Vec::new(), Vec::new());
    for (number, (charged, refunds, transfers, keyed, late, fee, reversed)) in stories.iter().enumerate() {
        let base = (number as u128 + 1) * 1_000;
        let charge = format!("ch_{number}");
        let mut entries = Vec::new();
        let mut both = |what, number: u128, reference: String, of: &str, minor, fee_minor| {
            let mut ours = entry(what, number, &reference, of, minor);
            ours.fee_minor = fee_minor;
            if *late {
                (ours.at, ours.standing) = (at(20), Standing::Booked);
            }
            let mut theirs = record(what, &reference, of, minor);
            theirs.key = keyed.then(|| format!("key-{}", id(number)));
            theirs.fee = (fee_minor > 0).then(|| usd(fee_minor));
            if what == Recorded::Reversal || what == Recorded::Chargeback {
                ours.reference = None;
                theirs.key = None;
            }
            entries.push(ours);
            records.push(theirs);
        };
        both(Recorded::Charge, base, charge.clone(), &charge, *charged, *fee);
        for (part, minor) in refunds.iter().enumerate() {
            both(
                Recorded::Refund,
                base + 10 + part as u128,
                format!("re_{number}_{part}"),
                &charge,
                *minor,
                0,
            );
        }
        for (part, minor) in transfers.iter().enumerate() {
            let transfer = format!("tr_{number}_{part}");
            both(Recorded::Transfer, base + 20 + part as u128, transfer.clone(), &charge, *minor, 0);
            if (part as i64) < *reversed {
                both(
                    Recorded::Reversal,
                    base + 20 + part as u128,
                    format!("trr_{number}_{part}"),
                    &transfer,
                    *minor,
                    0,
                );
            }
        }
        if *reversed == 2 {
            both(Recorded::Chargeback, base + 30, format!("dp_{number}"), &charge, *charged, 0);
        }
        orders.push(OrderBooks { id: id(base + 999), freelancer_id: id(7), left: usd(0), entries });
    }
    records.reverse();
    (Ours { orders, ..ours() }, records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn clean_days_have_no_differences(stories in stories()) {
        let (ours, theirs) = clean(&stories);
        let outcome = Comparison::of(&ours, &theirs);
        prop_assert_eq!(outcome.differences, vec![]);
        prop_assert!(outcome.days.values().all(|(ours, theirs)| ours == theirs));
    }

    #[test]
    fn a_record_that_is_lost_is_always_missed(stories in stories(), lost in any::<prop::sample::Index>()) {
        let (ours, mut theirs) = clean(&stories);
        if !theirs.is_empty() {
            theirs.remove(lost.index(theirs.len()));
            prop_assert!(!compare(&ours, &theirs).is_empty());
        }
    }
}
