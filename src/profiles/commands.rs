//! What freelancers do with their page.

use serde_json::json;

use crate::actor::{Actor, UserId};
use crate::db::{Json, Tx};
use crate::error::{self, FORBIDDEN, Result};
use crate::events;
use crate::form::Unchecked;
use crate::params;
use crate::version::Expected;

use super::PORTFOLIO_FULL;
use super::model::{AddItem, ChangeItem, ChangeProfile, ItemId, MAX_ITEMS, PortfolioItem, Profile};
use super::queries::profile;

/// The caller's own page: 404 where there is none, 403 where it is another's or the caller does not sell.
fn own(tx: &Tx, actor: &Actor, user: UserId) -> Result<Profile> {
    if !actor.is(user) {
        profile(tx, user)?;
        return Err(FORBIDDEN.error("only the freelancer may change a profile: yours is /profiles/me"));
    }
    actor.require_seller()?;
    profile(tx, user)
}

/// Changes what is given; what changes nothing leaves version and time alone.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    user: UserId,
    input: &Unchecked<ChangeProfile>,
    expected: &Expected,
) -> Result<()> {
    let present = own(tx, actor, user)?;
    let form = input.check_against(&present)?;
    expected.check(present.version)?;
    let changed = present.changed(form);
    if changed == present {
        return Ok(());
    }
    save(tx, &changed)?;
    events::append(tx, actor, "profile_changed", user, json!({}))?;
    Ok(())
}

/// Shows another work, after those that are there.
pub fn add_item(tx: &Tx, actor: &Actor, user: UserId, input: &Unchecked<AddItem>) -> Result<PortfolioItem> {
    let mut page = own(tx, actor, user)?;
    let form = input.check()?;
    if page.portfolio.len() >= MAX_ITEMS {
        return Err(PORTFOLIO_FULL.error(format!(
            "the portfolio holds {MAX_ITEMS} items: remove one with DELETE /profiles/me/portfolio/{{itemId}}"
        )));
    }
    let item = PortfolioItem::new(tx.new_id(), form);
    page.portfolio.push(item.clone());
    save(tx, &page)?;
    events::append(tx, actor, "portfolio_item_added", user, json!({ "item_id": item.id }))?;
    Ok(item)
}

/// Changes a work. `expected` is a version of the page, for an item has none of its own.
pub fn change_item(
    tx: &Tx,
    actor: &Actor,
    (user, id): (UserId, ItemId),
    input: &Unchecked<ChangeItem>,
    expected: &Expected,
) -> Result<PortfolioItem> {
    let mut page = own(tx, actor, user)?;
    let version = page.version;
    let item = page.portfolio.iter_mut().find(|item| item.id == id).ok_or_else(error::not_found)?;
    let form = input.check_against(item)?;
    expected.check(version)?;
    let changed = item.changed(form);
    if changed != *item {
        *item = changed.clone();
        save(tx, &page)?;
        events::append(tx, actor, "portfolio_item_changed", user, json!({ "item_id": id }))?;
    }
    Ok(changed)
}

/// Takes a work away.
pub fn remove_item(tx: &Tx, actor: &Actor, user: UserId, id: ItemId, expected: &Expected) -> Result<()> {
    let mut page = own(tx, actor, user)?;
    let before = page.portfolio.len();
    page.portfolio.retain(|item| item.id != id);
    if page.portfolio.len() == before {
        return Err(error::not_found());
    }
    expected.check(page.version)?;
    save(tx, &page)?;
    events::append(tx, actor, "portfolio_item_removed", user, json!({ "item_id": id }))?;
    Ok(())
}

fn save(tx: &Tx, page: &Profile) -> Result<()> {
    tx.send(
        "insert into profiles (user_id, first_name, last_name, bio, skills, experience, portfolio, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         on conflict (user_id) do update set first_name = excluded.first_name, last_name = excluded.last_name,
             bio = excluded.bio, skills = excluded.skills, experience = excluded.experience,
             portfolio = excluded.portfolio, version = profiles.version + 1, updated_at = excluded.updated_at",
        params![
            page.user_id,
            page.first_name,
            page.last_name,
            page.bio,
            Json(&page.skills),
            page.experience,
            Json(&page.portfolio),
            tx.now()
        ],
    )
}

/// Erases what an account wrote about itself: it is gone. What it was rated stays with its orders and reviews.
pub fn erase(tx: &Tx, user: UserId) -> Result<()> {
    tx.send("delete from profiles where user_id = $1", params![user])
}
