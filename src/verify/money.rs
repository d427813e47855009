//! The ledger, and what it must agree with.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// Every journal sums to zero, and so does the whole ledger in each currency. A journal belongs to one order, so it has
/// one currency.
pub(super) fn ledger_balances(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let journals =
        "select journal_id, count(*), cast(sum(amount_minor) as bigint), min(currency), max(currency)
         from ledger_lines group by journal_id
         having count(*) < 2 or sum(amount_minor) <> 0 or min(currency) <> max(currency)";
    found.search(tx, journals, params![], |row| {
        let (journal, lines, sum): (Id<()>, i64, i64) = (row.next()?, row.next()?, row.next()?);
        let (one, other): (String, String) = (row.next()?, row.next()?);
        Ok(Some(match one == other {
            true => format!("journal {journal} sums to {sum} {one} over {lines} lines"),
            false => format!("journal {journal} mixes {one} and {other}"),
        }))
    })?;
    let empty = "select j.id from ledger_journals j
         where not exists (select 1 from ledger_lines l where l.journal_id = j.id and l.order_id = j.order_id)";
    found.search(tx, empty, params![], |row| {
        Ok(Some(format!("journal {} has no lines", row.next::<Id<()>>()?)))
    })?;
    let astray = "select l.journal_id, l.line from ledger_lines l
         where not exists (select 1 from ledger_journals j where j.id = l.journal_id and j.order_id = l.order_id)";
    found.search(tx, astray, params![], |row| {
        let (journal, line): (Id<()>, i64) = (row.next()?, row.next()?);
        Ok(Some(format!("line {line} of journal {journal} names another order than its journal")))
    })?;
    let mut totals: HashMap<String, i128> = HashMap::new();
    tx.each(BALANCES, params![], |row| {
        let (_account, currency, balance): (String, String, i64) = (row.next()?, row.next()?, row.next()?);
        *totals.entry(currency).or_default() += i128::from(balance);
        Ok(true)
    })?;
    for (currency, total) in totals.into_iter().filter(|(_, total)| *total != 0) {
        found.add(format!("the whole ledger sums to {total} {currency}"));
    }
    Ok(())
}

const BALANCES: &str = "select account, currency, cast(sum(amount_minor) as bigint) from ledger_lines group by account, currency";

/// What is held for orders and people is never less than nothing; there are no accounts of other kinds.
pub(super) fn nothing_overdrawn(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    found.search(tx, BALANCES, params![], |row| {
        let (account, currency, balance): (String, String, i64) = (row.next()?, row.next()?, row.next()?);
        let kind = account.split_once(':').map_or(account.as_str(), |(kind, _)| kind);
        Ok(match kind {
            "escrow" | "refunds" | "payable" | "payouts" | "chargebacks" if balance < 0 => {
                Some(format!("{account} holds {balance} {currency}"))
            }
            "owed" if balance > 0 => {
                Some(format!("{account} holds {balance} {currency}, and can only be a debt"))
            }
            "escrow" | "refunds" | "payable" | "payouts" | "chargebacks" | "owed" | "provider" | "fees"
            | "costs" | "losses" => None,
            _ => Some(format!("there is no account of the kind of {account}")),
        })
    })
}

/// What one order's money has become, in minor units.
struct Whereabouts {
    terms: Terms,
    captured: i64,
    refunded: i64,
    reserved: i64,
    marked_refunded: i64,
    in_escrow: i64,
    in_refunds: i64,
    /// What banks took back for good.
    charged_back: i64,
    /// Released, and frozen again.
    frozen: i64,
    /// Earned and kept: what the freelancer was or will be paid, less what they owe for it.
    paid_out: i64,
    fees: i64,
    /// Taken out of escrow by differences with the provider that an administrator had booked.
    adjusted: i64,
}

/// What an order was placed with, in minor units.
struct Terms {
    amount: i64,
    rate_bp: i64,
    fixed: i64,
    /// Orders from before fee rules rounded the fee of what is left from the rate, not from the fee.
    basis: Option<String>,
    service_rate_bp: i64,
    service_fee: i64,
}

/// What the house may keep.
struct Due {
    /// `None` where the order is too old to say.
    fee: Option<i64>,
    service_fee: i64,
}

impl Terms {
    fn total(&self) -> i64 {
        self.amount + self.service_fee
    }

