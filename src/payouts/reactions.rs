//! What payouts do when time has passed: ask for transfers, look at accounts, start what is scheduled.

use std::future::Future;
use std::pin::Pin;

use crate::app::App;
use crate::error::Result;
use crate::failpoint;
use crate::id::Id;
use crate::payments::calls::{self, Found};
use crate::providers::patiently;

use super::model::Way;
use super::{commands, queries};

type Reacting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Sends a part of a payout, or finds out what became of it; an error means that it is tried again, with the same key.
pub fn send(app: App, item: Id<()>) -> Reacting {
    Box::pin(async move {
        let Some(request) = app.db().write(move |tx| commands::take_up(tx, item.cast())).await? else {
            return Ok(());
        };
        failpoint::reach("payout:claimed");
        let (provider, asked) = (app.provider(), commands::asked_transfer(&request));
        let look = || provider.look_for_transfer(&request);
        let outcome = match calls::resolve(&app, &asked, look, || provider.transfer(&request)).await? {
            Found::Answer(outcome) => outcome,
            Found::Absent => {
                return app.db().write(move |tx| commands::transfer_not_executed(tx, &asked)).await;
            }
            Found::Nothing => return Ok(()),
        };
        failpoint::reach("payout:sent");
        app.db().write(move |tx| commands::transfer_answered(tx, &request, item.cast(), &outcome)).await?;
        failpoint::reach("payout:applied");
        Ok(())
    })
}

/// Looks how a freelancer's account stands at the provider.
pub fn look_at_account(app: App, user: Id<()>) -> Reacting {
    Box::pin(async move {
        let provider = Way::of(app.config(), app.provider()).provider();
        let account = app.db().read(move |tx| queries::account(tx, user.cast(), provider)).await?;
        let Some(reference) = account.and_then(|account| account.reference) else { return Ok(()) };
        let state = patiently(app.provider().look_at_account(&reference)).await?;
        app.db().write(move |tx| commands::apply_account(tx, user.cast(), provider, &state)).await
    })
}

/// Starts what a freelancer wants to be paid by himself.
pub fn start_by_schedule(app: App, freelancer: Id<()>) -> Reacting {
    Box::pin(async move {
        let way = Way::of(app.config(), app.provider());
        app.db().write(move |tx| commands::by_schedule(tx, freelancer.cast(), way)).await
    })
}
