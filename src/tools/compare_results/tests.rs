use std::sync::Arc;

use expect_test::expect;

use super::*;

fn function(path: &str, name: &str, cyclomatic: u32, cognitive: u32, body: &str) -> Value {
    json!({
        "path": path, "name": name, "qualified_name": name, "kind": "function",
        "start_line": 1, "end_line": 9, "sloc": 9, "max_nesting": 1, "parameters": 0,
        "maintainability_index": 71.5, "body_digest": body,
        "own": {"cyclomatic": cyclomatic, "cognitive": cognitive},
    })
}

fn stored(tool: &str, data: Value, digest: &str) -> StoredResult {
    StoredResult {
        id: ResultId::from_u128(7),
        tool: tool.into(),
        arguments: json!({"path": "."}),
        whole: Arc::new(json!({"data": data})),
        input_digest: digest.into(),
        created_ms: 0,
    }
}

fn context() -> ToolContext {
    ToolContext {
        principal: actors::ids::Principal::local(),
        roots: Arc::default(),
        cancel: tokio_util::sync::CancellationToken::new(),
        deadline: std::time::Instant::now() + std::time::Duration::from_secs(60),
        progress: actors::tool::ProgressSink::default(),
        cache: actors::cache::CacheHandle::none(),
        results: actors::results::ResultReader::default(),
        keep_whole: true,
        care: None,
    }
}

fn comparison(
    before: &StoredResult,
    after: &StoredResult,
) -> Result<(Side, Side, Comparison), Failure> {
    let read = |stored: &StoredResult| Compared::read(stored.clone()).map(Compared::into_parts);
    let ((before, was), (after, is)) = (read(before)?, read(after)?);
    same_tool(&before, &after)?;
    let comparison = Comparison::of(was, is, &|| false).unwrap();
    Ok((before, after, comparison))
}

fn compared(before: &StoredResult, after: &StoredResult, arguments: Value) -> Value {
    let (before, after, comparison) = comparison(before, after).unwrap();
    let paging = paging_of(&arguments).unwrap();
    let output = answer(&context(), &before, &after, &comparison, &paging).unwrap();
    let finding = serde_json::from_value(output.answer).unwrap();
    let called = crate::answer::Called {
        tool: NAME,
        started: std::time::Instant::now(),
        max_bytes: 24_000,
        detail: crate::answer::Detail::of(&arguments),
    };
    let answer = called.found(
        finding,
        &output.input_digest,
        crate::answer::Context::default(),
    );
    assert_eq!(
        crate::tools::output_errors(NAME, &answer.structured),
        [""; 0]
    );
    answer.structured
}

fn lines(before: &StoredResult, after: &StoredResult) -> String {
    let (_, _, comparison) = comparison(before, after).unwrap();
    let changes = &comparison.changes;
    let rows: Vec<String> = (changes.rows.iter())
        .map(|row| comparison.line(row))
        .collect();
    let careful = changes.unparsed.lines();
    format!("{}\n{careful}{}\n", changes.one_line(), rows.join("\n"))
}

fn complexity() -> (StoredResult, StoredResult) {
    let before = json!({"totals": {"functions": 5, "cyclomatic_mean": 2.5}, "functions": [
        function("a.rs", "worse", 2, 1, "1"),
        function("a.rs", "better", 9, 9, "2"),
        function("a.rs", "moves", 3, 3, "3"),
        function("a.rs", "renamed", 4, 4, "4"),
        function("a.rs", "same", 1, 0, "5"),
        function("b.rs", "goes", 1, 0, "6"),
    ]});
    let after = json!({"totals": {"functions": 6, "cyclomatic_mean": 3.0}, "functions": [
        function("a.rs", "worse", 5, 6, "1b"),
        function("a.rs", "better", 3, 2, "2b"),
        function("c.rs", "moves", 3, 3, "3"),
        function("a.rs", "called_else", 4, 4, "4"),
        function("a.rs", "same", 1, 0, "5"),
        function("d.rs", "comes", 8, 8, "7"),
    ]});
    (
        stored("analyze_complexity", before, "x"),
        stored("analyze_complexity", after, "y"),
    )
}

