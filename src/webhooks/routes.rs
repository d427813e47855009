//! The door for a provider's events.

use crate::error::{Error, INVALID_REQUEST, NOT_FOUND, Result, STORAGE_UNAVAILABLE};
use crate::http::{Access, Answer, Operation, RateClass, RawCall, post};
use crate::providers::{Forged, Notice, Unanswered, patiently};

use super::model::Receipt;
use super::{INVALID_SIGNATURE, PROVIDER_MISCONFIGURED, STALE_SIGNATURE, commands};

/// An event may have this many bytes.
const MOST_BYTES: usize = 256 * 1_024;

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    vec![door()]
}

/// The one operation.
pub fn door() -> Operation {
    post("/webhooks/{provider}", receive)
        .named("receiveEvent", "Receive an event from a payment provider")
        .about("For the payment provider of this deployment alone, and only with its signature. Kept once, whatever is sent how often, and applied afterwards: the answer says nothing of what it changes.")
        .access(Access::Unseen, "the payment provider, by its signature")
        .rate(RateClass::Notice)
        .raw("The event exactly as the provider signed it.", MOST_BYTES)
        .answers::<Receipt>(200, "The event is kept, or was before.")
        .problems(&[&INVALID_SIGNATURE, &STALE_SIGNATURE, &PROVIDER_MISCONFIGURED])
        .tagged("Webhooks")
}

async fn receive(call: RawCall) -> Result<Answer> {
    let provider = call.app.provider();
    let (name, live) = (provider.name(), provider.is_live());
    if call.path("provider") != name {
        return Err(NOT_FOUND.error(format!(
            "this deployment is paid through {name}: only /webhooks/{name} is there, for its events"
        )));
    }
    let notice = read(&call).await?;
    call.app.db().write(move |tx| commands::receive(tx, name, live, &notice)).await?;
    Answer::ok(&Receipt { received: true })
}

/// What the provider says, if it is the provider who says it.
async fn read(call: &RawCall) -> Result<Notice> {
    let now = call.app.db().clock().now();
    let told = patiently(call.app.provider().read_event(&call.headers, &call.bytes, now)).await;
    told.map_err(|unknown| cannot_tell(&unknown))?.map_err(|forged| refused(&forged))
}

/// Whether it is signed cannot be found out just now; the provider sends it again.
fn cannot_tell(unknown: &Unanswered) -> Error {
    tracing::warn!(%unknown, "an event cannot be checked");
    commands::count("unchecked");
    match unknown {
        Unanswered::Misconfigured(_) => PROVIDER_MISCONFIGURED
            .error("this deployment cannot check the event before its settings are mended"),
        Unanswered::Unknown(_) | Unanswered::NotNow { .. } => {
            STORAGE_UNAVAILABLE.error("the event cannot be checked just now: send it again").retry_after(1)
        }
    }
}

fn refused(forged: &Forged) -> Error {
    tracing::warn!(?forged, "an event is not believed");
    match forged {
        Forged::Unsigned | Forged::Mismatched => {
            commands::count("forged");
            INVALID_SIGNATURE.error(
                "no signature of this deployment's provider is over these bytes: check the signing secret and send the body unchanged",
            )
        }
        Forged::Stale { age } => {
            commands::count("stale");
            STALE_SIGNATURE.error(format!(
                "it was signed {} seconds ago and 300 are believed: send it again with a new signature",
                age.as_secs()
            ))
        }
        Forged::Malformed(what) => {
            commands::count("malformed");
            INVALID_REQUEST.error(format!("it is signed and is no event: {what}"))
        }
    }
}
