//! A small sample of the agreement with reference tools: radon, on Python code that came with the test client.
//! `tests/agreement/run` compares all tools on far more code.

use std::process::Command;

use crate::support::{clients_folder, skip};
use crate::tidy::root;

/// Packages with about two thousand functions, none of them vendored in another.
const PACKAGES: [&str; 3] = ["mcp", "anyio", "pydantic"];

#[test]
fn radon_agrees_with_the_radon_profile() {
    let python = clients_folder().join("venv/bin/python");
    if !python.exists() {
        return skip("radon");
    }
    let asked = "import os, sys, importlib; [print(os.path.dirname(importlib.import_module(name).__file__)) for name in sys.argv[1:]]";
    let listed = Command::new(&python)
        .args(["-c", asked])
        .args(PACKAGES)
        .output();
    let listed = listed.expect("python starts").stdout;
    let folders = String::from_utf8(listed).expect("paths");
    assert_eq!(folders.lines().count(), PACKAGES.len(), "{folders}");
    let dump = concat!(
        env!("CARGO_BIN_EXE_mcp-code-analysis"),
        " analyze complexity {path} --format json --limit 0 --profile {profile}"
    );
    let output = Command::new(&python)
        .arg(root().join("tests/agreement/compare.py"))
        .args([
            "--work",
            env!("CARGO_TARGET_TMPDIR"),
            "--only",
            "python-radon",
            "--dump",
            dump,
        ])
        .args(folders.lines().flat_map(|folder| ["--folder", folder]))
        .output()
        .expect("python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{wrong}");
}
