//! The place of a provider that this process cannot or need not reach.

use http::HeaderMap;

use crate::money::Money;
use crate::time::Time;

use super::{
    AccountState, Answering, Charge, ChargebackState, Forged, Notice, NoticePage, Onboarded, Onboarding,
    Outcome, Provider, Record, RefundOutcome, RefundRequest, TransferOutcome, TransferRequest, Unanswered,
};

/// Has a name and answers nothing else: nothing was done.
pub struct Absent {
    name: &'static str,
    why: String,
}

impl Absent {
    pub fn new(name: &'static str, why: String) -> Self {
        Self { name, why }
    }

    fn refuse<T: Send>(&self) -> Answering<'_, T> {
        Box::pin(async { Err(Unanswered::Misconfigured(self.why.clone())) })
    }
}

impl Provider for Absent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn methods(&self) -> &[&'static str] {
        &[]
    }

    fn charge<'a>(&'a self, _: &'a Charge) -> Answering<'a, Outcome> {
        self.refuse()
    }

    fn confirm<'a>(&'a self, _: &'a Charge) -> Answering<'a, Outcome> {
        self.refuse()
    }

    fn void<'a>(&'a self, _: &'a Charge) -> Answering<'a, Outcome> {
        self.refuse()
    }

    fn look<'a>(&'a self, _: &'a Charge) -> Answering<'a, Option<Outcome>> {
        self.refuse()
    }

    fn refund<'a>(&'a self, _: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        self.refuse()
    }

    fn look_for_refund<'a>(&'a self, _: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        self.refuse()
    }

    fn onboard<'a>(&'a self, _: &'a Onboarding) -> Answering<'a, Onboarded> {
        self.refuse()
    }

    fn look_at_account<'a>(&'a self, _: &'a str) -> Answering<'a, AccountState> {
        self.refuse()
    }

    fn transfer<'a>(&'a self, _: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        self.refuse()
    }

    fn look_for_transfer<'a>(&'a self, _: &'a TransferRequest) -> Answering<'a, Option<TransferOutcome>> {
        self.refuse()
    }

    fn look_at_chargeback<'a>(&'a self, _: &'a str) -> Answering<'a, Option<ChargebackState>> {
        self.refuse()
    }

    fn read_event<'a>(
        &'a self,
        _: &'a HeaderMap,
        _: &'a [u8],
        _: Time,
    ) -> Answering<'a, Result<Notice, Forged>> {
        self.refuse()
    }

    fn notices<'a>(&'a self, _: Time, _: Option<&'a str>) -> Answering<'a, NoticePage> {
        self.refuse()
    }

    fn records<'a>(&'a self, _: Time, _: Time) -> Answering<'a, Vec<Record>> {
        self.refuse()
    }

    fn balance<'a>(&'a self) -> Answering<'a, Vec<Money>> {
        self.refuse()
    }
}
