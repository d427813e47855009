//! What a fee rule is, what it covers, and what an order owes by it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::actor::{UserId, UserKind};
use crate::error::{Error, FieldError, Result};
use crate::form;
use crate::form::{
    Amount, Change, Field, IdRef, Node, Percent, Read, Text, TextLimits, Wrong, fold, integer,
};
use crate::id::Id;
use crate::money::{Currency, Money, Rate};
use crate::time::Time;
use crate::words;

pub type RuleId = Id<Rule>;

words! {
    /// What a rule goes by.
    pub enum Scope {
        /// Listings of one category.
        Category = "category",
        /// The sales of one freelancer.
        Freelancer = "freelancer",
        /// Everything.
        Default = "default",
    }
}

words! {
    /// Why an order has the fee that it has: what the rule went by, or that there was none.
    pub enum Basis {
        Category = "category",
        Freelancer = "freelancer",
        Default = "default",
        /// No rule covered it: the share of the configuration.
        Configured = "configured",
    }
}

/// What a rule covers.
#[derive(Debug, Clone, PartialEq)]
pub enum Covers {
    /// Listings of this category, as the administrator wrote it; case means nothing.
    Category(String),
    Freelancer(UserId),
    Everything,
}

impl Covers {
    /// What the fields of a rule say together, or what is wrong with them.
    pub fn of(scope: Scope, category: Option<String>, freelancer: Option<UserId>) -> Result<Self> {
        let mut wrongs = Vec::new();
        for (field, own, given) in [
            ("category", Scope::Category, category.is_some()),
            ("freelancer_id", Scope::Freelancer, freelancer.is_some()),
        ] {
            let (code, detail) = match (scope == own, given) {
                (true, false) => {
                    ("required", format!("a rule of the scope {scope} names it: send `{field}`"))
                }
                (false, true) => ("not_here", format!("leave it out, or send the scope \"{own}\" with it")),
                _ => continue,
            };
            wrongs.push(FieldError { pointer: format!("/{field}"), code, detail });
        }
        match (scope, category, freelancer) {
            _ if !wrongs.is_empty() => Err(Error::Invalid(wrongs)),
            (_, Some(category), _) => Ok(Self::Category(category)),
            (_, _, Some(freelancer)) => Ok(Self::Freelancer(freelancer)),
            (_, None, None) => Ok(Self::Everything),
        }
    }

    pub fn scope(&self) -> Scope {
        match self {
            Self::Category(_) => Scope::Category,
            Self::Freelancer(_) => Scope::Freelancer,
            Self::Everything => Scope::Default,
        }
    }

    pub fn category(&self) -> Option<&str> {
        match self {
            Self::Category(category) => Some(category),
            _ => None,
        }
    }

    pub fn freelancer(&self) -> Option<UserId> {
        match self {
            Self::Freelancer(freelancer) => Some(*freelancer),
            _ => None,
        }
    }
}

/// The form in which categories are compared: that of listings.
pub fn folded(category: &str) -> String {
    fold(category.trim())
}

/// A fee rule as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: RuleId,
    /// Rules are asked in this order.
    pub position: i64,
    pub covers: Covers,
    /// Of the order's amount.
    pub rate: Rate,
    /// Beside it, in the currencies that have one.
    pub fixed: Vec<Money>,
    pub active: bool,
    pub version: i64,
    pub created_by: Option<UserId>,
    pub created_at: Time,
    pub updated_at: Time,
}

impl Rule {
    /// The rule as the form wants it. Another scope forgets what the old one named.
    pub fn changed(&self, form: ChangeFeeRule) -> Result<Self> {
        let scope = form.scope.or(self.covers.scope());
        let stays = scope == self.covers.scope();
        let category = self.covers.category().filter(|_| stays).map(str::to_owned);
        let category = form.category.given().map_or(category, |given| given.map(Text::into_string));
        let freelancer = self.covers.freelancer().filter(|_| stays);
        let freelancer = form.freelancer_id.given().map_or(freelancer, |given| given.map(|id| id.0));
        Ok(Self {
            position: form.position.given().map_or(self.position, |position| position.0),
            covers: Covers::of(scope, category, freelancer)?,
            rate: form.percent.given().map_or(self.rate, |percent| percent.0),
            fixed: form.fixed.given().map_or_else(|| self.fixed.clone(), |fixed| fixed.0),
            active: form.active.or(self.active),
            ..self.clone()
        })
    }

