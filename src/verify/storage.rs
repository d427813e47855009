//! What is stored twice, and what the engine itself can tell.

use crate::db::{Json, Tx, search};
use crate::error::Result;
use crate::form::fold;
use crate::id::Id;
use crate::money::Money;
use crate::params;

use super::Witnesses;

/// Foreign keys hold, the search index and the public lists match the listings, shown decimals are the stored amounts.
pub(super) fn agrees(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    for wrong in tx.check_integrity()? {
        if !found.add(wrong) {
            return Ok(());
        }
    }
    search::differing(tx, |witness| found.add(witness))?;
    listed(tx, found)?;
    told(tx, found)?;
    tags(tx, found)?;
    for (table, decimal) in [("services", "price"), ("orders", "amount"), ("payments", "amount")] {
        let decimals = format!("select id, {decimal}_minor, currency, cast({decimal} as text) from {table}");
        found.search(tx, &decimals, params![], |row| {
            let id: Id<()> = row.next()?;
            let (exact, shown): (Money, String) = (Money::new(row.next()?, row.next()?), row.next()?);
            Ok((exact.to_string() != shown)
                .then(|| format!("{table} {id} shows {shown} for {exact} {}", exact.currency())))
        })?;
    }
    Ok(())
}

/// Every inbox row that names an event has one: on a server nothing looks when it is written.
fn told(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let lost = "select n.id, n.event_id from notifications n left join events e on e.id = n.event_id
         where n.event_id is not null and e.id is null";
    found.search(tx, lost, params![], |row| {
        let (notification, event): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        Ok(Some(format!("notification {notification} tells of the event {event}, which is missing")))
    })
}

/// Only what is published, not archived and of a seller in good standing is in the public lists.
fn listed(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let sql = "select s.id, s.listed, s.seller_suspended, s.status, s.archived_at is not null, u.status
         from services s join users u on u.id = s.freelancer_id";
    found.search(tx, sql, params![], |row| {
        let (service, listed, seller_suspended): (Id<()>, bool, bool) = (row.next()?, row.next()?, row.next()?);
        let (status, archived, seller): (String, bool, String) = (row.next()?, row.next()?, row.next()?);
        let belongs = status == "published" && !archived && seller == "active";
        let wrong = listed != belongs || seller_suspended != (seller == "suspended");
        Ok(wrong.then(|| {
            format!(
                "service {service} has listed = {listed}, seller_suspended = {seller_suspended}: it is {status}{}, \
                 its freelancer {seller}",
                if archived { ", archived" } else { "" }
            )
        }))
    })
}

/// The table that finds listings by tag holds exactly their folded tags.
fn tags(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let shown = "select id, tags, archived_at is not null from services";
    found.search(tx, shown, params![], |row| {
        let (service, Json(tags), archived): (Id<()>, Json<Vec<String>>, bool) =
            (row.next()?, row.next()?, row.next()?);
        let mut expected: Vec<String> =
            tags.iter().filter(|_| !archived).map(|tag| fold(tag.trim())).collect();
        expected.sort_unstable();
        let mut kept =
            tx.all("select tag_folded from service_tags where service_id = $1", params![service], |row| {
                row.next::<String>()
            })?;
        kept.sort_unstable();
        Ok((kept != expected)
            .then(|| format!("service {service} is tagged {expected:?} and found by {kept:?}")))
    })
}
