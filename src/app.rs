//! What every handler is given, and the one place where services are wired to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::{Config, PaymentProvider, Service};
use crate::db::{Db, Tx, Wiring};
use crate::error::Result;
use crate::events::{self, Handler, Handlers, Node, Subscribers};
use crate::http::{Authentication, Operation, RateLimits, idempotency};
use crate::id::Id;
use crate::providers::sandbox::telling::{self, SANDBOX_SETTLE, SANDBOX_TELL, Telling};
use crate::providers::{Absent, Provider, Sandbox, Stripe, sandbox, stripe};
use crate::time::Clock;
use crate::users::passwords::{Cost, Hasher};
use crate::{
    disputes, fees, listings, notifications, orders, payments, payouts, profiles, reconciliation, reviews,
    test_clock, users, verify, webhooks,
};

/// A running Guildhall; clones share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    node: Node,
    db: Db,
    rate_limits: RateLimits,
    hasher: Hasher,
    provider: Arc<dyn Provider>,
    handlers: Handlers,
    metrics: Option<PrometheusHandle>,
    draining: AtomicBool,
}

/// How the built-in payment provider is made, once the database is open.
pub type MakeProvider = Box<dyn FnOnce(&Db) -> Arc<dyn Provider>>;

/// What is not in the configuration: tests use cheaper passwords and other providers, one process records metrics once.
pub struct Parts {
    pub password_cost: Cost,
    /// Who charges where the configuration chooses none outside. The sandbox keeps its books in the database that it is given.
    pub provider: MakeProvider,
    /// Whether the sandbox tells what happens in its books, beside being asked.
    pub telling: Telling,
    pub metrics: Option<PrometheusHandle>,
    /// The demo's begins in the past.
    pub clock: Arc<Clock>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            password_cost: Cost::STANDARD,
            provider: Box::new(|db| Arc::new(Sandbox::new(db.clone()))),
            telling: Telling(true),
            metrics: None,
            clock: Arc::default(),
        }
    }
}

impl App {
    /// Opens the database and wires the services. Does not migrate.
    pub fn open(config: Config, parts: Parts) -> Result<Self> {
        let place = config.place();
        if place.is_embedded() {
            std::fs::create_dir_all(&config.data_dir)?;
        }
        let services: Vec<&str> = config.services.iter().map(|service| service.as_str()).collect();
        let node = Node::new(config.listen, services.join(","));
        let db = Db::open(&place, parts.clock, wiring(&config, node.clone(), parts.telling))?;
        let provider = match config.provider {
            PaymentProvider::Sandbox => (parts.provider)(&db),
            PaymentProvider::Stripe => stripe(&config),
        };
        Ok(Self(Arc::new(Inner {
            node,
            db,
            provider,
            rate_limits: RateLimits::new(!config.rate_limit),
            hasher: Hasher::start(parts.password_cost)?,
            handlers: handlers(&config),
            metrics: parts.metrics,
            draining: AtomicBool::new(false),
            config,
        })))
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// This process among those that share the database.
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    pub fn db(&self) -> &Db {
        &self.0.db
    }

    pub fn rate_limits(&self) -> &RateLimits {
        &self.0.rate_limits
    }

    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// Who charges and refunds.
    pub fn provider(&self) -> &dyn Provider {
        self.0.provider.as_ref()
    }

    pub fn handlers(&self) -> &Handlers {
        &self.0.handlers
    }

    /// Prometheus' text, where metrics are recorded.
    pub fn metrics(&self) -> Option<String> {
        self.0.metrics.as_ref().map(PrometheusHandle::render)
    }

    /// Whether it finishes what runs and takes nothing new.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    pub fn start_draining(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }
}

/// Stripe where payments are served and its key is there: other commands and other processes need none.
fn stripe(config: &Config) -> Arc<dyn Provider> {
    if !config.services.contains(&Service::Payments) {
        return Arc::new(Absent::new("stripe", "payments are not served here".to_owned()));
    }
    match stripe::Settings::read(&config.stripe).and_then(Stripe::new) {
        Ok(stripe) => Arc::new(stripe),
        Err(why) => Arc::new(Absent::new("stripe", why)),
    }
}

/// What commands find through their transaction: terms, hooks of lower services, subscribers of events.
fn wiring(config: &Config, node: Node, telling: Telling) -> Wiring {
    Wiring::default()
        .with(config.market.clone())
        .with(node)
        .with(telling)
        .with(Authentication { by_token: users::authenticate, again: users::still_valid })
        .with(Subscribers(vec![payments::follow_order, disputes::follow_order, notifications::on_event]))
        .with(users::Hooks {
            deletion_blockers: vec![orders::blocking_deletion, payments::money_due, payouts::money_due],
            buying: vec![orders::needed_to_buy],
            selling: vec![listings::needed_to_sell, orders::needed_to_sell, payouts::needed_to_sell],
            deleted: vec![
                profiles::erase,
                listings::archive_all_of,
                notifications::forget,
                payouts::forget,
                idempotency::forget_caller,
            ],
            suspended: vec![listings::seller_suspended],
        })
        .with(orders::Hooks {
            refund: payments::refund_order,
            release: payments::release_order,
            held: payments::held,
            given_back: payments::given_back,
            contested: payments::is_charged_back,
        })
        .with(payments::Hooks {
            awaits_transfer: payouts::awaits_transfer,
            resolve_transfer: payouts::resolve_transfer,
        })
        .with(payouts::Terms { minimum: config.payout_minimum, paid_through: config.provider.as_str() })
        .with(orders::Terms { most_unpaid: config.rate_limit.then_some(100) })
}

/// What happens when a timer fires: each runs where its service is served, so that only payments need the provider's secrets.
fn handlers(config: &Config) -> Handlers {
    let mut handlers = Handlers::default()
        .on(HOUSEKEEPING, Handler::Inside(keep_house))
        .on(verify::VERIFY_HOURLY, Handler::Outside(verify::hourly));
    for service in &config.services {
        handlers = match service {
            Service::Orders => handlers
                .on(orders::PAY_BY, Handler::Inside(orders::cancel_unpaid))
                .on(orders::DUE, Handler::Inside(orders::tell_late))
                .on(orders::AUTO_COMPLETE, Handler::Inside(orders::accept_unanswered))
                .on(disputes::DEADLINE, Handler::Inside(disputes::look)),
            Service::Payments => handlers
                .on(payments::PAYMENT_ASK, Handler::Outside(payments::ask))
                .on(payments::PAYMENT_VOID, Handler::Outside(payments::void))
                .on(payments::REFUND_SEND, Handler::Outside(payments::send_refund))
                .on(payouts::TRANSFER_SEND, Handler::Outside(payouts::send))
                .on(payouts::PAYOUT_SCHEDULE, Handler::Outside(payouts::start_by_schedule))
                .on(payouts::PAYOUT_ACCOUNT, Handler::Outside(payouts::look_at_account))
                .on(reconciliation::RECONCILE_DAILY, Handler::Outside(reconciliation::daily))
                .on(webhooks::WEBHOOK_APPLY, Handler::Outside(webhooks::apply))
                .on(webhooks::WEBHOOK_CATCH_UP, Handler::Outside(webhooks::catch_up))
                .on(SANDBOX_TELL, Handler::Outside(webhooks::deliver))
                .on(SANDBOX_SETTLE, Handler::Inside(sandbox::settle_due)),
            Service::Users
            | Service::Profiles
            | Service::Services
            | Service::Notifications
            | Service::Reviews => handlers,
        };
    }
    handlers
}

/// The one timer without a subject: it schedules itself again.
const HOUSEKEEPING: &str = "housekeeping";
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3_600);
/// What is more than so many rows is forgotten in several goes, so that none takes longer than a write may.
const FORGOTTEN_AT_ONCE: u32 = 10_000;
const GOES_ON_AFTER: Duration = Duration::from_secs(1);

