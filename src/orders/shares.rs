//! Whose the money of an order is: how what was paid is shared between freelancer and house, and how that is explained.
//! Pure arithmetic in whole minor units; moves nothing.

use schemars::JsonSchema;
use serde::Serialize;

use crate::actor::UserId;
use crate::fees::{Basis, RuleId};
use crate::money::{Currency, MAX_MINOR, Money, Rate};

use super::model::{Order, OrderId, Status};

/// Whose money is how much of what is held, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// The freelancer's.
    pub net: i64,
    /// What the house keeps of the amount.
    pub fee: i64,
    /// What the house charged the buyer beside the amount.
    pub service_fee: i64,
}

/// What the buyer pays the house beside `amount`. It is cut down where the two together would be more than any amount
/// may be.
pub fn service_fee(rate: Rate, amount: Money) -> Money {
    amount.with_minor(rate.of(amount).minor().min(MAX_MINOR - amount.minor()))
}

impl Order {
    /// What its buyer pays.
    pub fn total(&self) -> Money {
        self.amount.with_minor(self.amount.minor() + self.service_fee.minor())
    }

    /// The fee that was agreed when it was placed.
    pub fn agreed_fee(&self) -> Money {
        self.amount.with_minor(self.fee_rate.of(self.amount).minor() + self.fee_fixed.minor())
    }

    /// Whose what is left of the total is, when so many minor units are left: pro rata by what was agreed, first between
    /// the service fee and the amount, then of the amount between house and freelancer. The parts sum to the whole, and
    /// none grows when less is left.
    pub fn shares_of(&self, left: i64) -> Shares {
        let pro_rata = |left: i64, part: Money, whole: Money| {
            self.amount.with_minor(left).pro_rata(part.minor(), whole.minor()).minor()
        };
        let service_fee = pro_rata(left, self.service_fee, self.total());
        let of_amount = left - service_fee;
        let fee = pro_rata(of_amount, self.agreed_fee(), self.amount);
        Shares { net: of_amount - fee, fee, service_fee }
    }

    /// Its fees from placement to now. `given_back` of what was paid; `None` when nothing was paid.
    pub fn explained(&self, given_back: Option<i64>) -> Explanation {
        let money = |minor: i64| self.amount.with_minor(minor);
        let less = |whole: Money, part: Money| money(whole.minor() - part.minor());
        let off = self.status == Status::Cancelled;
        let given_back = money(given_back.unwrap_or(if off { self.total().minor() } else { 0 }));
        let left = less(self.total(), given_back);
        let service_fee_kept = money(self.shares_of(left.minor()).service_fee);
        let of_amount = less(left, service_fee_kept);
        let mut explanation = Explanation {
            order_id: self.id,
            freelancer_id: self.freelancer_id,
            status: self.status,
            currency: self.amount.currency(),
            basis: self.fee_reason.basis,
            rule_id: self.fee_reason.rule_id,
            category: self.fee_reason.category.clone(),
            why: self.why(),
            amount: self.amount,
            percent: self.fee_rate.percent(),
            percent_part: self.fee_rate.of(self.amount),
            fixed_part: self.fee_fixed,
            fee: self.agreed_fee(),
            fee_given_back: less(self.agreed_fee(), self.fee),
            fee_kept: self.fee,
            service_fee_percent: self.service_fee_rate.percent(),
            service_fee: self.service_fee,
            service_fee_given_back: less(self.service_fee, service_fee_kept),
            service_fee_kept,
            total: self.total(),
            given_back,
            left,
            freelancer_part: less(of_amount, self.fee),
            sums: Vec::new(),
        };
        explanation.sums = explanation.written_out();
        explanation
    }

    fn why(&self) -> String {
        let first =
            "when it was placed: the first active rule that covered it, in the order of their positions";
        match (self.fee_reason.basis, &self.fee_reason.category) {
            (Some(Basis::Category), category) => {
                let category = category.as_deref().unwrap_or_default();
                format!("A rule for the category \"{category}\" counted {first}.")
            }
            (Some(Basis::Freelancer), _) => format!("A rule for its freelancer counted {first}."),
            (Some(Basis::Default), _) => format!("A default rule counted {first}."),
            (Some(Basis::Configured), _) => {
                "No active rule covered it when it was placed: the configured `fee_percent` of that moment counted.".to_owned()
            }
            (None, _) => {
                "It was placed before there were rules, at the configured `fee_percent` of that moment.".to_owned()
            }
        }
    }
}

