//! Reading a freelancer's page.

use crate::actor::UserId;
use crate::db::{Json, Tx};
use crate::error::{self, Result};
use crate::params;
use crate::rating::Rating;

use super::model::Profile;

/// The page of an active freelancer, empty if nothing was written, or 404.
pub fn profile(tx: &Tx, user: UserId) -> Result<Profile> {
    tx.first(
        "select u.username, p.first_name, p.last_name, p.bio, p.skills, p.experience, p.portfolio, p.version,
             coalesce(p.updated_at, u.created_at), coalesce(f.rating_sum, 0), coalesce(f.rating_count, 0),
             coalesce(f.completed_orders, 0)
         from users u left join profiles p on p.user_id = u.id left join freelancer_stats f on f.user_id = u.id
         where u.id = $1 and u.status = 'active' and u.role in ('freelancer', 'both')",
        params![user],
        |row| {
            Ok(Profile {
                user_id: user,
                username: row.next::<Option<_>>()?.unwrap_or_default(),
                first_name: row.next()?,
                last_name: row.next()?,
                bio: row.next()?,
                skills: row.next::<Option<Json<_>>>()?.map_or_else(Vec::new, |Json(skills)| skills),
                experience: row.next()?,
                portfolio: row.next::<Option<Json<_>>>()?.map_or_else(Vec::new, |Json(items)| items),
                version: row.next::<Option<_>>()?.unwrap_or(0),
                updated_at: row.next()?,
                rating: Rating { sum: row.next()?, count: row.next()? },
                completed_orders: row.next()?,
            })
        },
    )?
    .ok_or_else(error::not_found)
}
