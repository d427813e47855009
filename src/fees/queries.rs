//! Finding fee rules, and the one that counts.

use crate::actor::Actor;
use crate::config::Market;
use crate::db::{Json, Row, Sql, Tx};
use crate::error::{self, Error, Result};
use crate::money::{Money, Rate};
use crate::page::{Page, PageRequest};
use crate::params;

use super::model::{Basis, Covers, Kept, Quote, Reason, Rule, RuleId, Sale, Scope, folded};

const COLUMNS: &str = "id, position, scope, category, freelancer_id, rate_bp, fixed, active, version, created_by, \
     created_at, updated_at";

fn rule(row: &Row) -> Result<Rule> {
    let (id, position) = (row.next()?, row.next()?);
    let (scope, category, freelancer): (Scope, _, _) = (row.next()?, row.next()?, row.next()?);
    let rate =
        Rate::from_basis_points(row.next()?).ok_or_else(|| Error::broken("a fee rate above the whole"))?;
    let Json(fixed): Json<Vec<Kept>> = row.next()?;
    let fixed: Option<Vec<Money>> = fixed.iter().map(Kept::money).collect();
    Ok(Rule {
        id,
        position,
        covers: Covers::of(scope, category, freelancer)
            .map_err(|_| Error::broken(format!("fee rule {id} does not say what it covers")))?,
        rate,
        fixed: fixed.ok_or_else(|| Error::broken(format!("fee rule {id} is in an unknown currency")))?,
        active: row.next()?,
        version: row.next()?,
        created_by: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
    })
}

/// The rule, for an administrator; 404 when there is none.
pub fn seen(tx: &Tx, actor: &Actor, id: RuleId) -> Result<Rule> {
    actor.require_admin()?;
    let sql = format!("select {COLUMNS} from fee_rules where id = $1");
    tx.first(&sql, params![id], rule)?.ok_or_else(error::not_found)
}

/// Every rule in the order in which they are asked, for an administrator.
pub fn list(tx: &Tx, actor: &Actor, page: &PageRequest) -> Result<Page<Rule>> {
    actor.require_admin()?;
    let mut sql = Sql::new("select ");
    sql.push(COLUMNS).push(" from fee_rules where 1 = 1");
    if let Some(last) = page.after::<i64>("fee rules")? {
        sql.push(" and position > ").bind(last);
    }
    sql.push(" order by position limit ").bind(page.rows());
    page.page("fee rules", sql.all(tx, rule)?, |rule| rule.position)
}

/// Which rule stands at a position.
pub fn at(tx: &Tx, position: i64) -> Result<Option<RuleId>> {
    tx.first("select id from fee_rules where position = $1", params![position], |row| row.next())
}

/// The highest position there is.
pub fn last_position(tx: &Tx) -> Result<i64> {
    tx.one("select cast(coalesce(max(position), 0) as bigint) from fee_rules", params![], |row| row.next())
}

/// What an order of this kind owes now: by the first active rule that covers it, or the configured share.
pub fn quote(tx: &Tx, sale: &Sale) -> Result<Quote> {
    let sql = format!(
        "select {COLUMNS} from fee_rules
         where active and (scope = 'default' or (scope = 'category' and category_folded = $1)
             or (scope = 'freelancer' and freelancer_id = $2))
         order by position limit 1"
    );
    let first = tx.first(&sql, params![folded(sale.category), sale.freelancer_id], rule)?;
    Ok(first.map_or_else(
        || {
            let reason = Reason { basis: Some(Basis::Configured), ..Reason::default() };
            Quote::new(tx.wired::<Market>().fee, 0, sale.amount, reason)
        },
        |rule| rule.quote(sale.amount),
    ))
}
