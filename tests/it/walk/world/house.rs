//! What the house, the provider and the banks do in a walk.

use super::*;

impl World {
    pub(super) async fn keep(&mut self, step: &Step) {
        match step.clone() {
            Step::Mark { payout, status } => self.mark(payout, status).await,
            Step::ComesBack { transfer } => self.comes_back(transfer).await,
            Step::TakeBack { charge, part, asks_first } => self.take_back(charge, part, asks_first).await,
            Step::BankGoesOn { chargeback, wins } => {
                let (mut books, now) = (self.outside.books(), self.now());
                let all = books.chargebacks.len();
                if all > 0 {
                    books.go_on(usize::from(chargeback) % all, wins, now);
                }
            }
            Step::FeeRule { percent, fixed } => {
                let code = ["JPY", "USD", "KWD"][usize::from(fixed) % 3];
                let amount = Money::new(i64::from(fixed) + 1, Currency::parse(code).unwrap()).to_string();
                let body = json!({
                    "scope": "default", "percent": (u32::from(percent) * 100 / 255).to_string(), "position": percent,
                    "fixed": [{ "amount": amount, "currency": code }],
                });
                self.ask(ADMIN, "POST", "/admin/fees/rules", Some(body)).await;
            }
            Step::DropFeeRule { rule } => {
                let rules = self.ids("select id from fee_rules order by id").await;
                if let Some(rule) = picked(&rules, rule) {
                    self.ask(ADMIN, "DELETE", &format!("/admin/fees/rules/{rule}"), None).await;
                }
            }
            Step::Suspend { seller } => self.oversee(seller, "suspend").await,
            Step::Reinstate { seller } => self.oversee(seller, "reinstate").await,
            Step::Resolve { case, resolution } => self.resolve(case, resolution).await,
            Step::Reconcile => drop(self.reconcile(3).await),
            Step::Approve { case } => self.approve(case).await,
            Step::Knobs { seed, percent } => {
                let (some, rare) = (percent, percent / 3);
                let knobs = json!({
                    "seed": seed, "drop_before": rare, "drop_after": rare, "error_after": rare, "duplicate": some,
                    "reorder": some, "late": some, "never": rare, "forge": rare,
                });
                self.ask(ADMIN, "PUT", "/admin/sandbox", Some(knobs)).await;
            }
            Step::Mend => self.mend().await,
            Step::Tell { event, times } => self.tell(event, times).await,
            other => unreachable!("{other:?} is nobody's"),
        }
    }

    async fn mark(&mut self, payout: Nth, status: &str) {
        let payouts = self.ids("select id from payouts order by id").await;
        if let Some(payout) = picked(&payouts, payout) {
            let path = format!("/admin/payouts/{payout}/mark");
            self.ask(ADMIN, "POST", &path, Some(json!({ "status": status }))).await;
        }
    }

    async fn comes_back(&mut self, transfer: Nth) {
        let transfers = self
            .rows(
                "select id, key, amount_minor, currency from sandbox_transfers order by created_at, key",
                |row| {
                    Ok((row.next::<String>()?, row.next::<String>()?, Money::new(row.next()?, row.next()?)))
                },
            )
            .await;
        if let Some((reference, key, amount)) = picked(&transfers, transfer) {
            self.outside.books().send_back(reference, key, *amount, self.now());
        }
    }

    /// A bank takes no more than was charged, all together.
    async fn take_back(&mut self, charge: Nth, part: Part, asks_first: bool) {
        let charges = self
            .rows(
                "select c.id, c.amount_minor, c.currency from sandbox_charges c where c.status = 'succeeded' and not exists
                     (select 1 from sandbox_chargebacks b where b.charge_id = c.id) order by c.created_at, c.key",
                |row| Ok((row.next::<String>()?, Money::new(row.next()?, row.next()?))),
            )
            .await;
        let Some((charge, whole)) = picked(&charges, charge) else { return };
        let (mut books, now) = (self.outside.books(), self.now());
        let claimed: i64 = books
            .chargebacks
            .iter()
            .filter(|one| one.state.charge == *charge)
            .map(|one| one.state.amount.minor())
            .sum();
        let amount = part_of(*whole, part);
        if (1..=whole.minor() - claimed).contains(&amount.minor()) {
            books.take_back(charge, amount, asks_first, now);
        }
    }

