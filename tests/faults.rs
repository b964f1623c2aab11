//! Faults of Redis, the network, nodes and the disk, one after another, against the built program under load. A checker
//! that sees only the clients' answers decides whether the guarantees held.
//!
//! `cargo test --test service -- faults --nocapture` runs a sample and prints its figures. `FAULTS=all` runs every
//! scenario, `FAULTS=part-of-a-name` those whose names contain it.

use std::time::{Duration, Instant};

mod checker;
mod disk;
mod load;
mod network;
mod nodes;
mod redis;
mod world;

use checker::Verdict;
use world::{Setup, World};

/// One fault under load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) setup: Setup,
    /// Starts the fault and ends it.
    pub(crate) fault: fn(&mut World),
    pub(crate) loss: Loss,
    /// Time from the end of the fault until every client has a durable answer.
    pub(crate) back_within: Duration,
    /// Whether every test run includes it.
    pub(crate) sample: bool,
}

/// Losses that a scenario permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// No durable answer is lost, and no loss is reported.
    None,
    /// Results that Redis lost: nodes keep the states of their sessions, not the results.
    Results,
    /// Redis loses acknowledged data after the nodes that knew it have died.
    Allowed,
}

/// Characters shown of a broken promise.
const SHOWN: usize = 300;

/// A restarted node releases its sessions; a killed one holds their leases for 15 s.
pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const A_LEASE: Duration = Duration::from_secs(25);

impl Scenario {
    const fn new(name: &'static str, fault: fn(&mut World)) -> Self {
        Self {
            name,
            setup: Setup::ONE,
            fault,
            loss: Loss::None,
            back_within: SOON,
            sample: false,
        }
    }

    const fn on(mut self, setup: Setup) -> Self {
        self.setup = setup;
        self
    }

    const fn within(mut self, back_within: Duration) -> Self {
        self.back_within = back_within;
        self
    }

    const fn losing(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    const fn sampled(mut self) -> Self {
        self.sample = true;
        self
    }

    /// `None` if Redis is not installed.
    fn run(&self) -> Option<Verdict> {
        let mut world = World::start(self.setup)?;
        let load = load::Load::start(&world);
        world.calm();
        (self.fault)(&mut world);
        let healed = Instant::now();
        let back = load.until_durable(healed, self.back_within.max(world::PATIENCE));
        world.calm();
        let told = load.end();
        Some(checker::judge(self, &world, &told, back))
    }
}

fn all() -> Vec<Scenario> {
    [
        redis::scenarios(),
        network::scenarios(),
        nodes::scenarios(),
        disk::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn the_guarantees_hold_under_every_fault() {
    let wanted = std::env::var("FAULTS").unwrap_or_default();
    let chosen: Vec<_> = all()
        .into_iter()
        .filter(|scenario| match wanted.as_str() {
            "" => scenario.sample,
            "all" => true,
            part => scenario.name.contains(part),
        })
        .collect();
    assert!(!chosen.is_empty(), "no scenario is called {wanted}");
    let mut broken = 0;
    eprintln!("{}", Verdict::HEADING);
    for scenario in &chosen {
        let Some(verdict) = scenario.run() else {
            return;
        };
        eprintln!("{verdict}");
        broken += verdict.broken.len();
        for line in &verdict.broken {
            let line: String = line.chars().take(SHOWN).collect();
            eprintln!("    BROKEN: {line}");
        }
    }
    eprintln!("{} scenarios, {} broken promises", chosen.len(), broken);
    assert_eq!(broken, 0, "what is broken is printed above");
}

#[test]
fn names_of_scenarios_are_unique() {
    let mut names: Vec<_> = all().iter().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}
