//! Files and directories that this process may not read.
//!
//! The superuser can read everything, so under it the test runs itself again as the user `nobody`.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::*;

const NAME: &str = "workspace::tests::unreadable::what_may_not_be_read_is_counted";
const NOBODY: u32 = 65_534;
const AGAIN: &str = "MCA_TEST_AS_NOBODY";

#[test]
fn what_may_not_be_read_is_counted() {
    let tree = Tree::new(&[("root/a.rs", "fn a() {}")]);
    // The superuser alone can read what nobody may.
    tree.write("locked.rs", "fn l() {}");
    let set = |path: &str, mode| {
        fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).expect("set");
    };
    set("locked.rs", 0o000);
    let is_superuser = fs::read(tree.at("locked.rs")).is_ok();
    if is_superuser {
        assert!(
            std::env::var_os(AGAIN).is_none(),
            "nobody reads everything here"
        );
        return as_nobody(&tree);
    }
    tree.write("root/locked.rs", "fn l() {}");
    tree.write("root/closed/b.rs", "fn b() {}");
    tree.write("root/listed_only/c.rs", "fn c() {}");
    tree.write("root/rules/.gitignore", "d.rs");
    tree.write("root/rules/d.rs", "fn d() {}");
    set("root/locked.rs", 0o000);
    set("root/rules/.gitignore", 0o000);
    set("root/closed", 0o000);
    set("root/listed_only", 0o400);
    let workspace = tree.workspace("root");
    let found = scan(&workspace, &at(""));
    assert_eq!(paths(&found), ["a.rs", "rules/d.rs"]);
    assert_eq!(
        left_out(&found),
        [
            "unsupported_language: 1",
            "not_readable: 2",
            "unreadable_directory: 1"
        ]
    );
    let notes: Vec<_> = found.notes.keys().map(|note| note.name()).collect();
    assert_eq!(notes, ["gitignore_not_read"]);
    assert_eq!(
        left_out(&scan(&workspace, &at("locked.rs"))),
        ["not_readable: 1"]
    );
    assert_eq!(fails(&workspace, &at("closed")).reason(), "not_readable");
    assert_eq!(
        fails(&workspace, &at("closed/b.rs")).reason(),
        "not_readable"
    );
    let closed = workspace
        .narrow(&["closed".to_owned()])
        .expect_err("closed");
    assert_eq!(closed.reason(), "not_readable");
    let closed = Workspace::open(&[tree.at("root/closed")])
        .err()
        .map(|error| error.reason());
    assert_eq!(closed, Some("root_not_readable"));
    set("root/closed", 0o700);
    set("root/listed_only", 0o700);
}

/// Run from a copy, because `nobody` may not have access to the build folder.
fn as_nobody(tree: &Tree) {
    let program = tree.at("tests");
    fs::copy(std::env::current_exe().expect("this test"), &program).expect("copied");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(tree.held.path(), open.clone()).expect("set");
    fs::set_permissions(&program, open).expect("set");
    let output = Command::new(&program)
        .args(["--exact", NAME])
        .env(AGAIN, "1")
        .env("TMPDIR", tree.path())
        .current_dir(tree.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("the test as nobody");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
