//! Entries of a tree other than regular files: each is counted, and none blocks the scan.

use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

fn fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::from_raw_mode(0o644)).expect("a FIFO");
}

#[test]
fn what_is_no_file_is_counted_and_never_opened() {
    let tree = Tree::new(&[("root/a.rs", "fn a() {}")]);
    fifo(&tree.at("root/fifo.rs"));
    let _socket = UnixListener::bind(tree.at("root/socket.rs")).expect("a socket");
    tree.link("root/zero.rs", "/dev/zero");
    tree.link("root/nowhere.rs", "nowhere");
    tree.link("root/itself.rs", "itself.rs");
    tree.link("root/again.rs", "a.rs");
    tree.link("root/stdin.rs", "/proc/self/fd/0");
    let workspace = tree.workspace("root");
    let scan_all = scan(&workspace, &at(""));
    assert_eq!(paths(&scan_all), ["a.rs"]);
    assert_eq!(
        left_out(&scan_all),
        [
            "not_a_regular_file: 2",
            "symlink: 1",
            "symlink_outside_roots: 2",
            "symlink_broken: 2"
        ]
    );
    for path in ["fifo.rs", "socket.rs"] {
        assert_eq!(
            left_out(&scan(&workspace, &at(path))),
            ["not_a_regular_file: 1"]
        );
    }
    assert_eq!(
        fails(&workspace, &at("zero.rs")).reason(),
        "path_outside_roots"
    );
}

#[test]
fn a_file_that_became_a_fifo_is_refused_without_waiting() {
    let tree = Tree::new(&[("root/a.rs", "fn a() {}")]);
    let workspace = tree.workspace("root");
    let file = scan(&workspace, &at("")).files.remove(0);
    fs::remove_file(tree.at("root/a.rs")).expect("removed");
    fifo(&tree.at("root/a.rs"));
    assert_eq!(workspace.read(&file), Err(SkipReason::NotARegularFile));
    fs::remove_file(tree.at("root/a.rs")).expect("removed");
    let _socket = UnixListener::bind(tree.at("root/a.rs")).expect("a socket");
    assert_eq!(workspace.read(&file), Err(SkipReason::NotARegularFile));
    fs::remove_file(tree.at("root/a.rs")).expect("removed");
    fs::create_dir(tree.at("root/a.rs")).expect("a directory");
    assert_eq!(workspace.read(&file), Err(SkipReason::NotARegularFile));
}

#[test]
fn loops_of_directories_end_and_count_each_file_once() {
    let tree = Tree::new(&[("root/a/b/c.rs", "fn c() {}")]);
    tree.link("root/a/b/up", "../..");
    tree.link("root/a/self", ".");
    tree.link("root/again", "a");
    let found = scan(&tree.workspace("root"), &at(""));
    assert_eq!(paths(&found), ["a/b/c.rs"]);
    assert_eq!(left_out(&found), ["symlink: 3"]);
}

#[test]
fn a_linked_directory_outside_is_not_listed() {
    let tree = Tree::new(&[
        ("root/a.rs", "fn a() {}"),
        ("outside/secret.rs", "fn s() {}"),
    ]);
    tree.link("root/leaves", "../outside");
    tree.link("root/absolute", tree.at("outside"));
    let found = scan(&tree.workspace("root"), &at(""));
    assert_eq!(paths(&found), ["a.rs"]);
    assert_eq!(left_out(&found), ["symlink_outside_roots: 2"]);
}

#[test]
fn names_that_are_not_utf8_are_counted() {
    let tree = Tree::new(&[("root/a.rs", "fn a() {}")]);
    let bad = std::ffi::OsString::from_vec(b"caf\xe9.rs".to_vec());
    fs::write(tree.at("root").join(&bad), "fn b() {}").expect("written");
    let directory = std::ffi::OsString::from_vec(b"d\xff".to_vec());
    fs::create_dir(tree.at("root").join(&directory)).expect("made");
    fs::write(tree.at("root").join(&directory).join("c.rs"), "fn c() {}").expect("written");
    tree.link("root/to_bad", &bad);
    let workspace = tree.workspace("root");
    let found = scan(&workspace, &at(""));
    assert_eq!(paths(&found), ["a.rs"]);
    assert_eq!(
        left_out(&found),
        [
            "symlink: 1",
            "name_not_utf8: 1",
            "directory_name_not_utf8: 1"
        ]
    );
    assert_eq!(fails(&workspace, &at("to_bad")).reason(), "invalid_path");
}

