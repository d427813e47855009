//! Stripe: separate charges and transfers. Money comes to the platform's balance as a PaymentIntent that is made and
//! confirmed at once, leaves it as refunds of that, and as transfers to connected accounts. Knows no card: a payment
//! method is a name that Stripe gave to the buyer's browser.

mod amounts;
mod breaker;
mod client;
mod form;
mod freelancers;
mod objects;
mod reading;
mod settings;

use std::time::Duration;

use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::money::Money;
use crate::time::Time;

use super::{
    AccountState, Answering, Charge, ChargebackState, Forged, Notice, NoticePage, Onboarded, Onboarding,
    Outcome, Provider, Record, RefundOutcome, RefundRequest, TransferOutcome, TransferRequest, Unanswered,
    notice, signature, summed,
};
use client::{Answered, Ask, Client, Failed};
use form::Form;
use objects::{Balance, BalanceTransaction, Dispute, Event, HasId, Page, PaymentIntent, Refund, Transfer};

use reading::{charged_back, declined, money, recorded, refunded, seconds, standing, state, transferred};

pub use settings::{Settings, remember_money, require_no_money, require_same_money};

/// For people: Stripe's own names for trying things out. A browser gets others from Stripe.js.
const METHODS: &[&str] =
    &["pm_… as Stripe.js gives it (with a test key also pm_card_visa, pm_card_authenticationRequired)"];

/// What Stripe decides later it mostly tells by itself; asking is for what it did not tell.
const ASK_AFTER: Duration = Duration::from_secs(60);

/// Clocks differ: a look begins so much before the thing that is looked for was begun.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(60);

/// Nearly every charge is made so soon after it was begun; the rest before its key is forgotten.
const MADE_WITHIN: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(86_400)];

/// What is asked for of all that Stripe tells: as many kinds as it lists at once.
const EVENTS: [&str; 20] = [
    "payment_intent.requires_action",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.updated",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "transfer.created",
    "transfer.updated",
    "transfer.reversed",
    "account.updated",
];

/// What to read together with an intent: its charge's line in Stripe's books says the fee.
const WITH_FEE: &str = "latest_charge.balance_transaction";

/// Stripe as our provider.
pub struct Stripe {
    client: Client,
    settings: Settings,
}

impl Stripe {
    /// Sends nothing yet.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { client: Client::new(&settings.url, &settings.secret_key)?, settings })
    }
}

