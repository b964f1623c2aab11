//! Runs each block of the pages unchanged, in a clean folder with the program on the path. Only the ports differ,
//! because several tests run on one machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use saphyr::{LoadableYamlNode, Yaml};

use super::blocks::{Block, all};
use crate::support::redis::{Redis, free_port, installed};
use crate::support::{PATIENCE, Project, foreign, skip};

/// The number of marked blocks by page. A new mark must be added here, where a reviewer sees it.
const MARKED: [(&str, usize); 5] = [
    ("README.md", 5),
    ("docs/benchmarks.md", 2),
    ("docs/faults.md", 1),
    ("docs/operations.md", 3),
    ("docs/redis.md", 1),
];
/// The addresses of Redis, the MCP port and the admin port in the pages.
const REDIS: &str = "127.0.0.1:6379";
const MCP: &str = "127.0.0.1:8642";
const ADMIN: &str = "127.0.0.1:8643";
/// Runs a block with bash, and then ends all processes that it started.
const FRAME: &str = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n";

#[test]
fn marks_are_few_and_have_a_reason() {
    let blocks = all();
    let marked = |page: &str| {
        let of_page = |block: &&Block| block.place.starts_with(&format!("{page}:"));
        let marks = blocks.iter().filter(of_page);
        marks.filter(|block| block.mark.is_some()).count()
    };
    let mut known = 0;
    for (page, count) in MARKED {
        assert_eq!(marked(page), count, "blocks of {page} that are not run");
        known += count;
    }
    let all = blocks.iter().filter_map(|block| block.mark.as_ref());
    assert_eq!(
        all.clone().count(),
        known,
        "a page that is not listed has marks"
    );
    for mark in all {
        assert!(mark.split(' ').count() > 2, "no reason: {mark}");
    }
}

#[test]
fn every_block_has_a_known_language() {
    for block in all() {
        let Block { place, text, .. } = &block;
        match block.language.as_str() {
            "sh" => assert_ran(&block, &parsed_by_bash(text)),
            "toml" => drop(
                text.parse::<toml::Table>()
                    .unwrap_or_else(|e| panic!("{place}: {e}")),
            ),
            "json" => {
                let parsed = serde_json::from_str::<serde_json::Value>(text);
                drop(parsed.unwrap_or_else(|error| panic!("{place}: {error}")));
            }
            "yaml" => {
                let parsed = Yaml::load_from_str(text);
                assert!(!parsed.unwrap_or_else(|e| panic!("{place}: {e}")).is_empty());
            }
            "ini" => is_unit(place, text),
            "nginx" => is_nested(place, text),
            // Tested below, and in the tests of the program's output.
            "conf" | "redis" | "console" => {}
            // Diagrams and answers.
            "mermaid" | "text" => {}
            other => panic!("{place}: nothing is known of {other:?}"),
        }
    }
}

fn parsed_by_bash(text: &str) -> Output {
    foreign(Command::new("bash").args(["-n", "-c", text]))
}

/// Sections with `Key=value` lines.
fn is_unit(place: &str, text: &str) {
    let mut sections = 0;
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.strip_prefix('[') {
            Some(section) => {
                assert!(section.ends_with(']'), "{place}: {line}");
                sections += 1;
            }
            None => assert!(sections > 0 && line.contains('='), "{place}: {line}"),
        }
    }
    assert!(sections > 0, "{place}");
}

/// Directives end with `;`, and blocks are closed.
fn is_nested(place: &str, text: &str) {
    let mut depth = 0;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.chars().last() {
            None => {}
            Some('{') => depth += 1,
            Some('}') => depth -= 1,
            Some(last) => assert_eq!(last, ';', "{place}: {line}"),
        }
        assert!(depth >= 0, "{place}: {line}");
    }
    assert_eq!(depth, 0, "{place}");
}

#[test]
fn commands_run_as_typed() {
    let Some(redis) = Redis::good() else { return };
    if !(installed("curl") && installed("openssl")) {
        return;
    }
    let blocks: Vec<_> = all()
        .into_iter()
        .filter(|block| block.language == "sh")
        .collect();
    let run: Vec<_> = blocks.iter().filter(|block| block.mark.is_none()).collect();
    assert!(run.len() >= 5, "nothing was run");
    for block in run {
        assert_ran(block, &typed(block, redis.port));
    }
}

/// A minimal project for the pages: no cycle, and one complex function.
fn sample() -> Project {
    let decisions = "    if x: x\n".repeat(30);
    Project::empty()
        .with(
            "src/main.py",
            "import cart\n\n\ndef main():\n    return cart.total([])\n",
        )
        .with(
            "src/cart.py",
            "def total(items):\n    return sum(items) if items else 0\n",
        )
        .with(
            "tests/test_cart.py",
            "import cart\n\n\ndef test_total():\n    assert cart.total([]) == 0\n",
        )
        .with("generated/busy.txt", &format!("def f(x):\n{decisions}"))
}

