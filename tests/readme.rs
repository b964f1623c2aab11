//! The README shows the real output of the program, and the commands of the README and the docs work as written.

mod blocks;
mod commands;

use std::path::Path;

use crate::support::run;

const PROMPT: &str = "$ mcp-code-analysis ";

#[test]
fn console_blocks_show_the_real_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    let blocks = readme.split("```console\n").skip(1);
    let blocks: Vec<&str> = blocks
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    assert!(blocks.len() >= 2, "the README shows no example");
    for block in blocks {
        let (command, shown) = block.split_once('\n').expect("a command and its output");
        let arguments: Vec<&str> = (command.strip_prefix(PROMPT).expect("a prompt"))
            .split_whitespace()
            .collect();
        let printed = run(root, &arguments).stdout;
        assert_eq!(shown.trim_end(), printed.trim_end(), "{command}");
    }
}
