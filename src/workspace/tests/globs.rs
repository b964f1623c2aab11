use std::path::PathBuf;

use super::*;

fn roots(names: &[&str]) -> Vec<Root> {
    let root = |name: &&str| Root {
        name: (*name).to_owned(),
        path: PathBuf::from(format!("/srv/{name}")),
    };
    names.iter().map(root).collect()
}

fn includes(glob: &str, path: &str) -> bool {
    Globs::new(&[glob.to_owned()], &[], &roots(&["p"]))
        .expect("a glob")
        .includes(path)
}

#[test]
fn globs_mean_what_they_mean_in_gitignore() {
    for (glob, path, expected) in [
        ("*.rs", "a.rs", true),
        ("*.rs", "x/y/a.rs", true),
        ("*.rs", "a.rsx", false),
        ("src/*.rs", "src/a.rs", true),
        ("src/*.rs", "src/x/a.rs", false),
        ("src/*.rs", "x/src/a.rs", false),
        ("src/**/*.rs", "src/a.rs", true),
        ("src/**/*.rs", "src/x/y/a.rs", true),
        ("**/a.rs", "a.rs", true),
        ("src", "src/x/a.rs", true),
        ("src", "x/src/a.rs", true),
        ("src/", "src/a.rs", true),
        ("./src/a.rs", "src/a.rs", true),
        ("/src/a.rs", "src/a.rs", true),
        ("/a.rs", "x/a.rs", false),
        ("/a.rs", "a.rs", true),
        ("/srv/p/src/*.rs", "src/a.rs", true),
        ("/srv/p/a.rs", "x/a.rs", false),
        ("*.{ts,tsx}", "x/a.tsx", true),
        ("[ab].rs", "a.rs", true),
        ("?.rs", "ab.rs", false),
        ("src", "srcs/a.rs", false),
        ("", "", false),
    ] {
        if glob.is_empty() {
            continue;
        }
        assert_eq!(includes(glob, path), expected, "{glob} on {path}");
    }
}

#[test]
fn with_several_roots_globs_begin_with_their_names() {
    let globs = Globs::new(
        &["/srv/q/*.rs".to_owned()],
        &["p/x".to_owned()],
        &roots(&["p", "q"]),
    );
    let globs = globs.expect("globs");
    assert!(globs.includes("q/a.rs") && !globs.includes("p/a.rs"));
    assert!(globs.excludes("p/x/y.rs") && !globs.excludes("q/p/x"));
}

#[test]
fn bad_globs_say_why() {
    let message = |glob: &str| {
        let list = [glob.to_owned()];
        let error = Globs::new(&[], &list, &roots(&["p"]))
            .err()
            .expect("refused");
        assert_eq!(error.reason(), "invalid_glob");
        error.to_string()
    };
    assert_eq!(
        message("a["),
        "`a[` is not a usable glob: unclosed character class; missing ']'"
    );
    assert!(message("!x").contains("use `exclude`"));
    assert!(message("").contains("empty"));
    assert!(message("./").contains("empty"));
    assert!(message(&"a".repeat(2_000)).contains("longer than 1024 bytes"));
    assert!(message("{a,b").starts_with("`{a,b` is not"));
    let many = vec!["a".to_owned(); 201];
    assert!(Globs::new(&many, &[], &roots(&["p"])).is_err());
}

/// Nested and costly globs are refused or compiled, never a crash.
#[test]
fn costly_globs_are_bounded() {
    for glob in [
        "{".repeat(1_000),
        "{a,".repeat(300) + &"}".repeat(300),
        "*".repeat(1_000),
        "[a-z]".repeat(200),
        "**/".repeat(300) + "x",
    ] {
        if let Ok(globs) = Globs::new(&[glob], &[], &roots(&["p"])) {
            globs.includes(&"a/".repeat(100));
        }
    }
}

#[test]
fn naming_a_file_is_more_than_naming_its_kind() {
    for (glob, expected) in [
        ("a.rs", true),
        ("x/a.rs", true),
        ("*.min.js", true),
        ("*_pb2.py", true),
        ("*.js", false),
        ("**", false),
        ("*", false),
        ("x/*.js", false),
        ("test_*.js", false),
        ("*.{js,ts}", false),
    ] {
        assert_eq!(names_a_file(glob), expected, "{glob}");
    }
}
