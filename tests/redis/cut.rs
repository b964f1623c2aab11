//! Two nodes, and the link between one of them and Redis fails for a moment. A caller of the other node waits until the
//! link is back, not until a lease ends.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::serving::history;
use super::{is_durable, serve, text};
use crate::support::Project;
use crate::support::link::{Link, Way};
use crate::support::redis::Redis;

/// Time from the end of the fault to the answer.
const WITHIN: Duration = Duration::from_secs(1);
/// A machine that also compiles may delay one attempt: the best of these counts.
const TRIES: usize = 3;

fn cut(link: &Link) {
    link.set(Way::Cut);
    thread::sleep(Duration::from_secs(2));
    link.set(Way::Pass);
}

/// Longer than two questions without an answer.
fn cut_for_long(link: &Link) {
    link.set(Way::Cut);
    thread::sleep(Duration::from_secs(5));
    link.set(Way::Pass);
}

fn flap(link: &Link) {
    for _ in 0..5 {
        link.set(Way::Cut);
        thread::sleep(Duration::from_millis(700));
        link.set(Way::Pass);
        thread::sleep(Duration::from_millis(300));
    }
    link.set(Way::Cut);
    thread::sleep(Duration::from_millis(700));
    link.set(Way::Pass);
}

type Fault = fn(&Link);

#[test]
fn a_call_to_the_other_node_is_answered_as_soon_as_the_owner_is_back() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    let faults: [(&str, Fault); 3] = [
        ("cut", cut),
        ("cut for long", cut_for_long),
        ("flaps", flap),
    ];
    for (name, fault) in faults {
        for more in [[].as_slice(), &["--when-redis-is-away", "refuse"]] {
            let mut took = Vec::new();
            while took.len() < TRIES && took.last().is_none_or(|last| *last > WITHIN) {
                took.push(after(&redis, &project, fault, more));
            }
            let best = took.iter().min().expect("one");
            assert!(*best <= WITHIN, "{name} {more:?}: {took:?}");
            eprintln!("{name} {more:?}: answered {took:?} after the link was back");
        }
    }
}

fn after(redis: &Redis, project: &Project, fault: fn(&Link), more: &[&str]) -> Duration {
    let link = Link::to(redis.port);
    let mut owner = serve(project, &link.url(), more);
    let mut other = serve(project, &redis.url(), more);
    let made = owner.good("create_session", json!({}));
    let arguments = json!({"session_id": text(&made, "/data/session_id")});
    let first = owner.good("analyze_complexity", arguments.clone());
    is_durable(&first, "redis");
    let asked = arguments.clone();
    let calls = thread::spawn(move || {
        // The link is cut by then.
        thread::sleep(Duration::from_millis(100));
        let answer: Value = other.good("analyze_structure", asked);
        (answer, Instant::now(), other)
    });
    fault(&link);
    let back = Instant::now();
    let (answer, at, mut other) = calls.join().expect("answered");
    is_durable(&answer, "redis");
    let found = history(&mut other, text(&made, "/data/session_id"));
    let known = [&answer, &first].map(|answer| text(answer, "/context/result_id").to_owned());
    assert_eq!(found, known);
    at.saturating_duration_since(back)
}