    fn due(&self, left: i64) -> Due {
        let service_fee = share(left, self.service_fee, self.total());
        let agreed = share(self.amount, self.rate_bp, 10_000) + self.fixed;
        let fee = self.basis.as_ref().map(|_| share(left - service_fee, agreed, self.amount));
        Due { fee, service_fee }
    }

    /// What cannot have been agreed.
    fn wrong(&self) -> Option<String> {
        let fee = share(self.amount, self.rate_bp, 10_000) + self.fixed;
        let most = share(self.amount, self.service_rate_bp, 10_000);
        let service_fee = self.service_fee;
        match service_fee {
            _ if fee > self.amount => Some(format!("has a fee of {fee} on {}", self.amount)),
            _ if self.total() > MOST => Some(format!("is over {} in total", self.total())),
            less if less != most && self.total() != MOST => {
                Some(format!("has a service fee of {service_fee}, its rate gives {most}"))
            }
            _ => None,
        }
    }
}

/// The most that anything may cost.
const MOST: i64 = 99_999_999_999;

/// `part` of every `whole` of `sum`; a half goes to the even neighbour. Reckoned without what the commands reckon with.
fn share(sum: i64, part: i64, whole: i64) -> i64 {
    let (product, whole) = (i128::from(sum) * i128::from(part), i128::from(whole));
    let down = product / whole;
    let nearest = match (product - down * whole).cmp(&(whole - (product - down * whole))) {
        Ordering::Less => down,
        Ordering::Greater => down + 1,
        Ordering::Equal => down + down % 2,
    };
    i64::try_from(nearest).unwrap_or(i64::MAX)
}

impl Whereabouts {
    fn wrong(&self, status: &str, fee: i64) -> Option<String> {
        let Self {
            captured,
            refunded,
            reserved,
            marked_refunded,
            in_escrow,
            in_refunds,
            charged_back,
            frozen,
            paid_out,
            fees,
            adjusted,
            ..
        } = self;
        // What went back in no way; the whole while nothing was paid, or only too late and goes back.
        let left = match captured {
            0 => self.terms.total(),
            _ if status == "pending" => self.terms.total(),
            _ => captured - refunded - reserved - charged_back - adjusted,
        };
        let due = self.terms.due(left);
        let sum = in_escrow + in_refunds + refunded + charged_back + frozen + paid_out + fees + adjusted;
        if *captured != sum {
            return Some(format!(
                "captured {captured}, but escrow {in_escrow} + reserved refunds {in_refunds} + refunded {refunded} + \
                 charged back {charged_back} + frozen {frozen} + released {paid_out} + fees {fees} + \
                 adjusted {adjusted} = {sum}"
            ));
        }
        if in_refunds != reserved {
            return Some(format!(
                "its ledger reserves {in_refunds} for refunds, its pending refunds want {reserved}"
            ));
        }
        if *marked_refunded != refunded + reserved {
            return Some(format!(
                "its payments say {marked_refunded} refunded, its refunds {refunded} + {reserved}"
            ));
        }
        if let Some(due_fee) = due.fee.filter(|due| status != "cancelled" && *due != fee) {
            return Some(format!("says a fee of {fee}, by its terms it is {due_fee}"));
        }
        match status {
            "completed" | "cancelled" if *in_escrow != 0 => {
                Some(format!("is {status} and holds {in_escrow} in escrow"))
            }
            "completed" if *fees != fee + due.service_fee => Some(format!(
                "says a fee of {fee} beside a service fee of {}, {fees} was kept",
                due.service_fee
            )),
            "completed" => None,
            "cancelled" if fee != 0 => Some(format!("is cancelled and says a fee of {fee}")),
            _ if *paid_out != 0 || *fees != 0 || *frozen != 0 => {
                Some(format!("is {status}, yet {paid_out} + {fees} + {frozen} was released"))
            }
            _ => None,
        }
    }
}