impl Provider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn methods(&self) -> &[&'static str] {
        METHODS
    }

    /// Stripe says whether it exists; what is no such name is not worth the way, and a card's number never goes there.
    fn knows(&self, method: &str) -> bool {
        method.len() > 3 && method.starts_with("pm_") && method.bytes().all(|byte| byte.is_ascii_graphic())
    }

    fn refuses(&self, amount: Money) -> Option<String> {
        amounts::refused(amount.currency()).or_else(|| amounts::sent(amount).err()).or_else(|| {
            let settled = &self.settings.settlement_currencies;
            let others = !settled.is_empty() && !settled.contains(&amount.currency());
            others.then(|| {
                let settled: Vec<&str> = settled.iter().map(|currency| currency.code()).collect();
                format!(
                    "Stripe settles with this marketplace in {} only, and could pay nobody out of it",
                    settled.join(", ")
                )
            })
        })
    }

    fn is_live(&self) -> bool {
        self.settings.is_live()
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        Box::pin(self.take(charge))
    }

    fn confirm<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        Box::pin(self.go_on(charge))
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        Box::pin(self.give_up(charge))
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        Box::pin(async { self.find(charge).await?.map(|intent| standing(&intent, charge)).transpose() })
    }

    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        Box::pin(self.give_back(refund))
    }

    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        Box::pin(async {
            let form = Form::default().with("payment_intent", &refund.charge);
            let is_it = |found: &Refund| found.metadata("key") == Some(&refund.key);
            let found = self.first("list_refunds", "/v1/refunds", form, is_it).await?;
            found.map(|found| refunded(&found)).transpose()
        })
    }

    fn onboard<'a>(&'a self, onboarding: &'a Onboarding) -> Answering<'a, Onboarded> {
        Box::pin(self.open_account(onboarding))
    }

    fn look_at_account<'a>(&'a self, reference: &'a str) -> Answering<'a, AccountState> {
        Box::pin(async { Ok(state(&self.account(reference).await?)) })
    }

    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        Box::pin(self.pay_freelancer(transfer))
    }

    fn look_for_transfer<'a>(
        &'a self,
        transfer: &'a TransferRequest,
    ) -> Answering<'a, Option<TransferOutcome>> {
        Box::pin(async {
            let form = Form::default().with("transfer_group", transfer.order_id);
            let is_it = |found: &Transfer| found.metadata("key") == Some(&transfer.key);
            let found = self.first("list_transfers", "/v1/transfers", form, is_it).await?;
            Ok(found.map(|found| transferred(&found)))
        })
    }

    fn look_at_chargeback<'a>(&'a self, reference: &'a str) -> Answering<'a, Option<ChargebackState>> {
        Box::pin(async {
            let path = format!("/v1/disputes/{}", segment(reference));
            let ask = Ask::get("retrieve_dispute", path, Form::default());
            match self.client.send::<Dispute>(ask).await {
                Ok(Answered { object, .. }) => charged_back(&object).map(Some),
                Err(Failed::Refused(refusal)) if refusal.is_missing() => Ok(None),
                Err(failed) => Err(unread(failed)),
            }
        })
    }

    fn read_event<'a>(
        &'a self,
        headers: &'a HeaderMap,
        raw: &'a [u8],
        now: Time,
    ) -> Answering<'a, Result<Notice, Forged>> {
        let read = notice::read(&self.settings.webhook_secrets, signature::HEADER, headers, raw, now);
        Box::pin(async { Ok(read) })
    }

    fn notices<'a>(&'a self, from: Time, rest: Option<&'a str>) -> Answering<'a, NoticePage> {
        Box::pin(async move {
            let mut form = Form::default().with("created[gte]", seconds(from));
            for kind in EVENTS {
                form = form.with("types[]", kind);
            }
            let page: Page<Event> = self.page("list_events", "/v1/events", &form, rest).await?;
            let rest = page.data.last().filter(|_| page.has_more).map(|last| last.id.clone());
            // What cannot be read as a notice tells us nothing.
            let told: Vec<Notice> =
                page.data.iter().rev().filter_map(|event| notice::parse(&event.raw()).ok()).collect();
            Ok(NoticePage { notices: told, rest })
        })
    }

    fn records<'a>(&'a self, from: Time, to: Time) -> Answering<'a, Vec<Record>> {
        Box::pin(async move {
            let form = Form::default()
                .with("created[gte]", seconds(from))
                .with("created[lte]", seconds(to))
                .with("expand[]", "data.source");
            let lines: Vec<BalanceTransaction> =
                self.all("list_balance_transactions", "/v1/balance_transactions", form).await?;
            let mut records = Vec::new();
            for line in lines.into_iter().rev() {
                records.extend(recorded(line)?.filter(|record| (from..to).contains(&record.at)));
            }
            Ok(records)
        })
    }

    fn balance<'a>(&'a self) -> Answering<'a, Vec<Money>> {
        Box::pin(async {
            let balance: Balance =
                self.read(Ask::get("retrieve_balance", "/v1/balance", Form::default())).await?;
            let funds: Result<Vec<Money>, Unanswered> =
                balance.funds().map(|funds| money(funds.amount, &funds.currency)).collect();
            Ok(summed(funds?))
        })
    }
}

