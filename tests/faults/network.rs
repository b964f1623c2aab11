//! Faults of the link between a node and Redis.

use std::time::Duration;

use super::world::Setup;
use super::{A_LEASE, Scenario};
use crate::support::link::Way;

const REFUSING: Setup = Setup::TWO.serving(&["--when-redis-is-away", "refuse"]);
/// Time until a node that was cut off for a moment has released the sessions that others request: a second, plus the
/// delay of a loaded machine.
const NEXT_QUESTION: Duration = Duration::from_secs(3);
const TWO_SECONDS: Duration = Duration::from_secs(2);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("network: cut for 2 s", |world| {
            world.all_links(Way::Cut, TWO_SECONDS);
        }),
        Scenario::new("network: reset for 2 s", |world| {
            world.all_links(Way::Reset, TWO_SECONDS);
        }),
        Scenario::new("network: silent for 2 s", |world| {
            world.all_links(Way::Blackhole, TWO_SECONDS);
        }),
        Scenario::new("network: replies lost for 2 s", |world| {
            world.all_links(Way::Mute, TWO_SECONDS);
        })
        .sampled(),
        Scenario::new("network: slow for 3 s", |world| {
            world.all_links(Way::Slow, Duration::from_secs(3));
        }),
        Scenario::new("network: jitter for 3 s", |world| {
            world.all_links(Way::Jitter, Duration::from_secs(3));
        }),
        Scenario::new("network: a byte at a time for 2 s", |world| {
            world.all_links(Way::Trickle, TWO_SECONDS);
        }),
        Scenario::new("network: garbled for 2 s", |world| {
            world.all_links(Way::Garble, TWO_SECONDS);
        })
        .sampled(),
        Scenario::new("network: flapping", |world| {
            for _ in 0..10 {
                world.all_links(Way::Cut, Duration::from_millis(150));
                world.hold(Duration::from_millis(150));
            }
        }),
        Scenario::new("network: all connections dropped, ten times", |world| {
            for _ in 0..10 {
                for link in &world.links {
                    link.drop_all();
                }
                world.hold(Duration::from_millis(100));
            }
        }),
        Scenario::new("network: one of two nodes cut off", |world| {
            world.one_link(0, Way::Cut, TWO_SECONDS);
        })
        .on(Setup::TWO)
        .within(NEXT_QUESTION),
        Scenario::new("network: one of two nodes cut off, refuse", |world| {
            world.one_link(0, Way::Cut, TWO_SECONDS);
        })
        .on(REFUSING)
        .within(NEXT_QUESTION)
        .sampled(),
        Scenario::new("network: one of two nodes flaps, refuse", |world| {
            for _ in 0..5 {
                world.one_link(0, Way::Cut, Duration::from_millis(700));
                world.hold(Duration::from_millis(300));
            }
        })
        .on(REFUSING)
        .within(NEXT_QUESTION),
        Scenario::new("network: one of two nodes receives nothing", |world| {
            world.one_link(0, Way::Mute, Duration::from_secs(3));
        })
        .on(Setup::TWO)
        .within(A_LEASE),
        Scenario::new("network: one of two nodes cut past its lease", |world| {
            world.one_link(0, Way::Blackhole, Duration::from_secs(20));
        })
        .on(REFUSING),
        Scenario::new("network: one of two nodes garbled", |world| {
            world.one_link(0, Way::Garble, TWO_SECONDS);
        })
        .on(Setup::TWO),
    ]
}
