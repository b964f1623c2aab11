//! Calls from name and arguments to answer, over real sessions and the sample tree. In debug builds every answer is
//! checked against its schema on its way out, so each call here is also a test of that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::store::memory::{self, MemoryStore};
use actors::{Clock, Options};
use tempfile::TempDir;

use super::*;
use crate::workspace::Workspace;

mod agree;
mod compare;
mod parts;
mod sessions;
mod stored;
mod world;

/// A service over a copy of the sample tree.
struct Here {
    service: Service,
    caller: Caller,
    folder: TempDir,
}

impl Here {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(default_session: bool) -> Self {
        Self::tuned(default_session, Options::default()).await
    }

    async fn tuned(default_session: bool, options: Options) -> Self {
        let folder = TempDir::new().unwrap();
        copy(&sample(), folder.path());
        let store = Arc::new(MemoryStore::new(Clock::system(), memory::Limits::default()));
        let workspace = Workspace::open(&[folder.path().to_owned()]).unwrap();
        let reach = ReadAccess::of(&workspace);
        let sessions = Sessions::start(options, store, tools::analysis_tools(&reach))
            .await
            .unwrap();
        Self {
            service: Service::new(sessions, reach),
            caller: Caller {
                principal: Principal::local(),
                default_session: default_session.then(DefaultSession::default),
                request: None,
            },
            folder,
        }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let cancel = CancellationToken::new();
        let call = self.service.call(
            &self.caller,
            tool,
            arguments,
            cancel,
            ProgressSink::default(),
        );
        call.await.unwrap()
    }

    async fn good(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments.clone()).await;
        assert!(!answer.is_error, "{tool} {arguments}: {}", answer.text);
        answer.structured
    }

    async fn refused(&self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments.clone()).await;
        assert!(answer.is_error, "{tool} {arguments}: {}", answer.text);
        answer.structured["status"]["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn end(self) {
        self.service.sessions.shutdown(Duration::from_secs(5)).await;
    }
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sample")
}

fn copy(from: &Path, to: &Path) {
    let mut left = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = left.pop() {
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let (path, name) = (
                entry.as_ref().unwrap().path(),
                entry.as_ref().unwrap().file_name(),
            );
            if path.is_dir() {
                left.push((path, to.join(name)));
            } else {
                std::fs::copy(path, to.join(name)).unwrap();
            }
        }
    }
}

