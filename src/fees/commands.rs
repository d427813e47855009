//! What administrators do with fee rules. Each change is an event that says who made it and what was there before and after.

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::{Json, Tx};
use crate::error::{self, Error, OnConstraint, Result};
use crate::events;
use crate::form::{Text, Unchecked};
use crate::params;
use crate::users::{self, Card};
use crate::version::Expected;

use super::POSITION_TAKEN;
use super::model::{ChangeFeeRule, Covers, CreateFeeRule, Kept, Position, Rule, RuleId, folded};
use super::queries;

/// Adds a rule; orders placed from now on go by it.
pub fn create(tx: &Tx, actor: &Actor, input: &Unchecked<CreateFeeRule>) -> Result<Rule> {
    let admin = actor.require_admin()?;
    require_freelancer(tx, input.id("freelancer_id"))?;
    let form = input.check()?;
    let category = form.category.map(Text::into_string);
    let covers = Covers::of(form.scope, category, form.freelancer_id.map(|id| id.0))?;
    let position = match form.position {
        Some(Position(position)) => position,
        None => after_the_last(tx)?,
    };
    let rule = Rule {
        id: tx.new_id(),
        position,
        covers,
        rate: form.percent.0,
        fixed: form.fixed.map_or_else(Vec::new, |fixed| fixed.0),
        active: form.active.unwrap_or(true),
        version: 1,
        created_by: Some(admin),
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    require_free(tx, &rule)?;
    insert(tx, &rule)?;
    events::append(tx, actor, "fee_rule_created", rule.id, json!({ "after": rule.seen() }))?;
    Ok(rule)
}

/// Changes what is given; what changes nothing leaves version and time alone.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    id: RuleId,
    input: &Unchecked<ChangeFeeRule>,
    expected: &Expected,
) -> Result<Rule> {
    let present = queries::seen(tx, actor, id)?;
    let named = input.id("freelancer_id").filter(|named| present.covers.freelancer() != Some(*named));
    require_freelancer(tx, named)?;
    let changed = present.changed(input.check_against(&present.seen())?)?;
    expected.check(present.version)?;
    if changed == present {
        return Ok(present);
    }
    let changed = Rule { version: present.version + 1, updated_at: tx.now(), ..changed };
    require_free(tx, &changed)?;
    store(tx, &changed)?;
    let body = json!({ "before": present.seen(), "after": changed.seen() });
    events::append(tx, actor, "fee_rule_changed", id, body)?;
    Ok(changed)
}

/// Takes a rule away. What orders froze of it stays with them.
pub fn delete(tx: &Tx, actor: &Actor, id: RuleId, expected: &Expected) -> Result<()> {
    let rule = queries::seen(tx, actor, id)?;
    expected.check(rule.version)?;
    tx.execute("delete from fee_rules where id = $1", params![id])?;
    events::append(tx, actor, "fee_rule_deleted", id, json!({ "before": rule.seen() })).map(drop)
}

/// A freelancer who is newly named is there: a rule for nobody would be a slip that nobody notices.
fn require_freelancer(tx: &Tx, named: Option<UserId>) -> Result<()> {
    let Some(named) = named else { return Ok(()) };
    match users::card(tx, named)? {
        Card::Live { role, .. } if role.sells() => Ok(()),
        Card::Live { .. } => {
            let detail =
                "this account sells nothing, so the rule would never cover an order: name a freelancer";
            Err(Error::field("freelancer_id", "no_freelancer", detail))
        }
        Card::Deleted { .. } => Err(error::not_found()),
    }
}

fn after_the_last(tx: &Tx) -> Result<i64> {
    let next = (queries::last_position(tx)? / Position::STEP + 1) * Position::STEP;
    if next <= Position::MAX {
        return Ok(next);
    }
    let detail = "there is no room after the last rule: send a free `position` before it";
    Err(Error::field("position", "required", detail))
}

fn require_free(tx: &Tx, rule: &Rule) -> Result<()> {
    match queries::at(tx, rule.position)? {
        Some(other) if other != rule.id => Err(position_taken(rule.position).with("rule_id", other)),
        _ => Ok(()),
    }
}

fn position_taken(position: i64) -> Error {
    POSITION_TAKEN.error(format!(
        "another rule stands at position {position}: send another, or leave it out to stand last"
    ))
}

/// The columns of what a rule covers: category, the same folded, freelancer.
fn columns(covers: &Covers) -> (Option<&str>, Option<String>, Option<UserId>) {
    (covers.category(), covers.category().map(folded), covers.freelancer())
}

fn insert(tx: &Tx, rule: &Rule) -> Result<()> {
    let (category, category_folded, freelancer) = columns(&rule.covers);
    let fixed: Vec<Kept> = rule.fixed.iter().map(Kept::from).collect();
    tx.execute(
        "insert into fee_rules (id, position, scope, category, category_folded, freelancer_id, rate_bp, fixed, active,
             created_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        params![
            rule.id,
            rule.position,
            rule.covers.scope(),
            category,
            category_folded,
            freelancer,
            rule.rate.basis_points(),
            Json(&fixed),
            rule.active,
            rule.created_by,
            rule.created_at
        ],
    )
    .on_unique("fee_rules_position", || position_taken(rule.position))?;
    Ok(())
}

fn store(tx: &Tx, rule: &Rule) -> Result<()> {
    let (category, category_folded, freelancer) = columns(&rule.covers);
    let fixed: Vec<Kept> = rule.fixed.iter().map(Kept::from).collect();
    tx.execute(
        "update fee_rules set position = $2, scope = $3, category = $4, category_folded = $5, freelancer_id = $6,
             rate_bp = $7, fixed = $8, active = $9, version = $10, updated_at = $11
         where id = $1",
        params![
            rule.id,
            rule.position,
            rule.covers.scope(),
            category,
            category_folded,
            freelancer,
            rule.rate.basis_points(),
            Json(&fixed),
            rule.active,
            rule.version,
            rule.updated_at
        ],
    )
    .on_unique("fee_rules_position", || position_taken(rule.position))?;
    Ok(())
}
