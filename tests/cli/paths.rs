//! Paths on the command line, and paths in the result.

use serde_json::Value;

use super::on;
use crate::support::{Project, run};

fn paths(answer: &Value) -> Vec<&str> {
    let functions = answer["data"]["functions"].as_array().expect("functions");
    let mut paths: Vec<_> = functions
        .iter()
        .map(|function| function["path"].as_str().expect("a path"))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[test]
fn several_paths_are_one_analysis_with_relative_paths() {
    let project = Project::small();
    let json = |folder: &str, paths: &[&str]| {
        let arguments = [&["analyze", "complexity", "--format", "json"], paths].concat();
        run(&project.path().join(folder), &arguments).json()
    };
    let two = json("", &["app/main.py", "rs/src/lib.rs"]);
    assert_eq!(paths(&two), ["app/main.py", "rs/src/lib.rs"]);
    assert_eq!(two["coverage"]["files_analyzed"], 2);
    let mixed = json("", &["go", "app/helper.py", "go/main.go", "./go"]);
    assert_eq!(paths(&mixed), ["app/helper.py", "go/main.go"]);
    assert_eq!(mixed["coverage"]["files_analyzed"], 2, "each once");
    let beside = json("rs/src", &["../../app/main.py", "lib.rs"]);
    assert_eq!(paths(&beside), ["../../app/main.py", "lib.rs"]);
    let absolute = project.path().join("go");
    let absolute = absolute.to_str().expect("text");
    let outside = json("rs/src", &[absolute]);
    assert_eq!(paths(&outside), [format!("{absolute}/main.go").as_str()]);
    let graph = [
        "analyze",
        "dependencies",
        "app/main.py",
        "app/helper.py",
        "app/__init__.py",
        "--format",
        "json",
    ];
    let graph = on(&project, &graph).json();
    assert_eq!(graph["data"]["totals"]["cycles"], 1, "{}", graph["data"]);
    let text = on(&project, &["analyze", "app", "rs"]).ok();
    for part in ["Overview of 2 paths", "app/main.py:5", "rs/src/lib.rs:5"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let missing = on(&project, &["analyze", "app/main.py", "app/no.py"]);
    assert_eq!(missing.code, Some(66), "{}", missing.stderr);
}

#[test]
fn globs_may_climb_and_be_absolute_but_must_stay_inside_the_root() {
    let project = Project::small();
    let src = project.path().join("rs/src");
    let with = |glob: &str| {
        let arguments = ["analyze", "complexity", "../..", "--format", "json"];
        run(&src, &[&arguments[..], &["--include", glob]].concat())
    };
    let absolute = project.path().canonicalize().expect("it is there");
    let absolute = format!("{}/app/*.py", absolute.display());
    for glob in ["../../app/*.py", absolute.as_str()] {
        assert!(
            paths(&with(glob).json()).contains(&"../../app/main.py"),
            "{glob}"
        );
    }
    for glob in ["../../../*.py", "/etc/*.py"] {
        let refused = with(glob);
        assert_eq!(refused.code, Some(64), "{glob}");
        assert!(
            refused.stderr.contains("is outside of"),
            "{}",
            refused.stderr
        );
    }
}

/// As from a pre-commit hook: more files than the limit of globs.
#[test]
fn hundreds_of_files_may_be_named() {
    let mut project = Project::empty();
    let names: Vec<_> = (0..300).map(|n| format!("m{n}.py")).collect();
    for name in &names {
        project = project.with(name, "def f(x):\n    return x\n");
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let arguments = [&["analyze", "--format", "json"], names.as_slice()].concat();
    let answer = on(&project, &arguments).json();
    assert_eq!(answer["coverage"]["files_analyzed"], 300);
}

#[test]
fn globs_are_relative_to_the_current_folder() {
    let project = Project::small().with("Cargo.toml", "[workspace]\n");
    let inside = run(
        &project.path().join("app"),
        &[
            "analyze",
            "complexity",
            "..",
            "--include",
            "./main.py",
            "--format",
            "json",
        ],
    )
    .json();
    assert_eq!(paths(&inside), ["main.py"]);
}

#[test]
fn nothing_to_check_is_an_error() {
    let project = Project::small();
    let empty = [
        "analyze",
        ".",
        "--include",
        "*.rb",
        "--fail-on",
        "cyclomatic>20",
    ];
    let ended = on(&project, &empty);
    assert_eq!(ended.code, Some(66), "{}", ended.stderr);
    assert!(ended.stderr.contains("--allow-empty"), "{}", ended.stderr);
    let allowed = on(&project, &[&empty[..], &["--allow-empty"]].concat());
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
}

#[test]
fn findings_start_with_their_place() {
    let project = Project::small();
    let found = on(
        &project,
        &[
            "analyze",
            ".",
            "--fail-on",
            "cyclomatic>3",
            "--fail-on",
            "parse_errors>0",
        ],
    );
    let lines: Vec<_> = found.stderr.lines().collect();
    assert!(
        lines.contains(&"app/main.py:5: busy: cyclomatic 4 > 3"),
        "{lines:?}"
    );
    assert!(lines.contains(&"broken.py: does not parse"), "{lines:?}");
}

#[test]
fn an_overview_names_files_that_do_not_parse() {
    let project = Project::small().with("also.py", "def g(:\n");
    let text = on(&project, &["analyze"]).ok();
    let told = text.lines().last().expect("a last line");
    assert!(
        told.starts_with("2 files have source that does not parse"),
        "{told}"
    );
    for name in ["broken.py", "also.py"] {
        assert!(told.contains(name), "{told}");
    }
}
