//! The command line, as a person or a script uses it.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Ended, Project, program, run};

mod environment;
mod looks;
mod paths;

fn on(project: &Project, arguments: &[&str]) -> Ended {
    run(project.path(), arguments)
}

/// With these variables, and no other variable of the program.
fn with(project: &Project, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let output = program()
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output();
    Ended::from(output.expect("the program starts"))
}

fn function<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let functions = answer["data"]["functions"].as_array().expect("functions");
    let found = functions.iter().find(|function| function["name"] == name);
    found.unwrap_or_else(|| panic!("no function {name}"))
}

#[test]
fn json_is_the_complete_answer_with_correct_numbers() {
    let project = Project::small();
    let answer = on(
        &project,
        &[
            "analyze",
            "complexity",
            ".",
            "--format",
            "json",
            "--limit",
            "0",
        ],
    )
    .json();
    for part in ["data", "metadata", "status", "context", "page", "coverage"] {
        assert!(answer.get(part).is_some(), "{part}");
    }
    let busy = function(&answer, "busy");
    assert_eq!(
        (&busy["own"]["cyclomatic"], &busy["own"]["cognitive"]),
        (&4.into(), &4.into())
    );
    assert_eq!(busy["path"], "app/main.py");
    assert_eq!(function(&answer, "choose")["own"]["cyclomatic"], 3);
    assert_eq!(answer["coverage"]["parse_errors"]["count"], 1);
    assert!(
        answer["context"]["session_id"].is_null(),
        "a run stores nothing"
    );
}

#[test]
fn one_file_is_analysed_with_a_path_relative_to_the_current_folder() {
    let project = Project::small();
    let answer = on(
        &project,
        &["analyze", "complexity", "app/main.py", "--format", "json"],
    )
    .json();
    let functions = answer["data"]["functions"].as_array().expect("functions");
    assert_eq!(functions.len(), 2);
    assert!(
        functions
            .iter()
            .all(|function| function["path"] == "app/main.py"),
        "{functions:?}"
    );
}

#[test]
fn cplusplus_in_a_c_file_is_left_out_and_counted() {
    let project = Project::small();
    let folder = project.path().join("headers");
    let cplusplus = "class A : public B {\npublic:\n  int f();\n};\n";
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a.h"), cplusplus).expect("a file");
    std::fs::write(folder.join("b.h"), "int f(void) { return 1; }\n").expect("a file");
    let arguments = ["analyze", "complexity", "headers", "--format", "json"];
    let answer = on(&project, &arguments).json();
    assert_eq!(answer["coverage"]["files_analyzed"], 1);
    assert_eq!(answer["coverage"]["skipped"]["unsupported_language"], 1);
}

#[test]
fn an_overview_has_all_its_parts() {
    let project = Project::small();
    let text = on(&project, &["analyze", "."]).ok();
    for part in [
        "Languages",
        "Hot spots",
        "Largest files",
        "Cycles",
        "busy",
        "app/main.py",
        "files seen",
        "does not parse",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let answer = on(&project, &["analyze", ".", "--format", "json"]).json();
    assert_eq!(
        answer["data"]["cycles"].as_array().map(Vec::len),
        Some(1),
        "{}",
        answer["data"]["cycles"]
    );
}

#[test]
fn an_overview_counts_every_cycle_with_its_length() {
    let ring = |name: &'static str, length: usize| {
        (0..length).map(move |n| {
            let next = (n + 1) % length;
            (
                format!("{name}/m{n}.py"),
                format!("from {name} import m{next}\n"),
            )
        })
    };
    let mut project = Project::empty();
    // The largest cycle has more nodes than an overview has rows.
    for (path, text) in ring("large", 30)
        .chain(ring("small", 2))
        .chain(ring("odd", 3))
    {
        project = project.with(&path, &text);
    }
    for name in ["large", "small", "odd"] {
        project = project.with(&format!("{name}/__init__.py"), "");
    }
    let text = on(&project, &["analyze", "."]).ok();
    let cycles = text.split("Cycles").nth(1).expect("listed");
    let sizes: Vec<_> = cycles
        .lines()
        .skip(2)
        .take_while(|line| !line.trim().is_empty())
        .map(|line| line.split_whitespace().next().expect("a size"))
        .collect();
    assert_eq!(sizes, ["30", "3", "2"], "{text}");
    let cut = on(&project, &["analyze", ".", "--limit", "1"]).ok();
    assert!(cut.contains("1 of 3 cycles shown"), "{cut}");
    let found = on(&project, &["analyze", ".", "--fail-on", "cycles>2"]);
    assert_eq!(found.code, Some(1));
    assert!(found.stderr.contains("cycles 3 > 2"), "{}", found.stderr);
}

