//! The operations on payouts.

use std::time::Duration;

use serde_json::json;

use crate::error::{Error, Result};
use crate::form::Form;
use crate::http::{Access, Answer, Begun, Call, Operation, Param, get, patch, post, put};
use crate::page::Page;
use crate::providers::{Onboarding, patiently, stripe};
use crate::users::{self, Attempt};

use super::model::{
    AccountStatus, Balances, ChangePayoutAccount, ChangePayoutSettings, MarkPayout, OpenPayoutAccount,
    PayoutAccount, PayoutSettings, PayoutToMake, RequestPayout, SeenPayout, SeenPayoutAccount, Status, Way,
};
use super::{
    BALANCE_OWED, BELOW_MINIMUM, NOTHING_TO_PAY_OUT, PAYOUT_ACCOUNT_REQUIRED, PAYOUT_DECIDED,
    PAYOUT_NOT_MANUAL, PAYOUTS_BY_HAND, PAYOUTS_BY_PROVIDER, PAYOUTS_FROZEN, commands, queries, reactions,
};

/// The table of this service.
pub fn operations() -> Vec<Operation> {
    let sellers = "freelancers, their own";
    let operations = vec![
        post("/payouts/account", open_account)
            .named("openPayoutAccount", "Open an account to be paid to")
            .about("Or goes on with it: the payment provider asks what it must know at `url`, which is good once and for minutes.")
            .access(Access::Signed, sellers)
            .body::<OpenPayoutAccount>(json!({}))
            .answers::<SeenPayoutAccount>(200, "The account that was there, and where to go on.")
            .answers::<SeenPayoutAccount>(201, "A new account, and where to go on.")
            .answers::<SeenPayoutAccount>(202, "The provider has not answered: send it again for the `url`.")
            .problems(&[&PAYOUTS_BY_HAND]),
        get("/payouts/account", show_account)
            .named("getPayoutAccount", "Read the account that you are paid to")
            .access(Access::Signed, sellers)
            .answers::<SeenPayoutAccount>(200, "The account; `none` where there is none.")
            .versioned(),
        put("/payouts/account", change_account)
            .named("setPayoutAccount", "Say where to pay to by hand")
            .access(Access::Signed, sellers)
            .body::<ChangePayoutAccount>(account_example())
            .answers::<SeenPayoutAccount>(200, "The account as it is now.")
            .versioned()
            .problems(&[&PAYOUTS_BY_PROVIDER, &users::WRONG_PASSWORD]),
        patch("/payouts/account", change_account)
            .named("patchPayoutAccount", "Say where to pay to by hand")
            .access(Access::Signed, sellers)
            .body::<ChangePayoutAccount>(account_example())
            .answers::<SeenPayoutAccount>(200, "The account as it is now.")
            .versioned()
            .problems(&[&PAYOUTS_BY_PROVIDER, &users::WRONG_PASSWORD]),
        get("/payouts/balance", show_balance)
            .named("getBalance", "Read what you have with the house")
            .about("`pending` and `available` are yours and sum to what the ledger owes you; what an order earned can be paid out some days after its completion. `frozen` stands beside that.")
            .access(Access::Signed, "freelancers, their own; an administrator with user_id")
            .query(vec![Param::new("user_id", "Whose; only for administrators.", json!({ "type": "string" }))])
            .answers::<Balances>(200, "What there is, per currency."),
        get("/payouts/settings", show_settings)
            .named("getPayoutSettings", "Read when you are paid")
            .access(Access::Signed, sellers)
            .answers::<PayoutSettings>(200, "The settings.")
            .versioned(),
        put("/payouts/settings", change_settings)
            .named("updatePayoutSettings", "Say when to be paid")
            .access(Access::Signed, sellers)
            .body::<ChangePayoutSettings>(json!({ "schedule": "weekly", "minimum": "25" }))
            .answers::<PayoutSettings>(200, "The settings as they are now.")
            .versioned(),
        patch("/payouts/settings", change_settings)
            .named("patchPayoutSettings", "Say when to be paid")
            .access(Access::Signed, sellers)
            .body::<ChangePayoutSettings>(json!({ "schedule": "weekly", "minimum": "25" }))
            .answers::<PayoutSettings>(200, "The settings as they are now.")
            .versioned(),
        post("/payouts", request)
            .named("requestPayout", "Be paid what is available")
            .about("Pays out everything that is available in one currency, a hundred orders at most. It is sent by itself, and sent again until it is known how it ended; what comes back can be paid out again.")
            .access(Access::Signed, sellers)
            .body::<RequestPayout>(json!({ "currency": "USD" }))
            .answers::<SeenPayout>(201, "The payout, on its way.")
            .located()
            .problems(&[&PAYOUT_ACCOUNT_REQUIRED, &NOTHING_TO_PAY_OUT, &BELOW_MINIMUM, &BALANCE_OWED, &PAYOUTS_FROZEN]),
        get("/payouts", list)
            .named("listPayouts", "List payouts")
            .about("Newest first.")
            .access(Access::Signed, "anyone, their own; an administrator all")
            .query(vec![by_status()])
            .paged()
            .answers::<Page<SeenPayout>>(200, "A page of payouts."),
        get("/payouts/{id}", show)
            .named("getPayout", "Read a payout")
            .access(Access::Signed, "its freelancer, administrators")
            .answers::<SeenPayout>(200, "The payout.")
            .versioned(),
        get("/admin/payouts", list_all)
            .named("listAllPayouts", "List everybody's payouts")
            .about("Each says where to pay to, where the house pays by hand: `status=pending` is what there is to do. One that is `charged_back` should not be made, but marked `returned`.")
            .access(Access::Signed, "administrators")
            .query(vec![by_status()])
            .paged()
            .answers::<Page<PayoutToMake>>(200, "A page of payouts."),
        post("/admin/payouts/{id}/mark", mark)
            .named("markPayout", "Say what became of a payout by hand")
            .access(Access::Signed, "administrators")
            .body::<MarkPayout>(json!({ "status": "paid", "reference": "SEPA 2026-11-22/7" }))
            .answers::<PayoutToMake>(200, "The payout as it is now.")
            .problems(&[&PAYOUT_NOT_MANUAL, &PAYOUT_DECIDED]),
    ];
    operations.into_iter().map(|operation| operation.tagged("Payouts")).collect()
}

