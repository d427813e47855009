//! The operations on the sandbox provider, for rehearsing what goes wrong. They are not there where another provider is.

use serde_json::{Value, json};

use crate::db::Tx;
use crate::error::{FORBIDDEN, NOT_FOUND, Result};
use crate::form;
use crate::form::{Field, Node, Read, integer};
use crate::http::{Access, Answer, Call, Operation, get, patch, post, put};
use crate::providers::sandbox;
use crate::providers::sandbox::knobs::{self, Knobs};
use crate::words;

use super::model::SeenPayment;
use super::{PAYMENT_ASK, calls, queries};

/// So many of a hundred.
#[derive(Debug, Clone, Copy)]
pub struct Percent(i64);

impl Field for Percent {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 0..=100).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": 100 })
    }

    fn expected() -> String {
        "an integer from 0 to 100".to_owned()
    }
}

/// The longest that an answer can be put off.
const LONGEST_DELAY_MS: i64 = 60_000;

/// Milliseconds up to a minute.
#[derive(Debug, Clone, Copy)]
pub struct Delay(i64);

impl Field for Delay {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 0..=LONGEST_DELAY_MS).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": LONGEST_DELAY_MS })
    }

    fn expected() -> String {
        "milliseconds".to_owned()
    }
}

/// The largest number that every client writes exactly.
const LARGEST_SEED: i64 = (1 << 53) - 1;

/// Where the draws begin.
#[derive(Debug, Clone, Copy)]
pub struct Seed(i64);

impl Field for Seed {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 0..=LARGEST_SEED).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": LARGEST_SEED })
    }

    fn expected() -> String {
        "an integer".to_owned()
    }
}

form! {
    /// What goes wrong at the sandbox, in percent; what is left out stays.
    pub struct TurnKnobs {
        /// The same seed lets the same calls go wrong.
        seed: Option<Seed>,
        /// How late every answer is.
        delay_ms: Option<Delay>,
        /// Calls that it never hears of.
        drop_before: Option<Percent>,
        /// Calls that are carried out and whose answer is lost.
        drop_after: Option<Percent>,
        /// Calls that are carried out and answered with an error.
        error_after: Option<Percent>,
        /// Notices that are sent twice.
        duplicate: Option<Percent>,
        /// Notices that are overtaken by later ones.
        reorder: Option<Percent>,
        /// Notices that come late.
        late: Option<Percent>,
        /// Notices that never come.
        never: Option<Percent>,
        /// Notices that are sent with a wrong signature as well.
        forge: Option<Percent>,
    }
}

words! {
    /// How a charge ends.
    pub enum Ending {
        Succeeded = "succeeded",
        Declined = "declined",
    }
}

form! {
    /// Ends a charge that never settles by itself.
    pub struct Settle {
        outcome: Ending,
    }
}

words! {
    /// How a bank decides.
    pub enum Verdict {
        Won = "won",
        Lost = "lost",
    }
}

form! {
    /// Ends a chargeback.
    pub struct DecideChargeback {
        /// For whom: the marketplace has `won` or `lost`.
        outcome: Verdict,
    }
}

const ABOUT: &str = "Only where the provider is the built-in sandbox; else 404. Everything is 0 at first. The draws depend on the seed, the call, its key and how often it was made, so a rehearsal can be repeated. Some payment methods misbehave by themselves: `pm_sandbox_delay` answers after 3 s; `pm_sandbox_dropAfterCommit` and `pm_sandbox_500AfterCommit` are charged and never say so; `pm_sandbox_never` does not settle until `POST /admin/sandbox/payments/{id}/settle`; refunds of `pm_sandbox_refundFails` fail, those of `pm_sandbox_refundPending` take 2 s; `pm_sandbox_chargeback` is taken back by its bank after 2 s, which decides by `POST /admin/sandbox/payments/{id}/chargeback`.";