/// Captured = escrow + reserved refunds + refunded + released, per order, and every line names its order's accounts and
/// currency.
pub(super) fn captured_is_accounted_for(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    found.search(tx, WHEREABOUTS, params![], |row| {
        let (order, status, fee): (Id<()>, String, i64) = (row.next()?, row.next()?, row.next()?);
        let terms = Terms {
            amount: row.next()?,
            rate_bp: row.next()?,
            fixed: row.next()?,
            basis: row.next()?,
            service_rate_bp: row.next()?,
            service_fee: row.next()?,
        };
        let money = Whereabouts {
            terms,
            captured: row.next()?,
            refunded: row.next()?,
            reserved: row.next()?,
            marked_refunded: row.next()?,
            in_escrow: row.next()?,
            in_refunds: row.next()?,
            charged_back: row.next()?,
            frozen: row.next()?,
            paid_out: row.next()?,
            fees: row.next()?,
            adjusted: row.next()?,
        };
        let wrong = money.terms.wrong().or_else(|| money.wrong(&status, fee));
        Ok(wrong.map(|wrong| format!("order {order}: {wrong}")))
    })?;
    listed(tx, found)?;
    let lines = "select l.account, l.currency, j.id, o.id, o.freelancer_id, o.currency
         from ledger_lines l join ledger_journals j on j.id = l.journal_id and j.order_id = l.order_id
         join orders o on o.id = j.order_id";
    found.search(tx, lines, params![], |row| {
        let (account, currency, journal): (String, String, Id<()>) = (row.next()?, row.next()?, row.next()?);
        let (order, seller, expected): (Id<()>, Id<()>, String) = (row.next()?, row.next()?, row.next()?);
        let own = match account.split_once(':') {
            Some(("escrow" | "refunds" | "chargebacks", id)) => id == order.to_string(),
            Some(("payable" | "payouts" | "owed", id)) => id == seller.to_string(),
            _ => true,
        };
        let wrong = !own || currency != expected;
        Ok(wrong.then(|| {
            format!("journal {journal} of order {order} ({expected}) has a line in {account}, {currency}")
        }))
    })
}

/// Every charge, refund and fee is listed to the one it concerns as it stands.
fn listed(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let astray = "select r.id from refunds r
         where not exists (select 1 from payments p where p.id = r.payment_id and p.order_id = r.order_id)";
    found.search(tx, astray, params![], |row| {
        Ok(Some(format!("refund {} names another order than its payment", row.next::<Id<()>>()?)))
    })?;
    let charges = "select p.id, p.status from payments p
         left join transactions t on t.cause_id = p.id and t.order_id = p.order_id and t.type = 'charge'
         where t.id is null or t.amount_minor <> p.amount_minor or t.currency <> p.currency or t.user_id <> p.buyer_id
            or t.status <> case p.status when 'requires_action' then 'pending' else p.status end";
    let refunds = "select r.id, r.status from refunds r join payments p on p.id = r.payment_id and p.order_id = r.order_id
         left join transactions t on t.cause_id = r.id and t.order_id = r.order_id and t.type = 'refund'
         where t.id is null or t.amount_minor <> r.amount_minor or t.currency <> r.currency or t.user_id <> p.buyer_id
            or t.status <> r.status";
    let fees = "select o.id, o.status from orders o
         left join transactions t on t.cause_id = o.id and t.order_id = o.id and t.type = 'fee'
         where coalesce(t.amount_minor, 0) <> case o.status when 'completed' then o.fee_minor
             + (select coalesce(sum(b.amount_minor), 0) from transactions b
                where b.order_id = o.id and b.type = 'fee_return' and b.status <> 'failed') else 0 end";
    for (what, sql) in [("payment", charges), ("refund", refunds), ("the fee of order", fees)] {
        found.search(tx, sql, params![], |row| {
            let (id, status): (Id<()>, String) = (row.next()?, row.next()?);
            Ok(Some(format!("{what} {id}, {status}, is not listed so among the transactions")))
        })?;
    }
    Ok(())
}

