//! Scan results: filters, manifests and digests, always of the bytes on disk now.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn sample() -> Tree {
    Tree::new(&[
        ("Cargo.toml", "[package]\n"),
        ("README.md", "# hello\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("src/parse/mod.rs", "pub fn parse() {}\n"),
        ("tests/test_parse.py", "def test(): pass\n"),
        ("tests/data/x.json", "{}"),
        ("web/index.ts", "export {};\n"),
        ("web/package.json", "{}"),
    ])
}

#[test]
fn a_scan_finds_hashes_and_counts() {
    let tree = sample();
    let found = scan(&tree.workspace(""), &at(""));
    assert_eq!(
        paths(&found),
        [
            "src/main.rs",
            "src/parse/mod.rs",
            "tests/test_parse.py",
            "web/index.ts"
        ]
    );
    assert_eq!(left_out(&found), ["unsupported_language: 4"]);
    let main = &found.files[0];
    assert_eq!(main.hash, ContentHash::of(b"fn main() {}\n"));
    assert_eq!((main.bytes, main.language), (13, Language::Rust));
    let manifests: Vec<_> = found
        .manifests
        .iter()
        .map(|m| (m.path.as_str(), m.text.as_str()))
        .collect();
    assert_eq!(
        manifests,
        [("Cargo.toml", "[package]\n"), ("web/package.json", "{}")]
    );
}

#[test]
fn filters_choose_and_are_counted() {
    let tree = sample();
    let workspace = tree.workspace("");
    let rust_only = Selection {
        languages: vec![Language::Rust],
        ..Selection::default()
    };
    let found = scan(&workspace, &rust_only);
    assert_eq!(paths(&found), ["src/main.rs", "src/parse/mod.rs"]);
    assert_eq!(
        left_out(&found),
        ["unsupported_language: 4", "language_filtered: 2"]
    );

    let found = scan(&workspace, &include(&["src/**"]));
    assert_eq!(paths(&found), ["src/main.rs", "src/parse/mod.rs"]);
    assert_eq!(
        left_out(&found),
        ["unsupported_language: 4", "not_included: 2"]
    );

    let found = scan(&workspace, &exclude(&["*.rs", "web/*.ts"]));
    assert_eq!(paths(&found), ["tests/test_parse.py"]);
    assert_eq!(left_out(&found), ["unsupported_language: 4", "excluded: 3"]);

    let found = scan(&workspace, &exclude(&["tests/", "parse"]));
    assert_eq!(paths(&found), ["src/main.rs", "web/index.ts"]);
    assert_eq!(
        left_out(&found),
        ["unsupported_language: 3", "excluded_directory: 2"]
    );

    let bad = fails(&workspace, &include(&["src/[a"]));
    assert_eq!(bad.reason(), "invalid_glob");
    let one_excluded = Selection {
        path: "src/main.rs".to_owned(),
        ..exclude(&["*.rs"])
    };
    assert_eq!(left_out(&scan(&workspace, &one_excluded)), ["excluded: 1"]);
}

#[test]
fn one_file_is_a_scan_of_one_file() {
    let tree = sample();
    tree.write("node_modules/x/gen.min.js", "// @generated\n");
    let workspace = tree.workspace("");
    let found = scan(&workspace, &at("src/parse/mod.rs"));
    assert_eq!(
        (paths(&found), found.files_seen),
        (vec!["src/parse/mod.rs"], 1)
    );
    let manifests: Vec<_> = found.manifests.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(manifests, ["Cargo.toml"]);
    let vendored = scan(&workspace, &at("node_modules/x/gen.min.js"));
    assert_eq!(paths(&vendored), ["node_modules/x/gen.min.js"]);
    assert_eq!(paths(&scan(&workspace, &at("node_modules"))), [""; 0]);
    assert_eq!(
        left_out(&scan(&workspace, &at("README.md"))),
        ["unsupported_language: 1"]
    );
}

#[test]
fn manifests_come_from_above_too_and_within_limits() {
    let tree = sample();
    let workspace = tree.workspace("");
    let of =
        |scan: &Scan| -> Vec<String> { scan.manifests.iter().map(|m| m.path.clone()).collect() };
    assert_eq!(
        of(&scan(&workspace, &at("web"))),
        ["Cargo.toml", "web/package.json"]
    );
    // The tree's manifest lies above the root: not ours to read.
    assert_eq!(of(&scan(&tree.workspace("src"), &at("parse"))), [""; 0]);
    let limits = Limits {
        max_manifest_bytes: 5,
        ..Limits::default()
    };
    let small = scan(&workspace.clone().with_limits(limits), &at(""));
    assert_eq!(of(&small), ["web/package.json"]);
    assert_eq!(small.notes.get(&Note::ManifestTooLarge), Some(&1));
    tree.link("web/go.mod", "/etc/passwd");
    tree.write("tests/go.mod", b"\0\0");
    let found = scan(&workspace, &at(""));
    assert_eq!(of(&found), ["Cargo.toml", "web/package.json"]);
    assert_eq!(found.notes.get(&Note::ManifestNotReadable), Some(&1));
}

#[test]
fn the_digest_stands_for_every_byte_and_name() {
    let tree = sample();
    let workspace = tree.workspace("");
    let digest = || scan(&workspace, &at("")).digest;
    let first = digest();
    assert_eq!(digest(), first);
    tree.write("README.md", "other\n");
    assert_eq!(digest(), first, "what is not read does not count");
    tree.write("src/main.rs", "fn main( ) {}\n");
    let changed = digest();
    assert_ne!(changed, first);
    tree.write("src/main.rs", "fn main() {}\n");
    assert_eq!(digest(), first);
    tree.write("Cargo.toml", "[package] \n");
    assert_ne!(digest(), first);
    tree.write("Cargo.toml", "[package]\n");
    fs::rename(tree.at("src/main.rs"), tree.at("src/lib.rs")).expect("renamed");
    assert_ne!(digest(), first);
}