/// In a folder with only a small project, as a new reader would type them.
fn typed(block: &Block, redis: u16) -> Output {
    let project = sample();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let bin = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_mcp-code-analysis");
    symlink(PathBuf::from(program), bin.path().join("mcp-code-analysis")).expect("linked");
    let path = std::env::join_paths(
        std::iter::once(bin.path().to_owned()).chain(std::env::split_paths(&path)),
    );
    let text = with_ports(&block.text, redis);
    let started = Instant::now();
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("{FRAME}{text}")])
        .current_dir(project.path())
        .env_clear()
        .env("PATH", path.expect("a path"))
        .env("HOME", project.path())
        .stdin(Stdio::null());
    let output = foreign(&mut command);
    assert!(started.elapsed() < PATIENCE, "{}", block.place);
    output
}

fn with_ports(text: &str, redis: u16) -> String {
    let at = |port: u16| format!("127.0.0.1:{port}");
    text.replace(REDIS, &at(redis))
        .replace(MCP, &at(free_port()))
        .replace(ADMIN, &at(free_port()))
}

fn assert_ran(block: &Block, output: &Output) {
    assert!(
        output.status.success(),
        "{}: {}\n{}\n{}\n{}",
        block.place,
        output.status,
        block.text,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn redis_starts_with_the_settings_of_the_page() {
    if !installed("redis-server") {
        return;
    }
    let mut tried = 0;
    for block in all().iter().filter(|block| block.language == "conf") {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("redis.conf");
        fs::write(&file, &block.text).expect("written");
        is_started(&block.place, &file, folder.path());
        tried += 1;
    }
    assert!(tried > 0, "no page has settings of Redis");
}

/// With a socket, so that no port is used.
fn is_started(place: &str, file: &Path, folder: &Path) {
    let socket = folder.join("socket");
    let mut server = Command::new("redis-server");
    server
        .arg(file)
        .args(["--port", "0", "--unixsocket"])
        .arg(&socket);
    server
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = server.spawn().expect("redis-server starts");
    let started = Instant::now();
    while !socket.exists() {
        let ended = child.try_wait().expect("a child of ours");
        if let Some(status) = ended {
            let said = child.wait_with_output().expect("its output").stdout;
            panic!("{place}: {status}: {}", String::from_utf8_lossy(&said));
        }
        assert!(started.elapsed() < PATIENCE, "{place}: no Redis");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().expect("ended");
    child.wait().expect("ended");
}

#[test]
fn redis_accepts_the_commands_of_the_page() {
    let Some(redis) = Redis::good() else { return };
    let blocks = all();
    let commands: Vec<_> = blocks
        .iter()
        .filter(|block| block.language == "redis")
        .collect();
    assert!(!commands.is_empty(), "no page has commands of Redis");
    for block in commands {
        for line in block.text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!(redis.cli(&words).trim(), "OK", "{}: {line}", block.place);
        }
    }
}

/// The program accepts the keys and values; the folders in them do not exist here.
#[test]
fn settings_are_settings() {
    let mut tried = 0;
    for block in all().iter().filter(|block| block.language == "toml") {
        if block.text.contains("[mcp_servers") {
            continue;
        }
        let project = Project::small().with("settings.toml", &block.text);
        let ended = crate::support::run(project.path(), &["doctor", "--config", "settings.toml"]);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            told.contains("ok    configuration"),
            "{}: {told}",
            block.place
        );
        tried += 1;
    }
    assert!(tried > 0, "no page has settings");
}

/// As pre-commit does: the words of the entry, and then the changed files.
#[test]
fn hooks_check_the_given_files() {
    let mut tried = 0;
    for block in all().iter().filter(|block| block.language == "yaml") {
        let parsed = Yaml::load_from_str(&block.text).expect("YAML");
        let Some(repos) = parsed[0].as_mapping_get("repos") else {
            continue;
        };
        let hook = &repos[0]["hooks"][0];
        let entry = hook["entry"].as_str().expect("an entry");
        for (files, code) in [("src/main.py tests/test_cart.py", 0), ("src/busy.py", 1)] {
            let text = format!("cp generated/busy.txt src/busy.py\n{entry} {files}\n");
            let block = Block {
                place: block.place.clone(),
                language: "sh".to_owned(),
                text,
                mark: None,
            };
            let output = typed(&block, 0);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{}: {output:?}",
                block.text
            );
        }
        tried += 1;
    }
    assert!(tried > 0, "no page has a hook");
}

/// The commands for clients in the pages start the server.
#[test]
fn the_commands_for_clients_start_the_server() {
    let mut tried = 0;
    for block in all() {
        let Ok(settings) = serde_json::from_str::<serde_json::Value>(&block.text) else {
            continue;
        };
        let servers = ["mcpServers", "servers", "context_servers"];
        for server in servers
            .iter()
            .filter_map(|name| settings[name].as_object())
            .flatten()
        {
            let (name, server) = server;
            if server["command"] != "mcp-code-analysis" {
                assert_eq!(server["command"], "docker", "{}: {name}", block.place);
                continue;
            }
            let project = Project::small();
            let arguments = server["args"].as_array().expect("arguments").iter();
            let arguments = arguments.map(|argument| match argument.as_str().expect("text") {
                "/path/to/project" | "${workspaceFolder}" => project.path().to_str().expect("text"),
                argument => argument,
            });
            let arguments: Vec<_> = arguments.collect();
            crate::support::run(project.path(), &arguments).ok();
            tried += 1;
        }
    }
    if tried == 0 {
        skip("a client's settings");
    }
    assert!(tried >= 3, "{tried} settings of clients");
}
