//! Source files that are small on disk and need much memory to parse: the program keeps to its memory limit and answers
//! for the other files.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Project, program};

/// Address space of the process, in KiB: three times the memory for analyses, for a program with two threads, their
/// stacks and the allocator's reserve.
const ADDRESS_SPACE_KIB: u64 = 2 * 1024 * 1024;
const MEMORY: &str = "512MiB";

#[test]
fn hostile_files_are_left_out_within_the_memory_limit() {
    let project = Project::empty().with("good.py", "def good(x):\n    return x if x else 1\n");
    // Parsed several times at once: each parse took more than 2 GiB before.
    project.write(
        "generic.ts",
        format!("let x = {}", "a<".repeat(1_000_000)).as_bytes(),
    );
    project.write(
        "Generic.java",
        format!("x = {}", "a<".repeat(15_000)).as_bytes(),
    );
    // One node per byte, in every language.
    for ending in ["ts", "js", "py", "rs", "go", "java", "c"] {
        for (name, text) in [("round", "("), ("not", "!"), ("list", "1,")] {
            let text = format!("x = [{}", text.repeat(400_000));
            project.write(&format!("{name}.{ending}"), text.as_bytes());
        }
    }
    let of = program().get_program().to_owned();
    let answered = Command::new("sh")
        .args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh"])
        .arg(ADDRESS_SPACE_KIB.to_string())
        .arg(of)
        .args([
            "analyze",
            "complexity",
            "--format",
            "json",
            "--memory",
            MEMORY,
        ])
        .arg(project.path())
        .stdin(Stdio::null())
        .output()
        .expect("sh runs");
    let stderr = String::from_utf8_lossy(&answered.stderr);
    assert!(answered.status.success(), "{:?} {stderr}", answered.status);
    let answer: Value = serde_json::from_slice(&answered.stdout).expect("JSON");
    let coverage = &answer["coverage"];
    assert_eq!(coverage["files_seen"], 24, "{coverage}");
    let skipped = coverage["skipped"]["memory_limit"].as_u64().unwrap_or(0);
    assert!(skipped >= 2, "{coverage}");
    assert!(
        stderr.contains("generic.ts") && stderr.contains("Generic.java"),
        "{stderr}"
    );
    let functions = answer["data"]["functions"].to_string();
    assert!(functions.contains("good.py"), "{functions}");
}
