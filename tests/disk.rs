//! A hostile disk, through the whole program: every oddity has an answer or is counted by name.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Project, Server};

/// Set to run tests that take minutes.
const THOROUGH: &str = "CODE_ANALYSIS_THOROUGH";

fn complexity(project: &Project) -> Value {
    let mut server = Server::initialized(project.path());
    let answer = server.good("analyze_complexity", json!({"limit": 1000}));
    assert!(server.close().status.success());
    answer
}

fn paths(answer: &Value) -> Vec<&str> {
    // Without such files there is no list.
    let functions = answer["data"]["functions"].as_array();
    functions
        .into_iter()
        .flatten()
        .filter_map(|function| function["path"].as_str())
        .collect()
}

fn skipped(answer: &Value) -> u64 {
    let reasons = answer["coverage"]["skipped"]
        .as_object()
        .into_iter()
        .flatten();
    reasons.filter_map(|(_, count)| count.as_u64()).sum()
}

#[cfg(unix)]
#[test]
fn nothing_outside_the_roots_is_read() {
    use std::os::unix::fs::symlink;

    let outside = Project::empty().with("secret.py", "def secret():\n    return 1\n");
    let project = Project::empty().with("mine.py", "def mine():\n    return 1\n");
    symlink(outside.path(), project.path().join("folder")).expect("a link");
    symlink(
        outside.path().join("secret.py"),
        project.path().join("file.py"),
    )
    .expect("a link");
    symlink(project.path(), project.path().join("loop")).expect("a link");
    symlink("/nowhere/at/all.py", project.path().join("dangling.py")).expect("a link");
    let answer = complexity(&project);
    assert_eq!(paths(&answer), ["mine.py"]);
    assert!(!answer.to_string().contains("secret"), "{answer}");
    let mut server = Server::initialized(project.path());
    let sibling = format!("{}-twin", project.path().display());
    fs::create_dir(&sibling).expect("a folder");
    for path in [
        "folder/secret.py",
        "file.py",
        "../",
        &sibling,
        "/etc/hostname",
        "a/../../x",
        "mine.py\u{0}",
    ] {
        let result = server.call("analyze_complexity", json!({"path": path}));
        assert_eq!(result["isError"], true, "{path}: {result}");
        assert!(!result.to_string().contains("secret()"), "{path}: {result}");
    }
    fs::remove_dir(&sibling).expect("removed");
}

#[cfg(unix)]
#[test]
fn other_than_plain_files_are_skipped() {
    let project = Project::empty().with("a.py", "def a():\n    return 1\n");
    let made = Command::new("mkfifo")
        .arg(project.path().join("pipe.py"))
        .status();
    assert!(made.expect("mkfifo").success());
    let socket = std::os::unix::net::UnixListener::bind(project.path().join("socket.py"));
    let answer = complexity(&project);
    assert_eq!(paths(&answer), ["a.py"]);
    assert!(skipped(&answer) >= 2, "{}", answer["coverage"]);
    drop(socket);
}

#[test]
fn a_huge_file_is_counted_and_not_read() {
    let project = Project::empty().with("a.py", "def a():\n    return 1\n");
    let huge = fs::File::create(project.path().join("huge.py")).expect("a file");
    huge.set_len(200 << 20).expect("sparse");
    let answer = complexity(&project);
    assert_eq!(paths(&answer), ["a.py"]);
    assert_eq!(
        answer["coverage"]["skipped"]["file_too_large"], 1,
        "{}",
        answer["coverage"]
    );
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = 10_000;
    let project = Project::empty()
        .with(
            "deep.py",
            &format!("x = {}1{}\n", "(".repeat(deep), ")".repeat(deep)),
        )
        .with(
            "deep.js",
            &format!(
                "x = {}1{};\nfunction f() {{}}\n",
                "[".repeat(deep),
                "]".repeat(deep)
            ),
        )
        .with(
            "deep.c",
            &format!(
                "int f(void) {{ {}{} }}\n",
                "{".repeat(deep),
                "}".repeat(deep)
            ),
        )
        .with(
            "deep.go",
            &format!(
                "package p\nfunc f() {{ {}{} }}\n",
                "if true {".repeat(deep),
                "}".repeat(deep)
            ),
        );
    let mut server = Server::initialized(project.path());
    for tool in [
        "analyze_complexity",
        "analyze_structure",
        "analyze_dependencies",
    ] {
        let answer = server.good(tool, json!({}));
        assert_eq!(
            answer["coverage"]["files_seen"], 4,
            "{tool}: {}",
            answer["coverage"]
        );
    }
    assert!(server.close().status.success());
}

