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

use super::commands;
use crate::providers::patiently;

type Reacting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Asks how an attempt ended; an error means that nobody knows yet, and that it is asked for again.
pub fn ask(app: App, payment: Id<()>) -> Reacting {
    Box::pin(async move {
        let Some(attempt) = app.db().read(move |tx| commands::attempt(tx, payment.cast())).await? else {
            return Ok(());
        };
        let outcome = patiently(attempt.ask(app.provider())).await?;
        app.db().write(move |tx| commands::apply(tx, &Actor::System, &attempt, &outcome)).await
    })
}

/// Sends a refund; an error means that it is sent again, with the same key.
pub fn send_refund(app: App, refund: Id<()>) -> Reacting {
    Box::pin(async move {
        let Some(request) = app.db().read(move |tx| commands::refund_to_send(tx, refund.cast())).await?
        else {
            return Ok(());
        };
        let outcome = patiently(app.provider().refund(&request)).await?;
        let decided = app.db().write(move |tx| commands::apply_refund(tx, refund.cast(), &outcome)).await?;
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