impl Stripe {
    /// Makes and confirms an intent, or looks how the one stands that was made.
    async fn take(&self, charge: &Charge) -> Result<Outcome, Unanswered> {
        let amount = match amounts::sent(charge.amount) {
            Ok(amount) => amount,
            Err(why) => return Ok(declined("", "amount_not_supported", why)),
        };
        if let Some(reference) = &charge.reference {
            return standing(&self.intent(reference).await?, charge);
        }
        // A page to come back to is what other methods than cards need; without one none of them is offered.
        let redirects = if charge.return_url.is_some() { "always" } else { "never" };
        let form = Form::default()
            .with("amount", amount)
            .with("currency", amounts::code(charge.amount))
            .with("payment_method", &charge.payment_method)
            .with("confirm", true)
            // Otherwise Stripe's books have no line of it, and so no fee, for up to an hour.
            .with("capture_method", "automatic")
            .with("automatic_payment_methods[enabled]", true)
            .with("automatic_payment_methods[allow_redirects]", redirects)
            .with_some("return_url", charge.return_url.as_ref())
            .with("transfer_group", charge.order_id)
            .with("metadata[order_id]", charge.order_id)
            .with("metadata[payment_id]", charge.payment_id)
            .with("metadata[key]", &charge.key)
            .with("expand[]", WITH_FEE);
        let ask = Ask::post("create_payment_intent", "/v1/payment_intents", form, &charge.key);
        self.stands(self.client.send(ask).await, charge).await
    }

    /// The buyer has acted: mostly Stripe has gone on by itself when he did.
    async fn go_on(&self, charge: &Charge) -> Result<Outcome, Unanswered> {
        let intent = self.known(charge).await?;
        match intent.status.as_str() {
            "requires_confirmation" => {
                let form = Form::default().with("expand[]", WITH_FEE);
                let path = format!("/v1/payment_intents/{}/confirm", segment(&intent.id));
                let key = format!("{}-confirm", charge.key);
                let ask = Ask::post("confirm_payment_intent", path, form, key);
                self.stands(self.client.send(ask).await, charge).await
            }
            // His browser can still go on with the intent: what we call failed must never succeed.
            "requires_payment_method" => match self.cancel(&intent, charge).await? {
                Outcome::Declined { .. } => standing(&intent, charge),
                other => Ok(other),
            },
            _ => standing(&intent, charge),
        }
    }

    async fn give_up(&self, charge: &Charge) -> Result<Outcome, Unanswered> {
        let intent = self.known(charge).await?;
        match intent.status.as_str() {
            "succeeded" | "canceled" => standing(&intent, charge),
            _ => self.cancel(&intent, charge).await,
        }
    }

    /// Cancels it, or says why it cannot be cancelled any more: how it stands.
    async fn cancel(&self, intent: &PaymentIntent, charge: &Charge) -> Result<Outcome, Unanswered> {
        let path = format!("/v1/payment_intents/{}/cancel", segment(&intent.id));
        // Whether it can be cancelled changes: an earlier refusal is not to be told again.
        let key = format!("{}-void-{}", charge.key, intent.status);
        let ask = Ask::post("cancel_payment_intent", path, Form::default(), key);
        match self.client.send::<PaymentIntent>(ask).await {
            Ok(Answered { object, replayed: false }) => standing(&object, charge),
            Ok(_) | Err(Failed::Refused(_)) => standing(&self.intent(&intent.id).await?, charge),
            Err(Failed::Unanswered(unanswered)) => Err(unanswered),
        }
    }

    /// How the intent of an answer stands now.
    async fn stands(
        &self,
        sent: Result<Answered<PaymentIntent>, Failed>,
        charge: &Charge,
    ) -> Result<Outcome, Unanswered> {
        match sent {
            Ok(Answered { object, replayed: false }) => standing(&object, charge),
            Ok(Answered { object, replayed: true }) => standing(&self.intent(&object.id).await?, charge),
            Err(Failed::Refused(refusal)) => {
                Ok(declined(refusal.reference(), &refusal.code(), refusal.message()))
            }
            Err(Failed::Unanswered(unanswered)) => Err(unanswered),
        }
    }

    /// The intent of a charge that has one.
    async fn known(&self, charge: &Charge) -> Result<PaymentIntent, Unanswered> {
        self.find(charge).await?.ok_or_else(|| {
            Unanswered::Unknown("Stripe has no such charge yet, and one may be on its way".to_owned())
        })
    }