#[test]
fn odd_names_come_through_and_back() {
    let names = [
        "sp ace.rs",
        "new\nline.rs",
        "quote\"'`.rs",
        "back\\slash.rs",
        "*?[.rs",
        "ünï→.rs",
        "-rf.rs",
    ];
    let files: Vec<(&str, &str)> = names.iter().map(|&name| (name, "fn f() {}")).collect();
    let tree = Tree::new(&files);
    let workspace = tree.workspace("");
    let found = scan(&workspace, &at(""));
    assert_eq!(found.files.len(), names.len());
    for file in &found.files {
        assert!(workspace.read(file).is_ok(), "{}", file.path);
        assert_eq!(
            paths(&scan(&workspace, &at(&file.path))),
            [file.path.as_str()]
        );
    }
}

#[test]
fn too_deep_is_counted_and_takes_no_stack() {
    let tree = Tree::new(&[("root/top.rs", "fn top() {}")]);
    let mut directory = tree.at("root");
    for _ in 0..limits::MAX_DEPTH + 1 {
        directory.push("d");
        fs::create_dir(&directory).expect("made");
        fs::write(directory.join("f.rs"), "fn f() {}").expect("written");
    }
    let found = scan(&tree.workspace("root"), &at(""));
    assert_eq!(found.files.len(), 1 + limits::MAX_DEPTH);
    assert_eq!(left_out(&found), ["too_deep: 1"]);
}

/// The system creates paths longer than PATH_MAX only in several steps.
#[test]
fn paths_longer_than_the_system_opens_are_counted() {
    use rustix::fs::{OFlags, mkdirat, openat};
    let tree = Tree::new(&[("root/top.rs", "fn top() {}")]);
    let name = "d".repeat(250);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut here = openat(CWD, tree.at("root"), flags, Mode::empty()).expect("open");
    for _ in 0..20 {
        mkdirat(&here, name.as_str(), Mode::from_raw_mode(0o755)).expect("made");
        here = openat(&here, name.as_str(), flags, Mode::empty()).expect("open");
    }
    let found = scan(&tree.workspace("root"), &at(""));
    assert_eq!(paths(&found), ["top.rs"]);
    assert_eq!(left_out(&found), ["directory_path_too_long: 1"]);
}

#[test]
fn a_large_file_is_skipped_unread() {
    let tree = Tree::new(&[("root/small.rs", "fn s() {}")]);
    // 200 MB that take no room on the disk.
    let file = fs::File::create(tree.at("root/large.c")).expect("made");
    file.set_len(200 * 1024 * 1024).expect("grown");
    let workspace = tree.workspace("root");
    let found = scan(&workspace, &at(""));
    assert_eq!(paths(&found), ["small.rs"]);
    assert_eq!(left_out(&found), ["file_too_large: 1"]);
    assert_eq!(
        left_out(&scan(&workspace, &at("large.c"))),
        ["file_too_large: 1"]
    );
    let grown = File {
        path: "large.c".to_owned(),
        ..found.files[0].clone()
    };
    assert_eq!(workspace.read(&grown), Err(SkipReason::FileTooLarge));
}

#[test]
fn the_largest_file_taken_is_the_limit() {
    let tree = Tree::new(&[("ten.rs", "0123456789"), ("eleven.rs", "0123456789a")]);
    let limits = Limits {
        max_file_bytes: 10,
        ..Limits::default()
    };
    let found = scan(&tree.workspace("").with_limits(limits), &at(""));
    assert_eq!(paths(&found), ["ten.rs"]);
    assert_eq!(left_out(&found), ["file_too_large: 1"]);
}
