//! The cost of answers for a model: bytes of the whole `structuredContent`, four to a token. `--nocapture` prints them.
//! `SIZES_OF=FOLDER` measures another project, without limits.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::Server;
use crate::tidy::root;

/// The ten hardest functions of a project.
const TEN_FUNCTIONS: usize = 600;
/// The dependents of a module that has a few.
const DEPENDENTS: usize = 400;
/// A symbol of an outline, with its signature and its share of path and envelope.
const SYMBOL: usize = 45;

/// This project, or the one in `SIZES_OF`.
fn project() -> (PathBuf, bool) {
    match std::env::var_os("SIZES_OF") {
        Some(folder) => (folder.into(), false),
        None => (root().to_owned(), true),
    }
}

fn tokens(server: &mut Server, tool: &str, arguments: Value) -> (usize, Value) {
    let result = server.call(tool, arguments.clone());
    let structured = &result["structuredContent"];
    let text = result["content"][0]["text"].as_str().expect("text");
    let (lean, said) = (structured.to_string().len() / 4, text.len() / 4);
    eprintln!("{tool} {arguments}: {lean} tokens, its text {said}");
    (lean, structured.clone())
}

#[test]
fn answers_are_small() {
    let (folder, is_own) = project();
    let mut server = Server::initialized(&folder);
    let (functions, _) = tokens(
        &mut server,
        "analyze_complexity",
        json!({"path": "src", "limit": 10}),
    );
    let full = json!({"path": "src", "limit": 10, "detail": "full"});
    let (in_full, _) = tokens(&mut server, "analyze_complexity", full);
    assert!(in_full > 2 * functions, "{in_full} in full");
    let listed = server.request("tools/list", json!({}))["result"]
        .to_string()
        .len();
    eprintln!("tools/list: {listed} bytes");
    let mut outline = json!({"path": "src", "depth": 1});
    let (mut all, mut pages) = (0, 0);
    let symbols = loop {
        let (page, answer) = tokens(&mut server, "analyze_structure", outline.clone());
        all += page;
        pages += 1;
        match answer["page"]["next_cursor"].as_str() {
            Some(cursor) => outline["cursor"] = json!(cursor),
            None => break answer["page"]["total"].as_u64().expect("counted"),
        }
    };
    eprintln!("the outline of src: {symbols} symbols, {all} tokens, {pages} calls");
    if is_own {
        assert!(functions <= TEN_FUNCTIONS, "{functions} tokens");
        let symbols = usize::try_from(symbols).expect("few");
        assert!(
            all <= symbols * SYMBOL,
            "{all} tokens for {symbols} symbols"
        );
        let focus = json!({"focus": "src/server/hints.rs", "direction": "in"});
        let (dependents, answer) = tokens(&mut server, "analyze_dependencies", focus);
        assert!(
            answer["data"]["edges"]
                .as_array()
                .is_some_and(|edges| edges.len() > 1),
            "{answer}"
        );
        assert!(dependents <= DEPENDENTS, "{dependents} tokens");
    }
    assert!(server.close().status.success());
}
