//! Running calls: many at once, cancelled, interrupted by the end of stdin or by a signal.

use std::time::{Duration, Instant};

use rustix::process::{Signal, test_kill_process_group};
use serde_json::{Value, json};

use crate::support::server::STATELESS;
use crate::support::{self, PATIENCE, Project, Server, pid};

/// From the end of stdin to the end of the process: half a second of grace, and the time to stop.
const SOON: Duration = Duration::from_secs(5);
/// Files of a project whose analysis takes seconds.
const LARGE: usize = 400;

fn everything() -> Value {
    json!({"name": "analyze_complexity", "arguments": {}})
}

/// Polls until the number of running tools is as wanted; returns the last status.
fn await_running(server: &mut Server, wanted: impl Fn(u64) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let status = server.good("get_server_status", json!({}))["data"].clone();
        let running = status["pool"]["running"].as_u64();
        if wanted(running.expect("the pool reports running tools")) {
            return status;
        }
        assert!(started.elapsed() < PATIENCE, "{}", status["pool"]);
    }
}

#[test]
fn a_cancelled_call_is_not_answered_and_frees_its_worker() {
    let project = Project::large(LARGE);
    let mut server = Server::initialized(project.path());
    let id = server.ask("tools/call", everything());
    await_running(&mut server, |running| running > 0);
    let params = json!({"requestId": id, "reason": "test"});
    server.notify("notifications/cancelled", params);
    let freed = await_running(&mut server, |running| running == 0);
    // Each analysed file is in the cache: most files are not.
    let analysed = freed["cache"]["entries"].as_u64().expect("counted");
    assert!(
        analysed < LARGE as u64 / 2,
        "it continued: {analysed} files"
    );
    let next = json!({"path": "pkg/m7.py", "limit": 1});
    let answer = server.good("analyze_complexity", next);
    assert_eq!(
        answer["coverage"]["files_analyzed"], 1,
        "the worker is free"
    );
    let over = server.close();
    assert!(
        over.rest.iter().all(|message| message["id"] != json!(id)),
        "{:?}",
        over.rest
    );
}

#[test]
fn the_end_of_stdin_ends_the_process_with_running_calls() {
    let project = Project::large(LARGE);
    let idle = Server::start(project.path()).close();
    assert!(
        idle.status.success() && idle.took < SOON,
        "{:?} {}",
        idle.took,
        idle.stderr
    );
    let mut busy = Server::initialized(project.path());
    let group = busy.pid();
    for _ in 0..3 {
        busy.ask("tools/call", everything());
    }
    await_running(&mut busy, |running| running > 0);
    let over = busy.close();
    assert!(over.status.success(), "{}", over.stderr);
    assert!(over.took < SOON, "{:?}", over.took);
    assert!(!group_lives(group), "a process is left");
}

/// Whether a process of the server's group still runs.
fn group_lives(leader: u32) -> bool {
    test_kill_process_group(pid(leader)).is_ok()
}

#[test]
fn requests_from_a_pipe_are_answered_before_the_end() {
    let project = Project::small();
    let mut server = Server::initialized(project.path());
    let id = server.ask(
        "tools/call",
        json!({"name": "get_server_status", "arguments": {}}),
    );
    let over = server.close();
    assert!(over.status.success());
    assert!(
        over.rest.iter().any(|message| message["id"] == json!(id)),
        "{:?}",
        over.rest
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_process_cleanly() {
    let project = Project::small();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::initialized(project.path());
        server.good("analyze_complexity", json!({}));
        support::signal(server.pid(), signal);
        let over = server.over();
        assert_eq!(over.status.code(), Some(0), "{signal:?}: {}", over.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_call_longer_than_the_grace_period_is_answered_shutting_down() {
    let project = Project::large(4 * LARGE);
    let mut server = Server::initialized(project.path());
    let id = server.ask("tools/call", everything());
    await_running(&mut server, |running| running > 0);
    support::signal(server.pid(), Signal::TERM);
    let answer = server.answer(&json!(id));
    let status = &answer["result"]["structuredContent"]["status"];
    assert_eq!(status["reason"], "shutting_down", "{answer}");
    assert_eq!(status["retryable"], true, "{answer}");
    let over = server.over();
    assert_eq!(over.status.code(), Some(0), "{}", over.stderr);
}

#[test]
fn a_hundred_concurrent_calls_get_their_own_answers() {
    let project = Project::small();
    let mut server = Server::initialized(project.path());
    let tools = [
        "get_server_status",
        "find_tools",
        "analyze_structure",
        "list_sessions",
    ];
    let ids: Vec<Value> = (0..100)
        .map(|n| {
            if n % 2 == 0 {
                json!(1000 + n)
            } else {
                json!(format!("call-{n}"))
            }
        })
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let params = json!({"name": tools[n % tools.len()], "arguments": {}});
        server.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}));
    }
    for (n, id) in ids.iter().enumerate() {
        let answer = server.answer(id);
        let envelope = &answer["result"]["structuredContent"];
        assert_eq!(
            answer["result"]["_meta"]["metadata"]["tool"],
            tools[n % tools.len()],
            "{answer}"
        );
        // A session has a limit of running calls; calls over it are refused as retryable.
        let busy = envelope["status"]["reason"] == "busy";
        assert!(busy || envelope["status"]["success"] == true, "{answer}");
    }
    let over = server.close();
    assert!(over.status.success());
    assert!(over.rest.is_empty(), "answered twice: {:?}", over.rest);
}

#[test]
fn two_hundred_calls_of_one_tool_get_their_own_answers() {
    const CALLS: usize = 200;
    let mut project = Project::empty();
    for n in 0..CALLS {
        let text = format!("def only_{n}():\n    return {n}\n");
        project = project.with(&format!("m{n}.py"), &text);
    }
    let mut server = Server::start(project.path());
    // Without sessions, only the pool limits the running calls.
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let asked: Vec<_> = (0..CALLS)
        .map(|n| {
            let arguments = json!({"path": format!("m{n}.py")});
            let params =
                json!({"_meta": meta, "name": "analyze_complexity", "arguments": arguments});
            server.ask("tools/call", params)
        })
        .collect();
    for (n, id) in asked.into_iter().enumerate() {
        let answer = server.answer(&json!(id));
        let functions = &answer["result"]["structuredContent"]["data"]["functions"];
        assert_eq!(
            functions[0]["qualified_name"],
            format!("only_{n}"),
            "{answer}"
        );
        assert_eq!(functions.as_array().map(Vec::len), Some(1), "{answer}");
    }
    assert!(server.close().rest.is_empty(), "answered twice");
}
