//! The provider of the walks: the sandbox behind a bad line, with banks behind it that take charges back and send
//! transfers back. What it does is told when the walk says so, and listed meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use guildhall::app::Parts;
use guildhall::db::Db;
use guildhall::money::Money;
use guildhall::providers::sandbox::telling::Telling;
use guildhall::providers::{
    AccountState, Answering, Charge, ChargebackState, ChargebackStatus, Forged, Notice, NoticeKind,
    NoticePage, Onboarded, Onboarding, Outcome, Provider, Record, Recorded, RefundOutcome, RefundRequest,
    TransferOutcome, TransferRequest, summed,
};
use guildhall::time::Time;
use http::HeaderMap;

use crate::support::Troubles;

/// A transfer that came back.
struct Back {
    key: String,
    amount: Money,
    at: Time,
}

/// What a bank takes back, and when money moved.
pub struct TakenBack {
    pub state: ChargebackState,
    withdrawn_at: Option<Time>,
    reinstated_at: Option<Time>,
}

/// What banks did behind the sandbox.
#[derive(Default)]
pub struct Books {
    pub chargebacks: Vec<TakenBack>,
    /// By the provider's ids of the transfers.
    back: HashMap<String, Back>,
    /// The keys of transfers that are refused, each time.
    refused: HashSet<String>,
    refuses_next: bool,
    told: Vec<Notice>,
}

/// The banks, and the line to the provider; whoever restarts goes on with the same.
#[derive(Clone, Default)]
pub struct Outside {
    pub troubles: Troubles,
    books: Arc<Mutex<Books>>,
}

impl Outside {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// The parts of a program that has this provider.
    pub fn parts(&self) -> Parts {
        let parts = self.troubles.parts();
        let (make, books) = (parts.provider, Arc::clone(&self.books));
        let peer = move |db: &Db| -> Arc<dyn Provider> {
            Arc::new(Peer { sandbox: make(db), books, db: db.clone() })
        };
        Parts { provider: Box::new(peer), telling: Telling(true), ..parts }
    }
}

impl Books {
    /// Everything that was ever told, or should have been.
    pub fn told(&self) -> &[Notice] {
        &self.told
    }

    fn tell(&mut self, kind: NoticeKind, said: &str, reference: &str, key: Option<&str>, at: Time) {
        self.told.push(Notice {
            id: format!("evt_bank_{}", self.told.len()),
            kind,
            said: said.to_owned(),
            reference: reference.to_owned(),
            key: key.map(str::to_owned),
            order_id: None,
            account: None,
            live: false,
            at,
        });
    }

    /// What banks have taken of a charge and not given back, in minor units.
    pub fn taken_of(&self, charge: &str) -> i64 {
        let of = self.chargebacks.iter().filter(|one| one.state.charge == charge);
        of.filter(|one| one.withdrawn_at.is_some() && one.reinstated_at.is_none())
            .map(|one| one.state.amount.minor())
            .sum()
    }

    /// A bank inquires about so much of a charge, or takes it at once.
    pub fn take_back(&mut self, charge: &str, amount: Money, asks_first: bool, at: Time) {
        let reference = format!("dp_bank_{}", self.chargebacks.len());
        let status = if asks_first { ChargebackStatus::Warning } else { ChargebackStatus::Open };
        self.chargebacks.push(TakenBack {
            state: ChargebackState {
                reference: reference.clone(),
                charge: charge.to_owned(),
                amount,
                status,
                reason: "fraudulent".to_owned(),
                evidence_due: None,
            },
            withdrawn_at: (!asks_first).then_some(at),
            reinstated_at: None,
        });
        self.tell(NoticeKind::Chargeback, "charge.dispute.created", &reference, None, at);
    }

