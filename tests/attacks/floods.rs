//! Too many requests from one client: others are served meanwhile, memory stays bounded, and afterwards nothing
//! remains.

use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ALICE, BOB, Team, bearer};
use crate::support::Project;
use crate::support::node::Node;
use crate::support::wire::Wire;

const MIB: u64 = 1 << 20;

/// The head of a request by Alice to `/mcp`.
fn head(more: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\n{more}\r\n\r\n",
        bearer(ALICE)
    )
}

/// The peak memory, once it no longer grows.
fn settled(node: &Node) -> u64 {
    let (mut last, mut alike) = (0, 0);
    for _ in 0..100 {
        let (_, most) = node.memory();
        alike = if most == last { alike + 1 } else { 0 };
        last = most;
        if alike == 5 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    last
}

#[test]
fn silent_connections_do_not_block_other_clients() {
    let team = Team::start(&[]);
    team.still_serves();
    let (before, _) = team.node.memory();
    for to in [team.node.http, team.admin()] {
        let flood: Vec<_> = (0..400)
            .map(|n| {
                let mut wire = Wire::to(to);
                if n % 2 == 0 {
                    wire.send(b"POST /mcp HTTP/1.1\r\nhost: loc");
                }
                wire
            })
            .collect();
        team.still_serves();
        assert_eq!(
            super::ask(team.admin(), ("GET", "/readyz"), &[super::HOME]).status,
            200
        );
        drop(flood);
    }
    team.still_serves();
    let (_, most) = team.node.memory();
    assert!(most < before + 64 * MIB, "{} MiB", (most - before) / MIB);
}

#[test]
fn a_flood_of_connections_leaves_file_handles_for_files() {
    let project = Project::small();
    let mut few_handles = Command::new("sh");
    few_handles.args([
        "-c",
        "ulimit -n 120; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_mcp-code-analysis"),
    ]);
    let node = Node::of(few_handles, project.path(), &[]);
    let mut client = node.client().connected("2025-06-18");
    let flood: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(node.http).expect("the system accepts it"))
        .collect();
    // Open connections continue to work.
    for n in 0..5 {
        project.write(&format!("new{n}.py"), b"def f(): pass\n");
        let found = client.good("analyze_structure", json!({"path": format!("new{n}.py")}));
        assert_eq!(found["coverage"]["files_analyzed"], 1, "{found}");
    }
    drop(flood);
    let mut sent = false;
    for _ in 0..500 {
        // A place becomes free once the server has noticed that another connection closed.
        let answer = super::wire::exchange(
            node.http,
            b"GET /x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        );
        sent = answer.is_some_and(|reply| reply.status == 404);
        if sent {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(sent, "no client can connect any more: {}", node.log());
}

#[test]
fn streams_of_one_principal_count_only_for_it() {
    let team = Team::start(&[]);
    team.still_serves();
    let (before, _) = team.node.memory();
    let alice = team.client(ALICE).connected("2025-06-18");
    for _ in 0..2 {
        let streams: Vec<_> = (0..200)
            .map(|n| {
                alice
                    .get(if n % 2 == 0 { "/sse" } else { "/mcp" })
                    .of_status(200)
            })
            .collect();
        let mut bob = team.client(BOB).connected("2025-11-25");
        bob.good("analyze_structure", json!({"limit": 1}));
        team.client(BOB).get("/sse").of_status(200);
        drop(streams);
    }
    team.still_serves();
    let (_, most) = team.node.memory();
    assert!(most < before + 64 * MIB, "{} MiB", (most - before) / MIB);
}

#[test]
fn abandoned_sessions_use_little_memory() {
    let team = Team::start(&[]);
    team.still_serves();
    let (before, _) = team.node.memory();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = team.client(ALICE);
                for _ in 0..400 {
                    client.clone().connected("2025-06-18");
                }
            });
        }
        let mut bob = team.client(BOB).connected("2025-11-25");
        for _ in 0..20 {
            bob.good("find_tools", json!({}));
        }
    });
    team.still_serves();
    let (_, most) = team.node.memory();
    assert!(most < before + 64 * MIB, "{} MiB", (most - before) / MIB);
}