fn account_example() -> serde_json::Value {
    json!({ "details": "IBAN DE02 1203 0000 0000 2020 51, Ada Lovelace" })
}

fn by_status() -> Param {
    let words: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    Param::new("status", "Only payouts that stand so.", json!({ "type": "string", "enum": words }))
}

fn status<F: Form>(call: &Call<F>) -> Result<Option<Status>> {
    call.query.parsed("status", "one of pending, paid, partly_paid, failed", Status::parse)
}

fn way<F: Form>(call: &Call<F>) -> Way {
    Way::of(call.app.config(), call.app.provider())
}

async fn open_account(call: Call<OpenPayoutAccount>) -> Result<Answer> {
    let begun = call
        .begin(|tx, call| {
            let user = commands::begin(tx, &call.actor, &call.body, way(call), call.app.config())?;
            stripe::remember_money(tx, call.app.provider())?;
            Ok((user, commands::onboarding(tx, user, &call.body, way(call), call.app.config())?))
        })
        .await?;
    let onboarding = match begun {
        Begun::Replayed(answer) => return Ok(answer),
        Begun::Started(onboarding) => onboarding,
        Begun::Resumed(user) => {
            let again = call.clone();
            let resume = move |tx: &crate::db::Tx| {
                commands::onboarding(tx, user, &again.body, way(&again), again.app.config())
            };
            call.app.db().read(resume).await?
        }
    };
    // A client that hangs up does not cut it off between the provider's answer and our books.
    let onboarded = tokio::spawn(onboard(call, onboarding)).await;
    onboarded.unwrap_or_else(|failed| Err(Error::Internal(Box::new(failed))))
}

async fn onboard(call: Call<OpenPayoutAccount>, onboarding: Onboarding) -> Result<Answer> {
    let onboarded = patiently(call.app.provider().onboard(&onboarding)).await;
    if let Err(unanswered) = &onboarded {
        tracing::warn!(user = %onboarding.user_id, %unanswered, "a payout account stays as it is");
    }
    call.finish(move |tx, call| {
        let (user, way) = (onboarding.user_id.cast(), way(call));
        if let Ok(onboarded) = &onboarded {
            commands::apply_account(tx, user, way.provider(), &onboarded.account)?;
        }
        let account = queries::account(tx, user, way.provider())?;
        let mut seen = SeenPayoutAccount::new(way, account.as_ref());
        match &onboarded {
            Err(_) => Answer::accepted(&seen),
            Ok(onboarded) => {
                seen.url.clone_from(&onboarded.url);
                match onboarding.reference {
                    Some(_) => Answer::ok(&seen),
                    None => Ok(Answer::created(&seen)?.at("/payouts/account".to_owned())),
                }
            }
        }
    })
    .await
}

