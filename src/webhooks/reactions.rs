//! Applying events: what an event is about is read again at the provider, with no transaction open, and its state goes to
//! the service that owns it, as if it had been asked for.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::id::Id;
use crate::orders::{self, OrderId};
use crate::payments::{self, Attempt, RefundId, Status, cases};
use crate::payouts::{self, ItemId};
use crate::providers::{Charge, NoticeKind, Outcome, RefundRequest, TransferRequest, patiently};

use super::model::Told;
use super::{WEBHOOK_CATCH_UP, commands, queries};

type Reacting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// How often the provider is asked what it told.
const CATCHES_UP_EVERY: Duration = Duration::from_secs(3_600);
/// Kept in one transaction.
const AT_ONCE: usize = 100;

/// What an event is about, as it is known here.
enum Matter {
    Charge(Box<Attempt>),
    Refund(RefundId, Box<RefundRequest>),
    Transfer(ItemId, Box<TransferRequest>),
    /// A chargeback, by the provider's id of it.
    Chargeback(String),
    /// A freelancer's account, by the provider's id of it.
    Account(String),
    /// It is known and nothing about it is open.
    Settled,
    Unknown,
}

/// Applies an event of the inbox; an error means that nobody knows yet how the object stands, and that it is asked again.
pub fn apply(app: App, event: Id<()>) -> Reacting {
    Box::pin(async move {
        let found = app.db().read(move |tx| {
            let told = queries::open(tx, event.cast())?;
            told.map(|told| Ok((matter(tx, &told)?, told))).transpose()
        });
        match found.await? {
            None => Ok(()),
            Some((Matter::Charge(attempt), told)) => apply_charge(&app, told, *attempt).await,
            Some((Matter::Refund(id, request), told)) => apply_refund(&app, told, id, &request).await,
            Some((Matter::Transfer(id, request), told)) => apply_transfer(&app, told, id, &request).await,
            Some((Matter::Account(reference), told)) => look_at_account(&app, told, reference).await,
            Some((Matter::Chargeback(reference), told)) => apply_chargeback(&app, told, &reference).await,
            Some((Matter::Settled, told)) => app.db().write(move |tx| commands::done(tx, told.id)).await,
            Some((Matter::Unknown, told)) => park(&app, told).await,
        }
    })
}

fn matter(tx: &Tx, told: &Told) -> Result<Matter> {
    let key = told.key.as_deref();
    match told.kind {
        NoticeKind::Charge => {
            let attempt = payments::attempt_known_as(tx, key, &told.reference)?;
            Ok(attempt.map_or(Matter::Unknown, |attempt| Matter::Charge(Box::new(attempt))))
        }
        NoticeKind::Refund => match payments::refund_known_as(tx, key, &told.reference)? {
            None => Ok(Matter::Unknown),
            // Also when it is decided: a refund that had succeeded can still come back.
            Some(id) => Ok(payments::refund_request(tx, id)?
                .map_or(Matter::Settled, |request| Matter::Refund(id, Box::new(request)))),
        },
        NoticeKind::Transfer => {
            let known = payouts::transfer_known_as(tx, key, &told.reference)?;
            Ok(known.map_or(Matter::Unknown, |(id, request)| Matter::Transfer(id, Box::new(request))))
        }
        NoticeKind::Account => Ok(Matter::Account(told.reference.clone())),
        // What leaves a freelancer's account for his bank says how the account stands; our own is no concern here.
        NoticeKind::Payout => Ok(told.account.clone().map_or(Matter::Settled, Matter::Account)),
        NoticeKind::Chargeback => Ok(Matter::Chargeback(told.reference.clone())),
        NoticeKind::Other => Ok(Matter::Settled),
    }
}

async fn apply_charge(app: &App, told: Told, asked: Attempt) -> Result<()> {
    let provider = app.provider();
    let mut outcome = match patiently(asked.look(provider)).await? {
        None => return park(app, told).await,
        Some(outcome) => outcome,
    };
    // The buyer's browser can still go on with it: what is failed here must never succeed there.
    if asked.payment.status == Status::RequiresAction && matches!(outcome, Outcome::Declined { .. }) {
        outcome = match patiently(asked.void(provider)).await? {
            Outcome::Declined { .. } => outcome,
            other => other,
        };
    }
    app.db()
        .write(move |tx| {
            // Somebody else brought an answer meanwhile, and nobody knows whose is the newer one.
            if !payments::stands_as(tx, &asked)? && !matches!(outcome, Outcome::Succeeded { .. }) {
                return commands::again(tx, told.id);
            }
            // A charge that still waits for its buyer says nothing of the confirmation that is on its way.
            if asked.is_answered_by(&outcome) {
                payments::apply(tx, &Actor::System, &asked, &outcome)?;
            }
            commands::done(tx, told.id)
        })
        .await
}

async fn apply_refund(app: &App, told: Told, id: RefundId, request: &RefundRequest) -> Result<()> {
    let outcome = patiently(app.provider().look_for_refund(request)).await?;
    let Some(outcome) = outcome else { return park(app, told).await };
    let asked = payments::asked_refund(request);
    app.db()
        .write(move |tx| {
            payments::refund_answered(tx, &asked, id, &outcome)?;
            commands::done(tx, told.id)
        })
        .await
}

