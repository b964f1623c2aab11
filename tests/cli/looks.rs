//! The look of results and help: width, colours, completeness.

use std::process::Stdio;

use super::{on, with};
use crate::support::{Ended, Project, program};

/// With long names and paths, in the tables of every analysis.
#[test]
fn tables_fit_the_given_width() {
    let root = crate::tidy::root();
    for (what, more) in [
        ("complexity", ["--sort-by", "effort"].as_slice()),
        ("dependencies", &[]),
        ("structure", &["--kinds", "function,method"]),
        ("", &[]),
    ] {
        for width in [60, 80, 120, 200] {
            let mut arguments = vec!["analyze"];
            arguments.extend(Some(what).filter(|what| !what.is_empty()));
            arguments.extend(["src/tools", "src/cli", "tests/fixtures/sample"]);
            arguments.extend(more);
            let output = program()
                .args(&arguments)
                .env("COLUMNS", width.to_string())
                .current_dir(root)
                .stdin(Stdio::null())
                .output();
            let text = Ended::from(output.expect("the program starts")).ok();
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}\n{text}");
            }
            // A wrapped line continues under its column; a table has one line per row.
            assert!(text.lines().count() > 20, "{text}");
        }
    }
}

#[test]
fn colors_follow_the_flag_and_the_environment() {
    let project = Project::small();
    let colored = |variables: &[(&str, &str)], more: &[&str]| {
        let arguments = [&["analyze", "complexity", "."], more].concat();
        with(&project, variables, &arguments)
            .ok()
            .contains("\u{1b}[")
    };
    assert!(!colored(&[], &[]));
    assert!(colored(&[], &["--color", "always"]));
    assert!(colored(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!colored(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]));
    assert!(!colored(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    assert!(colored(&[("NO_COLOR", "1")], &["--color", "always"]));
}

#[test]
fn every_form_of_help_works() {
    let project = Project::empty();
    let help = on(&project, &["analyze", "--help"]).ok();
    for arguments in [["help", "analyze"].as_slice(), &["analyze", "help"]] {
        assert_eq!(on(&project, arguments).ok(), help, "{arguments:?}");
    }
    for heading in [
        "Selection:",
        "Settings:",
        "For `analyze complexity`:",
        "Examples:",
    ] {
        assert!(help.contains(heading), "{heading} is missing in\n{help}");
    }
    for arguments in [
        ["help"].as_slice(),
        &["sessions", "help"],
        &["doctor", "help"],
    ] {
        assert!(
            on(&project, arguments).ok().contains("Usage:"),
            "{arguments:?}"
        );
    }
    let serve = on(&project, &["serve", "--help"]).ok();
    for part in ["http://127.0.0.1:8642/mcp", "HTTP:", "Admin port:", "stdin"] {
        assert!(serve.contains(part), "{part} is missing in\n{serve}");
    }
    let alone = on(&project, &[]);
    assert_eq!(alone.code, Some(64));
    assert!(alone.stderr.contains("Examples:"), "{}", alone.stderr);
    let tool = on(&project, &["tools", "analyze_complexity"]).ok();
    for part in ["sort_by: ", "Globs on paths", "Answers with:"] {
        assert!(tool.contains(part), "{part} is missing in\n{tool}");
    }
}

#[test]
fn completions_and_manual_have_every_flag() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = on(&project, &["completions", shell]).ok();
        for flag in [
            "fail-on",
            "redis-url",
            "sort-by",
            "quarantined",
            "total_cognitive",
        ] {
            assert!(script.contains(flag), "{flag} is missing for {shell}");
        }
    }
    let page = on(&project, &["man"]).ok();
    assert!(page.contains(".TH mcp-code-analysis 1"), "{page}");
    let page = on(&project, &["man", "sessions", "list"]).ok();
    assert!(page.contains("quarantined"), "{page}");
    assert_eq!(on(&project, &["man", "session"]).code, Some(64));
}