    async fn oversee(&mut self, seller: Nth, verb: &str) {
        let path = format!("/users/{}/{verb}", self.people[SELLERS + usize::from(seller % 2)].id);
        self.ask(ADMIN, "POST", &path, Some(json!({ "reason": "it was asked for" }))).await;
    }

    /// Nobody gives a buyer his money a second time who could have looked at the provider, or calls a riddle solved that
    /// the next day solves.
    async fn resolve(&mut self, case: Nth, resolution: Nth) {
        let listed = self.ask(ADMIN, "GET", "/admin/cases?open=true&limit=100", None).await.json();
        let mut cases = listed["data"].as_array().cloned().unwrap_or_default();
        cases.retain(|case| case["kind"] != "balance_differs");
        let Some(case) = picked(&cases, case) else { return };
        let (id, subject) = (case["id"].as_str().unwrap(), case["subject_id"].as_str().unwrap().to_owned());
        let made = format!("refund-{subject}%");
        let made = self.app().app.db().read(move |tx| {
            tx.exists("select 1 from sandbox_refunds where key like $1 and status <> 'failed'", params![made])
        });
        let made = made.await.unwrap();
        let offered: Vec<&str> =
            case["resolutions"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        let Some(&resolution) = picked(&offered, resolution) else { return };
        let resolution = match resolution {
            "send_refund_anew" | "settled_by_hand" if made => "look_again",
            other => other,
        };
        let body = json!({ "resolution": resolution, "reason": "looked at it" });
        self.ask(ADMIN, "POST", &format!("/admin/cases/{id}/resolve"), Some(body)).await;
    }

    /// Both books of the last days, side by side; `None` where the line is too bad for that.
    pub async fn reconcile(&mut self, days: u64) -> Option<Report> {
        let now = self.now();
        let window = Window { from: now.minus(Duration::from_secs(days * 86_400)), to: now };
        reconciliation::run(&self.app().app, window).await.ok()
    }

    async fn approve(&mut self, case: Nth) {
        let cases = self
            .ids("select id from cases where resolved_at is null and kind <> 'balance_differs' order by id")
            .await;
        if let Some(case) = picked(&cases, case) {
            let path = format!("/admin/reconciliation/{case}/approve");
            self.ask(ADMIN, "POST", &path, Some(json!({ "reason": "as proposed" }))).await;
        }
    }

    /// The line is good again.
    pub async fn mend(&mut self) {
        self.outside.troubles.clear();
        let knobs = json!({
            "drop_before": 0, "drop_after": 0, "error_after": 0, "duplicate": 0, "reorder": 0, "late": 0, "never": 0,
            "forge": 0,
        });
        self.ask(ADMIN, "PUT", "/admin/sandbox", Some(knobs)).await;
    }

    async fn tell(&mut self, nth: Nth, times: u8) {
        let sandbox = self
            .rows(
                "select id, said, object, reference, key from sandbox_events order by created_at, id",
                |row| {
                    let id = format!("evt_{}", row.next::<Id<()>>()?.as_uuid().simple());
                    let (said, object): (String, String) = (row.next()?, row.next()?);
                    let reference: String = row.next()?;
                    Ok(event(&id, &said, &object, &reference, row.next::<Option<String>>()?.as_deref()))
                },
            )
            .await;
        let banks: Vec<Value> = self
            .outside
            .books()
            .told()
            .iter()
            .map(|told| {
                let object = if told.said.starts_with("transfer") { "transfer" } else { "dispute" };
                event(&told.id, &told.said, object, &told.reference, told.key.as_deref())
            })
            .collect();
        // The banks' are as likely as all of the sandbox's.
        let events = if nth.is_multiple_of(2) || banks.is_empty() { sandbox } else { banks };
        if let Some(event) = picked(&events, nth / 2) {
            for _ in 0..times {
                let reply = self.app().tell(event).await;
                self.judge("POST", "/webhooks/sandbox", &reply, false);
                assert_eq!(reply.status, 200, "{event}");
            }
        }
    }

    /// Everything that waits for a person at the provider is decided, and everybody may be paid again.
    pub async fn heal(&mut self) {
        for seller in 0..2 {
            self.oversee(seller, "reinstate").await;
        }
        let all = self.rows("select key from sandbox_charges where method = 'pm_sandbox_never'", |row| {
            row.next::<String>()
        });
        let all = all.await;
        self.app()
            .write(move |tx| {
                for key in &all {
                    guildhall::providers::sandbox::settle(tx, key, true)?;
                }
                Ok(())
            })
            .await;
    }
}