    /// What an order over `amount` owes by this rule.
    pub fn quote(&self, amount: Money) -> Quote {
        let here = |part: &&Money| part.currency() == amount.currency();
        let fixed = self.fixed.iter().find(here).map_or(0, |part| part.minor());
        let basis = match self.covers {
            Covers::Category(_) => Basis::Category,
            Covers::Freelancer(_) => Basis::Freelancer,
            Covers::Everything => Basis::Default,
        };
        let category = self.covers.category().map(str::to_owned);
        let reason = Reason { basis: Some(basis), rule_id: Some(self.id), category };
        Quote::new(self.rate, fixed, amount, reason)
    }

    pub fn seen(&self) -> SeenFeeRule {
        SeenFeeRule {
            id: self.id,
            position: self.position,
            scope: self.covers.scope(),
            category: self.covers.category().map(str::to_owned),
            freelancer_id: self.covers.freelancer(),
            percent: self.rate.percent(),
            fixed: self
                .fixed
                .iter()
                .map(|part| FixedPart { amount: *part, currency: part.currency() })
                .collect(),
            active: self.active,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// What fees go by.
#[derive(Debug, Clone, Copy)]
pub struct Sale<'a> {
    /// The listing's.
    pub category: &'a str,
    pub freelancer_id: UserId,
    pub amount: Money,
}

/// What an order owes, and why: it is frozen in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    pub rate: Rate,
    /// Beside the rate's share. Together they are never more than the amount.
    pub fixed: Money,
    pub reason: Reason,
}

impl Quote {
    /// A fixed part that the amount cannot bear is cut down to what it can.
    pub fn new(rate: Rate, fixed_minor: i64, amount: Money, reason: Reason) -> Self {
        let most = amount.minor() - rate.of(amount).minor();
        Self { rate, fixed: amount.with_minor(fixed_minor.min(most)), reason }
    }
}

/// What matched when an order was placed, in words that stay true when the rule is changed or deleted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reason {
    /// `None` for orders from before there were rules.
    pub basis: Option<Basis>,
    pub rule_id: Option<RuleId>,
    /// What the rule called the category, where it went by one.
    pub category: Option<String>,
}

/// A fixed part as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub currency: String,
    pub minor: i64,
}

impl From<&Money> for Kept {
    fn from(money: &Money) -> Self {
        Self { currency: money.currency().code().to_owned(), minor: money.minor() }
    }
}

impl Kept {
    /// `None` for a currency that this version does not know.
    pub fn money(&self) -> Option<Money> {
        Currency::parse(&self.currency).map(|currency| Money::new(self.minor, currency))
    }
}

/// A fee rule as administrators see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeenFeeRule {
    pub id: RuleId,
    /// Rules are asked from the lowest position on; the first active one that covers an order counts.
    pub position: i64,
    pub scope: Scope,
    /// Only with the scope `category`.
    pub category: Option<String>,
    /// Only with the scope `freelancer`.
    pub freelancer_id: Option<UserId>,
    /// Of the order's amount, an exact decimal with at most two digits after the point.
    pub percent: String,
    /// Beside the percentage, at most one for each currency; nothing in the others.
    pub fixed: Vec<FixedPart>,
    /// One that is not active covers nothing.
    pub active: bool,
    /// Which administrator made it.
    pub created_by: Option<UserId>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A fixed part of a fee.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FixedPart {
    pub amount: Money,
    pub currency: Currency,
}

/// A place among the rules.
#[derive(Debug, Clone, Copy)]
pub struct Position(pub i64);

impl Position {
    pub const MAX: i64 = 1_000_000;
    /// Rules that are put last leave room for others between them.
    pub const STEP: i64 = 10;
}

impl Field for Position {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 1..=Self::MAX).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": Self::MAX })
    }
}

/// The fixed parts of a rule: amounts, each in a currency of its own.
#[derive(Debug, Clone)]
pub struct Fixed(pub Vec<Money>);