/// What the house keeps of an order, why, and how it adds up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Explanation {
    pub order_id: OrderId,
    pub freelancer_id: UserId,
    pub status: Status,
    pub currency: Currency,
    /// What the rule went by that counted at placement; null for orders from before there were rules.
    pub basis: Option<Basis>,
    /// That rule; it may have been changed or deleted since.
    pub rule_id: Option<RuleId>,
    /// What it called the category, where it went by one.
    pub category: Option<String>,
    pub why: String,
    /// The price that was agreed.
    pub amount: Money,
    /// Of the amount, fixed at placement.
    pub percent: String,
    /// The percentage of the amount, rounded half to even.
    pub percent_part: Money,
    /// Beside it, fixed at placement.
    pub fixed_part: Money,
    /// At placement: the percentage and the fixed part.
    pub fee: Money,
    /// The part of it that was given back or dropped.
    pub fee_given_back: Money,
    /// What of it is kept, or will be when the order is completed.
    pub fee_kept: Money,
    /// Of the amount, fixed at placement.
    pub service_fee_percent: String,
    /// What the buyer pays beside the amount.
    pub service_fee: Money,
    pub service_fee_given_back: Money,
    pub service_fee_kept: Money,
    /// What the buyer pays: the amount and the service fee.
    pub total: Money,
    /// Of the total, to the buyer: on its way back included. All of it when the order was cancelled unpaid.
    pub given_back: Money,
    /// What is left of the total.
    pub left: Money,
    /// What is left of it for the freelancer.
    pub freelancer_part: Money,
    /// The same written out, a line for each sum.
    pub sums: Vec<String>,
}

