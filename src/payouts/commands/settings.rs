//! When freelancers want to be paid.

use crate::actor::Actor;
use crate::db::Tx;
use crate::error::Result;
use crate::events;
use crate::form::Unchecked;
use crate::params;
use crate::version::Expected;

use super::super::model::{ChangePayoutSettings, PayoutSettings};
use super::super::{PAYOUT_SCHEDULE, queries};

/// Changes what is given. A schedule counts from the moment it is chosen.
pub fn change(
    tx: &Tx,
    actor: &Actor,
    input: &Unchecked<ChangePayoutSettings>,
    expected: &Expected,
) -> Result<PayoutSettings> {
    let freelancer = actor.require_seller()?;
    let present = queries::settings(tx, freelancer)?;
    let form = input.check_against(&present)?;
    expected.check(present.version)?;
    let (schedule, minimum) = (form.schedule.or(present.schedule), form.minimum.or(present.minimum));
    if (schedule, minimum) == (present.schedule, present.minimum) {
        return Ok(present);
    }
    tx.execute(
        "insert into payout_settings (user_id, schedule, minimum_thousandths, chosen_at, updated_at)
         values ($1, $2, $3, $4, $4)
         on conflict (user_id) do update
         set chosen_at = case when payout_settings.schedule = excluded.schedule then payout_settings.chosen_at
                 else excluded.chosen_at end,
             schedule = excluded.schedule, minimum_thousandths = excluded.minimum_thousandths,
             version = payout_settings.version + 1, updated_at = excluded.updated_at",
        params![freelancer, schedule, minimum.map(|minimum| minimum.thousandths()), tx.now()],
    )?;
    match schedule.every() {
        Some(pause) if schedule != present.schedule => {
            events::schedule(tx, PAYOUT_SCHEDULE, freelancer, tx.now().plus(pause))?;
        }
        Some(_) => {}
        None => events::cancel(tx, PAYOUT_SCHEDULE, freelancer)?,
    }
    queries::settings(tx, freelancer)
}
