//! Freelancers' accounts at Stripe, and what is sent to them.

use super::super::{Onboarded, Onboarding, TransferOutcome, TransferRequest, Unanswered};
use super::client::{Answered, Ask, Failed};
use super::form::Form;
use super::objects::{Account, AccountLink, Transfer};
use super::reading::{seconds, state, transferred};
use super::{CLOCKS_DIFFER_BY, Stripe, amounts, segment};

impl Stripe {
    /// The platform pays Stripe's fees and bears the losses; Stripe asks the freelancer for what it must know.
    pub(super) async fn open_account(&self, onboarding: &Onboarding) -> Result<Onboarded, Unanswered> {
        let account = match &onboarding.reference {
            Some(reference) => self.account(reference).await?,
            None => self.new_account(onboarding).await?,
        };
        let account = state(&account);
        if account.enabled {
            return Ok(Onboarded { account, url: None });
        }
        // A link works once, so each is a new one and needs no key.
        let form = Form::default()
            .with("account", &account.reference)
            .with("refresh_url", &onboarding.return_url)
            .with("return_url", &onboarding.return_url)
            .with("type", "account_onboarding");
        let ask = Ask { key: None, ..Ask::post("create_account_link", "/v1/account_links", form, "") };
        let link: AccountLink = self.read(ask).await?;
        Ok(Onboarded { account, url: Some(link.url) })
    }

    /// Opens it, unless an earlier call has: its answer may be lost, and Stripe forgets keys after a day.
    async fn new_account(&self, onboarding: &Onboarding) -> Result<Account, Unanswered> {
        let since = seconds(onboarding.begun_at.minus(CLOCKS_DIFFER_BY));
        let is_it = |account: &Account| account.metadata("key") == Some(&onboarding.key);
        let listed = Form::default().with("created[gte]", since);
        if let Some(known) = self.first("list_accounts", "/v1/accounts", listed, is_it).await? {
            return Ok(known);
        }
        let form = Form::default()
            .with("email", &onboarding.email)
            .with("controller[losses][payments]", "application")
            .with("controller[fees][payer]", "application")
            .with("controller[requirement_collection]", "stripe")
            .with("controller[stripe_dashboard][type]", "express")
            .with("capabilities[transfers][requested]", true)
            .with("metadata[user_id]", onboarding.user_id)
            .with("metadata[key]", &onboarding.key);
        self.read(Ask::post("create_account", "/v1/accounts", form, &onboarding.key)).await
    }

    pub(super) async fn account(&self, reference: &str) -> Result<Account, Unanswered> {
        let path = format!("/v1/accounts/{}", segment(reference));
        self.read(Ask::get("retrieve_account", path, Form::default())).await
    }

    /// Out of the very charge, so that it need not have arrived in the balance yet. What was taken back of a transfer lies
    /// in the balance, and the charge does not give it twice.
    pub(super) async fn pay_freelancer(
        &self,
        transfer: &TransferRequest,
    ) -> Result<TransferOutcome, Unanswered> {
        let returned =
            |code: String, message: String| TransferOutcome::Returned { reference: None, code, message };
        let amount = match amounts::sent(transfer.amount) {
            Ok(amount) => amount,
            Err(why) => return Ok(returned("amount_not_supported".to_owned(), why)),
        };
        let intent = self.intent(&transfer.charge).await?;
        let Some(charge) = &intent.latest_charge else {
            return Ok(returned("charge_missing".to_owned(), "the payment has no charge".to_owned()));
        };
        let of_order = Form::default().with("transfer_group", transfer.order_id);
        let taken_back = |other: &Transfer| other.is_taken_back();
        let again = self.first("list_transfers", "/v1/transfers", of_order, taken_back).await?.is_some();
        let source = (!again).then(|| charge.id());
        let form = Form::default()
            .with("amount", amount)
            .with("currency", amounts::code(transfer.amount))
            .with("destination", &transfer.account)
            .with_some("source_transaction", source)
            .with("transfer_group", transfer.order_id)
            .with("metadata[order_id]", transfer.order_id)
            .with("metadata[transfer_id]", transfer.transfer_id)
            .with("metadata[charge]", &transfer.charge)
            .with("metadata[key]", &transfer.key);
        let ask = Ask::post("create_transfer", "/v1/transfers", form, &transfer.key);
        match self.client.send::<Transfer>(ask).await {
            Ok(Answered { object, replayed: false }) => Ok(transferred(&object)),
            Ok(Answered { object, replayed: true }) => {
                let path = format!("/v1/transfers/{}", segment(&object.id));
                Ok(transferred(&self.read(Ask::get("retrieve_transfer", path, Form::default())).await?))
            }
            Err(Failed::Refused(refusal)) => Ok(returned(refusal.code(), refusal.message())),
            Err(Failed::Unanswered(unanswered)) => Err(unanswered),
        }
    }
}
