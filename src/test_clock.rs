//! The clock that administrators may move forward where `test_clock` is on, to see deadlines pass. How far it was moved
//! is kept, so that a restart does not go back in time. Never there where money is real.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::form;
use crate::form::{Field, Node, Read, integer};
use crate::http::{Access, Answer, Begun, Call, Operation, post};
use crate::params;
use crate::time::Time;

const YEAR_S: i64 = 365 * 86_400;
/// A step goes this far at most …
const LONGEST_STEP_S: i64 = 10 * YEAR_S;
/// … and all of them together this far: later moments have no place in the formats we write.
const FURTHEST_S: i64 = 1_000 * YEAR_S;
const SETTING: &str = "test_clock_ahead_s";

form! {
    /// How far the clock moves.
    pub struct AdvanceClock {
        /// Seconds, at most ten years of them.
        advance_s: Step,
    }
}

/// Seconds from 1 to ten years.
#[derive(Debug, Clone, Copy)]
pub struct Step(i64);

impl Field for Step {
    fn read(node: &Node) -> Read<Self> {
        integer(node, 1..=LONGEST_STEP_S).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": LONGEST_STEP_S })
    }

    fn expected() -> String {
        "seconds".to_owned()
    }
}

/// What the clock says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moment {
    pub now: Time,
}

/// The table of this operation, where `test_clock` is on.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/test/clock", advance)
            .named("advanceClock", "Move the clock forward")
            .tagged("Test")
            .about("Deadlines that pass by it have had their effect when this answers. Other processes on the same database follow within a second.")
            .access(Access::Signed, "administrators, where test_clock is on")
            .body::<AdvanceClock>(json!({ "advance_s": 86_400 }))
            .answers::<Moment>(200, "What the clock says now."),
    ]
}

async fn advance(call: Call<AdvanceClock>) -> Result<Answer> {
    let begun = call
        .begin(|tx, call| {
            call.actor.require_admin()?;
            store(tx, call.body.check()?.advance_s)?;
            Ok((tx.new_id::<Moment>(), ()))
        })
        .await?;
    if let Begun::Replayed(answer) = begun {
        return Ok(answer);
    }
    catch_up(&call.app).await?;
    events::settle(&call.app).await?;
    call.finish(|tx, _| Answer::ok(&Moment { now: tx.now() })).await
}

fn store(tx: &Tx, step: Step) -> Result<()> {
    let ahead_s = stored(tx)? + step.0;
    if ahead_s > FURTHEST_S {
        return Err(Error::field(
            "advance_s",
            "out_of_range",
            "the clock is 1,000 years ahead: start with an empty data directory",
        ));
    }
    tx.execute(
        "insert into settings (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value",
        params![SETTING, ahead_s.to_string()],
    )?;
    Ok(())
}

fn stored(tx: &Tx) -> Result<i64> {
    let text: Option<String> =
        tx.first("select value from settings where name = $1", params![SETTING], |row| row.next())?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Moves this process's clock to where the clock of this database was moved; what that makes due runs.
pub async fn catch_up(app: &App) -> Result<()> {
    let (ahead, clock) = (ahead(app).await?, app.db().clock());
    if clock.ahead() < ahead {
        clock.reach(ahead);
        app.db().wake_worker();
    }
    Ok(())
}

/// How far the clock of this database was moved.
pub async fn ahead(app: &App) -> Result<Duration> {
    let seconds = app.db().read(stored).await?;
    Ok(Duration::from_secs(seconds.max(0).unsigned_abs()))
}
