//! What an edit of code shows as in a comparison with a result from before it.

use super::*;

/// Files of one folder, by name.
type Files<'f> = &'f [(&'f str, &'f str)];

struct Edit<'f> {
    what: &'f str,
    before: Files<'f>,
    after: Files<'f>,
    /// Each as `change qualified_name`, in the order of the answer.
    changes: &'f [&'f str],
}

const LONG: &str = "\
def total(orders, rate):
    result = 0
    for order in orders:
        if order.open:
            continue
        for line in order.lines:
            result += line.price * line.count
    if rate > 1:
        result = result / rate
    return result
";

/// The same with one line more and another name for the function.
fn renamed() -> String {
    (LONG.replace("def total", "def grand_total"))
        .replace("result = 0\n", "result = 0\n    rate = rate or 1\n")
}

async fn compared(here: &Here, tool: &str, edit: &Edit<'_>) -> Answer {
    let folder = here.folder.path().join("edited");
    let write = |files: Files<'_>| {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
    };
    write(edit.before);
    let baseline = here.good(tool, json!({"path": "edited"})).await;
    write(edit.after);
    let arguments = json!({"baseline": baseline["context"]["result_id"]});
    let answer = here.call("compare_results", arguments).await;
    assert!(!answer.is_error, "{}: {}", edit.what, answer.text);
    answer
}

fn shown(answer: &Answer) -> Vec<String> {
    let changes = answer.structured["data"]["changes"].as_array();
    let plain = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (changes.into_iter().flatten())
        .map(|row| {
            format!(
                "{} {}",
                plain(&row["change"]),
                plain(&row["qualified_name"])
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_the_same_by_name_or_by_body_and_not_by_place() {
    let here = Here::new().await;
    let (renamed, class) = (
        renamed(),
        "class A:\n    def keep(self):\n        return 1\n\n",
    );
    let get = format!("{class}    def get(self, key):\n        return self.items[key]\n");
    let close = format!(
        "{class}\nclass B:\n    def close(self, code):\n        if code:\n            self.file.close()\n"
    );
    let moved = LONG.replace("rate > 1", "rate > 2");
    let edits = [
        Edit {
            what: "another function at the same place",
            before: &[(
                "a.py",
                "def area(w, h):\n    size = w * h\n    return size\n",
            )],
            after: &[(
                "a.py",
                "def greet(name, title):\n    if not name:\n        return title\n    return f'{title} {name}'\n",
            )],
            changes: &["added greet", "removed area"],
        },
        Edit {
            what: "a method of another class near it",
            before: &[("a.py", &get)],
            after: &[("a.py", &close)],
            changes: &["added B.close", "removed A.get"],
        },
        Edit {
            what: "a fresh function is not worse than one that is gone",
            before: &[("a.py", "def gone(x):\n    y = x + 1\n    return y\n")],
            after: &[(
                "a.py",
                "def fresh(items):\n    for item in items:\n        if item.a and item.b:\n            yield item\n",
            )],
            changes: &["added fresh", "removed gone"],
        },
        Edit {
            what: "renamed and edited a little",
            before: &[("a.py", LONG)],
            after: &[("a.py", &renamed)],
            changes: &["regressed grand_total"],
        },
        Edit {
            what: "moved and edited under its name",
            before: &[("a.py", LONG), ("b.py", "x = 1\n")],
            after: &[("a.py", "x = 1\n"), ("b.py", &moved)],
            changes: &["changed total"],
        },
    ];
    for edit in &edits {
        let answer = compared(&here, "analyze_complexity", edit).await;
        assert_eq!(shown(&answer), edit.changes, "{}", edit.what);
    }
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_does_not_parse_is_not_said_to_be_removed() {
    let here = Here::new().await;
    let good = "def f(a):\n    return a\n\ndef g(b):\n    return b\n";
    let bad = "def f(a)\n    return a\n\ndef g(b):\n    return b\n";
    for tool in ["analyze_complexity", "analyze_structure"] {
        let broken = Edit {
            what: "a colon is missing",
            before: &[("a.py", good), ("b.py", "def h():\n    pass\n")],
            after: &[("a.py", bad)],
            changes: &["unparsed f", "removed h"],
        };
        let answer = compared(&here, tool, &broken).await;
        let mut found = shown(&answer);
        found.sort_by_key(|row| row.starts_with("removed"));
        assert_eq!(found, broken.changes, "{tool}");
        assert_eq!(answer.structured["data"]["summary"]["unparsed"], 1);
        let careful = "did not parse now, and what is missing there is unparsed, not added or removed: edited/a.py (1)";
        assert!(answer.text.contains(careful), "{}", answer.text);
        let mended = Edit {
            what: "the colon is back",
            before: &[("a.py", bad)],
            after: &[("a.py", good)],
            changes: &["unparsed f"],
        };
        let answer = compared(&here, tool, &mended).await;
        assert_eq!(shown(&answer), mended.changes, "{tool}");
        assert!(answer.text.contains("did not parse in the baseline"));
    }
    here.end().await;
}

/// Files of a hundred small functions each: as JSON more than is kept.
fn write_large(folder: &Path, files: usize) {
    let _ = std::fs::create_dir_all(folder);
    for file in 0..files {
        let functions = (0..100).map(|at| {
            format!(
                "def f_{file}_{at}(a, b):\n    if a > {at}:\n        return b\n    return a\n\n"
            )
        });
        let imports = format!("import m{}\n\n", (file + 1) % files);
        std::fs::write(
            folder.join(format!("m{file}.py")),
            imports + &functions.collect::<String>(),
        )
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_too_large_to_read_again_is_compared() {
    let here = Here::new().await;
    let folder = here.folder.path().join("large");
    write_large(&folder, 160);
    let session = here.good("create_session", json!({})).await["data"]["session_id"].clone();
    let arguments = json!({"path": "large", "session_id": session, "detail": "full"});
    let answer = here.good("analyze_complexity", arguments).await;
    let notices = answer["context"]["notices"].to_string();
    assert!(notices.contains("compact form"), "{notices}");
    let baseline = answer["context"]["result_id"].as_str().unwrap().to_owned();
    let history = here
        .good(
            "get_session",
            json!({"session_id": session, "detail": "full"}),
        )
        .await;
    assert_eq!(history["data"]["history"][0]["stored"], true);
    // It says what it is about, and that it has no rows.
    let session = session.as_str().unwrap();
    let read = here
        .service
        .read_result(&here.caller, session, &baseline)
        .await
        .unwrap();
    assert!(
        read["reduced"]
            .as_str()
            .unwrap()
            .contains("compare_results")
    );
    assert_eq!(read["data"]["totals"]["functions"], 16_000);
    assert_eq!(read["data"]["functions"], Value::Null);
    assert_eq!(read["arguments"]["path"], "large");
    assert_eq!(read["coverage"]["files_analyzed"], 160);
    // A comparison follows one edit among all of it.
    let edited = std::fs::read_to_string(folder.join("m7.py")).unwrap();
    let edited = edited.replace(
        "def f_7_7(a, b):\n",
        "def f_7_7(a, b):\n    if b:\n        return b\n",
    );
    std::fs::write(folder.join("m7.py"), edited).unwrap();
    let compared = here
        .good(
            "compare_results",
            json!({"session_id": session, "baseline": baseline}),
        )
        .await;
    assert_eq!(
        compared["data"]["summary"],
        json!({"regressed": 1, "unchanged": 15_999})
    );
    let change = &compared["data"]["changes"][0];
    assert_eq!(change["qualified_name"], "f_7_7");
    assert_eq!(change["delta"]["cyclomatic"], 1);
    here.end().await;
}