async fn apply_transfer(app: &App, told: Told, id: ItemId, request: &TransferRequest) -> Result<()> {
    let outcome = patiently(app.provider().look_for_transfer(request)).await?;
    let Some(outcome) = outcome else { return park(app, told).await };
    let request = request.clone();
    app.db()
        .write(move |tx| {
            payouts::transfer_answered(tx, &request, id, &outcome)?;
            commands::done(tx, told.id)
        })
        .await
}

async fn apply_chargeback(app: &App, told: Told, reference: &str) -> Result<()> {
    let Some(state) = patiently(app.provider().look_at_chargeback(reference)).await? else {
        return park(app, told).await;
    };
    let id = told.id;
    let is_known = app.db().write(move |tx| {
        let is_known = payments::chargeback_told(tx, &state)?;
        if is_known {
            commands::done(tx, id)?;
        }
        Ok(is_known)
    });
    if is_known.await? { Ok(()) } else { park(app, told).await }
}

/// Lets payouts look at the account, as they do when they come to it by themselves.
async fn look_at_account(app: &App, told: Told, reference: String) -> Result<()> {
    let event = told.clone();
    let is_known = app.db().write(move |tx| {
        let is_known = payouts::account_told(tx, &reference)?;
        if is_known {
            did_not_arrive(tx, &event)?;
            commands::done(tx, event.id)?;
        }
        Ok(is_known)
    });
    if is_known.await? { Ok(()) } else { park(app, told).await }
}

/// A payout that did not arrive at a freelancer's bank is for a person to look at: our books say that he was paid.
fn did_not_arrive(tx: &Tx, told: &Told) -> Result<()> {
    if told.kind != NoticeKind::Payout || told.said != "payout.failed" {
        return Ok(());
    }
    let said = json!({
        "says": "A freelancer's payout did not arrive at his bank, and our books say that he was paid.",
        "theirs": { "reference": told.reference, "account": told.account },
        "advice": "The money is in the freelancer's account at the provider. Ask him to mend his bank details there; have the transfer reversed if he cannot.",
    });
    cases::open(tx, cases::Kind::PayoutFailed, told.id, None, &said)
}

/// What is not known here may be known soon. A charge that is given up, succeeded and names an order of ours is somebody's
/// money.
async fn park(app: &App, told: Told) -> Result<()> {
    let is_given_up = told.is_given_up(app.db().clock().now());
    // Looked at first: an event that is closed is never looked at again.
    let stray = match (told.kind, told.order_id) {
        (NoticeKind::Charge, Some(order)) if is_given_up => look_at_stray(app, &told, order).await?,
        _ => None,
    };
    app.db()
        .write(move |tx| {
            if let Some((order, said)) = &stray {
                cases::open(tx, cases::Kind::UnknownCharge, *order, Some(*order), said)?;
            }
            commands::park(tx, &told, "what it is about is not known here", is_given_up)
        })
        .await
}

/// The order that a charge names which is no payment's of ours, and what is known of it, if it took money.
async fn look_at_stray(app: &App, told: &Told, order: Id<()>) -> Result<Option<(OrderId, Value)>> {
    let Some(order) = app.db().read(move |tx| orders::find(tx, order.cast())).await? else {
        return Ok(None);
    };
    let charge = Charge {
        key: told.key.clone().unwrap_or_else(|| told.reference.clone()),
        payment_id: told.id.cast(),
        order_id: order.id.cast(),
        amount: order.amount,
        payment_method: String::new(),
        reference: Some(told.reference.clone()),
        return_url: None,
        begun_at: told.happened_at,
    };
    let outcome = patiently(app.provider().look(&charge)).await?;
    let Some(Outcome::Succeeded { reference, captured, .. }) = outcome else { return Ok(None) };
    let said = json!({ "reference": reference, "captured": captured, "currency": captured.currency() });
    Ok(Some((order.id, said)))
}

/// Asks the provider what it told since the last time, for what did not arrive.
pub fn catch_up(app: App, subject: Id<()>) -> Reacting {
    Box::pin(async move {
        let (name, live, now) = (app.provider().name(), app.provider().is_live(), app.db().clock().now());
        let mut listing = app.db().read(move |tx| queries::listing(tx, name, now)).await?;
        loop {
            let page = patiently(app.provider().notices(listing.from, listing.rest.as_deref())).await?;
            for some in page.notices.chunks(AT_ONCE).map(<[_]>::to_vec) {
                let keep = move |tx: &Tx| {
                    some.iter().try_for_each(|notice| commands::receive(tx, name, live, notice))
                };
                app.db().write(keep).await?;
            }
            listing.rest = page.rest;
            let now_at = listing.clone();
            app.db().write(move |tx| commands::listed(tx, name, &now_at)).await?;
            if listing.rest.is_none() {
                break;
            }
        }
        app.db()
            .write(move |tx| events::schedule(tx, WEBHOOK_CATCH_UP, subject, tx.now().plus(CATCHES_UP_EVERY)))
            .await
    })
}
