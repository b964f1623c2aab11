//! Many files. `MCA_TEST_FILES=100000` makes it the full size.

use std::time::Instant;

use super::*;

#[test]
fn many_files_in_few_and_in_large_directories() {
    let count: usize = std::env::var("MCA_TEST_FILES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(20_000);
    let tree = Tree::new(&[("root/first.rs", "fn first() {}")]);
    for n in 0..count {
        // Half of them in one directory.
        let directory = if n % 2 == 0 {
            "root/all".to_owned()
        } else {
            format!("root/d{}/e", n % 997)
        };
        if n < 2_000 {
            fs::create_dir_all(tree.at(&directory)).expect("made");
        }
        let path = tree.held.path().join(directory).join(format!("f{n}.rs"));
        fs::write(path, "fn f() {}\n").expect("written");
    }
    let workspace = tree.workspace("root");
    let found = scan(&workspace, &at(""));
    assert_eq!(found.files.len(), count + 1);
    assert_eq!(left_out(&found), [""; 0]);
}

/// By hand: `MCA_BENCH_ROOT=… cargo test --release … second_scan -- --ignored --nocapture`. Beside a walk of the
/// `ignore` crate over the same files that only asks for the state of each.
#[test]
#[ignore = "a measurement, not a promise"]
fn second_scan_beside_a_bare_walk() {
    let root = PathBuf::from(std::env::var_os("MCA_BENCH_ROOT").expect("a root to measure"));
    let workspace = workspace(std::slice::from_ref(&root));
    let timed = |work: &dyn Fn() -> usize| {
        let started = Instant::now();
        (work(), started.elapsed())
    };
    let ours = || scan(&workspace, &at("")).files.len();
    let (count, first) = timed(&ours);
    let bare = || {
        let seen = std::sync::atomic::AtomicUsize::new(0);
        let threads = workspace.limits.threads;
        let walker = ignore::WalkBuilder::new(&root)
            .require_git(false)
            .threads(threads)
            .build_parallel();
        walker.run(|| {
            Box::new(|entry| {
                let entry = entry.expect("an entry");
                let path = entry.path().to_string_lossy();
                if Language::of_path(&path).is_some() && entry.metadata().is_ok() {
                    seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                ignore::WalkState::Continue
            })
        });
        seen.into_inner()
    };
    for _ in 0..5 {
        eprintln!("bare {:?}, second {:?}", timed(&bare), timed(&ours));
    }
    eprintln!("first: {count} files in {first:?}");
    for after in [5, 20, 50, 100, 300] {
        let cold = workspace.clone().with_cache(Arc::default());
        let until = Instant::now() + Duration::from_millis(after);
        let stopped = cold.scan(&at(""), &|_| {}, &|| Instant::now() >= until);
        let late = Instant::now().saturating_duration_since(until);
        eprintln!(
            "stopped after {after} ms: {late:?} later, {:?}",
            stopped.err()
        );
    }
}
