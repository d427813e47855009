//! Random walks through everything that moves money: whatever people, banks, the provider and the clock do in whichever
//! order, and wherever a process dies, nothing is lost, taken twice or forgotten. `GUILDHALL_WALKS` says how many are
//! walked, `GUILDHALL_WALK_SEED` where they begin: a walk that fails says which of them walks it alone.

mod checks;
mod peer;
mod step;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use step::{Step, Walk, walks};
use world::World;

/// So many are walked in the suite; fewer where the database is a server, to which every statement is a way.
const WALKS: u64 = 10;
const WALKS_ON_A_SERVER: u64 = 3;
/// A walk has so many steps at most; `GUILDHALL_WALK_STEPS` is another number.
const STEPS: usize = 60;

/// Every invariant is looked at after so many steps; the cheaper promises after each.
const VERIFIED_EVERY: usize = 7;

type Answers = BTreeMap<(String, u16), usize>;

fn number(name: &str, unless_set: u64) -> u64 {
    std::env::var(name).map_or(unless_set, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_happens_in_whichever_order_the_money_is_all_there() {
    let on_a_server = std::env::var("GUILDHALL_TEST_DATABASE_URL").is_ok();
    let in_the_suite = if on_a_server { WALKS_ON_A_SERVER } else { WALKS };
    let (walks, first) = (number("GUILDHALL_WALKS", in_the_suite), number("GUILDHALL_WALK_SEED", 1));
    let mut answers = Answers::new();
    let mut steps = 0;
    for seed in first..first + walks {
        steps += walk_from(seed, &mut answers);
    }
    if std::env::var("GUILDHALL_WALKS").is_ok() {
        println!("{walks} walks of {steps} steps in all");
        for ((what, status), times) in &answers {
            println!("{times:>7} {status} {what}");
        }
    }
    if walks >= WALKS {
        gets_somewhere(&answers);
    }
}

/// Walks that are refused at every door would prove nothing.
fn gets_somewhere(answers: &Answers) {
    for (what, status) in [
        ("POST /orders", 201),
        ("POST /payments", 201),
        ("PUT /orders", 200),
        ("POST /orders/dispute", 201),
        ("POST /payments/refunds", 201),
        ("POST /payouts", 201),
        ("POST /webhooks/sandbox", 200),
    ] {
        assert!(answers.contains_key(&(what.to_owned(), status)), "no walk ever saw {status} {what}");
    }
}

/// Walks what this seed makes; one that fails is shortened until every step of it is needed.
fn walk_from(seed: u64, answers: &mut Answers) -> usize {
    let config = Config {
        cases: 1,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: u32::try_from(number("GUILDHALL_WALK_SHRINKS", 400)).unwrap(),
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let longest = usize::try_from(number("GUILDHALL_WALK_STEPS", STEPS as u64)).unwrap();
    let seen = std::cell::RefCell::new((0, Answers::new()));
    let outcome = runner.run(&walks(longest), |walk| {
        *seen.borrow_mut() = (walk.steps.len(), taken(&walk));
        Ok(())
    });
    if let Err(TestError::Fail(why, walk)) = outcome {
        let Walk { currency, by_hand, service_fee_bp, steps } = walk;
        let steps: String = steps.iter().map(|step| format!("\n    {step:?},")).collect();
        panic!(
            "{why}\nGUILDHALL_WALK_SEED={seed} GUILDHALL_WALKS=1 walks it again; in the end:\n\
             {currency}, by hand: {by_hand}, service fee: {service_fee_bp} bp{steps}"
        );
    }
    let (steps, one) = seen.into_inner();
    for (answer, times) in one {
        *answers.entry(answer).or_default() += times;
    }
    steps
}

/// Takes every step, and looks after each; then time passes, and everything comes to its end.
fn taken(walk: &Walk) -> Answers {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(walk).await;
        for (at, step) in walk.steps.iter().enumerate() {
            world.act(step).await;
            if !matches!(step, Step::Wait { .. }) {
                world.keeps_promises(step).await;
            }
            if at % VERIFIED_EVERY == 0 {
                world.holds(step).await;
            }
        }
        ends(&mut world).await;
        std::mem::take(&mut world.answers)
    })
}

const DAY: Duration = Duration::from_secs(86_400);

/// Runs the clock far forward while nothing goes wrong any more, and looks at what is left.
async fn ends(world: &mut World) {
    world.restart();
    world.mend().await;
    world.heal().await;
    for span in [0, 1, 60, 61, 120, 700, 700, 3_700, 3_700, 3_700].map(Duration::from_secs) {
        world.wait(span).await;
        world.work().await;
    }
    for days in [1, 1, 1, 2, 4, 8, 15, 15, 30] {
        // What was lost may have been sent again meanwhile.
        world.heal().await;
        world.wait(days * DAY).await;
        world.work().await;
        world.wait(2 * Duration::from_secs(3_700)).await;
        world.work().await;
    }
    world.holds(&Step::Work).await;
    world.has_ended().await;
}
