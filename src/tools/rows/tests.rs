use serde_json::json;

use super::*;

const GO_ON: &dyn Fn() -> bool = &|| false;

/// Words that do not compress, the same in every run.
fn noise(seed: usize) -> u64 {
    crate::analysis::metrics::sketch::test_word(seed as u64)
}

/// As in a large project: a hundred functions per file, with names of several words in classes.
fn functions(count: usize) -> Kept {
    let mut rows = FunctionsOf::default();
    for at in 0..count {
        let file = at / 100;
        let path = format!("services/billing/module_{}/handlers_{file}.py", file % 40);
        let name = format!("handle_{}_of_{}", at % 100, noise(at % 977) % 1000);
        let n = (at % 37) as u32;
        let word = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        rows.push(&Function {
            path: &path,
            name: &name,
            qualified_name: &format!("Handlers{}.{name}", at % 7),
            kind: if at % 7 == 0 { "function" } else { "method" },
            start_line: (at % 100) as u32 * 12 + 1,
            end_line: (at % 100) as u32 * 12 + 10,
            sloc: 4 + n,
            cyclomatic: 1 + n % 9,
            cognitive: n % 14,
            max_nesting: n % 4,
            parameters: n % 5,
            maintainability_index: (n != 3).then_some(60.0 + f64::from(n) * 1.2345),
            body_digest: Some(word ^ (word >> 29)),
            body_sketch: Some(word.rotate_left(17) ^ (word >> 11)),
        });
    }
    kept(Rows::Functions(rows.finish()))
}

fn symbols(count: usize) -> Kept {
    let mut rows = SymbolsOf::default();
    for at in 0..count {
        let name = format!("handle_{}_of_{at}", at % 100);
        rows.push(&Symbol {
            path: &format!("services/billing/handlers_{}.py", at / 100),
            qualified_name: &format!("Handlers{}.{name}", at % 7),
            kind: "method",
            signature: &format!(
                "def {name}(self, order: Order, rate_{}: float) -> Money",
                at % 53
            ),
            visibility: "public",
            start_line: (at % 100) as u32 * 12,
            end_line: (at % 100) as u32 * 12 + 9,
        });
    }
    kept(Rows::Symbols(rows.finish()))
}

fn graph(edges: usize) -> Kept {
    let mut graph = Graph::default();
    let node = |at: usize| format!("services/billing/module_{}/handlers_{at}.py", at % 40);
    for at in 0..edges {
        let to = at.wrapping_mul(7919) % (edges / 5 + 1);
        let row = json!({
            "from": node(at / 5), "to": node(to), "kind": "from", "lines": [at % 30],
            "specifiers": [format!("billing.handlers_{to}")], "type_only": false,
        });
        graph.push(List::Edges, &row);
    }
    graph.push(List::Cycles, &json!({"size": 2, "members": ["b", "a"]}));
    graph.push(
        List::Unresolved,
        &json!({"path": "a", "line": 1, "specifier": "./x"}),
    );
    graph.push(List::External, &json!({"name": "serde"}));
    graph.push(List::Nodes, &json!({"id": "a"}));
    kept(Rows::Graph(graph))
}

fn kept(rows: Rows) -> Kept {
    Kept {
        rows,
        errors: FileErrors::of([("a.py", 2), ("b.py", 0)].into_iter()),
    }
}

fn reason(compact: &Value) -> String {
    let whole = json!({"data": {}, COMPACT: compact});
    match Kept::read("analyze_complexity", &whole) {
        Ok(_) => "read".to_owned(),
        Err(failure) => failure.reason.to_string(),
    }
}

#[test]
fn every_sort_of_rows_is_read_back_as_it_was() {
    for before in [functions(300), symbols(300), graph(300)] {
        let compact = encode(&before, GO_ON).unwrap();
        let whole = json!({"data": {}, COMPACT: compact});
        let after = Kept::read(before.rows.tool(), &whole).unwrap();
        assert_eq!(after.errors.get("a.py"), 2);
        assert!(after == before);
        let other = Kept::read("compare_results", &whole);
        assert_eq!(other.err().unwrap().reason, "data_loss");
    }
}

