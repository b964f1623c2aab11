//! Principals: no access without a token, no access to another's data, and limits on the use of shared resources.

use std::fmt::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::node::{Client, Node};
use crate::support::redis::Redis;
use crate::support::{PATIENCE, Project, sha256};

/// A server with the principals `ann` and `ben`, a token for each, and a configuration.
pub(super) fn serve(project: &Project, config: &str) -> (Node, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut tokens = String::new();
    for (name, digest) in [
        // What `printf %s NAME-token | sha256sum` prints.
        ("ann", sha256("ann-token")),
        ("ben", sha256("ben-token")),
    ] {
        writeln!(tokens, "{name}: {digest}").expect("written");
    }
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("tokens"), tokens).expect("written");
    std::fs::write(
        file("config.toml"),
        format!("auth_tokens = 'tokens'\n{config}"),
    )
    .expect("written");
    let path = file("config.toml");
    let node = Node::start(project.path(), &["--config", &path.to_string_lossy()]);
    (node, folder)
}

pub(super) fn bearing(node: &Node, name: &str) -> Client {
    node.client()
        .with("authorization", &format!("Bearer {name}-token"))
}

/// The envelope of a call, successful or not.
fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = client.request("tools/call", json!({"name": tool, "arguments": arguments}));
    answer["result"]["structuredContent"].clone()
}

#[test]
fn a_stranger_gets_nothing_on_any_route() {
    let project = Project::small();
    let (node, _folder) = serve(&project, "");
    let message = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for client in [
        node.client(),
        bearing(&node, "eve"),
        node.client()
            .with("authorization", "Basic YW5uOmFubi10b2tlbg=="),
    ] {
        for path in [
            "/mcp",
            "/messages",
            "/messages?sessionId=x",
            "/nothing",
            "/mcp?token=ann-token",
        ] {
            let answer = client.post_to(path, message).of_status(401);
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with("Bearer"), "{challenge}");
        }
        for path in ["/mcp", "/sse", "/"] {
            assert_eq!(client.get(path).status, 401, "{path}");
        }
        assert_eq!(client.delete("/mcp"), 401);
    }
    assert!(!node.log().contains("-token"), "{}", node.log());
}

/// The server runs on, and an unreadable file revokes no token.
#[test]
fn guessed_tokens_are_limited_and_other_clients_are_not() {
    let project = Project::small();
    let (node, _folder) = serve(&project, "");
    let message = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let statuses: Vec<u16> = (0..30)
        .map(|n| {
            bearing(&node, &format!("eve{n}"))
                .post_to("/mcp", message)
                .status
        })
        .collect();
    assert_eq!(statuses[..20], [401; 20]);
    assert_eq!(statuses[20..], [429; 10]);
    let mut ann = bearing(&node, "ann").connected("2025-11-25");
    let status = call(&mut ann, "get_server_status", json!({}));
    assert_eq!(status["status"]["success"], true, "{status}");
}