    /// The intent of a charge, by its id or among those that were made since.
    async fn find(&self, charge: &Charge) -> Result<Option<PaymentIntent>, Unanswered> {
        if let Some(reference) = &charge.reference {
            return self.intent(reference).await.map(Some);
        }
        let mut from = charge.begun_at.minus(CLOCKS_DIFFER_BY);
        for within in MADE_WITHIN {
            let to = charge.begun_at.plus(within);
            let form = Form::default()
                .with("created[gte]", seconds(from))
                .with("created[lte]", seconds(to))
                .with("expand[]", format!("data.{WITH_FEE}"));
            let is_it = |intent: &PaymentIntent| intent.metadata("key") == Some(&charge.key);
            if let Some(found) =
                self.first("list_payment_intents", "/v1/payment_intents", form, is_it).await?
            {
                return Ok(Some(found));
            }
            from = to;
        }
        Ok(None)
    }

    async fn intent(&self, reference: &str) -> Result<PaymentIntent, Unanswered> {
        let path = format!("/v1/payment_intents/{}", segment(reference));
        self.read(Ask::get("retrieve_payment_intent", path, Form::default().with("expand[]", WITH_FEE))).await
    }

    async fn give_back(&self, refund: &RefundRequest) -> Result<RefundOutcome, Unanswered> {
        let amount = match amounts::sent(refund.amount) {
            Ok(amount) => amount,
            Err(message) => {
                let code = "amount_not_supported".to_owned();
                return Ok(RefundOutcome::Failed { reference: None, code, message });
            }
        };
        let form = Form::default()
            .with("payment_intent", &refund.charge)
            .with("amount", amount)
            .with("metadata[order_id]", refund.order_id)
            .with("metadata[refund_id]", refund.refund_id)
            .with("metadata[key]", &refund.key);
        let ask = Ask::post("create_refund", "/v1/refunds", form, &refund.key);
        match self.client.send::<Refund>(ask).await {
            Ok(Answered { object, replayed: false }) => refunded(&object),
            Ok(Answered { object, replayed: true }) => {
                let path = format!("/v1/refunds/{}", segment(&object.id));
                refunded(&self.read::<Refund>(Ask::get("retrieve_refund", path, Form::default())).await?)
            }
            Err(Failed::Refused(refusal)) => Ok(RefundOutcome::Failed {
                reference: None,
                code: refusal.code(),
                message: refusal.message(),
            }),
            Err(Failed::Unanswered(unanswered)) => Err(unanswered),
        }
    }

    /// What only a mistake of ours can make Stripe refuse: no answer either.
    async fn read<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Unanswered> {
        self.client.send(ask).await.map(|answered| answered.object).map_err(unread)
    }

    /// The first of a list that `is_it`, newest first; no page after it is read.
    async fn first<T: DeserializeOwned + HasId>(
        &self,
        call: &'static str,
        path: &str,
        form: Form,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Unanswered> {
        let mut after: Option<String> = None;
        loop {
            let page: Page<T> = self.page(call, path, &form, after.as_deref()).await?;
            after = page.data.last().filter(|_| page.has_more).map(|last| last.id().to_owned());
            match page.data.into_iter().find(&is_it) {
                None if after.is_some() => {}
                found => return Ok(found),
            }
        }
    }

    /// A whole list, newest first.
    async fn all<T: DeserializeOwned + HasId>(
        &self,
        call: &'static str,
        path: &str,
        form: Form,
    ) -> Result<Vec<T>, Unanswered> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let page: Page<T> = self.page(call, path, &form, all.last().map(HasId::id)).await?;
            let more = page.has_more && !page.data.is_empty();
            all.extend(page.data);
            if !more {
                return Ok(all);
            }
        }
    }

    async fn page<T: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
        form: &Form,
        after: Option<&str>,
    ) -> Result<Page<T>, Unanswered> {
        let form = form.clone().with("limit", 100).with_some("starting_after", after);
        self.read(Ask::get(call, path, form)).await
    }
}

fn unread(failed: Failed) -> Unanswered {
    match failed {
        Failed::Refused(refusal) => Unanswered::Unknown(format!("Stripe refuses to say: {refusal}")),
        Failed::Unanswered(unanswered) => unanswered,
    }
}

/// An id as a part of a path: whatever it holds, it stays one part.
fn segment(id: &str) -> String {
    id.bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests;