/// The table of these operations.
pub fn operations() -> Vec<Operation> {
    let example = || json!({ "seed": 7, "drop_after": 20, "error_after": 10 });
    let turned = |operation: Operation| {
        operation
            .about(ABOUT)
            .access(Access::Signed, "an administrator")
            .body::<TurnKnobs>(example())
            .answers::<Knobs>(200, "What goes wrong from now on.")
            .problems(&[&FORBIDDEN, &NOT_FOUND])
    };
    vec![
        get("/admin/sandbox", show)
            .named("getSandbox", "Read what goes wrong at the sandbox")
            .about(ABOUT)
            .access(Access::Signed, "an administrator")
            .answers::<Knobs>(200, "What goes wrong.")
            .problems(&[&FORBIDDEN, &NOT_FOUND]),
        turned(put("/admin/sandbox", change).named("updateSandbox", "Let things go wrong at the sandbox")),
        turned(patch("/admin/sandbox", change).named("patchSandbox", "Let things go wrong at the sandbox")),
        post("/admin/sandbox/payments/{id}/settle", settle)
            .named("settleSandboxPayment", "End a charge that never settles")
            .about("Only where the provider is the built-in sandbox; else 404. A charge that is decided stays so.")
            .access(Access::Signed, "an administrator")
            .body::<Settle>(json!({ "outcome": "succeeded" }))
            .answers::<SeenPayment>(200, "The payment; the outcome is asked for at once.")
            .problems(&[&FORBIDDEN, &NOT_FOUND]),
        post("/admin/sandbox/payments/{id}/chargeback", decide)
            .named("decideSandboxChargeback", "Let the bank decide a chargeback")
            .about("Only where the provider is the built-in sandbox; else 404. `won` gives the marketplace its money back, `lost` leaves it with the buyer; it is told by an event, as a provider does. One that is decided stays so, and where there is none nothing happens.")
            .access(Access::Signed, "an administrator")
            .body::<DecideChargeback>(json!({ "outcome": "won" }))
            .answers::<SeenPayment>(200, "The payment as it is before the event.")
            .problems(&[&FORBIDDEN, &NOT_FOUND]),
    ]
}

/// An administrator, and the sandbox.
fn require_sandbox<F>(call: &Call<F>) -> Result<()> {
    call.actor.require_admin()?;
    match call.app.provider().name() {
        "sandbox" => Ok(()),
        name => Err(NOT_FOUND.error(format!("there is no sandbox here: orders are paid through {name}"))),
    }
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        require_sandbox(call)?;
        Answer::ok(&knobs::read(tx)?.unwrap_or_default())
    })
    .await
}

async fn change(call: Call<TurnKnobs>) -> Result<Answer> {
    call.write(|tx, call| {
        require_sandbox(call)?;
        Answer::ok(&turn(tx, &call.body.check()?)?)
    })
    .await
}

fn turn(tx: &Tx, input: &TurnKnobs) -> Result<Knobs> {
    let before = knobs::read(tx)?.unwrap_or_default();
    let percent = |given: Option<Percent>, before: i64| given.map_or(before, |Percent(percent)| percent);
    let after = Knobs {
        seed: input.seed.map_or(before.seed, |Seed(seed)| seed),
        delay_ms: input.delay_ms.map_or(before.delay_ms, |Delay(delay_ms)| delay_ms),
        drop_before: percent(input.drop_before, before.drop_before),
        drop_after: percent(input.drop_after, before.drop_after),
        error_after: percent(input.error_after, before.error_after),
        duplicate: percent(input.duplicate, before.duplicate),
        reorder: percent(input.reorder, before.reorder),
        late: percent(input.late, before.late),
        never: percent(input.never, before.never),
        forge: percent(input.forge, before.forge),
    };
    knobs::turn(tx, &after)?;
    Ok(after)
}

async fn settle(call: Call<Settle>) -> Result<Answer> {
    call.write(|tx, call| {
        require_sandbox(call)?;
        let payment = queries::seen(tx, &call.actor, call.id("id"))?;
        let succeeds = call.body.check()?.outcome == Ending::Succeeded;
        if sandbox::settle(tx, &payment.provider_key, succeeds)? {
            calls::ask_now(tx, PAYMENT_ASK, payment.id)?;
        }
        Answer::ok(&payment.seen_by(&call.actor))
    })
    .await
}

async fn decide(call: Call<DecideChargeback>) -> Result<Answer> {
    call.write(|tx, call| {
        require_sandbox(call)?;
        let payment = queries::seen(tx, &call.actor, call.id("id"))?;
        let won = call.body.check()?.outcome == Verdict::Won;
        sandbox::end_chargeback(tx, &payment.provider_key, won)?;
        Answer::ok(&payment.seen_by(&call.actor))
    })
    .await
}
