//! The text and the structured part of an answer agree: every number of the text is in the structure, and both have the
//! same rows in the same order.

use std::collections::BTreeSet;

use super::*;

/// Every number in a text, as it is written.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
}

/// Every number in a value or in a string of it, and how long each list is.
fn known(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            into.insert(items.len().to_string());
            items.iter().for_each(|item| known(item, into));
        }
        Value::Object(all) => {
            for (name, value) in all {
                into.extend(numbers(name).map(str::to_owned));
                known(value, into);
            }
        }
        Value::String(text) => into.extend(numbers(text).map(str::to_owned)),
        Value::Number(number) => into.extend(numbers(&number.to_string()).map(str::to_owned)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The text that identifies each row of an answer, in order.
fn marks(data: &Value) -> Vec<String> {
    let rows = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut marks = Vec::new();
    for row in rows(&data["functions"]) {
        let place = format!(
            "{}:{}-{}",
            text(&row, "path"),
            row["start_line"],
            row["end_line"]
        );
        marks.push(format!("{place}  {}", text(&row, "qualified_name")));
    }
    let span = |row: &Value| format!("{}-{} ", row["start_line"], row["end_line"]);
    for file in rows(&data["files"]) {
        marks.push(text(&file, "path"));
        marks.extend(rows(&file["symbols"]).iter().map(span));
    }
    marks.extend(rows(&data["symbols"]).iter().map(span));
    marks.extend(rows(&data["nodes"]).iter().map(|row| text(row, "id")));
    marks.extend(
        rows(&data["changes"])
            .iter()
            .map(|row| text(row, "qualified_name")),
    );
    marks.extend(
        rows(&data["history"])
            .iter()
            .map(|row| text(row, "result_id")),
    );
    marks.extend(
        rows(&data["sessions"])
            .iter()
            .map(|row| text(row, "session_id")),
    );
    marks.extend(rows(&data["tools"]).iter().map(|row| text(row, "name")));
    marks
}

fn agrees(tool: &str, arguments: &Value, answer: &Answer) {
    let mut in_structure = BTreeSet::new();
    known(&answer.structured, &mut in_structure);
    // A very small page leaves out the totals and languages that its heading sums up.
    let has_totals = arguments["max_bytes"].is_null();
    let lines = answer.text.lines().skip(usize::from(!has_totals));
    let lines: Vec<&str> = lines
        .filter(|line| has_totals || !line.contains(" lines of code"))
        .collect();
    let text = lines.join("\n");
    for number in numbers(&text) {
        assert!(
            in_structure.contains(number),
            "{tool} {arguments}: {number} is only in the text:\n{}\n{}",
            answer.text,
            answer.structured
        );
    }
    let mut rest = answer.text.as_str();
    // A full page also lists the files of its functions; the text does not.
    let data = match answer.structured["data"].get("profile") {
        Some(_) => json!({"functions": answer.structured["data"]["functions"]}),
        None => answer.structured["data"].clone(),
    };
    for mark in marks(&data) {
        let at = rest.find(&mark);
        let at = at.unwrap_or_else(|| {
            panic!(
                "{tool} {arguments}: no {mark:?} in its place:\n{}",
                answer.text
            )
        });
        rest = &rest[at..];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_structure_have_the_same_numbers() {
    let here = Here::new().await;
    let baseline = here.good("analyze_complexity", json!({})).await["context"]["result_id"].clone();
    let outline = here.good("analyze_structure", json!({})).await["context"]["result_id"].clone();
    let graph = here.good("analyze_dependencies", json!({})).await["context"]["result_id"].clone();
    let tax = here.folder.path().join("python/shop/tax.py");
    let worse = std::fs::read_to_string(&tax).unwrap()
        + "\n\ndef more(a=17):\n    import os\n    return a and os\n";
    std::fs::write(&tax, worse).unwrap();
    let sort_by = tools::entry("analyze_complexity")
        .and_then(|entry| {
            entry
                .arguments
                .iter()
                .find(|argument| argument.name == "sort_by")
        })
        .map(|argument| argument.schema["enum"].clone());
    let mut calls = vec![
        ("analyze_structure", json!({})),
        ("analyze_structure", json!({"query": "total"})),
        (
            "analyze_structure",
            json!({"depth": 1, "with": ["imports", "exports"]}),
        ),
        (
            "analyze_structure",
            json!({"query": "c", "with": ["imports"]}),
        ),
        ("analyze_dependencies", json!({})),
        ("analyze_dependencies", json!({"granularity": "directory"})),
        (
            "analyze_dependencies",
            json!({"focus": "python/shop/cart.py", "direction": "in"}),
        ),
        ("compare_results", json!({"baseline": baseline})),
        ("compare_results", json!({"baseline": outline})),
        ("compare_results", json!({"baseline": graph})),
        ("get_session", json!({})),
        ("get_session", json!({"history_limit": 2})),
        ("list_sessions", json!({})),
        ("find_tools", json!({"query": "cycles"})),
        ("find_tools", json!({"name": "analyze_structure"})),
        ("get_server_status", json!({})),
        ("create_session", json!({"label": "seven"})),
        ("analyze_complexity", json!({"path": "no/such/path"})),
    ];
    for level in ["functions", "files", "summary"] {
        for sort_by in sort_by.as_ref().unwrap().as_array().unwrap() {
            calls.push((
                "analyze_complexity",
                json!({"level": level, "sort_by": sort_by}),
            ));
        }
    }
    for (tool, arguments) in calls {
        for more in [
            json!({}),
            json!({"limit": 3}),
            json!({"max_bytes": 1000}),
            json!({"detail": "full"}),
        ] {
            let mut arguments = arguments.clone();
            let entry = tools::entry(tool).unwrap();
            for (name, value) in more.as_object().unwrap() {
                if entry.has_argument(name) {
                    arguments[name] = value.clone();
                }
            }
            let answer = here.call(tool, arguments.clone()).await;
            agrees(tool, &arguments, &answer);
        }
    }
    here.end().await;
}

/// For any arguments, the answer stays within its limit, and its page is as full as the limit allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_as_full_as_its_limit_allows() {
    let here = Here::new().await;
    for tool in [
        "analyze_complexity",
        "analyze_structure",
        "analyze_dependencies",
    ] {
        for detail in ["lean", "full"] {
            for max_bytes in [3000, 5000, 9000] {
                let arguments = json!({"max_bytes": max_bytes, "limit": 1000, "detail": detail});
                let answer = here.call(tool, arguments.clone()).await;
                let sent = json_len(&answer.structured);
                assert!(sent <= max_bytes, "{tool} {arguments}: {sent} bytes");
                let page = &answer.structured["page"];
                if page["total"] != page["returned"] {
                    // The next row, and the reserve for larger ids and counts.
                    let free = max_bytes - sent;
                    assert!(free < 2000, "{tool} {arguments}: {free} bytes are free");
                }
            }
        }
    }
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lean_answer_has_no_empty_fields() {
    let here = Here::new().await;
    for entry in tools::catalogue() {
        for example in &entry.examples {
            let kept = here.good("analyze_complexity", json!({})).await;
            let text = |name: &str| kept["context"][name].as_str().unwrap().to_owned();
            let arguments = example.arguments_with(&text("session_id"), &text("result_id"));
            let answer = here.call(entry.name, arguments).await;
            let mut lean = answer.structured.clone();
            // The echo of the arguments is complete, and so are schemas.
            for echo in ["/data/tool", "/data/history", "/data/answers"] {
                if let Some(value) = lean.pointer_mut(echo) {
                    *value = json!("echo");
                }
            }
            let durability = lean["context"]["durability"].take();
            assert_eq!(durability.as_object().unwrap().len(), 4);
            lean["context"]["durability"] = json!("there");
            let before = lean.clone();
            crate::answer::lean::strip(&mut lean);
            assert_eq!(lean, before, "{}: {}", entry.name, example.title);
            assert_eq!(answer.metadata["tool"], entry.name);
            assert!(answer.structured.get("metadata").is_none());
        }
    }
    here.end().await;
}
