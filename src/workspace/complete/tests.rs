use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn tree(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(path, "").expect("written");
    }
    folder
}

fn workspace(folders: &[&Path]) -> Workspace {
    let folders: Vec<_> = folders.iter().map(|path| path.to_path_buf()).collect();
    Workspace::open(&folders).expect("roots")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn values(workspace: &Workspace, beginning: &str) -> Vec<String> {
    workspace.complete(beginning, 100, soon()).values
}

#[test]
fn folders_and_sources_that_a_walk_would_find() {
    let folder = tree(&[
        "src/main.rs",
        "src/model/a.py",
        "script.py",
        "README.md",
        ".hidden/x.rs",
        "node_modules/x/i.js",
        "ignored/a.rs",
        "bundle.min.js",
        "a_pb2.py",
        "target/debug/x.rs",
        "Cargo.toml",
    ]);
    fs::write(folder.path().join(".gitignore"), "ignored/\n").expect("written");
    let workspace = workspace(&[folder.path()]);
    assert_eq!(values(&workspace, ""), ["script.py", "src/"]);
    assert_eq!(values(&workspace, "s"), ["script.py", "src/"]);
    assert_eq!(values(&workspace, "sr"), ["src/"]);
    assert_eq!(values(&workspace, "src/"), ["src/main.rs", "src/model/"]);
    assert_eq!(
        values(&workspace, "./src/m"),
        ["./src/main.rs", "./src/model/"]
    );
    assert_eq!(
        values(&workspace, "src/model/../"),
        ["src/model/../main.rs", "src/model/../model/"]
    );
    let absolute = format!("{}/src/ma", workspace.roots[0].path.display());
    assert_eq!(values(&workspace, &absolute), [format!("{absolute}in.rs")]);
    // Asked for by name, as an analysis of it would be.
    assert_eq!(values(&workspace, "ignored/"), ["ignored/a.rs"]);
    for nothing in ["x", "src/main.rs/", "nowhere/", "src/mainx"] {
        let found = workspace.complete(nothing, 100, soon());
        assert_eq!((found.values.len(), found.total), (0, Some(0)), "{nothing}");
    }
}

#[test]
fn several_roots_begin_with_their_names() {
    let (one, two) = (tree(&["one/a.rs"]), tree(&["two/b.rs"]));
    let workspace = workspace(&[&one.path().join("one"), &two.path().join("two")]);
    assert_eq!(values(&workspace, ""), ["one/", "two/"]);
    assert_eq!(values(&workspace, "t"), ["two/"]);
    assert_eq!(values(&workspace, "two/"), ["two/b.rs"]);
    assert!(values(&workspace, "three/").is_empty());
}

#[test]
fn nothing_outside_the_roots_is_told_of() {
    let outside = tree(&["root/a.rs", "root-other/secret.rs", "secret/b.rs"]);
    let root = outside.path().join("root");
    symlink("..", root.join("up")).expect("linked");
    symlink("../secret/b.rs", root.join("b.rs")).expect("linked");
    let workspace = workspace(&[&root]);
    assert_eq!(values(&workspace, ""), ["a.rs"]);
    let canonical = workspace.roots[0].path.display().to_string();
    for beginning in [
        "..",
        "../",
        "../s",
        "../secret/",
        "up/",
        "up/secret/",
        "/",
        "/etc/",
        "/etc/p",
        "a/../../",
        "\0/",
        "up/root/../",
        &format!("{canonical}-other/"),
        &format!("{canonical}/../"),
        &format!("{canonical}-"),
    ] {
        assert!(values(&workspace, beginning).is_empty(), "{beginning:?}");
    }
}

#[test]
fn at_most_as_many_as_asked_for_and_the_truth_about_the_rest() {
    let names: Vec<_> = (0..150).map(|at| format!("f{at:03}.rs")).collect();
    let folder = tree(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let workspace = workspace(&[folder.path()]);
    let found = workspace.complete("f", 100, soon());
    assert_eq!(
        (found.values.len(), found.total, found.has_more()),
        (100, Some(150), true)
    );
    assert_eq!(found.values[..], names[..100]);
    let found = workspace.complete("f14", 100, soon());
    assert_eq!(
        (found.values.len(), found.total, found.has_more()),
        (10, Some(10), false)
    );
    // Time that is up before it began.
    let found = workspace.complete("f", 100, Instant::now());
    assert_eq!((found.total, found.has_more()), (None, true));
}

#[test]
fn a_directory_of_machines_is_not_read_to_its_end() {
    let folder = tree(&[]);
    for at in 0..=MAX_ENTRIES {
        fs::write(folder.path().join(format!("f{at}.rs")), "").expect("written");
    }
    let found = workspace(&[folder.path()]).complete("", 100, soon());
    assert_eq!(
        (found.values.len(), found.total, found.has_more()),
        (100, None, true)
    );
}

proptest! {
    #[test]
    fn whatever_is_begun_what_comes_goes_on_from_it_and_lies_inside(
        beginning in "(\\.\\./|\\./|/|src/|up/|s|\\.|[a-z]|\u{e9}|\\PC){0,8}"
    ) {
        let folder = tree(&["root/src/s/a.rs", "root/src/b.rs", "root/s.py", "src/secret.rs", "s/secret.rs"]);
        let root = folder.path().join("root");
        symlink("../src", root.join("up")).expect("linked");
        let workspace = workspace(&[&root]);
        for value in values(&workspace, &beginning) {
            prop_assert!(value.starts_with(&beginning));
            prop_assert!(!value.contains("secret"));
            let real = fs::canonicalize(workspace.roots[0].path.join(&value)).expect("it is there");
            prop_assert!(real.starts_with(&workspace.roots[0].path));
        }
    }
}