impl Field for Fixed {
    fn read(node: &Node) -> Read<Self> {
        let Node::Array(items) = node else { return Err(Wrong::kind("a list of fixed parts", node)) };
        let (mut parts, mut wrongs): (Vec<Money>, Vec<Wrong>) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let part = fixed_part(item).and_then(|part| {
                match parts.iter().any(|other| other.currency() == part.currency()) {
                    true => Err(vec![Wrong::new(
                        "duplicate",
                        format!("{} stands there already: send one part for each currency", part.currency()),
                    )]),
                    false => Ok(part),
                }
            });
            match part {
                Ok(part) => parts.push(part),
                Err(more) => wrongs.extend(more.into_iter().map(|wrong| wrong.inside(&index.to_string()))),
            }
        }
        if wrongs.is_empty() { Ok(Self(parts)) } else { Err(wrongs) }
    }

    fn schema() -> Value {
        let part = json!({
            "type": "object",
            "properties": { "amount": Amount::schema(), "currency": Currency::schema() },
            "required": ["amount", "currency"],
            "additionalProperties": false
        });
        json!({ "type": "array", "items": part })
    }

    fn expected() -> String {
        "a list such as [{\"amount\": \"0.30\", \"currency\": \"USD\"}]".to_owned()
    }
}

fn fixed_part(node: &Node) -> Read<Money> {
    let Node::Object(members) = node else {
        return Err(Wrong::kind("a fixed part such as {\"amount\": \"0.30\", \"currency\": \"USD\"}", node));
    };
    let unknown = members.iter().filter(|(name, _)| !["amount", "currency"].contains(&name.as_str()));
    let mut wrongs: Vec<Wrong> = unknown
        .map(|(name, _)| {
            let detail = format!("there is no field `{name}`: known fields: amount, currency");
            Wrong::new("unknown_field", detail).inside(name)
        })
        .collect();
    let amount = member::<Amount>(node, "amount", &mut wrongs);
    let currency = member::<Currency>(node, "currency", &mut wrongs);
    let money = amount.zip(currency).map(|(amount, currency)| amount.of(currency, "amount"));
    match money {
        Some(Ok(money)) if wrongs.is_empty() => Ok(money),
        Some(Err(FieldError { pointer, code, detail })) => {
            wrongs.push(Wrong { pointer, code, detail });
            Err(wrongs)
        }
        _ => Err(wrongs),
    }
}

fn member<T: Field>(node: &Node, name: &str, wrongs: &mut Vec<Wrong>) -> Option<T> {
    let read = match node.member(name) {
        Some(node) => T::read(node),
        None => Err(vec![Wrong::new("required", format!("`{name}` is missing: send it"))]),
    };
    read.map_err(|more| wrongs.extend(more.into_iter().map(|wrong| wrong.inside(name)))).ok()
}

/// A category as listings have it.
#[derive(Debug)]
pub enum CategoryLimits {}
impl TextLimits for CategoryLimits {
    const MIN: usize = 1;
    const MAX: usize = 64;
}
pub type Category = Text<CategoryLimits>;

form! {
    /// A rule for what the house keeps of orders that are placed from now on.
    pub struct CreateFeeRule {
        /// Where it stands among the rules; after the last one unless said.
        position: Option<Position>,
        /// What it goes by.
        scope: Scope,
        /// Of listings in this category, whatever its case; only with the scope `category`.
        category: Option<Category>,
        /// Of what this freelancer sells; only with the scope `freelancer`.
        freelancer_id: Option<IdRef<UserKind>>,
        /// Of the order's amount.
        percent: Percent,
        /// Beside the percentage, at most one for each currency; nothing unless said.
        fixed: Option<Fixed>,
        /// Whether it counts; it does unless said.
        active: Option<bool>,
    }
    server_sets {
        id: "by the server", created_by: "from your token", created_at: "by the server", updated_at: "by the server"
    }
}