#[test]
fn calls_over_the_rate_are_refused_with_a_retry_time() {
    let team = Team::start(&["--principal-rate", "30"]);
    let call = json!({"name": "find_tools", "arguments": {}});
    let refused: Vec<Value> = thread::scope(|scope| {
        let flood = (0..4).map(|_| {
            scope.spawn(|| {
                let mut alice = team.client(ALICE).connected("2025-06-18");
                let answers = (0..100).map(|_| alice.request("tools/call", call.clone()));
                let refused = answers.filter(|answer| answer["result"]["isError"] == true);
                refused.collect::<Vec<_>>()
            })
        });
        let flood: Vec<_> = flood.collect();
        let mut bob = team.client(BOB).connected("2025-11-25");
        for _ in 0..20 {
            bob.good("find_tools", json!({}));
        }
        flood
            .into_iter()
            .flat_map(|client| client.join().expect("answered"))
            .collect()
    });
    assert!(refused.len() > 50, "{}", refused.len());
    let delay_of = |answer: &Value| {
        let status = &answer["result"]["structuredContent"]["status"];
        assert_eq!(status["code"], "RESOURCE_EXHAUSTED", "{answer}");
        assert_eq!(status["retryable"], true, "{answer}");
        let delay = status["retry_after_ms"].as_u64().expect("a delay");
        assert!((1..10_000).contains(&delay), "{answer}");
        Duration::from_millis(delay)
    };
    for answer in &refused {
        delay_of(answer);
    }
    // No other client uses up her limit any more, so she need not retry.
    let mut alice = team.client(ALICE).connected("2025-06-18");
    let answer = alice.request("tools/call", call.clone());
    if answer["result"]["isError"] == true {
        thread::sleep(delay_of(&answer));
        alice.good("find_tools", json!({}));
    }
}

#[test]
fn endless_bodies_use_bounded_memory() {
    let team = Team::start(&[]);
    team.still_serves();
    let (before, _) = team.node.memory();
    let most_of_it = vec![b' '; 3 << 20];
    let mut flood: Vec<_> = (0..120).map(|_| Wire::to(team.node.http)).collect();
    thread::scope(|scope| {
        for wires in flood.chunks_mut(30) {
            let most_of_it = &most_of_it;
            scope.spawn(move || {
                for wire in wires {
                    wire.0
                        .set_write_timeout(Some(Duration::from_millis(50)))
                        .expect("a socket");
                    wire.send(head("content-length: 4000000").as_bytes());
                    // Data that the server does not read stays with the sender.
                    eprintln!("{}", wire.send(most_of_it));
                }
            });
        }
    });
    for _ in 0..10 {
        eprintln!("{} MiB", (team.node.memory().1 - before) / MIB);
        thread::sleep(Duration::from_millis(200));
    }
    // There is always room for a body of the usual size.
    team.still_serves();
    let most = settled(&team.node);
    assert!(most < before + 200 * MIB, "{} MiB", (most - before) / MIB);
    drop(flood);
    let large =
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y".repeat(1 << 20)}});
    let alice = team.client(ALICE).connected("2025-06-18");
    assert_eq!(alice.post(&large).message()["id"], 1, "there is room again");
}

#[test]
fn nested_batches_are_bounded() {
    let team = Team::start(&[]);
    let alice = team.client(ALICE).connected("2025-03-26");
    let many: Vec<_> = (0..100)
        .map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "run_batch", "arguments": {
            "calls": vec![json!({"tool": "analyze_structure", "arguments": {}}); 50],
        }}}))
        .collect();
    let running = alice.post(&Value::Array(many));
    let mut bob = team.client(BOB).connected("2025-11-25");
    bob.good("analyze_structure", json!({"limit": 1}));
    let answers = running.messages();
    let mut ids: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer["id"].as_u64())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<_>>(), "each is answered, once");
    // Most are refused with a retry time.
    let exhausted = |answer: &&Value| answer.to_string().contains("RESOURCE_EXHAUSTED");
    assert!(answers.iter().filter(exhausted).count() > 0);
    team.still_serves();
}