fn names(answer: &Value, list: &str, name: &str) -> Vec<String> {
    let rows = answer["data"][list].as_array().unwrap();
    rows.iter()
        .map(|row| row[name].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_every_tool_runs() {
    let here = Here::new().await;
    for entry in tools::catalogue() {
        for example in &entry.examples {
            let session =
                here.good("create_session", json!({})).await["data"]["session_id"].clone();
            let session = session.as_str().unwrap();
            let kept = here
                .good("analyze_complexity", json!({"session_id": session}))
                .await;
            let result = kept["context"]["result_id"].as_str().unwrap().to_owned();
            let answer = here
                .call(entry.name, example.arguments_with(session, &result))
                .await;
            assert!(
                !answer.is_error,
                "{}: {}: {}",
                entry.name, example.title, answer.text
            );
            if entry.kind == Kind::Analysis && entry.name != tools::COMPARE_RESULTS {
                let page = &answer.structured["page"];
                assert!(
                    page.is_null() || page["returned"] != 0,
                    "{}: {}",
                    entry.name,
                    example.title
                );
            }
        }
    }
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn complexity_of_the_sample() {
    let here = Here::new().await;
    let answer = here
        .good(
            "analyze_complexity",
            json!({"languages": ["python"], "detail": "full"}),
        )
        .await;
    let worst = &answer["data"]["functions"][0];
    assert_eq!(worst["qualified_name"], "Cart.total");
    // 1, two loops, two ifs, `or`, `and`; cognitive: for 1, if 2, or 1, for 2, if 3, and 1, continue 0.
    assert_eq!(worst["own"]["cyclomatic"], 7);
    assert_eq!(worst["own"]["cognitive"], 10);
    assert_eq!(answer["coverage"]["files_analyzed"], 6);
    assert_eq!(answer["coverage"]["languages"], json!({"python": 6}));
    assert_eq!(answer["data"]["languages"][0]["language"], "python");
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_of_the_sample() {
    let here = Here::new().await;
    let answer = here
        .good("analyze_dependencies", json!({"path": "python"}))
        .await;
    let cycles = answer["data"]["cycles"].as_array().unwrap();
    assert_eq!(cycles.len(), 1);
    assert_eq!(cycles[0]["size"], 2);
    let mut cycle: Vec<&str> = cycles[0]["path"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(cycle.first(), cycle.last());
    cycle.pop();
    cycle.sort_unstable();
    assert_eq!(cycle, ["python/shop/cart.py", "python/shop/pricing.py"]);
    assert_eq!(
        names(&answer, "unresolved", "path"),
        ["python/shop/report.py"]
    );
    assert_eq!(answer["data"]["totals"]["cycles"], 1);
    let unknown = here
        .refused("analyze_dependencies", json!({"focus": "cart.p"}))
        .await;
    assert_eq!(unknown, "unknown_node");
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_everything_once_and_notice_changes() {
    let here = Here::new().await;
    for (tool, lists) in [
        ("analyze_complexity", ["functions", "functions"]),
        ("analyze_structure", ["symbols", "exports"]),
        ("analyze_dependencies", ["nodes", "edges"]),
    ] {
        let all = here
            .good(
                tool,
                json!({"limit": 1000, "max_bytes": 300_000, "detail": "full"}),
            )
            .await;
        let mut joined = [Vec::new(), Vec::new()];
        let mut arguments = json!({"limit": 7, "max_bytes": 3000, "detail": "full"});
        loop {
            let answer = here.call(tool, arguments.clone()).await;
            assert!(!answer.is_error, "{}", answer.text);
            assert!(answer.text.len() <= 3000);
            assert!(json_len(&answer.structured) <= 3000);
            for (joined, list) in joined.iter_mut().zip(lists) {
                joined.extend(answer.structured["data"][list].as_array().unwrap().clone());
            }
            match answer.structured["page"]["next_cursor"].as_str() {
                None => break,
                Some(cursor) => arguments["cursor"] = json!(cursor),
            }
        }
        assert_eq!(json!(joined[0]), all["data"][lists[0]], "{tool}");
        assert_eq!(json!(joined[1]), all["data"][lists[1]], "{tool}");
    }
    let first = here.good("analyze_structure", json!({"limit": 2})).await;
    let cursor = first["page"]["next_cursor"].clone();
    let next = json!({"limit": 2, "cursor": cursor});
    let other = json!({"limit": 2, "cursor": cursor, "query": "x"});
    assert_eq!(
        here.refused("analyze_structure", other).await,
        "cursor_mismatch"
    );
    here.good("analyze_structure", next.clone()).await;
    std::fs::write(here.folder.path().join("new.py"), "def f():\n    pass\n").unwrap();
    assert_eq!(
        here.refused("analyze_structure", next).await,
        "cursor_stale"
    );
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_compared_with_now() {
    let here = Here::new().await;
    let baseline = here.good("analyze_complexity", json!({})).await["context"]["result_id"].clone();
    let same = here
        .good("compare_results", json!({"baseline": baseline}))
        .await;
    assert_eq!(same["data"]["identical_inputs"], true);
    assert_eq!(same["page"]["total"], 0);
    assert_eq!(same["context"].get("notices"), None);
    let tax = here.folder.path().join("python/shop/tax.py");
    let text = std::fs::read_to_string(&tax).unwrap();
    let worse = text.replace(
        "    if rate is None:",
        "    if total and country:\n        pass\n    if rate is None:",
    );
    std::fs::write(&tax, worse).unwrap();
    let worse = here
        .good("compare_results", json!({"baseline": baseline}))
        .await;
    assert_eq!(worse["data"]["summary"]["regressed"], 1);
    assert_eq!(worse["data"]["changes"][0]["qualified_name"], "tax_of");
    assert_eq!(worse["data"]["changes"][0]["delta"]["cyclomatic"], 2);
    assert!(
        worse["context"]["related_results"]
            .as_array()
            .unwrap()
            .contains(&baseline)
    );
    let outline = here.good("analyze_structure", json!({})).await["context"]["result_id"].clone();
    let different = json!({"baseline": baseline, "against": outline});
    assert_eq!(
        here.refused("compare_results", different).await,
        "different_tools"
    );
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_order_and_isolates_failures() {
    let here = Here::new().await;
    let calls: Vec<Value> = (0..20)
        .map(|at| match at % 4 {
            0 => json!({"tool": "analyze_complexity", "arguments": {"path": "python"}}),
            1 => json!({"tool": "analyze_structure", "arguments": {"path": "no/such/path"}}),
            2 => json!({"tool": "analyze_structur"}),
            _ => json!({"tool": "run_batch", "arguments": {"calls": []}}),
        })
        .collect();
    let answer = here.call("run_batch", json!({"calls": calls})).await;
    assert!(!answer.is_error, "{}", answer.text);
    assert!(answer.text.len() <= 24_000);
    let data = &answer.structured["data"];
    assert_eq!(
        (&data["succeeded"], &data["failed"]),
        (&json!(5), &json!(15))
    );
    let reasons: Vec<&Value> = (data["answers"].as_array().unwrap().iter())
        .map(|answer| &answer["status"]["reason"])
        .collect();
    for chunk in reasons.chunks(4) {
        assert_eq!(
            chunk,
            [
                &Value::Null,
                &json!("path_not_found"),
                &json!("unknown_tool"),
                &json!("batch_in_batch")
            ]
        );
    }
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_says_so() {
    let here = Here::new().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let call = here.service.call(
        &here.caller,
        "analyze_complexity",
        json!({}),
        cancel,
        ProgressSink::default(),
    );
    let answer = call.await.unwrap();
    assert_eq!(answer.structured["status"]["code"], "CANCELLED");
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_has_a_reason() {
    let here = Here::new().await;
    let why = async |arguments: Value| {
        here.good("analyze_complexity", arguments).await["status"]["reason"].clone()
    };
    assert_eq!(
        why(json!({"min_cyclomatic": 1000})).await,
        "nothing_matched"
    );
    assert_eq!(why(json!({"path": "README.md"})).await, "nothing_supported");
    assert_eq!(
        why(json!({"path": "go", "languages": ["rust"]})).await,
        "everything_excluded"
    );
    std::fs::create_dir(here.folder.path().join("empty")).unwrap();
    assert_eq!(why(json!({"path": "empty"})).await, "no_files");
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_gets_all_rows() {
    let here = Here::with(false).await;
    let bounded = here.refused("analyze_structure", json!({"limit": 0})).await;
    assert_eq!(bounded, "invalid_argument");
    let here = Here {
        service: here.service.clone().unlimited(),
        ..here
    };
    let answer = here.good("analyze_complexity", json!({"limit": 0})).await;
    assert_eq!(answer["page"]["truncated"], false);
    // All files, those without functions, too.
    assert_eq!(
        answer["data"]["files"].as_array().unwrap().len() as u64,
        answer["coverage"]["files_analyzed"].as_u64().unwrap()
    );
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn diagrams_are_pruned_by_nodes_and_stay_whole() {
    let here = Here::new().await;
    for format in ["mermaid", "dot"] {
        let all = here
            .good("analyze_dependencies", json!({"format": format}))
            .await;
        let few = here
            .good(
                "analyze_dependencies",
                json!({"format": format, "max_bytes": 1000}),
            )
            .await;
        let shown = |answer: &Value| answer["data"]["nodes_shown"].as_u64().unwrap();
        assert!(shown(&few) >= 1 && shown(&few) < shown(&all), "{few}");
        assert_eq!(few["page"]["truncated"], true);
        let diagram = few["data"]["diagram"].as_str().unwrap();
        let labels = diagram
            .lines()
            .filter(|line| line.contains("[\"") || line.contains("[label"));
        assert_eq!(labels.count() as u64, shown(&few));
        assert_eq!(format == "dot", diagram.ends_with("}\n"));
    }
    here.end().await;
}
