//! Paths and options that lead out of the roots, in tool arguments: nothing outside the roots is revealed, and no
//! request stops the server.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{ALICE, Team};
use crate::support::node::Client;

/// The content of a file outside all roots.
const SECRET: &str = "def outside_of_all_roots(): pass\n";

/// The envelope of a call, or the error of an invalid request, and the whole response as text.
fn call(client: &mut Client, tool: &str, arguments: Value) -> (Value, String) {
    let message = client.message("tools/call", json!({"name": tool, "arguments": arguments}));
    let answer = client.post(&message).message();
    let said = answer.to_string();
    (answer["result"]["structuredContent"].clone(), said)
}

#[test]
fn no_path_leaves_the_roots() {
    let team = Team::start(&[]);
    let root = team.project.path();
    // A sibling directory whose name has the root's name as a prefix, and paths to it.
    let name = root
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let twin = tempfile::Builder::new()
        .prefix(&format!("{name}-twin"))
        .tempdir_in(root.parent().expect("a parent"))
        .expect("a folder");
    fs::write(twin.path().join("secret.py"), SECRET).expect("written");
    let twin_name = twin
        .path()
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    symlink(twin.path(), root.join("link")).expect("a link");
    symlink(twin.path().join("secret.py"), root.join("link.py")).expect("a link");
    symlink("/proc/self", root.join("proc")).expect("a link");
    symlink("loop", root.join("loop")).expect("a link");
    let absolute = twin.path().to_string_lossy().into_owned();
    let mut alice = team.client(ALICE).connected("2025-11-25");
    let paths = [
        format!("../{twin_name}"),
        format!("../{twin_name}/secret.py"),
        format!("app/../../{twin_name}/secret.py"),
        format!("./.././{twin_name}"),
        absolute.clone(),
        format!("{absolute}/secret.py"),
        format!("/proc/self/root{absolute}"),
        format!("{}/../{twin_name}", root.display()),
        format!("{}-twin", root.display()),
        format!("file://{absolute}/secret.py"),
        format!("%2e%2e/{twin_name}/secret.py"),
        format!("..%2f{twin_name}"),
        format!("..\\{twin_name}\\secret.py"),
        format!("app/\u{0}/../../{twin_name}"),
        format!("link/../../{twin_name}"),
        "link".to_owned(),
        "link/secret.py".to_owned(),
        "link.py".to_owned(),
        "loop".to_owned(),
        "proc/environ".to_owned(),
        "proc/root/etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "/".to_owned(),
        "~".to_owned(),
        "$HOME".to_owned(),
        "\u{ff0e}\u{ff0e}/secret.py".to_owned(),
        "a".repeat(5000),
        "a/".repeat(3000),
        "\u{202e}yp.nepo".to_owned(),
        "app/main.py\u{0}.txt".to_owned(),
        "app/main.py/".repeat(2),
        "\n".to_owned(),
    ];
    for path in &paths {
        for tool in [
            "analyze_structure",
            "analyze_complexity",
            "analyze_dependencies",
        ] {
            let (answer, said) = call(&mut alice, tool, json!({"path": path}));
            let code = answer["status"]["code"].as_str().unwrap_or_default();
            let refused = ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED"].contains(&code);
            assert!(refused, "{tool} {path:?}: {said}");
            assert!(
                !said.contains("outside_of_all_roots") && !said.contains("root:x"),
                "{path:?}: {said}"
            );
        }
        // Neither a session nor a batch gives access to it.
        let (_, said) = call(&mut alice, "create_session", json!({"roots": [path]}));
        assert!(said.contains("\"isError\":true"), "{path:?}: {said}");
        let calls = json!([{"tool": "analyze_structure", "arguments": {"path": path}}]);
        let (_, said) = call(&mut alice, "run_batch", json!({"calls": calls}));
        assert!(!said.contains("outside_of_all_roots"), "{path:?}: {said}");
    }
    // In an analysis of the whole root, links lead nowhere.
    let (whole, said) = call(&mut alice, "analyze_structure", json!({"limit": 1000}));
    assert_eq!(whole["status"]["success"], true, "{said}");
    assert!(!said.contains("outside_of_all_roots"), "{said}");
    team.still_serves();
}

#[test]
fn text_like_an_option_is_a_path_or_a_pattern() {
    let team = Team::start(&[]);
    let mut alice = team.client(ALICE).connected("2025-11-25");
    for text in [
        "--root=/",
        "-r",
        "--",
        "-",
        "--config=/etc/passwd",
        "; cat /etc/passwd",
        "$(id)",
        "`id`",
        "|id",
        "@/etc/passwd",
        "{{7*7}}",
        "%s%s%n",
        "' OR 1=1 --",
        "EVAL \"return 1\" 0\r\n",
    ] {
        let (answer, said) = call(&mut alice, "analyze_structure", json!({"path": text}));
        assert_eq!(answer["status"]["code"], "NOT_FOUND", "{said}");
        for arguments in [
            json!({"include": [text]}),
            json!({"exclude": [text]}),
            json!({"query": text}),
            json!({"cursor": text}),
            json!({"session_id": text}),
            json!({"idempotency_key": text}),
            json!({text: text}),
            json!({"limit": text}),
        ] {
            let (_, said) = call(&mut alice, "analyze_structure", arguments);
            assert!(!said.contains("uid=") && !said.contains("root:x"), "{said}");
            assert!(!said.contains("INTERNAL"), "{text}: {said}");
        }
    }
    for globs in [
        json!(["*".repeat(2000)]),
        json!(["{".repeat(500)]),
        json!([format!("{}{}", "{a,".repeat(60), "}".repeat(60))]),
        json!(["[".repeat(500)]),
        json!(["**/".repeat(300)]),
        json!(vec!["x"; 5000]),
        json!(["../**", "/etc/**"]),
    ] {
        let (_, said) = call(&mut alice, "analyze_structure", json!({"include": globs}));
        assert!(
            !said.contains("INTERNAL") && !said.contains("root:x"),
            "{said}"
        );
    }
    team.still_serves();
}