#[test]
fn every_analysis_has_every_format() {
    let project = Project::small();
    for kind in ["complexity", "dependencies", "structure"] {
        for (format, start) in [("table", ""), ("json", "{"), ("mermaid", ""), ("dot", "")] {
            let text = on(&project, &["analyze", kind, ".", "--format", format]).ok();
            assert!(
                text.starts_with(start) && text.len() > 20,
                "{kind} {format}: {text}"
            );
            assert!(
                !text.contains('\u{1b}'),
                "{kind} {format} has colours without a terminal"
            );
            match format {
                "mermaid" => assert!(
                    text.contains("flowchart") || text.contains("graph"),
                    "{text}"
                ),
                "dot" => assert!(text.contains("digraph"), "{text}"),
                _ => {}
            }
        }
    }
}

#[test]
fn fail_on_checks_all_files_and_lists_its_findings() {
    let project = Project::small();
    let found = on(
        &project,
        &[
            "analyze",
            "complexity",
            ".",
            "--limit",
            "1",
            "--fail-on",
            "cyclomatic>=3",
        ],
    );
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    for part in ["busy: cyclomatic 4 >= 3", "choose: cyclomatic 3 >= 3"] {
        assert!(
            found.stderr.contains(part),
            "{part} is missing in\n{}",
            found.stderr
        );
    }
    let fine = on(
        &project,
        &[
            "analyze",
            ".",
            "--fail-on",
            "cyclomatic>20",
            "--fail-on",
            "cycles>1",
        ],
    );
    assert_eq!(fine.code, Some(0), "{}", fine.stderr);
    let circular = on(
        &project,
        &["analyze", "dependencies", ".", "--fail-on", "cycles>0"],
    );
    assert_eq!(circular.code, Some(1), "{}", circular.stderr);
    let broken = on(&project, &["analyze", ".", "--fail-on", "parse_errors>0"]);
    assert_eq!(broken.code, Some(1), "{}", broken.stderr);
}

