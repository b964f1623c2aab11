//! Answers about imports from a kept graph are those from a new one, whatever changes on disk in between.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A second service over the same folder. It keeps nothing, so it builds every graph anew.
async fn without_cache(here: &Here) -> Service {
    let workspace = Workspace::open(&[here.folder.path().to_owned()]).unwrap();
    let options = Options {
        cache_bytes: 0,
        ..Options::default()
    };
    let reach = ReadAccess::of(&workspace);
    let store = Arc::new(MemoryStore::new(Clock::system(), memory::Limits::default()));
    let sessions = Sessions::start(options, store, tools::analysis_tools(&reach));
    Service::new(sessions.await.unwrap(), reach)
}

/// What an answer says about the code.
async fn said(service: &Service, arguments: &Value) -> (Value, Value, String) {
    let caller = Caller {
        principal: Principal::local(),
        default_session: None,
        request: None,
    };
    let cancel = CancellationToken::new();
    let (tool, progress) = ("analyze_dependencies", ProgressSink::default());
    let answer = service.call(&caller, tool, arguments.clone(), cancel, progress);
    let answer = answer.await.unwrap();
    assert!(!answer.is_error, "{arguments}: {}", answer.text);
    let part = |name: &str| answer.structured[name].clone();
    let lines = answer.text.lines();
    let text: Vec<_> = lines.filter(|line| !line.starts_with("cache")).collect();
    (part("data"), part("coverage"), text.join("\n"))
}

async fn agree(here: &Here, fresh: &Service, all: &[Value], when: &str) {
    for arguments in all {
        let told = said(fresh, arguments).await;
        for time in ["first", "second"] {
            let kept = said(&here.service, arguments).await;
            assert_eq!(kept, told, "{time} answer to {arguments} {when}");
        }
    }
}

/// Selections, and whatever else decides the graph.
fn questions() -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for path in [
        ".",
        "python",
        "python/shop",
        "typescript/src",
        "web",
        "c/list.c",
    ] {
        all.push(json!({"path": path, "detail": "full"}));
    }
    for granularity in ["directory", "package"] {
        for path in [".", "web", "python/shop"] {
            all.push(json!({"path": path, "granularity": granularity, "detail": "full"}));
        }
    }
    all.extend([
        json!({"path": "web", "cycles": "all", "detail": "full"}),
        json!({"path": "web", "cycles": "all", "granularity": "directory"}),
        json!({"path": "web", "include_skipped": ["generated", "ignored"], "detail": "full"}),
        json!({"path": ".", "exclude": ["python/shop/tax.py"], "detail": "full"}),
        json!({"path": ".", "languages": ["python"], "detail": "full"}),
        json!({"path": ".", "focus": "python/shop/cart.py", "direction": "in", "depth": 2}),
        json!({"path": "web", "format": "mermaid"}),
    ]);
    all
}