/// Same length and modification time: only the change time, or its recent touch, reveals the change.
#[test]
fn a_change_is_seen_at_once_even_where_size_and_time_are_the_same() {
    let tree = Tree::new(&[("a.py", "x = 1\n")]);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let set_time = || {
        let file = fs::File::options()
            .append(true)
            .open(tree.at("a.py"))
            .expect("open");
        file.set_modified(long_ago).expect("set");
    };
    set_time();
    let workspace = tree.workspace("");
    for round in 0..10_u32 {
        let text = format!("x = {round}\n");
        tree.write("a.py", &text);
        set_time();
        let found = scan(&workspace, &at(""));
        assert_eq!(found.files[0].hash, ContentHash::of(text.as_bytes()));
        assert_eq!(workspace.read(&found.files[0]).expect("text").text, text);
    }
    settle();
    scan(&workspace, &at(""));
    tree.write("a.py", "y = 9\n");
    set_time();
    assert_eq!(
        scan(&workspace, &at("")).files[0].hash,
        ContentHash::of(b"y = 9\n")
    );
}

#[test]
fn files_that_come_go_and_move_are_seen() {
    let tree = Tree::new(&[("a.py", "a\n"), ("b.py", "b\n")]);
    let workspace = tree.workspace("");
    settle();
    scan(&workspace, &at(""));
    fs::rename(tree.at("a.py"), tree.at("c.py")).expect("moved");
    fs::copy(tree.at("b.py"), tree.at("a.py")).expect("copied");
    fs::remove_file(tree.at("b.py")).expect("removed");
    let found = scan(&workspace, &at(""));
    let hashes: Vec<_> = found
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.hash))
        .collect();
    assert_eq!(
        hashes,
        [
            ("a.py", ContentHash::of(b"b\n")),
            ("c.py", ContentHash::of(b"a\n"))
        ]
    );
}

#[test]
fn a_second_scan_remembers_what_has_settled() {
    let tree = sample();
    let cache = Arc::new(StatCache::default());
    let workspace = tree.workspace("").with_cache(cache.clone());
    scan(&workspace, &at(""));
    assert_eq!(cache.len(), 0, "touched just now");
    settle();
    let first = scan(&workspace, &at(""));
    assert_eq!(cache.len(), first.files.len());
    let second = scan(&workspace, &at(""));
    assert_eq!((second.files, second.digest), (first.files, first.digest));
}

#[test]
fn too_many_files_is_an_error_that_says_how_to_narrow() {
    let tree = sample();
    let limits = Limits {
        max_files: 3,
        ..Limits::default()
    };
    let workspace = tree.workspace("").with_limits(limits);
    let error = fails(&workspace, &at(""));
    assert_eq!(error.reason(), "too_many_files");
    assert!(error.to_string().contains("`include`"), "{error}");
    assert_eq!(scan(&workspace, &at("src")).files.len(), 2);
    let limits = Limits {
        max_files: 4,
        ..Limits::default()
    };
    assert_eq!(scan(&workspace.with_limits(limits), &at("")).files.len(), 4);
}

#[test]
fn a_scan_stops_when_it_is_told_to() {
    let files: Vec<(String, &str)> = (0..300)
        .map(|n| (format!("d{}/f{n}.py", n % 7), "x = 1\n"))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let tree = Tree::new(&files);
    let workspace = tree.workspace("");
    // Wherever it is asked, the answer holds from then on.
    let asked = AtomicU64::new(0);
    workspace
        .scan(&at(""), &|_| {}, &|| {
            asked.fetch_add(1, Ordering::Relaxed);
            false
        })
        .expect("a scan");
    let all = asked.load(Ordering::Relaxed);
    assert!(all > 300, "asked at every file, at least: {all}");
    for stop_at in (0..all).step_by(17) {
        let asked = AtomicU64::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= stop_at;
        let stopped = workspace.scan(&at(""), &|_| {}, &stop);
        assert_eq!(
            stopped.expect_err("cancelled").reason(),
            "cancelled",
            "at {stop_at}"
        );
        let after = asked.load(Ordering::Relaxed) - stop_at;
        assert!(
            after <= 4 * workspace.limits.threads as u64,
            "went on for {after} questions"
        );
    }
}

#[test]
fn progress_only_rises_and_ends_at_what_was_seen() {
    let files: Vec<(String, &str)> = (0..2_000)
        .map(|n| (format!("d{}/f{n}.py", n % 7), ""))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let tree = Tree::new(&files);
    let told = Mutex::new(Vec::new());
    let progress = |seen| told.lock().expect("told").push(seen);
    tree.workspace("")
        .scan(&at(""), &progress, &|| false)
        .expect("a scan");
    let told = told.into_inner().expect("told");
    assert!(told.len() > 3 && told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&2_000));
}

/// A panic in a callback reaches the caller, and no thread blocks forever.
#[test]
fn a_panic_in_a_callback_ends_the_scan() {
    let tree = sample();
    let workspace = tree.workspace("");
    let threads = Limits {
        threads: 4,
        ..Limits::default()
    };
    let workspace = workspace.with_limits(threads);
    let asked = AtomicU64::new(0);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        workspace.scan(&at(""), &|_| {}, &|| {
            assert!(asked.fetch_add(1, Ordering::Relaxed) < 2, "on purpose");
            false
        })
    }));
    assert!(caught.is_err());
}
