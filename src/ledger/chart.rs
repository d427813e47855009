//! The chart of accounts: which there are, and which journals may move money between them. [`super::post`] refuses what
//! is not in it; the tables of `docs/money.md` are written from it.

use crate::words;

words! {
    /// The accounts by what they are for.
    pub enum AccountKind {
        Provider = "provider",
        Fees = "fees",
        Costs = "costs",
        Losses = "losses",
        Escrow = "escrow",
        Refunds = "refunds",
        Chargebacks = "chargebacks",
        Payable = "payable",
        Payouts = "payouts",
        Owed = "owed",
    }
}

impl AccountKind {
    /// What its balance says.
    pub fn about(self) -> &'static str {
        match self {
            Self::Provider => {
                "the world outside: what came in through the provider counts negative, so less its sign it is what the provider holds for the house"
            }
            Self::Fees => "what the house has earned: fees, and service fees of buyers",
            Self::Costs => "what providers keep of charges, as a negative balance",
            Self::Losses => {
                "what banks took back and nobody else has borne (negative), also while a chargeback is open"
            }
            Self::Escrow => "held for an order until it is decided",
            Self::Refunds => "on its way back to the buyer of an order",
            Self::Chargebacks => "released, and frozen again by a chargeback of the order",
            Self::Payable => "earned by a freelancer and not paid out",
            Self::Payouts => "claimed by a payout, on its way to the freelancer",
            Self::Owed => "what a freelancer owes, as a negative balance",
        }
    }

    /// How it is written, `<order>` and `<freelancer>` standing for their ids.
    pub fn written(self) -> String {
        match self {
            Self::Provider | Self::Fees | Self::Costs | Self::Losses => self.as_str().to_owned(),
            Self::Escrow | Self::Refunds | Self::Chargebacks => format!("{self}:<order>"),
            Self::Payable | Self::Payouts | Self::Owed => format!("{self}:<freelancer>"),
        }
    }

    /// The sign that its balance must have, zero aside.
    pub fn sign(self) -> Sign {
        match self {
            Self::Escrow | Self::Refunds | Self::Chargebacks | Self::Payable | Self::Payouts => {
                Sign::Positive
            }
            Self::Costs | Self::Owed => Sign::Negative,
            Self::Provider | Self::Fees | Self::Losses => Sign::Any,
        }
    }
}

/// Which balances an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Positive,
    Negative,
    Any,
}

/// Why money moves.
#[derive(Debug)]
pub struct JournalKind {
    pub name: &'static str,
    /// What it is booked for, once.
    pub cause: &'static str,
    /// Whose lines may be negative.
    pub from: &'static [AccountKind],
    /// Whose lines may be positive.
    pub to: &'static [AccountKind],
    pub when: &'static str,
}

/// Every kind of journal.
pub const JOURNALS: &[JournalKind] = {
    use AccountKind::{Chargebacks, Costs, Escrow, Fees, Losses, Owed, Payable, Payouts, Provider, Refunds};
    &[
        JournalKind {
            name: "charge",
            cause: "payment",
            from: &[Provider],
            to: &[Escrow],
            when: "the provider has captured a payment",
        },
        JournalKind {
            name: "provider_fee",
            cause: "payment",
            from: &[Costs],
            to: &[Provider],
            when: "the provider says what it keeps of a charge",
        },
        JournalKind {
            name: "release",
            cause: "order",
            from: &[Escrow],
            to: &[Payable, Fees],
            when: "an order is completed",
        },
        JournalKind {
            name: "offset",
            cause: "offset",
            from: &[Payable],
            to: &[Owed],
            when: "earned money pays a debt",
        },
        JournalKind {
            name: "refund_reserved",
            cause: "refund",
            from: &[Escrow, Payable, Fees, Owed],
            to: &[Refunds],
            when: "a refund is decided",
        },
        JournalKind {
            name: "refund",
            cause: "refund",
            from: &[Refunds],
            to: &[Provider],
            when: "the provider has sent a refund",
        },
        JournalKind {
            name: "refund_returned",
            cause: "refund",
            from: &[Refunds],
            to: &[Escrow, Payable, Fees, Owed],
            when: "a refund has failed: everything goes back to where it came from",
        },
        JournalKind {
            name: "refund_bounced",
            cause: "refund",
            from: &[Provider],
            to: &[Refunds],
            when: "a refund that the provider had sent came back: the money is reserved for another, which is the cause",
        },
        JournalKind {
            name: "refund_by_hand",
            cause: "refund",
            from: &[Refunds],
            to: &[Losses],
            when: "an administrator says that the buyer was given the money in another way: what the provider holds of it is the house's",
        },
        JournalKind {
            name: "payout",
            cause: "payout item",
            from: &[Payable],
            to: &[Payouts],
            when: "a payout claims what an order earned",
        },
        JournalKind {
            name: "payout_sent",
            cause: "payout item",
            from: &[Payouts],
            to: &[Provider],
            when: "the freelancer was paid",
        },
        JournalKind {
            name: "payout_returned",
            cause: "payout item",
            from: &[Payouts, Provider],
            to: &[Payable],
            when: "the money could not be sent, or came back",
        },
        JournalKind {
            name: "chargeback_withdrawn",
            cause: "chargeback",
            from: &[Losses],
            to: &[Provider],
            when: "a bank has taken a buyer's money back",
        },
        JournalKind {
            name: "chargeback_reinstated",
            cause: "chargeback",
            from: &[Provider],
            to: &[Losses],
            when: "the bank has given it back",
        },
        JournalKind {
            name: "chargeback_frozen",
            cause: "chargeback",
            from: &[Payable],
            to: &[Chargebacks],
            when: "a chargeback of a completed order is opened: what of it is not paid out stays",
        },
        JournalKind {
            name: "chargeback_thawed",
            cause: "chargeback",
            from: &[Chargebacks],
            to: &[Payable],
            when: "it is won: the freelancer has it again",
        },
        JournalKind {
            name: "chargeback_lost",
            cause: "chargeback",
            from: &[Escrow, Chargebacks, Payable, Fees, Owed],
            to: &[Losses],
            when: "it is lost: whoever had the money bears it",
        },
        JournalKind {
            name: "adjustment",
            cause: "case",
            from: AccountKind::ALL,
            to: AccountKind::ALL,
            when: "an administrator has approved what the reconciliation proposed",
        },
    ]
};

/// The kind with this name.
pub fn journal(name: &str) -> Option<&'static JournalKind> {
    JOURNALS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_stands_once() {
        for (place, kind) in JOURNALS.iter().enumerate() {
            assert!(JOURNALS[..place].iter().all(|other| other.name != kind.name), "{}", kind.name);
        }
    }
}