#[test]
fn rows_are_the_same_from_json_and_from_the_compact_form() {
    let row = json!({
        "path": "a.rs", "name": "<anonymous>", "qualified_name": "f.<anonymous@3>", "kind": "closure",
        "start_line": 3, "end_line": 4, "sloc": 2, "max_nesting": 1, "parameters": 0,
        "maintainability_index": null, "body_digest": "00ff", "own": {"cyclomatic": 2, "cognitive": 1},
    });
    let whole = json!({"data": {"functions": [row]}});
    let read = Kept::read("analyze_complexity", &whole).unwrap();
    let compact = encode(&read, GO_ON).unwrap();
    let again = Kept::read("analyze_complexity", &json!({COMPACT: compact})).unwrap();
    let Rows::Functions(functions) = again.rows else {
        panic!("functions were written");
    };
    assert_eq!(functions.name(0), "", "it has none");
    assert_eq!(functions.body_digest(0), Some(0xff));
    assert_eq!(functions.body_sketch(0), None);
    assert_eq!(
        functions.side(0),
        json!({
            "path": "a.rs", "qualified_name": "f.<anonymous@3>", "start_line": 3, "end_line": 4, "sloc": 2,
            "max_nesting": 1, "parameters": 0, "maintainability_index": null, "cyclomatic": 2, "cognitive": 1,
        })
    );
}

#[test]
fn damage_is_noticed_and_a_later_form_is_told_apart() {
    let good = encode(&functions(50), GO_ON).unwrap();
    assert_eq!(reason(&good), "read");
    let with = |name: &str, value: Value| {
        let mut compact = good.clone();
        compact[name] = value;
        reason(&compact)
    };
    assert_eq!(with("form", json!(2)), "session_newer");
    assert_eq!(with("form", json!(0)), "data_loss");
    assert_eq!(with("form", Value::Null), "data_loss");
    assert_eq!(with("rows", Value::Null), "data_loss");
    assert_eq!(with("rows", json!("not base64!")), "data_loss");
    // Less and more than it unpacks to, and more than is ever unpacked.
    let bytes = good["bytes"].as_u64().unwrap();
    for wrong in [0, bytes - 1, bytes + 1, 1 << 40] {
        assert_eq!(with("bytes", json!(wrong)), "data_loss", "{wrong}");
    }
    // Truncated at any position.
    let rows = good["rows"].as_str().unwrap();
    for end in (0..rows.len()).step_by(97) {
        assert_eq!(with("rows", json!(rows[..end])), "data_loss", "{end}");
    }
    // Columns that do not agree.
    let mut bad = functions(50);
    if let Rows::Functions(functions) = &mut bad.rows {
        functions.sloc.pop();
    }
    assert_eq!(reason(&encode(&bad, GO_ON).unwrap()), "data_loss");
    let mut bad = functions(50);
    if let Rows::Functions(functions) = &mut bad.rows {
        functions.path.rows[7] = 99;
    }
    assert_eq!(reason(&encode(&bad, GO_ON).unwrap()), "data_loss");
}

#[test]
fn a_call_that_should_stop_compresses_nothing() {
    assert_eq!(encode(&functions(50), &|| true), None);
}

#[test]
fn half_a_million_rows_of_every_sort_fit() {
    for kept in [functions(500_000), symbols(500_000), graph(500_000)] {
        let compact = encode(&kept, GO_ON).expect("it is below the limit");
        let bytes = compact["rows"].as_str().unwrap().len();
        assert!(bytes < COMPACT_CAP, "{bytes}");
    }
}

/// Two of the largest results, their changes and all arguments fit into a session, and a baseline fits into the half
/// for pinned results.
#[test]
fn a_session_has_room_for_a_comparison_of_the_largest_results() {
    let beside = 512 << 10;
    let one = (COMPACT_CAP + beside) as u64;
    let limits = actors::Options::default().limits;
    assert!(one <= limits.whole_bytes / 2);
    assert!(2 * one + crate::tools::WHOLE_CAP as u64 + beside as u64 <= limits.whole_bytes);
}

#[test]
fn what_does_not_fit_even_so_is_not_kept() {
    let mut rows = SymbolsOf::default();
    for at in 0..40 {
        // A MiB of random letters.
        let mut word = noise(at);
        let letters = (0..1 << 20).map(|_| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + (word >> 58) as u8)
        });
        rows.push(&Symbol {
            path: "a",
            qualified_name: "f",
            kind: "function",
            signature: &letters.collect::<String>(),
            visibility: "public",
            start_line: 1,
            end_line: 2,
        });
    }
    assert_eq!(encode(&kept(Rows::Symbols(rows.finish())), GO_ON), None);
}