type Edit = (&'static str, fn(&Path));

/// Each changes something other that decides which import leads where.
const EDITS: &[Edit] = &[
    ("after a change of a file", |root| {
        fs::write(root.join("python/shop/tax.py"), "from shop import cart\n").unwrap();
    }),
    ("after a change around the selection", |root| {
        fs::write(root.join("web/b.ts"), "export const b = 1;\n").unwrap();
    }),
    ("after a new file", |root| {
        fs::write(root.join("python/shop/printer.py"), "import json\n").unwrap();
    }),
    ("after a manifest has changed", |root| {
        let paths = r##"{"compilerOptions": {"paths": {"#x": ["./b.ts"]}}}"##;
        fs::write(root.join("web/tsconfig.json"), paths).unwrap();
    }),
    ("after an extended manifest has changed", |root| {
        let base = r##"{"compilerOptions": {"paths": {"#y": ["./b.ts"]}}}"##;
        fs::write(root.join("web/base.json"), base).unwrap();
        fs::write(
            root.join("web/tsconfig.json"),
            r#"{"extends": "./base.json"}"#,
        )
        .unwrap();
    }),
    ("after the extended one has changed again", |root| {
        let base = r##"{"compilerOptions": {"paths": {"#y": ["./a.ts"]}}}"##;
        fs::write(root.join("web/base.json"), base).unwrap();
    }),
    ("after a link leads elsewhere", |root| {
        fs::remove_file(root.join("web/link.ts")).unwrap();
        symlink("b.ts", root.join("web/link.ts")).unwrap();
    }),
    ("after a file is ignored", |root| {
        fs::write(root.join(".gitignore"), "b.ts\n").unwrap();
    }),
    ("after no file is ignored", |root| {
        fs::remove_file(root.join(".gitignore")).unwrap();
    }),
    ("after a file has another name", |root| {
        let shop = root.join("python/shop");
        fs::rename(shop.join("tax.py"), shop.join("taxes.py")).unwrap();
    }),
    ("after a file has moved", |root| {
        fs::rename(root.join("web/a.ts"), root.join("web/moved.ts")).unwrap();
    }),
    ("after two files have changed places", |root| {
        let (one, two) = (root.join("web/b.ts"), root.join("web/c.ts"));
        fs::rename(&one, root.join("web/d")).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(root.join("web/d"), &two).unwrap();
    }),
    ("after a file is gone", |root| {
        fs::remove_file(root.join("web/c.ts")).unwrap();
    }),
    ("after a manifest is gone", |root| {
        fs::remove_file(root.join("web/tsconfig.json")).unwrap();
    }),
];

/// The sample, with TypeScript whose imports follow a manifest and a link.
async fn prepared() -> Here {
    let here = Here::new().await;
    let web = here.folder.path().join("web");
    fs::create_dir(&web).unwrap();
    fs::create_dir(here.folder.path().join(".git")).unwrap();
    let files = [
        (
            "a.ts",
            "import type { B } from './b';\nimport './link';\nimport '#x';\nimport '#y';\n",
        ),
        (
            "b.ts",
            "import './a';\nimport './gone';\nexport interface B {}\n",
        ),
        ("c.ts", "import './made';\n"),
        ("made.ts", "// @generated\nimport './a';\n"),
        (
            "tsconfig.json",
            r##"{"compilerOptions": {"paths": {"#x": ["./c.ts"]}}}"##,
        ),
    ];
    for (name, text) in files {
        fs::write(web.join(name), text).unwrap();
    }
    symlink("c.ts", web.join("link.ts")).unwrap();
    here
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_graph_gives_the_answer_of_a_new_one() {
    let here = prepared().await;
    let fresh = without_cache(&here).await;
    let questions = questions();
    agree(&here, &fresh, &questions, "at first").await;
    let mut before = said(&fresh, &json!({"path": "."})).await;
    for (when, edit) in EDITS {
        edit(here.folder.path());
        let after = said(&fresh, &json!({"path": ".", "detail": "full"})).await;
        assert_ne!(before, after, "nothing has changed {when}");
        agree(&here, &fresh, &questions, when).await;
        before = after;
    }
    fresh.sessions.shutdown(Duration::from_secs(5)).await;
    here.end().await;
}

async fn cache(here: &Here, count: &str) -> u64 {
    let status = here.good("get_server_status", json!({})).await;
    status["data"]["cache"][count].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_answer_asks_for_the_graph_and_the_selected_files_only() {
    let here = prepared().await;
    // The graph is the same for any selection.
    said(&here.service, &json!({"path": "."})).await;
    for path in [".", "python/shop", "c/list.c"] {
        let before = (cache(&here, "hits").await, cache(&here, "misses").await);
        let (_, coverage, _) = said(&here.service, &json!({"path": path, "detail": "full"})).await;
        let selected = coverage["files_analyzed"].as_u64().unwrap();
        let after = (cache(&here, "hits").await, cache(&here, "misses").await);
        assert!(after.0 <= before.0 + selected + 1, "{path}");
        assert_eq!(after.1, before.1, "{path}");
    }
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_graph_is_kept_while_a_file_is_left_out() {
    let here = prepared().await;
    let slow = here.folder.path().join("web/slow.js");
    // It takes too many steps.
    fs::write(&slow, "/[".repeat(30_000)).unwrap();
    let folded = json!({"path": "python", "granularity": "directory"});
    said(&here.service, &json!({"path": "python"})).await;
    let analyses = cache(&here, "entries").await;
    said(&here.service, &folded).await;
    assert_eq!(cache(&here, "entries").await, analyses);
    fs::remove_file(slow).unwrap();
    said(&here.service, &folded).await;
    assert_eq!(cache(&here, "entries").await, analyses + 1);
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_graphs_than_the_cache_holds_are_bounded_and_right() {
    let limit = 150_000;
    let options = Options {
        cache_bytes: limit,
        ..Options::default()
    };
    let here = Here::tuned(true, options).await;
    let fresh = without_cache(&here).await;
    for nth in 0..40 {
        let text = format!("from shop import cart\nimport package{nth}\n");
        fs::write(here.folder.path().join("python/shop/tax.py"), text).unwrap();
        let questions = [
            json!({"path": "python", "detail": "full"}),
            json!({"path": "java", "granularity": "package", "detail": "full"}),
        ];
        agree(&here, &fresh, &questions, "after a change").await;
        assert!(cache(&here, "bytes").await <= limit as u64);
    }
    assert!(
        cache(&here, "evictions").await > 0,
        "the cache was never full"
    );
    fresh.sessions.shutdown(Duration::from_secs(5)).await;
    here.end().await;
}
