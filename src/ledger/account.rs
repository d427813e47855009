//! The accounts, and how they are written.

use std::fmt;

use crate::id::Id;

use super::chart::{AccountKind, Sign};

/// Where money is. Written as `provider`, `fees`, `costs`, `losses`, `escrow:<order>`, `refunds:<order>`,
/// `chargebacks:<order>`, `payable:<freelancer>`, `payouts:<freelancer>`, `owed:<freelancer>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The world outside: what came in through the provider counts negative.
    Provider,
    /// What the house keeps.
    Fees,
    /// What providers keep of charges: it only falls.
    Costs,
    /// What chargebacks cost the house, or will if they are lost.
    Losses,
    /// Held for an order until it is decided.
    Escrow(Id<()>),
    /// On its way back to the buyer of an order.
    Refunds(Id<()>),
    /// Released, and frozen again by a chargeback of an order.
    Chargebacks(Id<()>),
    /// Owed to a freelancer.
    Payable(Id<()>),
    /// On its way to a freelancer.
    Payouts(Id<()>),
    /// What a freelancer owes, as a negative balance.
    Owed(Id<()>),
}

impl Account {
    /// The account that `text` names; `None` when it names none.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':').unwrap_or((text, ""));
        let id = || uuid::Uuid::try_parse(id).ok().map(Id::from_uuid);
        let account = match kind {
            "provider" => Self::Provider,
            "fees" => Self::Fees,
            "costs" => Self::Costs,
            "losses" => Self::Losses,
            "escrow" => Self::Escrow(id()?),
            "refunds" => Self::Refunds(id()?),
            "chargebacks" => Self::Chargebacks(id()?),
            "payable" => Self::Payable(id()?),
            "payouts" => Self::Payouts(id()?),
            "owed" => Self::Owed(id()?),
            _ => return None,
        };
        (account.to_string() == text).then_some(account)
    }

    pub fn kind(&self) -> AccountKind {
        match self {
            Self::Provider => AccountKind::Provider,
            Self::Fees => AccountKind::Fees,
            Self::Costs => AccountKind::Costs,
            Self::Losses => AccountKind::Losses,
            Self::Escrow(_) => AccountKind::Escrow,
            Self::Refunds(_) => AccountKind::Refunds,
            Self::Chargebacks(_) => AccountKind::Chargebacks,
            Self::Payable(_) => AccountKind::Payable,
            Self::Payouts(_) => AccountKind::Payouts,
            Self::Owed(_) => AccountKind::Owed,
        }
    }

    /// Whether it may hold so much.
    pub fn may_hold(&self, minor: i64) -> bool {
        match self.kind().sign() {
            Sign::Positive => minor >= 0,
            Sign::Negative => minor <= 0,
            Sign::Any => true,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider => f.write_str("provider"),
            Self::Fees => f.write_str("fees"),
            Self::Costs => f.write_str("costs"),
            Self::Losses => f.write_str("losses"),
            Self::Escrow(order) => write!(f, "escrow:{order}"),
            Self::Refunds(order) => write!(f, "refunds:{order}"),
            Self::Chargebacks(order) => write!(f, "chargebacks:{order}"),
            Self::Payable(freelancer) => write!(f, "payable:{freelancer}"),
            Self::Payouts(freelancer) => write!(f, "payouts:{freelancer}"),
            Self::Owed(freelancer) => write!(f, "owed:{freelancer}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_it_is_written() {
        let id = Id::from_uuid(uuid::Uuid::from_u128(7));
        for account in [
            Account::Provider,
            Account::Fees,
            Account::Costs,
            Account::Losses,
            Account::Escrow(id),
            Account::Refunds(id),
            Account::Chargebacks(id),
            Account::Payable(id),
            Account::Payouts(id),
            Account::Owed(id),
        ] {
            assert_eq!(Account::parse(&account.to_string()), Some(account));
        }
        for text in ["", "escrow", "escrow:", "escrow:7", "fees:", "provider:7", "Payable:7"] {
            assert_eq!(Account::parse(text), None, "{text}");
        }
    }
}
