//! What is folded from reviews and orders, added up anew.

use crate::db::Tx;
use crate::error::Result;
use crate::id::Id;
use crate::params;

use super::Witnesses;

/// Ratings and counts equal their recomputation; every review has its completed order.
pub(super) fn add_up(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    listings(tx, found)?;
    freelancers(tx, found)?;
    tallies(tx, found)?;
    let orphans = "select r.id, o.id, o.status from reviews r join orders o on o.id = r.order_id
         where o.status <> 'completed' or o.buyer_id <> r.reviewer_id or o.service_id <> r.service_id
            or o.freelancer_id <> r.freelancer_id";
    found.search(tx, orphans, params![], |row| {
        let (review, order, status): (Id<()>, Id<()>, String) = (row.next()?, row.next()?, row.next()?);
        Ok(Some(format!(
            "review {review} is not the buyer's of a completed order: order {order} is {status}"
        )))
    })?;
    let twice = "select order_id, count(*) from reviews group by order_id having count(*) > 1";
    found.search(tx, twice, params![], |row| {
        let (order, reviews): (Id<()>, i64) = (row.next()?, row.next()?);
        Ok(Some(format!("order {order} has {reviews} reviews")))
    })
}

fn listings(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let sums = "select s.id, s.rating_sum, s.rating_count, s.rating_centi,
            (select cast(coalesce(sum(r.rating), 0) as bigint) from reviews r where r.service_id = s.id and r.hidden_at is null),
            (select count(*) from reviews r where r.service_id = s.id and r.hidden_at is null)
         from services s";
    found.search(tx, sums, params![], |row| {
        let service: Id<()> = row.next()?;
        let (sum, count, centi): (i64, i64, i64) = (row.next()?, row.next()?, row.next()?);
        let (true_sum, true_count): (i64, i64) = (row.next()?, row.next()?);
        Ok(if (sum, count) != (true_sum, true_count) {
            Some(format!(
                "service {service} counts {sum} in {count} reviews, it has {true_sum} in {true_count}"
            ))
        } else if !is_average(centi, sum, count) {
            Some(format!("service {service} averages {sum} in {count} reviews to {centi} hundredths"))
        } else {
            None
        })
    })
}

/// Whether `centi` is the average in hundredths: nearest, halves upwards.
fn is_average(centi: i64, sum: i64, count: i64) -> bool {
    let error = 2 * (centi * count - 100 * sum);
    if count == 0 { centi == 0 } else { -count < error && error <= count }
}

fn freelancers(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let sums = "select u.id, coalesce(f.rating_sum, 0), coalesce(f.rating_count, 0), coalesce(f.completed_orders, 0),
            (select cast(coalesce(sum(r.rating), 0) as bigint) from reviews r where r.freelancer_id = u.id and r.hidden_at is null),
            (select count(*) from reviews r where r.freelancer_id = u.id and r.hidden_at is null),
            (select count(*) from orders o where o.freelancer_id = u.id and o.status = 'completed')
         from users u left join freelancer_stats f on f.user_id = u.id";
    found.search(tx, sums, params![], |row| {
        let user: Id<()> = row.next()?;
        let folded: (i64, i64, i64) = (row.next()?, row.next()?, row.next()?);
        let anew: (i64, i64, i64) = (row.next()?, row.next()?, row.next()?);
        Ok((folded != anew).then(|| {
            format!("freelancer {user} has (rating sum, reviews, completed orders) {folded:?}, they add up to {anew:?}")
        }))
    })
}

/// How often each rating was given, to listings and to freelancers.
fn tallies(tx: &Tx, found: &mut Witnesses) -> Result<()> {
    let tallies = "select t.subject_id, t.rating, t.count,
            (select count(*) from reviews r where r.service_id = t.subject_id and r.rating = t.rating and r.hidden_at is null)
          + (select count(*) from reviews r where r.freelancer_id = t.subject_id and r.rating = t.rating and r.hidden_at is null)
         from rating_tallies t";
    found.search(tx, tallies, params![], |row| {
        let (subject, rating): (Id<()>, i64) = (row.next()?, row.next()?);
        let (count, anew): (i64, i64) = (row.next()?, row.next()?);
        Ok((count != anew).then(|| {
            format!("{subject} is tallied {count} times with {rating}, it was rated so {anew} times")
        }))
    })?;
    for subject in ["service_id", "freelancer_id"] {
        let untallied = format!(
            "select r.id from reviews r where r.hidden_at is null and not exists (
                 select 1 from rating_tallies t where t.subject_id = r.{subject} and t.rating = r.rating)"
        );
        found.search(tx, &untallied, params![], |row| {
            Ok(Some(format!("review {} is missing from the tallies by {subject}", row.next::<Id<()>>()?)))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_average;
    use crate::rating::Rating;

    #[test]
    fn averages_are_recognised_without_computing_them_the_same_way() {
        for count in 0..40 {
            for sum in count..=5 * count {
                let centi = Rating { sum, count }.centi();
                assert!(is_average(centi, sum, count), "{sum} in {count}");
                assert!(!is_average(centi + 1, sum, count), "{sum} in {count}");
                assert!(!is_average(centi - 1, sum, count), "{sum} in {count}");
            }
        }
    }
}
