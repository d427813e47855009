//! A believable marketplace for an empty database: four months of it, told through the same commands the API uses. The
//! clock starts in the past and is moved along, so every deadline on the way passes as it would.

pub mod content;
mod orders;
mod people;
mod story;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::actor::Actor;
use crate::app::{App, Parts};
use crate::config::{Config, Market, PaymentProvider};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events;
use crate::id::Id;
use crate::params;
use crate::providers::patiently;
use crate::providers::sandbox::telling::Telling;
use crate::time::Clock;
use crate::{payments, payouts};

use story::{Act, Ask, Story};

/// Everybody's password. It is hashed once: hashing is slow on purpose.
pub const PASSWORD: &str = "walnut ferry thimble";

/// How long the story is.
const HOURS: u32 = 120 * 24;
/// What happens within so many hours happens in the same transaction.
const STEP_HOURS: u32 = 4;
/// At most so many deeds share one.
const BATCH: usize = 256;
const HOUR: Duration = Duration::from_secs(3_600);

/// One thing that somebody does; the id of what it made, or of what it was done to.
type Deed = Box<dyn Fn(&Tx) -> Result<Id<()>> + Send>;

/// How the application is opened for [`run`]: with a clock that starts in the past, without limits, with the usual deadlines.
pub fn setting(config: Config) -> (Config, Parts) {
    let Market { currency, fee, service_fee, .. } = config.market;
    let market = Market { currency, fee, service_fee, ..Market::default() };
    let clock = Arc::new(Clock::behind(HOUR * HOURS));
    // Nobody listens in a story that is over.
    let parts = Parts { clock, telling: Telling(false), ..Parts::default() };
    (Config { rate_limit: false, market, provider: PaymentProvider::Sandbox, ..config }, parts)
}

/// Fills an empty database: at scale 1 about 130 people, 200 listings and 500 orders. The same seed makes the same people
/// do and say the same things. `progress` is told how much is done, and of how much.
pub async fn run(app: &App, scale: u32, seed: u64, mut progress: impl FnMut(u64, u64)) -> Result<Made> {
    let clock = app.db().clock();
    if Clock::default().now().since(clock.now()) < HOUR * (HOURS - 1) {
        return Err(Error::broken("the demo needs a clock that starts in the past: open with demo::setting"));
    }
    if app.db().read(|tx| tx.exists("select 1 from users limit 1", params![])).await? {
        return Err(Error::broken(
            "the database is not empty, and the demo never mixes with real accounts: give an empty database, with --data-dir or --database-url",
        ));
    }
    let password_hash = app.hasher().hash(PASSWORD).await?;
    let mut story = Story::plan(scale.max(1), seed, app.config().market.currency, password_hash);
    let begins = clock.now();
    let all = story.len();
    let mut done = 0;
    while let Some((hour, acts)) = story.next_acts() {
        clock.advance(begins.plus(HOUR * hour + story.minutes(hour)).since(clock.now()));
        events::settle(app).await?;
        for acts in acts.chunks(BATCH) {
            play(app, &mut story, acts).await?;
            done += acts.len() as u64;
            progress(done, all);
        }
    }
    clock.reach(Duration::ZERO);
    events::settle(app).await?;
    Ok(story.made())
}

/// Does them in one transaction, and asks the provider of payments for what was begun.
async fn play(app: &App, story: &mut Story, acts: &[Act]) -> Result<()> {
    let deeds: Vec<Deed> = acts.iter().map(|act| story.deed(app, act)).collect::<Result<_>>()?;
    let made =
        app.db().write(move |tx| deeds.iter().map(|deed| deed(tx)).collect::<Result<Vec<_>>>()).await?;
    // What was begun counts as sent: the provider is asked again once it could not be on its way any more.
    app.db().clock().advance(app.provider().arrives_within());
    let mut asking = tokio::task::JoinSet::new();
    for (act, id) in acts.iter().zip(made) {
        match story.note(act, id)? {
            Some(Ask::Charge) => drop(asking.spawn(payments::ask(app.clone(), id))),
            Some(Ask::Account(freelancer)) => drop(asking.spawn(open_account(app.clone(), freelancer))),
            None => {}
        }
    }
    while let Some(asked) = asking.join_next().await {
        asked.map_err(|error| Error::Internal(Box::new(error)))??;
    }
    Ok(())
}

/// Opens a freelancer's account at the provider, where freelancers are paid through it.
async fn open_account(app: App, freelancer: Actor) -> Result<()> {
    let way = payouts::Way::of(app.config(), app.provider());
    if way.is_by_hand() {
        return Ok(());
    }
    let config = app.config().clone();
    let onboarding = app
        .db()
        .write(move |tx| {
            let user = payouts::commands::begin(tx, &freelancer, &json!({}).into(), way, &config)?;
            payouts::commands::onboarding(tx, user, &json!({}).into(), way, &config)
        })
        .await?;
    let onboarded = patiently(app.provider().onboard(&onboarding)).await?;
    let (user, provider) = (onboarding.user_id.cast(), way.provider());
    app.db().write(move |tx| payouts::apply_account(tx, user, provider, &onboarded.account)).await
}

/// What there is to look at.
#[derive(Debug)]
pub struct Made {
    pub people: usize,
    pub listings: usize,
    pub orders: usize,
    pub admin: String,
    pub freelancers: Vec<String>,
    pub buyers: Vec<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} people, {} listings and {} orders of four months.",
            self.people, self.listings, self.orders
        )?;
        writeln!(f, "Everybody has the password \"{PASSWORD}\" (one hash for all, to save time):")?;
        writeln!(f, "  administrator  {}", self.admin)?;
        writeln!(f, "  freelancers    {}", self.freelancers.join(", "))?;
        writeln!(f, "  buyers         {}", self.buyers.join(", "))?;
        writeln!(f, "Start `guildhall serve`, log in with POST /users/login, and look at:")?;
        writeln!(f, "  GET /services?q=logo&sort=rating     what is offered")?;
        writeln!(f, "  GET /orders                          yours, in every state; each has a /timeline")?;
        writeln!(f, "  GET /notifications/me                the inbox")?;
        writeln!(
            f,
            "  GET /orders?status=disputed          as the administrator: what waits for a decision"
        )?;
        write!(f, "  GET /payments/transactions           where the money went")
    }
}