    /// The bank goes on: it takes the money it asked about, and decides about what it took.
    pub fn go_on(&mut self, nth: usize, wins: bool, at: Time) {
        let one = &mut self.chargebacks[nth];
        match one.state.status {
            ChargebackStatus::Warning => {
                one.state.status = ChargebackStatus::Open;
                one.withdrawn_at = Some(at);
            }
            ChargebackStatus::Open if wins => {
                one.state.status = ChargebackStatus::Won;
                one.reinstated_at = Some(at);
            }
            ChargebackStatus::Open => one.state.status = ChargebackStatus::Lost,
            ChargebackStatus::Won | ChargebackStatus::Lost | ChargebackStatus::Strange(_) => return,
        }
        let reference = one.state.reference.clone();
        self.tell(NoticeKind::Chargeback, "charge.dispute.updated", &reference, None, at);
    }

    pub fn is_back(&self, transfer: &str) -> bool {
        self.back.contains_key(transfer)
    }

    /// A transfer that was paid comes back.
    pub fn send_back(&mut self, transfer: &str, key: &str, amount: Money, at: Time) {
        if self.is_back(transfer) {
            return;
        }
        self.back.insert(transfer.to_owned(), Back { key: key.to_owned(), amount, at });
        self.tell(NoticeKind::Transfer, "transfer.reversed", transfer, Some(key), at);
    }

    /// The next transfer is refused, and stays so.
    pub fn refuse_next(&mut self) {
        self.refuses_next = true;
    }

    fn refuses(&mut self, key: &str) -> bool {
        if std::mem::take(&mut self.refuses_next) {
            self.refused.insert(key.to_owned());
        }
        self.refused.contains(key)
    }

    /// How a transfer stands that the sandbox has paid.
    fn now(&self, paid: TransferOutcome) -> TransferOutcome {
        match paid {
            TransferOutcome::Paid { reference } if self.is_back(&reference) => TransferOutcome::Returned {
                reference: Some(reference),
                code: "account_closed".to_owned(),
                message: "the account was closed".to_owned(),
            },
            other => other,
        }
    }

    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for one in &self.chargebacks {
            let moved =
                [(Recorded::Chargeback, one.withdrawn_at), (Recorded::Reinstatement, one.reinstated_at)];
            records.extend(moved.into_iter().filter_map(|(what, at)| {
                Some(Record {
                    what,
                    reference: one.state.reference.clone(),
                    of: one.state.charge.clone(),
                    key: None,
                    amount: one.state.amount,
                    fee: None,
                    at: at?,
                })
            }));
        }
        records.extend(self.back.iter().map(|(transfer, back)| Record {
            what: Recorded::Reversal,
            reference: transfer.replace("tr_", "trr_"),
            of: transfer.clone(),
            key: Some(back.key.clone()),
            amount: back.amount,
            fee: None,
            at: back.at,
        }));
        records
    }
}

/// One end of the line.
struct Peer {
    sandbox: Arc<dyn Provider>,
    books: Arc<Mutex<Books>>,
    db: Db,
}

impl Peer {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Whether banks have taken so much of the charge that not enough is left for a refund.
    async fn is_taken(&self, refund: &RefundRequest) -> bool {
        let taken = self.books().taken_of(&refund.charge);
        if taken == 0 {
            return false;
        }
        let charge = refund.charge.clone();
        let left: i64 = self
            .db
            .read(move |tx| {
                tx.one(
                    "select amount_minor - (select cast(coalesce(sum(amount_minor), 0) as bigint) from sandbox_refunds
                         where charge_id = $1 and status <> 'failed')
                     from sandbox_charges where id = $1",
                    guildhall::params![charge],
                    |row| row.next(),
                )
            })
            .await
            .unwrap();
        refund.amount.minor() > left - taken
    }
}