/// What the provider said of an account that is not ready counts for so long.
const FRESH_FOR: Duration = Duration::from_secs(30);

async fn show_account(call: Call) -> Result<Answer> {
    let stale = {
        let (user, way, again) = (call.actor.require_seller()?, way(&call), call.app.db().clock().now());
        let account = call.app.db().read(move |tx| queries::account(tx, user, way.provider())).await?;
        let waits = |account: &PayoutAccount| {
            let looked_at = account.looked_at.filter(|_| account.status == AccountStatus::Pending);
            looked_at.is_some_and(|at| again.since(at) > FRESH_FOR)
        };
        account.filter(waits).map(|_| user)
    };
    if let Some(user) = stale
        && let Err(error) = reactions::look_at_account(call.app.clone(), user.cast()).await
    {
        tracing::warn!(%user, %error, "a payout account is shown as it was");
    }
    call.read(|tx, call| {
        let (user, way) = (call.actor.require_seller()?, way(call));
        let account = queries::account(tx, user, way.provider())?;
        let version = account.as_ref().map_or(0, |account| account.version);
        Ok(Answer::ok(&SeenPayoutAccount::new(way, account.as_ref()))?.etag(version, &()))
    })
    .await
}

async fn change_account(call: Call<ChangePayoutAccount>) -> Result<Answer> {
    let proven = match call.body.peek::<Option<Attempt>>("current_password").flatten() {
        Some(current) => users::prove(&call, &current).await.map(|()| true)?,
        None => false,
    };
    call.write(move |tx, call| {
        let seen = commands::change(tx, &call.actor, &call.body, way(call), &call.expected(), proven)?;
        let user = call.actor.require_user()?;
        let version = queries::account(tx, user, way(call).provider())?.map_or(0, |account| account.version);
        Ok(Answer::ok(&seen)?.etag(version, &()))
    })
    .await
}

async fn show_balance(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let of = call.query.text("user_id").map(|text| call.resolve_user(text)).transpose()?;
        Answer::ok(&queries::balances(tx, &call.actor, of)?)
    })
    .await
}

async fn show_settings(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let settings = queries::settings(tx, call.actor.require_seller()?)?;
        Ok(Answer::ok(&settings)?.etag(settings.version, &()))
    })
    .await
}

async fn change_settings(call: Call<ChangePayoutSettings>) -> Result<Answer> {
    call.write(|tx, call| {
        let settings = commands::change_settings(tx, &call.actor, &call.body, &call.expected())?;
        Ok(Answer::ok(&settings)?.etag(settings.version, &()))
    })
    .await
}

async fn request(call: Call<RequestPayout>) -> Result<Answer> {
    call.write(|tx, call| {
        let payout = commands::request(tx, &call.actor, &call.body, way(call))?;
        let seen = payout.seen(&queries::items(tx, payout.id)?);
        let at = format!("/payouts/{}", payout.id);
        Ok(Answer::created(&seen)?.at(at).etag(payout.version, &seen.embedded()))
    })
    .await
}

async fn list(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let page = queries::list(tx, &call.actor, status(call)?, &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}

async fn list_all(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let page = queries::list_all(tx, &call.actor, status(call)?, &call.page()?)?;
        call.list(&page, page.next_cursor.as_deref())
    })
    .await
}

async fn show(call: Call) -> Result<Answer> {
    call.read(|tx, call| {
        let payout = queries::seen(tx, &call.actor, call.id("id"))?;
        let seen = payout.seen(&queries::items(tx, payout.id)?);
        Ok(Answer::ok(&seen)?.etag(payout.version, &seen.embedded()))
    })
    .await
}

async fn mark(call: Call<MarkPayout>) -> Result<Answer> {
    call.write(|tx, call| {
        let payout = commands::mark(tx, &call.actor, call.id("id"), &call.body)?;
        Answer::ok(&queries::to_make(tx, &payout)?)
    })
    .await
}