#[test]
fn a_forged_or_foreign_cursor_grants_no_access() {
    let team = Team::start(&[]);
    let mut alice = team.client(ALICE).connected("2025-11-25");
    let mut bob = team.client(super::BOB).connected("2025-11-25");
    let first = alice.good("analyze_structure", json!({"limit": 1}));
    let cursor = first["page"]["next_cursor"]
        .as_str()
        .expect("more than one")
        .to_owned();
    // The same files and the same request: a cursor is a position, not a key.
    let (next, said) = call(
        &mut bob,
        "analyze_structure",
        json!({"limit": 1, "cursor": cursor}),
    );
    assert_eq!(next["status"]["success"], true, "{said}");
    let made = alice.good("create_session", json!({}));
    let hers = &made["data"]["session_id"];
    let (_, said) = call(
        &mut bob,
        "analyze_structure",
        json!({"session_id": hers, "limit": 1, "cursor": cursor}),
    );
    assert!(said.contains("unknown_session"), "{said}");
    for _ in 0..3 {
        alice.good("create_session", json!({}));
    }
    let list = alice.good("list_sessions", json!({"limit": 1}));
    let of_list = list["page"]["next_cursor"]
        .as_str()
        .expect("more than one")
        .to_owned();
    let all = alice.good("list_sessions", json!({"limit": 50}));
    let all = all["data"]["sessions"].as_array().expect("rows").clone();
    assert!(all.len() >= 4, "{all:?}");
    let arguments = json!({"limit": 1, "cursor": of_list});
    let (_, said) = call(&mut bob, "list_sessions", arguments);
    for session in &all {
        let id = session["session_id"].as_str().expect("an id");
        assert!(!said.contains(id), "{said}");
    }
    for at in 0..cursor.len() {
        let mut forged = cursor.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        let (answer, said) = call(
            &mut alice,
            "analyze_structure",
            json!({"limit": 1, "cursor": forged}),
        );
        assert_eq!(answer["status"]["success"], false, "{at}: {said}");
        assert_ne!(answer["status"]["code"], "INTERNAL", "{at}: {said}");
    }
    for forged in [
        "A".repeat(10_000),
        of_list,
        cursor[1..].to_owned(),
        format!("{cursor}{cursor}"),
    ] {
        let (answer, said) = call(
            &mut alice,
            "analyze_structure",
            json!({"limit": 1, "cursor": forged}),
        );
        assert_eq!(answer["status"]["success"], false, "{said}");
    }
    // The cursor of another request.
    let (answer, said) = call(
        &mut alice,
        "analyze_complexity",
        json!({"limit": 1, "cursor": cursor}),
    );
    assert_eq!(answer["status"]["success"], false, "{said}");
}

#[test]
fn no_resource_address_leaves_the_server() {
    let team = Team::start(&[]);
    let mut alice = team.client(ALICE).connected("2025-11-25");
    let answer = alice.good("analyze_structure", json!({"limit": 1}));
    let session = answer["context"]["session_id"].as_str().expect("an id");
    let result = answer["context"]["result_id"].as_str().expect("an id");
    let good = format!("analysis://sessions/{session}/results/{result}");
    let read = |alice: &mut Client, uri: &str| alice.request("resources/read", json!({"uri": uri}));
    assert!(read(&mut alice, &good)["result"].is_object());
    for uri in [
        "file:///etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "http://127.0.0.1/".to_owned(),
        "analysis://sessions/../../etc/passwd".to_owned(),
        format!("analysis://sessions/{session}/results/../../../etc/passwd"),
        format!("analysis://sessions/{session}/results/%2e%2e"),
        format!("analysis://sessions/{session}/results/{result}/../x"),
        format!("{good}\u{0}"),
        format!("{good}?x=y"),
        format!("{good}\r\n"),
        format!("analysis://evil@sessions/{session}/results/{result}"),
        format!("analysis:///sessions/{session}/results/{result}"),
        good.to_uppercase(),
        good.repeat(1000),
        String::new(),
    ] {
        let answer = read(&mut alice, &uri);
        assert!(answer["error"]["code"].is_i64(), "{uri:.80}: {answer}");
        assert!(!answer.to_string().contains("root:x"), "{uri:.80}");
    }
    assert!(read(&mut alice, &good)["result"].is_object());
}