const WHEREABOUTS: &str = "
    select o.id, o.status, o.fee_minor, o.amount_minor, o.fee_rate_bp, o.fee_fixed_minor, o.fee_basis,
        o.service_fee_rate_bp, o.service_fee_minor,
        (select cast(coalesce(sum(p.amount_minor), 0) as bigint) from payments p
         where p.order_id = o.id and (p.status = 'success' or p.late_capture = true)),
        (select cast(coalesce(sum(r.amount_minor), 0) as bigint) from payments p join refunds r on r.payment_id = p.id and r.order_id = p.order_id
         where p.order_id = o.id and r.status = 'success'),
        (select cast(coalesce(sum(r.amount_minor), 0) as bigint) from payments p join refunds r on r.payment_id = p.id and r.order_id = p.order_id
         where p.order_id = o.id and r.status = 'pending'),
        (select cast(coalesce(sum(p.refunded_minor), 0) as bigint) from payments p where p.order_id = o.id),
        cast(coalesce(sum(case when l.account like 'escrow:%' then l.amount_minor end), 0) as bigint),
        cast(coalesce(sum(case when l.account like 'refunds:%' then l.amount_minor end), 0) as bigint),
        (select cast(coalesce(sum(p.charged_back_minor), 0) as bigint) from payments p where p.order_id = o.id),
        cast(coalesce(sum(case when l.account like 'chargebacks:%' then l.amount_minor end), 0) as bigint),
        cast(coalesce(sum(case when l.account like 'payable:%' or l.account like 'payouts:%' or l.account like 'owed:%'
            or (l.account = 'provider' and j.kind in ('payout_sent', 'payout_returned')) then l.amount_minor end), 0)
            as bigint),
        cast(coalesce(sum(case when l.account = 'fees' then l.amount_minor end), 0) as bigint),
        cast(coalesce(sum(case when l.account like 'escrow:%' and j.kind = 'adjustment' then -l.amount_minor end), 0) as bigint)
    from orders o
    left join ledger_journals j on j.order_id = o.id
    left join ledger_lines l on l.journal_id = j.id and l.order_id = j.order_id
    group by o.id, o.status, o.fee_minor, o.amount_minor, o.fee_rate_bp, o.fee_fixed_minor, o.fee_basis,
        o.service_fee_rate_bp, o.service_fee_minor";

/// One successful payment for what was bought, none for what was never paid.
pub(super) fn paid_once(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let counts = "select o.id, o.status,
            (select count(*) from payments p where p.order_id = o.id and p.status = 'success'),
            (select count(*) from events e where e.subject_id = o.id and e.kind = 'order_paid')
         from orders o";
    found.search(tx, counts, params![], |row| {
        let (order, status): (Id<()>, String) = (row.next()?, row.next()?);
        let (payments, activations): (i64, i64) = (row.next()?, row.next()?);
        let expected = match status.as_str() {
            "pending" => payments == 0,
            // Cancelled unpaid; a payment that came too late was taken and sent back.
            "cancelled" if activations == 0 => payments <= 1,
            _ => payments == 1,
        };
        Ok((!expected).then(|| format!("order {order} is {status} and has {payments} successful payments")))
    })?;
    taken_means_paid(tx, found)?;
    let others =
        "select p.id, o.id, p.amount_minor, p.currency, o.amount_minor + o.service_fee_minor, o.currency
         from payments p join orders o on o.id = p.order_id
         where p.amount_minor <> o.amount_minor + o.service_fee_minor or p.currency <> o.currency";
    found.search(tx, others, params![], |row| {
        let (payment, order): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        let (paid, paid_in): (i64, String) = (row.next()?, row.next()?);
        let (due, due_in): (i64, String) = (row.next()?, row.next()?);
        Ok(Some(format!("payment {payment} is of {paid} {paid_in}, its order {order} of {due} {due_in}")))
    })?;
    let strangers = "select p.id, o.id from payments p join orders o on o.id = p.order_id
         where p.buyer_id <> o.buyer_id or p.freelancer_id <> o.freelancer_id";
    found.search(tx, strangers, params![], |row| {
        let (payment, order): (Id<()>, Id<()>) = (row.next()?, row.next()?);
        Ok(Some(format!("payment {payment} is not between the two people of its order {order}")))
    })
}

/// Money of a payment is in the ledger when it succeeded, or failed and was captured all the same, and then all of it is on
/// its way back.
fn taken_means_paid(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let taken = "select p.id, p.status, p.late_capture, p.refunded_minor = p.amount_minor, j.id is not null
         from payments p left join ledger_journals j on j.cause_id = p.id and j.order_id = p.order_id and j.kind = 'charge'";
    found.search(tx, taken, params![], |row| {
        let (payment, status): (Id<()>, String) = (row.next()?, row.next()?);
        let (late, all_back, booked): (bool, bool, bool) = (row.next()?, row.next()?, row.next()?);
        let paid = status == "success" || late;
        Ok(if booked != paid {
            Some(format!(
                "payment {payment} is {status}, and its charge is {}booked",
                if booked { "" } else { "not " }
            ))
        } else if late && status != "failed" {
            Some(format!(
                "payment {payment} is {status}, and is said to have been captured after it had failed"
            ))
        } else if late && !all_back {
            Some(format!("payment {payment} failed, was captured, and does not go back"))
        } else {
            None
        })
    })
}