#[test]
fn a_signal_reloads_the_tokens() {
    let project = Project::small();
    let (node, folder) = serve(&project, "");
    let file = folder.path().join("tokens");
    let list = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let refused = |name: &str| bearing(&node, name).post_to("/mcp", list).status == 401;
    let until_logged = |what: &str| {
        let started = Instant::now();
        while !node.log().contains(what) {
            assert!(started.elapsed() < PATIENCE, "{}", node.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    assert!(!refused("ann") && refused("eve"));
    std::fs::write(&file, "eve: ann-token\n").expect("written");
    node.signal(Signal::HUP);
    until_logged("line 1");
    assert!(!refused("ann") && refused("eve"));
    std::fs::write(&file, format!("eve: {}\n", sha256("eve-token"))).expect("written");
    node.signal(Signal::HUP);
    until_logged("tokens read again");
    assert!(refused("ann") && !refused("eve"));
    assert!(!node.log().contains("-token"), "{}", node.log());
}

/// Both kinds of streams. A client whose token stays is not disturbed.
#[test]
fn streams_end_when_their_token_is_removed() {
    let project = Project::small();
    let (node, folder) = serve(&project, "");
    let streams = |name: &str| {
        let client = bearing(&node, name).connected("2025-11-25");
        ["/mcp", "/sse"].map(|path| client.get(path).of_status(200))
    };
    let (anns, bens) = (streams("ann"), streams("ben"));
    let (ended, ends) = mpsc::sync_channel(2);
    for stream in bens {
        let ended = ended.clone();
        std::thread::spawn(move || {
            stream.text();
            let _ = ended.send(());
        });
    }
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("ben: {}\n", sha256("ben-token"))).expect("written");
    node.signal(Signal::HUP);
    for stream in anns {
        stream.text();
    }
    assert!(bearing(&node, "ann").get("/sse").status == 401);
    assert!(ends.try_recv().is_err(), "ben's streams continue");
    std::fs::write(&file, "").expect("written");
    node.signal(Signal::HUP);
    for _ in 0..2 {
        ends.recv_timeout(PATIENCE).expect("it ends");
    }
    assert!(bearing(&node, "ben").get("/sse").status == 401);
}

#[test]
fn data_of_others_looks_like_data_that_never_existed() {
    let project = Project::small();
    let (node, _folder) = serve(&project, "");
    let mut ann = bearing(&node, "ann").connected("2025-11-25");
    let mut ben = bearing(&node, "ben").connected("2025-11-25");
    let made = ann.good("create_session", json!({"label": "ann's"}));
    let hers = made["data"]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let found = ann.good("analyze_complexity", json!({"session_id": hers}));
    let result = found["context"]["result_id"].clone();
    let nobodys = "ses_00000000000000000000000000000000";
    let asked = |id: &str| {
        vec![
            ("get_session", json!({"session_id": id})),
            ("close_session", json!({"session_id": id})),
            ("analyze_complexity", json!({"session_id": id})),
            ("analyze_dependencies", json!({"session_id": id})),
            ("analyze_structure", json!({"session_id": id})),
            (
                "compare_results",
                json!({"session_id": id, "baseline": result}),
            ),
            (
                "run_batch",
                json!({"session_id": id, "calls": [{"tool": "analyze_structure"}]}),
            ),
        ]
    };
    for ((tool, hers_asked), (_, nobodys_asked)) in asked(&hers).into_iter().zip(asked(nobodys)) {
        let told = |answer: &Value| {
            let mut answer = answer.clone();
            for part in ["/metadata", "/data/answers/0/metadata"] {
                // Time and duration differ.
                answer.pointer_mut(part).map(Value::take);
            }
            answer
                .to_string()
                .replace(&hers, "ID")
                .replace(nobodys, "ID")
        };
        let hers_told = call(&mut ben, tool, hers_asked);
        let nobodys_told = call(&mut ben, tool, nobodys_asked);
        assert_eq!(told(&hers_told), told(&nobodys_told), "{tool}");
        if tool != "run_batch" {
            assert_eq!(
                hers_told["status"]["reason"], "unknown_session",
                "{tool}: {hers_told}"
            );
        }
    }
    let bens = ben.good("list_sessions", json!({}));
    assert!(!bens.to_string().contains(&hers), "{bens}");
    // Her connection id with his token.
    let (_, connection) = ann
        .headers
        .iter()
        .find(|(name, _)| name == "mcp-session-id")
        .expect("hers");
    let thief = bearing(&node, "ben")
        .with("mcp-session-id", connection)
        .with("mcp-protocol-version", "2025-11-25");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    assert_eq!(thief.post(&ping).status, 404);
    assert_eq!(thief.get("/mcp").status, 404);
    let unknown = thief
        .clone()
        .with("mcp-session-id", "con_00000000000000000000000000000000");
    assert_eq!(thief.post(&ping).text(), unknown.post(&ping).text());
    thief.delete("/mcp");
    assert_eq!(
        ann.request("ping", json!({}))["result"],
        json!({}),
        "it is still hers"
    );
}

#[test]
fn a_principal_reads_only_its_own_roots() {
    let project = Project::small();
    let app = project.path().join("app");
    let config = format!("[principals.ben]\nroots = ['{}']\n", app.display());
    let (node, _folder) = serve(&project, &config);
    let mut ann = bearing(&node, "ann").connected("2025-06-18");
    let mut ben = bearing(&node, "ben").connected("2025-06-18");
    let all = ann.good("analyze_structure", json!({"path": "web"}));
    assert_eq!(all["coverage"]["files_analyzed"], 2);
    let web = project.path().join("web").to_string_lossy().into_owned();
    for path in ["../web", "web", &web] {
        for tool in [
            "analyze_complexity",
            "analyze_structure",
            "analyze_dependencies",
        ] {
            let answer = call(&mut ben, tool, json!({"path": path}));
            let reason = answer["status"]["reason"]
                .as_str()
                .expect("refused")
                .to_owned();
            assert!(
                ["path_outside_roots", "path_not_found"].contains(&reason.as_str()),
                "{tool} {path}: {answer}"
            );
        }
    }
    let answer = call(&mut ben, "create_session", json!({"roots": [web]}));
    assert_eq!(answer["status"]["success"], false, "{answer}");
    let mine = ben.good("analyze_complexity", json!({}));
    assert_eq!(
        mine["coverage"]["languages"],
        json!({"python": 3}),
        "{mine}"
    );
    let status = ben.good("get_server_status", json!({}));
    assert!(!status.to_string().contains("rs/src"), "{status}");
}

#[test]
fn limits_apply_per_principal_and_have_a_retry_time() {
    let project = Project::small();
    let (node, _folder) = serve(
        &project,
        "principal_sessions = 3\n[principals.ben]\nrate = 5\nsessions = 100\n",
    );
    let refused = |answer: &Value, reason: &str| {
        let status = &answer["status"];
        assert_eq!(status["code"], "RESOURCE_EXHAUSTED", "{answer}");
        assert_eq!(status["reason"], reason);
        assert!(
            status["retry_after_ms"]
                .as_u64()
                .is_some_and(|after| after > 0),
            "{answer}"
        );
    };
    let mut ann = bearing(&node, "ann").connected("2025-06-18");
    for _ in 0..3 {
        ann.good("create_session", json!({}));
    }
    refused(
        &call(&mut ann, "create_session", json!({})),
        "limit_reached",
    );
    let listed = ann.good("list_sessions", json!({}));
    assert_eq!(listed["page"]["total"], 3, "{listed}");
    // A burst may be twice the rate.
    let mut ben = bearing(&node, "ben").connected("2025-06-18");
    let answers: Vec<_> = (0..40)
        .map(|_| call(&mut ben, "find_tools", json!({})))
        .collect();
    let limited: Vec<_> = answers
        .iter()
        .filter(|answer| answer["status"]["success"] == false)
        .collect();
    refused(limited.first().expect("40 are too many"), "rate_limited");
    // Another principal is not affected.
    ann.good("find_tools", json!({}));
}

#[test]
fn storage_per_principal_is_bounded_and_closing_frees_it() {
    let project = Project::small();
    let (node, _folder) = serve(&project, "[principals.ann]\nbytes = '64KiB'\n");
    let mut ann = bearing(&node, "ann").connected("2025-06-18");
    let made = ann.good("create_session", json!({}));
    let id = made["data"]["session_id"].clone();
    let ask = |client: &mut Client, n: usize| {
        // Each call is different, and its result is stored.
        let arguments = json!({"session_id": id, "limit": 1 + n % 40});
        call(client, "analyze_structure", arguments)
    };
    let started = Instant::now();
    let refused = (0..)
        .map(|n| ask(&mut ann, n))
        .inspect(|_| assert!(started.elapsed() < PATIENCE, "nothing is refused"))
        .find(|answer| answer["status"]["success"] == false)
        .expect("a refusal");
    let status = &refused["status"];
    assert_eq!(
        (&status["code"], &status["reason"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!("storage_full"))
    );
    assert!(
        status["retry_after_ms"]
            .as_u64()
            .is_some_and(|after| after > 0),
        "{refused}"
    );
    // Reads are always allowed, and so are calls of another principal.
    ann.good("get_session", json!({"session_id": id}));
    bearing(&node, "ben")
        .connected("2025-06-18")
        .good("analyze_structure", json!({}));
    ann.good("close_session", json!({"session_id": id}));
    let closed = Instant::now();
    while call(&mut ann, "create_session", json!({}))["status"]["success"] == false {
        assert!(closed.elapsed() < PATIENCE, "closing made no room");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sessions cannot be counted then, so none is refused; once they can be, the limit applies.
#[test]
fn sessions_created_while_redis_is_down_count_later() {
    let Some(mut redis) = Redis::good() else {
        return;
    };
    let project = Project::small();
    let (node, _folder) = serve(
        &project,
        &format!(
            "store = 'redis'\nredis_url = '{}'\nprincipal_sessions = 2\n",
            redis.url()
        ),
    );
    let mut ann = bearing(&node, "ann").connected("2025-11-25");
    ann.good("create_session", json!({}));
    redis.kill();
    for _ in 0..3 {
        let made = ann.good("create_session", json!({}));
        let durability = &made["context"]["durability"];
        assert_eq!(durability["level"], "memory", "{made}");
        assert_eq!(durability["durable"], false, "{made}");
        let notices = made["context"]["notices"].to_string();
        assert!(notices.contains("not durable"), "{made}");
    }
    redis.restart();
    let started = Instant::now();
    loop {
        let listed = call(&mut ann, "list_sessions", json!({}));
        let known = listed["data"]["sessions"].as_array().map_or(0, Vec::len);
        if known == 4 {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{listed}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let refused = call(&mut ann, "create_session", json!({}));
    assert_eq!(refused["status"]["reason"], "limit_reached", "{refused}");
}