/// Lets the events worker forget what is over and ask for what the payment provider told meanwhile, now and every hour.
/// However many processes start, one timer of each remains.
pub async fn start_housekeeping(app: &App) -> Result<()> {
    let nobody = Id::<()>::from_uuid(uuid::Uuid::nil());
    app.db()
        .write(move |tx| {
            events::schedule(tx, webhooks::WEBHOOK_CATCH_UP, nobody, tx.now())?;
            events::schedule(tx, HOUSEKEEPING, nobody, tx.now())
        })
        .await
}

/// Lets the books be looked at by themselves: every invariant each hour, the payment provider's records each day. However
/// many processes start, one timer of each remains.
pub async fn start_audits(app: &App) -> Result<()> {
    let hourly = app.config().verify_hourly;
    app.db()
        .write(move |tx| {
            verify::start(tx, hourly)?;
            reconciliation::start(tx)
        })
        .await
}

fn keep_house(tx: &Tx, subject: Id<()>) -> Result<()> {
    let most = FORGOTTEN_AT_ONCE;
    let done = [
        users::forget_expired(tx, most)?,
        users::forget_stale(tx, most)?,
        idempotency::forget_old(tx, most)?,
        webhooks::forget_old(tx, most)?,
        telling::forget_told(tx, most)?,
        tx.forget_commits(tx.now().minus(HOUSEKEEPING_EVERY), most)?,
    ];
    let pause = if done == [true; 6] { HOUSEKEEPING_EVERY } else { GOES_ON_AFTER };
    events::schedule(tx, HOUSEKEEPING, subject, tx.now().plus(pause))
}

/// Every operation of the API, in the order of the document.
pub fn operations() -> Vec<Operation> {
    Service::ALL.iter().flat_map(|service| operations_of(*service)).collect()
}

/// The operations as a process with these settings answers them.
pub fn served(config: &Config) -> Vec<Operation> {
    let mut served = Vec::new();
    for service in Service::ALL {
        let here = config.services.contains(service);
        let operations = operations_of(*service).into_iter();
        served.extend(operations.map(|operation| if here { operation } else { operation.elsewhere() }));
    }
    if config.test_clock {
        served.extend(test_clock::operations());
    }
    served
}

fn operations_of(service: Service) -> Vec<Operation> {
    match service {
        Service::Users => users::operations(),
        Service::Profiles => profiles::operations(),
        Service::Services => listings::operations(),
        Service::Orders => {
            [orders::operations(), disputes::operations(), fees::operations()].into_iter().flatten().collect()
        }
        Service::Payments => [
            payments::operations(),
            payouts::operations(),
            reconciliation::operations(),
            webhooks::operations(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Service::Notifications => notifications::operations(),
        Service::Reviews => reviews::operations(),
    }
}
