//! A tree that changes while it is read: no data from outside the roots, no half-written content, no hang.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const SECRET: &str = "fn secret() {} // from outside\n";

/// Runs `disturb` repeatedly beside `work`.
fn while_disturbed(disturb: impl Fn() + Sync, work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let disturber = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disturb();
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        disturber.join().expect("the disturber");
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Replaces `path` with `new` atomically.
fn swap(tree: &Tree, new: &str, path: &str) {
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    let cwd = rustix::fs::CWD;
    rustix::fs::renameat_with(cwd, tree.at(new), cwd, tree.at(path), flags).expect("swapped");
}

fn assert_only_ours(workspace: &Workspace, selection: &Selection, ours: &[&str]) {
    let hashes: Vec<ContentHash> = ours
        .iter()
        .map(|text| ContentHash::of(text.as_bytes()))
        .collect();
    let Ok(found) = workspace.scan(selection, &|_| {}, &|| false) else {
        return;
    };
    let skipped: u64 = found.skipped.values().sum();
    assert_eq!(found.files_seen, found.files.len() as u64 + skipped);
    for file in &found.files {
        assert!(hashes.contains(&file.hash), "{} is not ours", file.path);
        if let Ok(text) = workspace.read(file) {
            assert!(
                ours.contains(&text.text.as_str()),
                "{}: {}",
                file.path,
                text.text
            );
        }
    }
}

#[test]
fn a_file_swapped_with_a_link_never_leaks() {
    let tree = Tree::new(&[("root/a.rs", "fn a() {}\n"), ("outside/secret.rs", SECRET)]);
    tree.link("link", tree.at("outside/secret.rs"));
    let workspace = tree.workspace("root");
    let file = scan(&workspace, &at("")).files.remove(0);
    while_disturbed(
        || swap(&tree, "link", "root/a.rs"),
        || {
            for _ in 0..3_000 {
                if let Ok(text) = workspace.read(&file) {
                    assert_eq!(text.text, "fn a() {}\n");
                }
            }
            for _ in 0..300 {
                assert_only_ours(&workspace, &at(""), &["fn a() {}\n"]);
                assert_only_ours(&workspace, &at("a.rs"), &["fn a() {}\n"]);
            }
        },
    );
}

#[test]
fn a_directory_swapped_with_a_link_never_leaks() {
    let tree = Tree::new(&[
        ("root/d/e/a.rs", "fn a() {}\n"),
        ("outside/e/a.rs", SECRET),
        ("outside/e/more.rs", SECRET),
        ("outside/.gitignore", "a.rs"),
        ("outside/Cargo.toml", SECRET),
    ]);
    tree.link("link", tree.at("outside"));
    let workspace = tree.workspace("root");
    let narrow = workspace.narrow(&["d/e".to_owned()]).expect("inside");
    let narrow = Workspace::from_roots(narrow)
        .with_cache(Arc::default())
        .with_manifests(|_| true);
    let file = scan(&workspace, &at("")).files.remove(0);
    let more = File {
        path: "d/e/more.rs".to_owned(),
        ..file.clone()
    };
    while_disturbed(
        || swap(&tree, "link", "root/d"),
        || {
            for _ in 0..3_000 {
                if let Ok(text) = workspace.read(&file) {
                    assert_eq!(text.text, "fn a() {}\n");
                }
                assert!(workspace.read(&more).is_err());
            }
            for _ in 0..300 {
                for path in ["", "d", "d/e", "d/e/a.rs"] {
                    assert_only_ours(&workspace, &at(path), &["fn a() {}\n"]);
                    if let Ok(found) = workspace.scan(&at(path), &|_| {}, &|| false) {
                        assert!(found.manifests.is_empty(), "{:?}", found.manifests);
                    }
                }
                assert_only_ours(&narrow, &at(""), &["fn a() {}\n"]);
                if let Ok(found) = narrow.scan(&at(""), &|_| {}, &|| false) {
                    let texts = found.manifests.iter().map(|manifest| &manifest.text);
                    assert!(texts.into_iter().all(|text| text == "fn a() {}\n"));
                }
            }
        },
    );
}

/// Written in place, without a rename: every hash is of one of the two complete texts, or the file is skipped.
#[test]
fn a_file_rewritten_in_place_is_read_whole_or_skipped() {
    let one = "a = 1\n".repeat(20_000);
    let two = "b = 2\n".repeat(30_000);
    let tree = Tree::new(&[("a.py", &one)]);
    let workspace = tree.workspace("");
    let file = scan(&workspace, &at("")).files.remove(0);
    while_disturbed(
        || {
            tree.write("a.py", &two);
            tree.write("a.py", &one);
        },
        || {
            for _ in 0..300 {
                let read = match workspace.read(&file) {
                    Ok(source) => source,
                    Err(reason) => {
                        assert_eq!(reason, SkipReason::ChangedWhileRead);
                        continue;
                    }
                };
                // A clock that stood still while the file was cut can still show a part of one of them, but the hash
                // is of the very bytes that were read, and nothing of it is remembered.
                assert_eq!(read.hash, ContentHash::of(read.text.as_bytes()));
            }
        },
    );
    assert_eq!(
        scan(&workspace, &at("")).files[0].hash,
        ContentHash::of(one.as_bytes())
    );
}

#[test]
fn files_and_directories_that_come_and_go_are_counted_at_most() {
    let tree = Tree::new(&[("stays.py", "x = 1\n")]);
    let workspace = tree.workspace("");
    while_disturbed(
        || {
            tree.write("d/e/f.py", "x = 1\n");
            tree.write("g.py", "x = 1\n");
            let _ = fs::remove_dir_all(tree.at("d"));
            let _ = fs::remove_file(tree.at("g.py"));
        },
        || {
            for _ in 0..500 {
                let found = scan(&workspace, &at(""));
                assert!(paths(&found).contains(&"stays.py"));
                let may_be = [
                    "vanished",
                    "changed_while_read",
                    "vanished_directory",
                    "unreadable_directory",
                ];
                let reasons = found.skipped.keys().chain(found.pruned.keys());
                for reason in reasons {
                    assert!(may_be.contains(&reason.name()), "{}", reason.name());
                }
            }
        },
    );
}

#[test]
fn a_file_that_grows_without_end_is_read_to_the_limit_at_most() {
    let tree = Tree::new(&[("a.py", "x = 1\n")]);
    let limits = Limits {
        max_file_bytes: 100_000,
        ..Limits::default()
    };
    let workspace = tree.workspace("").with_limits(limits);
    let file = scan(&workspace, &at("")).files.remove(0);
    let append = || {
        use std::io::Write as _;
        let mut open = fs::File::options()
            .append(true)
            .open(tree.at("a.py"))
            .expect("open");
        open.write_all(&[b'\n'; 512]).expect("written");
    };
    while_disturbed(append, || {
        for _ in 0..2_000 {
            match workspace.read(&file) {
                Ok(text) => assert!(text.text.len() <= 100_000),
                Err(reason) => assert!(
                    matches!(
                        reason,
                        SkipReason::ChangedWhileRead | SkipReason::FileTooLarge
                    ),
                    "{reason:?}"
                ),
            }
        }
    });
}