#[test]
fn a_line_of_a_megabyte_is_analysed() {
    let minified = "function f(a){return a?1:2}".repeat(40_000);
    let project = Project::empty().with("lib.js", &minified);
    let mut server = Server::initialized(project.path());
    let answer = server.good("analyze_complexity", json!({"limit": 5}));
    let seen = answer["coverage"]["files_analyzed"].as_u64().unwrap_or(0) + skipped(&answer);
    assert_eq!(seen, 1, "{}", answer["coverage"]);
    let answer = server.call("analyze_structure", json!({"limit": 5}));
    assert!(answer["content"][0]["text"].as_str().expect("text").len() <= 24_000);
}

#[test]
fn binary_files_have_an_answer() {
    let project = Project::empty();
    project.write("binary.py", &[0, 159, 146, 150, 0, 1, 2]);
    project.write("latin.py", b"# caf\xe9\ndef f():\n    return 1\n");
    project.write("bom.py", b"\xef\xbb\xbfdef g():\n    return 1\n");
    project.write("utf16.py", &[0xff, 0xfe, b'd', 0, b'e', 0, b'f', 0]);
    project.write("empty.py", b"");
    project.write("good.py", b"def good():\n    return 1\n");
    let answer = complexity(&project);
    assert!(paths(&answer).contains(&"good.py"), "{answer}");
    assert!(paths(&answer).contains(&"bom.py"), "{answer}");
    let coverage = &answer["coverage"];
    let accounted = coverage["files_analyzed"].as_u64().unwrap_or(0) + skipped(&answer);
    assert_eq!(
        Some(accounted),
        coverage["files_seen"].as_u64(),
        "{coverage}"
    );
}

#[test]
fn files_that_change_during_a_scan_break_nothing() {
    let project = Project::small();
    let folder = project.path().join("flicker");
    fs::create_dir(&folder).expect("a folder");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_usize;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let file = folder.join(format!("f{}.py", round % 20));
                // Some files exist and some do not: the test needs both kinds of failure.
                let _ = fs::write(&file, format!("def f{round}():\n    return {round}\n"));
                let _ = fs::remove_file(folder.join(format!("f{}.py", (round + 7) % 20)));
                round += 1;
            }
        });
        let mut server = Server::initialized(project.path());
        for _ in 0..20 {
            let answer = server.good("analyze_complexity", json!({"limit": 1000}));
            assert!(paths(&answer).contains(&"app/main.py"), "{answer}");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(server.close().status.success());
    });
}

#[test]
fn an_answer_is_about_the_current_bytes() {
    let project = Project::empty().with("a.py", "def first():\n    return 1\n");
    let mut server = Server::initialized(project.path());
    let name = |answer: &Value| answer["data"]["functions"][0]["qualified_name"].clone();
    assert_eq!(name(&server.good("analyze_complexity", json!({}))), "first");
    // The same length within the same second: only the bytes differ.
    project.write("a.py", b"def other():\n    return 1\n");
    assert_eq!(name(&server.good("analyze_complexity", json!({}))), "other");
    fs::remove_file(project.path().join("a.py")).expect("removed");
    let answer = server.good("analyze_complexity", json!({}));
    assert_eq!(paths(&answer), Vec::<&str>::new());
    assert!(
        answer["status"]["reason"].is_string(),
        "an empty answer has no reason: {}",
        answer["status"]
    );
}

#[test]
fn a_hundred_thousand_files_have_an_answer() {
    if std::env::var_os(THOROUGH).is_none() {
        return eprintln!("skipped: takes minutes; set {THOROUGH}=1");
    }
    let project = Project::empty();
    for n in 0..100_000 {
        project.write(
            &format!("d{}/f{n}.py", n % 300),
            b"def f():\n    return 1\n",
        );
    }
    let mut server = Server::initialized(project.path());
    let result = server.call("analyze_complexity", json!({"limit": 1}));
    let envelope = &result["structuredContent"];
    let told = envelope["coverage"]["files_seen"] == 100_000
        || envelope["status"]["reason"] == "too_many_files";
    assert!(told, "{envelope}");
    assert!(server.close().status.success());
}