impl Explanation {
    fn written_out(&self) -> Vec<String> {
        vec![
            format!("fee: {} % of {} = {}", self.percent, self.amount, self.percent_part),
            format!("fee at placement: {} + {} fixed = {}", self.percent_part, self.fixed_part, self.fee),
            format!("fee now: {} - {} given back = {}", self.fee, self.fee_given_back, self.fee_kept),
            format!(
                "service fee now: {} - {} given back = {}",
                self.service_fee, self.service_fee_given_back, self.service_fee_kept
            ),
            format!("total: {} + {} service fee = {}", self.amount, self.service_fee, self.total),
            format!("left: {} - {} given back = {}", self.total, self.given_back, self.left),
            format!(
                "left: {} freelancer + {} fee + {} service fee = {}",
                self.freelancer_part, self.fee_kept, self.service_fee_kept, self.left
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::example;
    use super::*;
    use proptest::prelude::*;

    /// An order over `amount` with these fees, as it is placed.
    fn placed(amount: i64, code: &str, points: [u32; 2], fixed: i64) -> Order {
        let amount = Money::new(amount, Currency::parse(code).expect("a listed currency"));
        let [rate, service] =
            points.map(|points| Rate::from_basis_points(points).expect("at most the whole"));
        let fixed = fixed.min(amount.minor() - rate.of(amount).minor());
        let order = Order {
            amount,
            fee_rate: rate,
            fee_fixed: amount.with_minor(fixed),
            service_fee_rate: service,
            service_fee: service_fee(service, amount),
            ..example()
        };
        Order { fee: order.agreed_fee(), ..order }
    }

    fn parts(shares: Shares) -> [i64; 3] {
        [shares.net, shares.fee, shares.service_fee]
    }

    #[test]
    fn the_whole_is_shared_as_it_was_agreed() {
        let order = placed(4_990, "USD", [1_000, 250], 30);
        assert_eq!((order.service_fee.minor(), order.total().minor()), (125, 5_115));
        assert_eq!(parts(order.shares_of(5_115)), [4_461, 529, 125]);
        assert_eq!(parts(order.shares_of(0)), [0, 0, 0]);
    }

    #[test]
    fn without_fees_all_is_the_freelancers() {
        assert_eq!(parts(placed(1, "JPY", [0, 0], 0).shares_of(1)), [1, 0, 0]);
        assert_eq!(parts(placed(1, "JPY", [10_000, 0], 0).shares_of(1)), [0, 1, 0]);
    }

    #[test]
    fn the_total_is_never_more_than_an_amount_may_be() {
        let order = placed(MAX_MINOR, "KWD", [1_000, 500], 0);
        assert_eq!((order.service_fee.minor(), order.total().minor()), (0, MAX_MINOR));
        let order = placed(MAX_MINOR - 7, "KWD", [1_000, 10_000], 0);
        assert_eq!((order.service_fee.minor(), order.total().minor()), (7, MAX_MINOR));
    }

    #[test]
    fn every_small_order_shares_every_part_of_its_total() {
        for amount in 1..=40 {
            for points in [[0, 0], [1_000, 250], [3_333, 3_333], [9_999, 9_999], [10_000, 10_000]] {
                let order = placed(amount, "USD", points, 3);
                let mut before = [0, 0, 0];
                for left in 0..=order.total().minor() {
                    let now = parts(order.shares_of(left));
                    assert_eq!(now.iter().sum::<i64>(), left);
                    assert!(
                        now.iter().zip(before).all(|(now, before)| *now >= before),
                        "{order:?} at {left}"
                    );
                    before = now;
                }
                assert_eq!(before[1..], [order.agreed_fee().minor(), order.service_fee.minor()]);
            }
        }
    }

    fn orders() -> impl Strategy<Value = Order> {
        let amount = prop_oneof![1..=300_i64, 1..=1_000_000_i64, 1..=MAX_MINOR];
        let fixed = prop_oneof![Just(0_i64), 0..=300_i64, 0..=MAX_MINOR];
        let code = prop::sample::select(vec!["USD", "JPY", "KWD"]);
        (amount, code, 0_u32..=10_000, 0_u32..=10_000, fixed)
            .prop_map(|(amount, code, rate, service, fixed)| placed(amount, code, [rate, service], fixed))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn parts_sum_to_the_whole_and_none_grows_as_less_is_left(
            (order, a, b) in orders().prop_flat_map(|order| {
                let total = order.total().minor();
                (Just(order), 0..=total, 0..=total)
            })
        ) {
            let (less, more) = (order.shares_of(a.min(b)), order.shares_of(a.max(b)));
            prop_assert_eq!(parts(less).iter().sum::<i64>(), a.min(b));
            for (less, more) in parts(less).into_iter().zip(parts(more)) {
                prop_assert!(0 <= less && less <= more);
            }
            let whole = order.shares_of(order.total().minor());
            prop_assert_eq!((whole.fee, whole.service_fee), (order.agreed_fee().minor(), order.service_fee.minor()));
        }

        #[test]
        fn one_unit_less_is_one_persons_unit(
            (order, left) in orders().prop_flat_map(|order| {
                let total = order.total().minor();
                (Just(order), 1..=total)
            })
        ) {
            let (before, after) = (parts(order.shares_of(left)), parts(order.shares_of(left - 1)));
            let lost: Vec<i64> = before.iter().zip(after).map(|(before, after)| before - after).collect();
            prop_assert!(lost.iter().all(|lost| *lost >= 0) && lost.iter().sum::<i64>() == 1, "{:?}", lost);
        }

        #[test]
        fn an_explanation_adds_up(
            (order, given_back) in orders().prop_flat_map(|order| {
                let total = order.total().minor();
                (Just(order), prop::option::of(0..=total))
            })
        ) {
            let left = order.total().minor() - given_back.unwrap_or(0);
            let order = Order { fee: order.amount.with_minor(order.shares_of(left).fee), ..order };
            let told = order.explained(given_back);
            let sum = |parts: &[Money]| parts.iter().map(|part| part.minor()).sum::<i64>();
            prop_assert_eq!(sum(&[told.percent_part, told.fixed_part]), told.fee.minor());
            prop_assert_eq!(sum(&[told.fee_given_back, told.fee_kept]), told.fee.minor());
            prop_assert_eq!(sum(&[told.service_fee_given_back, told.service_fee_kept]), told.service_fee.minor());
            prop_assert_eq!(sum(&[told.amount, told.service_fee]), told.total.minor());
            prop_assert_eq!(sum(&[told.given_back, told.left]), told.total.minor());
            prop_assert_eq!(sum(&[told.freelancer_part, told.fee_kept, told.service_fee_kept]), told.left.minor());
            prop_assert!([told.fee_given_back, told.service_fee_given_back, told.freelancer_part].iter().all(|part| part.minor() >= 0));
        }
    }
}