form! {
    /// Changes to a fee rule. Orders already placed keep the fee that they were placed with.
    pub struct ChangeFeeRule {
        position: Change<Position>,
        /// Another scope forgets the category or the freelancer of the old one.
        scope: Change<Scope>,
        category: Change<Option<Category>>,
        freelancer_id: Change<Option<IdRef<UserKind>>>,
        percent: Change<Percent>,
        /// All of them: currencies that are left out have none any more.
        fixed: Change<Fixed>,
        active: Change<bool>,
    }
    server_sets {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).expect("a listed currency"))
    }

    fn rule(fixed: Vec<Money>) -> Rule {
        let nobody: RuleId = Id::from_uuid(uuid::Uuid::nil());
        Rule {
            id: nobody,
            position: 10,
            covers: Covers::Category("Design".to_owned()),
            rate: Rate::from_basis_points(750).expect("a share"),
            fixed,
            active: true,
            version: 1,
            created_by: Some(nobody.cast()),
            created_at: Time::from_micros(0),
            updated_at: Time::from_micros(0),
        }
    }

    #[test]
    fn a_fixed_part_counts_in_its_own_currency() {
        let rule = rule(vec![money(30, "USD"), money(50, "JPY")]);
        assert_eq!(rule.quote(money(4_990, "USD")).fixed, money(30, "USD"));
        assert_eq!(rule.quote(money(4_990, "JPY")).fixed, money(50, "JPY"));
        assert_eq!(rule.quote(money(4_990, "KWD")).fixed, money(0, "KWD"));
    }

    #[test]
    fn the_words_of_a_rule_outlive_it() {
        let reason = rule(vec![]).quote(money(100, "USD")).reason;
        assert_eq!((reason.basis, reason.category.as_deref()), (Some(Basis::Category), Some("Design")));
    }

    fn change(body: Value) -> Result<Rule> {
        let present = rule(vec![money(30, "USD")]);
        present.changed(form::Unchecked::<ChangeFeeRule>::from(body).check_against(&present.seen())?)
    }

    fn wrongs<T: std::fmt::Debug>(result: Result<T>) -> Vec<(String, &'static str)> {
        match result {
            Err(Error::Invalid(errors)) => {
                errors.into_iter().map(|wrong| (wrong.pointer, wrong.code)).collect()
            }
            other => panic!("expected mistakes, got {other:?}"),
        }
    }

    #[test]
    fn another_scope_forgets_what_the_old_one_named() {
        let everything = change(json!({ "scope": "default" })).expect("a rule");
        assert_eq!(everything.covers, Covers::Everything);
        assert_eq!(
            wrongs(change(json!({ "scope": "freelancer" }))),
            [("/freelancer_id".to_owned(), "required")]
        );
        assert_eq!(wrongs(change(json!({ "category": null }))), [("/category".to_owned(), "required")]);
        let both = json!({ "scope": "default", "category": "Design" });
        assert_eq!(wrongs(change(both)), [("/category".to_owned(), "not_here")]);
    }

    #[test]
    fn what_was_read_can_be_sent_back() {
        let present = rule(vec![money(30, "USD"), money(500, "KWD")]);
        let seen = serde_json::to_value(present.seen()).expect("serializes");
        let form =
            form::Unchecked::<ChangeFeeRule>::from(seen).check_against(&present.seen()).expect("a form");
        assert_eq!(present.changed(form).expect("a rule"), present);
    }

    #[test]
    fn every_mistake_in_the_fixed_parts_is_pointed_at() {
        let fixed = json!([
            { "amount": "0.30", "currency": "USD" },
            { "amount": "0.305", "currency": "EUR" },
            { "amount": "1", "currency": "USD" },
            { "currency": "yen", "per": "order" },
            5
        ]);
        let expected = [
            ("/fixed/1/amount", "surplus_digits"),
            ("/fixed/2", "duplicate"),
            ("/fixed/3/per", "unknown_field"),
            ("/fixed/3/amount", "required"),
            ("/fixed/3/currency", "invalid_currency"),
            ("/fixed/4", "invalid_type"),
        ];
        let found = wrongs(change(json!({ "fixed": fixed })));
        let found: Vec<(&str, &str)> =
            found.iter().map(|(pointer, code)| (pointer.as_str(), *code)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_percentage_is_exact() {
        for bad in [json!(100.01), json!("-1"), json!("7,5"), json!("1e1"), json!("0.125"), json!(true)] {
            let found = wrongs(change(json!({ "percent": bad })));
            assert_eq!(found[0].0, "/percent", "{bad}");
        }
        assert_eq!(change(json!({ "percent": 12.34 })).expect("a rule").seen().percent, "12.34");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_fee_is_never_more_than_the_amount(
            amount in prop_oneof![1..=200_i64, 1..=crate::money::MAX_MINOR],
            fixed in prop_oneof![0..=300_i64, 0..=crate::money::MAX_MINOR],
            points in 0_u32..=10_000,
            code in prop::sample::select(vec!["USD", "JPY", "KWD"]),
        ) {
            let amount = money(amount, code);
            let rate = Rate::from_basis_points(points).expect("at most the whole");
            let quote = Quote::new(rate, fixed, amount, Reason::default());
            let fee = rate.of(amount).minor() + quote.fixed.minor();
            prop_assert!((0..=amount.minor()).contains(&fee));
            prop_assert!(quote.fixed.minor() == fixed || fee == amount.minor(), "it is cut only as far as it must be");
        }
    }
}
