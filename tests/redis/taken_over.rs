//! Two nodes and one session after Redis has lost its owner; and warnings to a node that was configured as the only
//! one.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::gone_back::{created, durable, lost, result};
use super::serving::{history, until};
use super::{command, is_durable, serve};
use crate::support::redis::Redis;
use crate::support::{Project, Server, signal};

fn number(answer: &Value, name: &str) -> u64 {
    answer["context"]["durability"][name]
        .as_u64()
        .expect("a number")
}

/// A node takes a session over, and Redis is rolled back to before that. With either order of the next calls, no durable
/// answer is lost, also none of the older owner: it asks the newer owner before its first commit.
#[test]
fn a_takeover_survives_a_rollback_of_redis() {
    for newer_first in [true, false] {
        let Some(mut redis) = Redis::good() else {
            return;
        };
        let project = Project::small();
        let mut first = serve(&project, &redis.url(), &[]);
        let mut second = serve(&project, &redis.url(), &[]);
        let (id, arguments) = created(&mut first);
        let before = first.good("analyze_complexity", arguments.clone());
        is_durable(&before, "redis");
        // The first node owns it.
        let then = redis.copy();
        let mut known = vec![result(&before)];
        for tool in [
            "analyze_structure",
            "analyze_dependencies",
            "analyze_complexity",
        ] {
            let answer = durable(&mut second, tool, &arguments);
            let taken = number(&answer, "epoch");
            assert!(taken > number(&before, "epoch"), "{answer}");
            known.insert(0, result(&answer));
        }
        redis.go_back(then.path());
        let order = if newer_first {
            [&mut second, &mut first]
        } else {
            [&mut first, &mut second]
        };
        for server in order {
            let answer = durable(server, "analyze_structure", &arguments);
            assert!(
                number(&answer, "epoch") > number(&before, "epoch"),
                "{answer}"
            );
            known.insert(0, result(&answer));
        }
        for server in [&mut first, &mut second] {
            let found = history(server, &id);
            assert_eq!(found, known, "newer first: {newer_first}");
            assert_eq!(lost(server), 0, "newer first: {newer_first}");
            let view = server.good("get_session", arguments.clone());
            let notices = view["context"]["notices"].to_string();
            assert!(!notices.contains("are lost"), "{notices}");
        }
    }
}

/// The older owner is paused meanwhile, and does not notice it.
#[test]
fn a_paused_owner_does_not_undo_a_takeover() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let mut first = serve(&project, &redis.url(), &[]);
    let mut second = serve(&project, &redis.url(), &[]);
    let (id, arguments) = created(&mut first);
    let mut known = vec![result(&first.good("analyze_complexity", arguments.clone()))];
    let then = redis.copy();
    signal(first.pid(), Signal::STOP);
    // After its lease has ended.
    known.insert(
        0,
        result(&durable(&mut second, "analyze_structure", &arguments)),
    );
    known.insert(
        0,
        result(&durable(&mut second, "analyze_dependencies", &arguments)),
    );
    redis.go_back(then.path());
    // It is asked before the other node continues.
    let answer = durable(&mut second, "analyze_complexity", &arguments);
    known.insert(0, result(&answer));
    signal(first.pid(), Signal::CONT);
    known.insert(
        0,
        result(&durable(&mut first, "analyze_structure", &arguments)),
    );
    for server in [&mut first, &mut second] {
        assert_eq!(history(server, &id), known);
    }
}

fn warnings(server: &mut Server) -> String {
    let status = server.good("get_server_status", json!({}));
    status["data"]["store"]["warnings"].to_string()
}

#[test]
fn a_single_node_with_a_second_one_is_warned_in_any_order() {
    for alone_first in [true, false] {
        let Some(redis) = Redis::good() else { return };
        let project = Project::small();
        let start = |alone: bool| {
            let more: &[&str] = if alone { &["--single-node"] } else { &[] };
            serve(&project, &redis.url(), more)
        };
        let [one, two] = [alone_first, !alone_first].map(start);
        let (mut alone, mut other) = if alone_first { (one, two) } else { (two, one) };
        // One heartbeat, and a moment.
        let started = std::time::Instant::now();
        let told = until(|| {
            let told = warnings(&mut alone);
            told.contains("--single-node is set").then_some(told)
        });
        let took = started.elapsed();
        assert!(
            took < Duration::from_secs(14),
            "alone first {alone_first}: {took:?}"
        );
        assert!(told.contains("remove --single-node"), "{told}");
        // The other node's status shows it too.
        until(|| {
            let status = other.good("get_server_status", json!({}));
            status["data"]["nodes"]
                .to_string()
                .contains("single-node")
                .then_some(())
        });
        let doctor = command(&project, &redis.url(), &["doctor", "--store", "redis"]);
        assert_eq!(doctor.code, Some(78), "{}", doctor.stdout);
        assert!(
            doctor.stdout.contains("FAIL  nodes: several nodes"),
            "{}",
            doctor.stdout
        );
        let over = alone.close();
        assert!(
            over.stderr.contains("--single-node is set"),
            "{}",
            over.stderr
        );
    }
}