#[test]
fn functions_are_followed_and_regressions_come_first() {
    let (before, after) = complexity();
    expect![[r#"
        1 added, 1 improved, 1 moved, 1 regressed, 1 removed, 1 renamed, 1 unchanged
        regressed a.rs:1 worse: cyclomatic 2 -> 5, cognitive 1 -> 6
        added d.rs:1 comes: cyclomatic 8, cognitive 8
        moved c.rs:1 moves: cyclomatic 3 -> 3, cognitive 3 -> 3 (was a.rs moves)
        renamed a.rs:1 called_else: cyclomatic 4 -> 4, cognitive 4 -> 4 (was a.rs renamed)
        improved a.rs:1 better: cyclomatic 9 -> 3, cognitive 9 -> 2
        removed b.rs:1 goes: cyclomatic 1, cognitive 0
    "#]]
    .assert_eq(&lines(&before, &after));
}

#[test]
fn an_answer_gives_figures_and_pages() {
    let (before, after) = complexity();
    let first = compared(&before, &after, json!({"now": true, "limit": 2}));
    assert_eq!(first["data"]["changes"][0]["delta"]["cyclomatic"], 3);
    assert_eq!(
        first["data"]["totals"]["delta"],
        json!({"functions": 1, "cyclomatic_mean": 0.5})
    );
    assert_eq!(first["page"]["total"], 6);
    let cursor = &first["page"]["next_cursor"];
    // The run for the next page has another id, and so other arguments.
    let next = json!({"now": true, "limit": 50, "cursor": cursor, "against": "res_other"});
    let next = compared(&before, &after, next);
    assert_eq!(next["page"]["returned"], 4);
    assert_eq!(next["data"]["changes"][0]["change"], "moved");
}

#[test]
fn nothing_changed_says_so() {
    let (before, _) = complexity();
    let answer = compared(&before, &before, json!({}));
    assert_eq!(answer["data"]["identical_inputs"], true);
    assert_eq!(answer["data"]["summary"], json!({"unchanged": 6}));
    assert!(
        answer["status"]["message"]
            .as_str()
            .unwrap()
            .contains("nothing changed")
    );
}

#[test]
fn results_of_two_tools_do_not_compare() {
    let (before, _) = complexity();
    let other = stored("analyze_structure", json!({"symbols": []}), "x");
    let failure = comparison(&before, &other).err().unwrap();
    assert_eq!(failure.reason, "different_tools");
    assert_eq!(failure.row().code.name(), "FAILED_PRECONDITION");
}

#[test]
fn a_graph_tells_what_came_and_went() {
    let graph = |edges: &[(&str, &str)], cycles: Value, unresolved: Value| {
        let edges: Vec<Value> = (edges.iter())
            .map(|(from, to)| json!({"from": from, "to": to, "kind": "import"}))
            .collect();
        let data = json!({
            "totals": {}, "nodes": [], "external": [],
            "edges": edges, "cycles": cycles, "unresolved": unresolved,
        });
        stored("analyze_dependencies", data, "x")
    };
    let lost =
        json!([{"path": "a", "line": 1, "specifier": "./gone", "reason": "no_such_file: ./gone"}]);
    let before = graph(&[("a", "b"), ("b", "c")], json!([["a", "b"]]), json!([]));
    let after = graph(
        &[("a", "b"), ("c", "a")],
        json!([["b", "a"], ["a", "c"]]),
        lost,
    );
    expect![[r#"
        3 added, 1 removed, 2 unchanged
        added cycle a, c
        added unresolved a ./gone
        added edge c -> a (import)
        removed edge b -> c (import)
    "#]]
    .assert_eq(&lines(&before, &after));
    compared(&before, &after, json!({}));
}

#[test]
fn symbols_that_others_use_come_first_when_they_go() {
    let symbol = |path: &str, name: &str, visibility: &str, signature: &str| {
        json!({"path": path, "qualified_name": name, "kind": "function", "visibility": visibility,
               "signature": signature, "start_line": 3, "end_line": 4})
    };
    let before = json!({"totals": {}, "symbols": [
        symbol("a", "f", "public", "fn f()"),
        symbol("a", "g", "private", "fn g()"),
        symbol("a", "h", "public", "fn h()"),
        symbol("a", "over", "public", "over(int)"),
        symbol("a", "over", "public", "over(long)"),
    ]});
    let after = json!({"totals": {}, "symbols": [
        symbol("a", "f", "public", "fn f(x: u8)"),
        symbol("b", "g", "private", "fn g()"),
        symbol("a", "i", "public", "fn i()"),
        symbol("a", "over", "public", "over(long)"),
        symbol("a", "over", "public", "over(int)"),
    ]});
    let before = stored("analyze_structure", before, "x");
    let after = stored("analyze_structure", after, "y");
    expect![[r#"
        1 added, 1 changed, 1 moved, 1 removed, 2 unchanged
        removed a:3 public function h
        changed a:3 public function f: fn f() -> fn f(x: u8)
        moved b:3 private function g (was in a)
        added a:3 public function i
    "#]]
    .assert_eq(&lines(&before, &after));
    compared(&before, &after, json!({}));
}

#[test]
fn a_lean_row_of_a_cycle_says_its_size() {
    let graph = |cycles: Value| {
        let data = json!({
            "totals": {}, "nodes": [], "external": [], "edges": [], "unresolved": [], "cycles": cycles,
        });
        stored("analyze_dependencies", data, "x")
    };
    let cycle = json!({"size": 5, "path": ["a", "b", "a"], "members": ["a", "b", "c", "d", "e"], "more": 3});
    let answer = compared(&graph(json!([])), &graph(json!([cycle])), json!({}));
    let detail = &answer["data"]["changes"][0]["detail"];
    assert_eq!((&detail["size"], &detail["more"]), (&json!(5), &json!(3)));
}

#[test]
fn arguments_differ_where_they_mean_something_else() {
    let differs = |before: Value, after: Value| differing("analyze_dependencies", &before, &after);
    let granularity = json!({"granularity": "file", "path": "."});
    assert_eq!(differs(json!({}), granularity), [""; 0], "the defaults");
    assert_eq!(
        differs(
            json!({"cycles": "all", "include_skipped": ["generated"]}),
            json!({})
        ),
        ["include_skipped", "cycles"]
    );
}

#[test]
fn a_change_is_not_given_a_before_that_it_has_not() {
    let mut change = json!({"path": "a", "after": {"path": "a"}});
    leave_out_same(&mut change);
    assert_eq!(change, json!({"path": "a", "after": {"path": "a"}}));
}

#[test]
fn a_baseline_from_before_there_were_sketches_compares_by_name_and_by_body() {
    let (before, mut after) = complexity();
    let mut whole = (*after.whole).clone();
    for row in whole["data"]["functions"].as_array_mut().unwrap() {
        row["body_sketch"] = json!("123456789abcdef1");
    }
    let old = lines(&before, &after);
    after.whole = Arc::new(whole);
    assert_eq!(lines(&before, &after), old);
    assert!(old.contains("renamed a.rs:1 called_else"), "{old}");
}

#[test]
fn a_file_with_errors_is_known_from_results_of_every_age() {
    let whole = |data: Value, beside: Value| {
        let mut whole =
            json!({"data": data, "coverage": {"parse_errors": {"count": 0, "files": []}}});
        for (name, value) in beside.as_object().unwrap() {
            whole[name] = value.clone();
        }
        whole
    };
    let before = stored(
        "analyze_complexity",
        json!({"totals": {}, "functions": [function("a.rs", "f", 1, 0, "1"), function("b.rs", "g", 1, 0, "2")]}),
        "x",
    );
    let none = json!({"totals": {}, "functions": []});
    let files =
        json!({"totals": {}, "functions": [], "files": [{"path": "a.rs", "parse_errors": 2}]});
    let named = json!({"count": 1, "files": [{"path": "a.rs", "broken_lines": 1, "lines": []}]});
    for after in [
        whole(none.clone(), json!({"parse_errors": {"a.rs": 2}})),
        whole(files, json!({})),
        whole(none, json!({"coverage": {"parse_errors": named}})),
    ] {
        let mut now = stored("analyze_complexity", json!({}), "y");
        now.whole = Arc::new(after);
        expect![[r#"
            1 removed, 1 unparsed, 0 unchanged
            careful: these files did not parse now, and what is missing there is unparsed, not added or removed: a.rs (1)
            unparsed a.rs:1 f: cyclomatic 1, cognitive 0 (its file does not parse now)
            removed b.rs:1 g: cyclomatic 1, cognitive 0
        "#]]
        .assert_eq(&lines(&before, &now));
    }
}
