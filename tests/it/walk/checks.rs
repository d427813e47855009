//! What must hold after every step of a walk, and what at its end.

use guildhall::{params, verify};

use super::step::Step;
use super::world::World;

/// What breaks each promise at any moment, for a query.
const ALWAYS: &[(&str, &str)] = &[
    (
        "more was given back of a charge than was taken",
        "select c.id from sandbox_charges c where c.amount_minor <
         (select coalesce(sum(r.amount_minor), 0) from sandbox_refunds r where r.charge_id = c.id and r.status <> 'failed')",
    ),
    (
        "a pending order waits for no deadline",
        "select id from orders o where status = 'pending' and not exists
         (select 1 from timers t where t.kind = 'order_pay_by' and t.subject_id = o.id)",
    ),
    (
        "a delivered order waits for no deadline",
        "select id from orders o where status = 'delivered' and not exists
         (select 1 from timers t where t.kind = 'order_auto_complete' and t.subject_id = o.id)",
    ),
    ("an active order is never due", "select id from orders where status = 'active' and due_at is null"),
    (
        "a disputed order has no open dispute with a deadline",
        "select id from orders o where status = 'disputed' and not exists
         (select 1 from disputes d join timers t on t.subject_id = d.id and t.kind = 'dispute_deadline'
          where d.order_id = o.id and d.status = 'open')",
    ),
];

/// The same once nothing is on its way any more.
const IN_THE_END: &[(&str, &str)] = &[
    (
        "the provider took a charge that is not booked",
        "select c.key from sandbox_charges c where c.status = 'succeeded' and not exists
         (select 1 from payments p where p.provider_key = c.key and p.amount_minor = c.amount_minor
              and (p.status = 'success' or p.late_capture = true))",
    ),
    (
        "a charge is booked that the provider never took",
        "select p.id from payments p where (p.status = 'success' or p.late_capture = true) and not exists
         (select 1 from sandbox_charges c where c.key = p.provider_key and c.status = 'succeeded')",
    ),
    (
        "the provider gave back what is not booked",
        "select r.key from sandbox_refunds r where r.status = 'succeeded' and not exists
         (select 1 from refunds o where o.provider_key = r.key and o.amount_minor = r.amount_minor and o.status = 'success')",
    ),
    (
        "a refund is booked that the provider never made",
        "select o.id from refunds o where o.status = 'success' and o.transaction_id is not null and not exists
         (select 1 from sandbox_refunds r where r.key = o.provider_key and r.status = 'succeeded')",
    ),
    (
        "a payment is still open",
        "select id from payments p where status in ('pending', 'requires_action') and not exists
         (select 1 from cases c where c.subject_id = p.id and c.resolved_at is null)",
    ),
    (
        "a refund is still open, and nobody was asked to look",
        "select id from refunds r where status = 'pending' and not exists
         (select 1 from cases c where c.subject_id = r.id and c.resolved_at is null)",
    ),
    (
        "a payout through the provider is still open, and nobody was asked",
        "select i.id from payout_items i join payouts p on p.id = i.payout_id
         where p.provider = 'sandbox' and i.status = 'pending' and not exists
         (select 1 from cases c where c.subject_id = i.id and c.resolved_at is null)",
    ),
    (
        "the provider sent what is not booked",
        "select t.key from sandbox_transfers t where not exists
         (select 1 from payout_items i where i.provider_key = t.key and i.amount_minor = t.amount_minor
              and i.status <> 'pending')",
    ),
    (
        "a transfer is booked that the provider never made",
        "select i.id from payout_items i join payouts p on p.id = i.payout_id
         where p.provider = 'sandbox' and i.status = 'paid' and not exists
         (select 1 from sandbox_transfers t where t.key = i.provider_key)",
    ),
    ("an order still waits for its payment", "select id from orders where status in ('pending', 'delivered')"),
    ("an event was never applied", "select said from webhook_inbox where state in ('waiting', 'parked')"),
];

/// What fails again and again although nothing is wrong outside.
const FAILING: &str = "select kind from timers t where attempts > 2 and not exists
     (select 1 from cases c where c.subject_id = t.subject_id and c.resolved_at is null)";

impl World {
    /// Our books keep their rules, whatever the provider's say.
    pub async fn keeps_promises(&mut self, step: &Step) {
        self.app().keeps_its_rules().await;
        self.keeps(ALWAYS, &format!("after {step:?}")).await;
    }

    /// The same, with every invariant.
    pub async fn holds(&mut self, step: &Step) {
        self.keeps_promises(step).await;
        let violations = verify::run(self.app().app.db()).await.unwrap();
        assert!(violations.is_empty(), "after {step:?}:\n{}", verify::report(&violations));
    }

    async fn keeps(&self, promises: &'static [(&'static str, &'static str)], when: &str) {
        let broken = self.app().app.db().read(move |tx| {
            let mut broken = Vec::new();
            for (promise, sql) in promises {
                let times = tx.all(sql, params![], |_| Ok(()))?.len();
                if times > 0 {
                    broken.push(format!("{promise}, {times} times"));
                }
            }
            Ok(broken)
        });
        assert_eq!(broken.await.unwrap(), Vec::<String>::new(), "{when}");
    }

    /// Our books and the provider's agree, and everything is at its end, or somebody was asked to look.
    pub async fn has_ended(&mut self) {
        self.keeps(IN_THE_END, "in the end").await;
        let failing = self.rows(FAILING, |row| row.next::<String>()).await;
        assert_eq!(failing, Vec::<String>::new(), "in the end these timers still fail");
        self.is_paid_once().await;
        let report = self.reconcile(1_000).await.expect("the line is good");
        let differ: Vec<String> = report.differences.iter().map(|found| format!("{found:?}")).collect();
        assert!(differ.is_empty(), "in the end the books differ:\n{}", differ.join("\n"));
    }

    /// Nothing that an order earned reaches its freelancer twice.
    async fn is_paid_once(&self) {
        let sent = self
            .rows(
                "select t.id, i.release_id, t.amount_minor, r.net_minor from sandbox_transfers t
                 join payout_items i on i.provider_key = t.key join releases r on r.id = i.release_id order by i.release_id",
                |row| {
                    let (transfer, release): (String, guildhall::id::Id<()>) = (row.next()?, row.next()?);
                    Ok((transfer, release, row.next::<i64>()?, row.next::<i64>()?))
                },
            )
            .await;
        let books = self.outside.books();
        let arrived: Vec<_> = sent.iter().filter(|(transfer, ..)| !books.is_back(transfer)).collect();
        for (transfer, release, amount, net) in &arrived {
            let times = arrived.iter().filter(|(_, other, ..)| other == release).count();
            assert_eq!(times, 1, "{transfer} pays release {release} again");
            assert!(amount <= net, "{transfer} pays {amount} of {net}");
        }
    }
}
