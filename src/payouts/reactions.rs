//! What payouts do when time has passed: ask for transfers, look at accounts, start what is scheduled.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::app::App;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::id::Id;
use crate::providers::{TransferOutcome, TransferRequest, Unanswered, patiently};

use super::model::{ItemId, PayoutId, Way};
use super::{commands, queries};

type Reacting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// How long the provider is left alone that takes no more, where it does not say.
const ALONE_FOR: Duration = Duration::from_secs(60);

/// Asks for the transfers of a payout that are not decided; an error means that the outcome of one is unknown, and that it
/// is asked for again with the same key.
pub fn send(app: App, payout: Id<()>) -> Reacting {
    Box::pin(async move {
        let id: PayoutId = payout.cast();
        let requests = app.db().write(move |tx| commands::take_up(tx, id)).await?;
        if requests.is_empty() {
            return Ok(());
        }
        failpoint::reach("payout:claimed");
        let mut transfers = JoinSet::new();
        for (item, request) in requests {
            transfers.spawn(transfer(app.clone(), item, request));
        }
        let mut unknown = None;
        let (mut alone, mut again): (Option<Duration>, Option<Duration>) = (None, None);
        while let Some(done) = transfers.join_next().await {
            match done.map_err(|error| Error::Internal(Box::new(error))) {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(pause))) => again = Some(again.map_or(pause, |soonest| soonest.min(pause))),
                Ok(Err(Asking::NotNow(pause))) => alone = alone.max(Some(pause)),
                Ok(Err(Asking::Failed(error))) | Err(error) => unknown = Some(error),
            }
        }
        if let Some(error) = unknown {
            return Err(error);
        }
        app.db().write(move |tx| commands::go_on(tx, id, alone, again.unwrap_or(ALONE_FOR))).await
    })
}

/// Why a transfer is not decided yet.
enum Asking {
    NotNow(Duration),
    Failed(Error),
}

/// Asks for one transfer and books the answer; when to ask again, if it is still on its way.
async fn transfer(app: App, item: ItemId, request: TransferRequest) -> Result<Option<Duration>, Asking> {
    match sent_once(&app, &request).await {
        Ok(outcome) => {
            failpoint::reach("payout:sent");
            let again = match &outcome {
                TransferOutcome::Pending { ask_after, .. } => Some(*ask_after),
                TransferOutcome::Paid { .. } | TransferOutcome::Returned { .. } => None,
            };
            let booked = app.db().write(move |tx| commands::apply_transfer(tx, item, &outcome)).await;
            failpoint::reach("payout:applied");
            booked.map(|()| again).map_err(Asking::Failed)
        }
        Err(Unanswered::NotNow { retry_after, .. }) => Err(Asking::NotNow(retry_after.unwrap_or(ALONE_FOR))),
        Err(unanswered) => Err(Asking::Failed(unanswered.into())),
    }
}

/// Looks for the transfer, and sends it if the provider has none: providers forget keys after a day, and a payout may be
/// tried for longer.
async fn sent_once(app: &App, request: &TransferRequest) -> Result<TransferOutcome, Unanswered> {
    match patiently(app.provider().look_for_transfer(request)).await? {
        Some(outcome) => Ok(outcome),
        None => patiently(app.provider().transfer(request)).await,
    }
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
