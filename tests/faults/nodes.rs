//! Faults of processes and of their actors.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::world::{Setup, World};
use super::{A_LEASE, Scenario};
use crate::support::chaos::strike;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("nodes: one of two killed", |world| {
            world.nodes[0].kill();
            world.start_again(0);
        })
        .on(Setup::TWO)
        .within(A_LEASE),
        Scenario::new("nodes: the only one killed", |world| {
            world.nodes[0].kill();
            world.start_again(0);
        })
        .within(A_LEASE),
        Scenario::new("nodes: one of two stopped for 3 s", |world| {
            world.nodes[0].signal(Signal::STOP);
            world.hold(Duration::from_secs(3));
            world.nodes[0].signal(Signal::CONT);
        })
        .on(Setup::TWO),
        Scenario::new("nodes: one of two stopped past its lease", |world| {
            world.nodes[0].signal(Signal::STOP);
            world.hold(Duration::from_secs(20));
            world.nodes[0].signal(Signal::CONT);
        })
        .on(Setup::TWO)
        .within(A_LEASE),
        Scenario::new("nodes: all rolled", |world| {
            for nth in 0..world.nodes.len() {
                world.nodes[nth].signal(Signal::TERM);
                let ended = world.nodes[nth].over();
                assert!(ended.success(), "{ended}: {}", world.nodes[nth].log());
                world.start_again(nth);
                world.hold(Duration::from_millis(500));
            }
        })
        .on(Setup::THREE)
        .sampled(),
        Scenario::new("nodes: the only one rolled", |world| {
            world.nodes[0].signal(Signal::TERM);
            let ended = world.nodes[0].over();
            assert!(ended.success(), "{ended}: {}", world.nodes[0].log());
            world.start_again(0);
        }),
        Scenario::new("nodes: one killed while Redis is down", |world| {
            world.redis.kill();
            world.nodes[0].kill();
            world.redis.restart();
            world.start_again(0);
        })
        .on(Setup::TWO)
        .within(A_LEASE),
        Scenario::new("nodes: Redis killed while one drains", |world| {
            world.nodes[0].signal(Signal::TERM);
            world.redis.restart();
            world.nodes[0].over();
            world.start_again(0);
        })
        .on(Setup::TWO)
        .within(A_LEASE),
        Scenario::new("nodes: every actor struck", strike_all).sampled(),
        Scenario::new("nodes: every actor struck, two nodes", strike_all).on(Setup::TWO),
        Scenario::new("nodes: the root panics", |world| {
            let body = json!({"actor": "root", "mode": "panic"});
            world.nodes[0].post_admin("/admin/chaos/actors", &body);
            let ended = world.nodes[0].over();
            assert_eq!(ended.code(), Some(70), "{}", world.nodes[0].log());
            world.start_again(0);
        })
        .within(A_LEASE),
    ]
}

fn strike_all(world: &mut World) {
    let (_, shown) = world.nodes[0].ask_admin("/admin/sessions");
    let sessions: Vec<String> = shown["sessions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|session| session["session_id"].as_str().map(str::to_owned))
        .collect();
    for nth in 0..40 {
        let body = strike(nth, &sessions);
        for node in &world.nodes {
            let status = node.post_admin("/admin/chaos/actors", &body);
            // The actor may be asleep or restarting.
            assert!([200, 404, 409].contains(&status), "{status}: {body}");
        }
        world.hold(Duration::from_millis(60));
    }
}
