//! What payments do when time has passed or an order has moved: ask for outcomes that did not come, send refunds, give up
//! what nobody will confirm.

use std::future::Future;
use std::pin::Pin;

use crate::actor::Actor;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events::Event;
use crate::id::Id;

use super::calls::{self, Found};
use super::commands::{self, Attempt};
use crate::failpoint;
use crate::orders::OrderId;
use crate::providers::{Answering, Outcome, Provider, Unanswered, patiently};

type Reacting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Finds out how an attempt ended: by looking, and by asking again only where the provider has none.
pub fn ask(app: App, payment: Id<()>) -> Reacting {
    Box::pin(async move {
        let Some(attempt) = app.db().read(move |tx| commands::attempt(tx, payment.cast())).await? else {
            return Ok(());
        };
        require_here(&app, &attempt.payment.provider, payment, attempt.payment.order_id).await?;
        let (provider, asked) = (app.provider(), attempt.asked());
        match calls::resolve(&app, &asked, || look_for(&attempt, provider), || attempt.ask(provider)).await? {
            Found::Answer(outcome) => {
                failpoint::reach("charge:sent");
                app.db().write(move |tx| commands::apply(tx, &Actor::System, &attempt, &outcome)).await
            }
            Found::Absent => app.db().write(move |tx| commands::not_executed(tx, &attempt)).await,
            Found::Nothing => Ok(()),
        }
    })
}

/// How a charge stands; `None` also where it was not confirmed and that is what was asked for.
fn look_for<'a>(attempt: &'a Attempt, provider: &'a dyn Provider) -> Answering<'a, Option<Outcome>> {
    Box::pin(async move {
        let found = attempt.look(provider).await?;
        Ok(found.filter(|outcome| attempt.is_answered_by(outcome)))
    })
}

/// Has the provider give up a charge whose payment has failed here; an error means that it is told so again. One that
/// has succeeded all the same is booked.
pub fn void(app: App, payment: Id<()>) -> Reacting {
    Box::pin(async move {
        let Some(attempt) = app.db().read(move |tx| commands::abandoned(tx, payment.cast())).await? else {
            return Ok(());
        };
        require_here(&app, &attempt.payment.provider, payment, attempt.payment.order_id).await?;
        let voided = match patiently(attempt.void(app.provider())).await {
            Ok(voided) => voided,
            Err(Unanswered::Unknown(_)) if can_never_come(&app, &attempt).await? => return Ok(()),
            Err(unanswered) => return Err(unanswered.into()),
        };
        match voided {
            Outcome::Declined { .. } => Ok(()),
            outcome @ Outcome::Succeeded { .. } => {
                app.db().write(move |tx| commands::apply(tx, &Actor::System, &attempt, &outcome)).await
            }
            other => Err(Error::broken(format!("the provider did not give the charge up: {other:?}"))),
        }
    })
}

/// Whether the provider has no such charge, and would not do any more what it was sent so long ago.
async fn can_never_come(app: &App, attempt: &Attempt) -> Result<bool> {
    let spent_at = attempt.payment.created_at.plus(calls::KEY_LIVES);
    Ok(spent_at < app.db().clock().now() && patiently(attempt.look(app.provider())).await?.is_none())
}

/// Fails, and calls for a person, where what is open was begun at another provider than this deployment uses now. It goes on
/// by itself once that one is back.
async fn require_here(app: &App, provider: &str, subject: Id<()>, order: OrderId) -> Result<()> {
    let running = app.provider().name();
    if provider == running {
        return Ok(());
    }
    let why = format!("{subject} is open at {provider}, and this deployment uses {running}");
    let provider = provider.to_owned();
    app.db().write(move |tx| commands::asked_elsewhere(tx, subject, order, &provider, running)).await?;
    Err(Error::broken(why))
}

/// Sends a refund, or finds out what became of it; an error means that it is tried again, with the same key.
pub fn send_refund(app: App, refund: Id<()>) -> Reacting {
    Box::pin(async move {
        let found = app.db().read(move |tx| {
            let request = commands::refund_to_send(tx, refund.cast())?;
            request.map(|request| Ok((request, commands::sent_by(tx, refund.cast())?))).transpose()
        });
        let Some((request, sent_by)) = found.await? else { return Ok(()) };
        require_here(&app, &sent_by, refund, request.order_id.cast()).await?;
        failpoint::reach("refund:reserved");
        let (provider, asked) = (app.provider(), commands::asked_refund(&request));
        let look = || provider.look_for_refund(&request);
        let outcome = match calls::resolve(&app, &asked, look, || provider.refund(&request)).await? {
            Found::Answer(outcome) => outcome,
            Found::Absent => {
                return app.db().write(move |tx| commands::refund_not_executed(tx, &asked)).await;
            }
            Found::Nothing => return Ok(()),
        };
        failpoint::reach("refund:sent");
        let book = move |tx: &Tx| commands::refund_answered(tx, &asked, refund.cast(), &outcome);
        let decided = app.db().write(book).await?;
        failpoint::reach("refund:applied");
        if decided { Ok(()) } else { Err(Error::broken("the provider refuses a refund that is owed")) }
    })
}

/// Subscribed to events: a cancelled order's payment that waits for its buyer is given up in the same transaction.
pub fn follow_order(tx: &Tx, event: &Event) -> Result<()> {
    match event.kind.as_str() {
        "order_cancelled" => commands::void_unconfirmed(tx, event.subject_id.cast()),
        _ => Ok(()),
    }
}