impl Provider for Peer {
    fn name(&self) -> &'static str {
        self.sandbox.name()
    }

    fn methods(&self) -> &[&'static str] {
        self.sandbox.methods()
    }

    fn arrives_within(&self) -> std::time::Duration {
        self.sandbox.arrives_within()
    }

    fn charge<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.sandbox.charge(charge)
    }

    fn confirm<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.sandbox.confirm(charge)
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Outcome> {
        self.sandbox.void(charge)
    }

    fn look<'a>(&'a self, charge: &'a Charge) -> Answering<'a, Option<Outcome>> {
        self.sandbox.look(charge)
    }

    fn refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, RefundOutcome> {
        Box::pin(async move {
            // A refund that was made before stays made.
            if self.is_taken(refund).await && self.sandbox.look_for_refund(refund).await?.is_none() {
                let (code, message) = ("charge_disputed".to_owned(), "the charge was taken back".to_owned());
                return Ok(RefundOutcome::Failed { reference: None, code, message });
            }
            self.sandbox.refund(refund).await
        })
    }

    fn look_for_refund<'a>(&'a self, refund: &'a RefundRequest) -> Answering<'a, Option<RefundOutcome>> {
        self.sandbox.look_for_refund(refund)
    }

    fn onboard<'a>(&'a self, onboarding: &'a Onboarding) -> Answering<'a, Onboarded> {
        self.sandbox.onboard(onboarding)
    }

    fn look_at_account<'a>(&'a self, reference: &'a str) -> Answering<'a, AccountState> {
        self.sandbox.look_at_account(reference)
    }

    fn transfer<'a>(&'a self, transfer: &'a TransferRequest) -> Answering<'a, TransferOutcome> {
        Box::pin(async move {
            if self.books().refuses(&transfer.key) {
                let (code, message) = ("account_closed".to_owned(), "the account was closed".to_owned());
                return Ok(TransferOutcome::Returned { reference: None, code, message });
            }
            let paid = self.sandbox.transfer(transfer).await?;
            Ok(self.books().now(paid))
        })
    }

    fn look_for_transfer<'a>(
        &'a self,
        transfer: &'a TransferRequest,
    ) -> Answering<'a, Option<TransferOutcome>> {
        Box::pin(async move {
            let found = self.sandbox.look_for_transfer(transfer).await?;
            Ok(found.map(|paid| self.books().now(paid)))
        })
    }

    fn look_at_chargeback<'a>(&'a self, reference: &'a str) -> Answering<'a, Option<ChargebackState>> {
        let known = self
            .books()
            .chargebacks
            .iter()
            .find(|one| one.state.reference == reference)
            .map(|one| one.state.clone());
        match known {
            Some(known) => Box::pin(async move { Ok(Some(known)) }),
            None => self.sandbox.look_at_chargeback(reference),
        }
    }

    fn read_event<'a>(
        &'a self,
        headers: &'a HeaderMap,
        raw: &'a [u8],
        now: Time,
    ) -> Answering<'a, Result<Notice, Forged>> {
        self.sandbox.read_event(headers, raw, now)
    }

    fn notices<'a>(&'a self, from: Time, rest: Option<&'a str>) -> Answering<'a, NoticePage> {
        Box::pin(async move {
            let mut page = self.sandbox.notices(from, rest).await?;
            if rest.is_none() {
                let told = self.books().told.clone();
                page.notices.extend(told.into_iter().filter(|notice| notice.at >= from));
            }
            Ok(page)
        })
    }

    fn records<'a>(&'a self, from: Time, to: Time) -> Answering<'a, Vec<Record>> {
        Box::pin(async move {
            let mut records = self.sandbox.records(from, to).await?;
            let beside = self.books().records();
            records.extend(beside.into_iter().filter(|record| record.at >= from && record.at < to));
            Ok(records)
        })
    }

    fn balance<'a>(&'a self) -> Answering<'a, Vec<Money>> {
        Box::pin(async move {
            let mut sums = self.sandbox.balance().await?;
            sums.extend(self.books().records().iter().map(|record| match record.what {
                Recorded::Chargeback => record.amount.with_minor(-record.amount.minor()),
                _ => record.amount,
            }));
            Ok(summed(sums))
        })
    }
}