#[test]
fn a_wrong_command_line_is_refused_with_advice() {
    let project = Project::small();
    for (arguments, word) in [
        (
            ["analyze", ".", "--fail-on", "beauty>3"].as_slice(),
            "cyclomatic",
        ),
        (
            &["analyze", ".", "--fail-on", "cyclomatic"],
            "not a condition",
        ),
        (&["analyze", ".", "--no-such-flag"], "--no-such-flag"),
        (&["analyze", "beauty", "."], "complexity"),
        (&["analyze", ".", "--format", "dot"], "analyze dependencies"),
        (&["analyze", ".", "--level", "files"], "--level"),
        (
            &["analyze", "complexity", ".", "--sort-by", "beauty"],
            "--sort-by",
        ),
        (
            &["analyze", "structure", ".", "--level", "files"],
            "analyze complexity PATH --level",
        ),
        (&["analyze", ".", "--languages", "pyhton"], "python"),
        (
            &["analyze", "dependencies", ".", "--depth", "0"],
            "--depth: expected at least 1",
        ),
        (&["analyze", ".", "--include", "a["], "`a[`"),
        (&["serve", "--http", "example.com:80"], "127.0.0.1:8642"),
        (&["serve", "--http"], "--http"),
        (&["analyze", ".", "--http", "127.0.0.1:1"], "--http"),
        (&["sessions", "list", "--chaos"], "--chaos"),
        (&["tools", "analyse"], "analyze_complexity"),
        (&["no-such-command"], "no-such-command"),
    ] {
        let ended = on(&project, arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(word),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_missing_path_is_an_input_error() {
    let project = Project::small();
    for arguments in [
        ["analyze", "no/such/folder"].as_slice(),
        &["serve", "--root", "no/such"],
        &["doctor", "--root", "no/such"],
    ] {
        let ended = on(&project, arguments);
        assert_eq!(ended.code, Some(66), "{arguments:?}: {}", ended.stderr);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("no/such"), "{said}");
        assert!(!said.contains("find_tools"), "{said}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_its_source() {
    let project = Project::small().with("mca.toml", "sesion_ttl = '1h'\n");
    for arguments in [["analyze", "."].as_slice(), &["serve"], &["doctor"]] {
        let output = program()
            .args(arguments)
            .current_dir(project.path())
            .env("MCA_SESION_TTL", "1h")
            .stdin(Stdio::null())
            .output();
        let ended = Ended::from(output.expect("the program starts"));
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(78), "{arguments:?}: {said}");
        assert!(said.contains("MCA_SESSION_TTL"), "{said}");
        let ended = on(&project, &[arguments, &["--config", "mca.toml"]].concat());
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(78), "{arguments:?}: {said}");
        assert!(said.contains("sesion_ttl"), "{said}");
    }
}

#[test]
fn doctor_lists_its_checks() {
    let project = Project::small();
    let text = on(&project, &["doctor"]).ok();
    for part in ["languages", "configuration", "root .", "memory store"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

/// With the settings of `serve`; no port stays open.
#[test]
fn doctor_checks_ports_certificates_and_tokens() {
    let project = Project::small()
        .with("tokens", "ann: no-digest\n")
        .with("key.pem", "no key");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (arguments, code, said) in [
        (
            ["--http", "127.0.0.1:0"].as_slice(),
            0,
            "ok    ports: free: MCP at 127.0.0.1:0",
        ),
        (&["--http", &taken], 0, "if that is not your server"),
        (
            &["--http", "192.0.2.1:0", "--insecure-no-auth"],
            78,
            "an address of this machine",
        ),
        (
            &["--http", "127.0.0.1:0", "--auth-tokens", "tokens"],
            78,
            "line 1",
        ),
        (
            &[
                "--http",
                "127.0.0.1:0",
                "--tls-cert",
                "key.pem",
                "--tls-key",
                "key.pem",
            ],
            78,
            "key.pem",
        ),
    ] {
        let ended = on(&project, &[&["doctor"], arguments].concat());
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {told}");
        assert!(ended.stdout.contains(said), "{arguments:?}: {told}");
        assert!(!told.contains("no-digest"), "{told}");
    }
}

#[test]
fn tools_are_listed_as_in_tools_list() {
    let project = Project::empty();
    let text = on(&project, &["tools"]).ok();
    assert_eq!(text.lines().count(), 11);
    let list = on(&project, &["tools", "--format", "json"]).json();
    assert_eq!(list.as_array().map(Vec::len), Some(11));
    let one = on(&project, &["tools", "run_batch"]).ok();
    assert!(one.contains("calls"), "{one}");
    let page = on(&project, &["tools", "--format", "markdown"]).ok();
    assert!(
        page.contains("## `analyze_complexity`") && page.contains("| `path` |"),
        "{page}"
    );
}

#[test]
fn an_empty_folder_is_reported() {
    let project = Project::empty();
    let text = on(&project, &["analyze", "complexity", "."]).ok();
    assert!(text.contains("0 files seen"), "{text}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let project = Project::large(5);
    let mut child = program()
        .args([
            "analyze",
            "complexity",
            ".",
            "--limit",
            "0",
            "--format",
            "json",
        ])
        .current_dir(project.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 10];
    child
        .stdout
        .take()
        .expect("piped")
        .read_exact(&mut first)
        .expect("it writes");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn help_and_version_are_results() {
    let project = Project::empty();
    for arguments in [
        ["--help"].as_slice(),
        &["--version"],
        &["analyze", "--help"],
        &["serve", "--help"],
    ] {
        let ended = on(&project, arguments);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        assert!(!ended.stdout.is_empty());
    }
}
