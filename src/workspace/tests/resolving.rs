//! Paths of callers: inside the roots, or refused.

use proptest::prelude::*;

use super::*;

#[test]
fn paths_mean_the_same_however_they_are_written() {
    let tree = Tree::new(&[("root/a/b.rs", "fn b() {}"), ("root/c.rs", "fn c() {}")]);
    let workspace = tree.workspace("root");
    let absolute = tree.at("root/a").to_string_lossy().into_owned();
    for path in [
        "a",
        "./a",
        "a/",
        "a//",
        "c.rs/../a",
        "a/../a/.",
        &absolute,
        "../root/a",
    ] {
        assert_eq!(paths(&scan(&workspace, &at(path))), ["a/b.rs"], "{path}");
    }
    for path in ["", ".", "./", "a/..", "./."] {
        assert_eq!(
            paths(&scan(&workspace, &at(path))),
            ["a/b.rs", "c.rs"],
            "{path:?}"
        );
    }
    assert_eq!(paths(&scan(&workspace, &at("a/b.rs"))), ["a/b.rs"]);
}

#[test]
fn outside_is_refused_in_the_same_words_whether_it_exists_or_not() {
    let tree = Tree::new(&[
        ("root/a.rs", ""),
        ("outside/secret.rs", ""),
        ("root-other/twin.rs", ""),
    ]);
    tree.link("root/leaves", "../outside");
    tree.link("root/leaves_to_nothing", "../nothing_there");
    tree.link("root/leaves_to_file.rs", tree.at("outside/secret.rs"));
    let workspace = tree.workspace("root");
    let twin = tree.at("root-other/twin.rs").to_string_lossy().into_owned();
    for path in [
        "..",
        "../outside",
        "../nothing_there",
        "../outside/secret.rs",
        "../outside/nothing.rs",
        "a/../../outside",
        "/",
        "/etc",
        "/etc/passwd",
        "/nothing/at/all",
        "/proc/self/root",
        &twin,
        "../root-other/twin.rs",
        "../root-other/nothing.rs",
        "leaves",
        "leaves/secret.rs",
        "leaves/nothing.rs",
        "leaves_to_nothing",
        "leaves_to_file.rs",
    ] {
        let error = fails(&workspace, &at(path));
        assert_eq!(error.reason(), "path_outside_roots", "{path}");
        let words = format!(
            "`{path}` lies outside the directories that may be read (root); give a path inside them"
        );
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn links_inside_the_roots_are_followed_where_a_caller_names_them() {
    let tree = Tree::new(&[("root/real/a.rs", "fn a() {}")]);
    tree.link("root/link", "real");
    tree.link("root/up_and_back", "../root/real");
    tree.link("alias", tree.at("root"));
    let workspace = tree.workspace("root");
    for path in ["link", "link/a.rs", "up_and_back", "link/../real"] {
        assert_eq!(paths(&scan(&workspace, &at(path))), ["real/a.rs"], "{path}");
    }
    let alias = tree.at("alias/real").to_string_lossy().into_owned();
    assert_eq!(paths(&scan(&workspace, &at(&alias))), ["real/a.rs"]);
}

#[test]
fn unusable_paths_say_why() {
    let tree = Tree::new(&[("root/a.rs", "")]);
    let workspace = tree.workspace("root");
    let long_name = "n".repeat(300);
    let long_path = "n/".repeat(3_000);
    for path in ["a\0b", "a.rs\0", long_name.as_str(), long_path.as_str()] {
        assert_eq!(
            fails(&workspace, &at(path)).reason(),
            "invalid_path",
            "{path:?}"
        );
    }
    let error = fails(&workspace, &at("\0")).to_string();
    assert_eq!(error, "`\\u{0}` is not a usable path: it contains a NUL");
}

#[test]
fn a_missing_path_gets_its_neighbours() {
    let tree = Tree::new(&[("root/src/parser.rs", ""), ("root/src/printer.rs", "")]);
    let workspace = tree.workspace("root");
    let message = |path| fails(&workspace, &at(path)).to_string();
    assert_eq!(
        message("src/parsr.rs"),
        "`src/parsr.rs` does not exist; the nearest that exists is `src`, which has `parser.rs`"
    );
    assert_eq!(
        message("scr/parser.rs"),
        "`scr/parser.rs` does not exist; the nearest that exists is `.`, which has `src`"
    );
    assert_eq!(
        message("src/zzz/deep/er"),
        "`src/zzz/deep/er` does not exist; the nearest that exists is `src`"
    );
    assert_eq!(
        fails(&workspace, &at("src/parser.rs/x")).reason(),
        "path_not_found"
    );
}

#[test]
fn a_circle_of_links_is_an_error_and_not_a_hang() {
    let tree = Tree::new(&[("root/a.rs", "")]);
    tree.link("root/one", "two");
    tree.link("root/two", "one");
    let error = fails(&tree.workspace("root"), &at("one"));
    assert_eq!(error.reason(), "not_readable");
}

#[test]
fn several_roots_are_told_apart_by_unique_names() {
    let tree = Tree::new(&[
        ("x/app/a.rs", "fn a() {}"),
        ("y/app/b.rs", "fn b() {}"),
        ("lib/c.rs", "fn c() {}"),
    ]);
    let workspace = workspace(&[
        tree.at("x/app"),
        tree.at("y/app"),
        tree.at("lib"),
        tree.at("lib"),
    ]);
    let all = scan(&workspace, &at(""));
    assert_eq!(paths(&all), ["app-2/b.rs", "app/a.rs", "lib/c.rs"]);
    for file in &all.files {
        assert_eq!(
            paths(&scan(&workspace, &at(&file.path))),
            [file.path.as_str()]
        );
        assert_eq!(workspace.read(file).expect("text").hash, file.hash);
    }
    assert_eq!(paths(&scan(&workspace, &at("app-2"))), ["app-2/b.rs"]);
    assert_eq!(paths(&scan(&workspace, &at("app-2/"))), ["app-2/b.rs"]);
    assert_eq!(
        paths(&scan(&workspace, &include(&["app/*.rs"]))),
        ["app/a.rs"]
    );
    assert_eq!(
        fails(&workspace, &at("other/c.rs")).reason(),
        "path_not_found"
    );
    assert_eq!(
        fails(&workspace, &at("../lib")).reason(),
        "path_outside_roots"
    );
}

#[test]
fn a_root_inside_another_is_dropped() {
    let tree = Tree::new(&[("root/sub/a.rs", "fn a() {}")]);
    let workspace = workspace(&[tree.at("root/sub"), tree.at("root")]);
    assert_eq!(workspace.roots.len(), 1);
    assert_eq!(paths(&scan(&workspace, &at(""))), ["sub/a.rs"]);
}

/// Roots narrowed by the operator for one principal.
#[test]
fn a_root_that_is_left_keeps_its_name_and_what_lies_outside_is_refused() {
    let tree = Tree::new(&[
        ("x/repo/a.rs", ""),
        ("y/repo/b.rs", ""),
        ("z/in/repo/c.rs", ""),
        ("repository/d.rs", ""),
    ]);
    tree.link("x/repo/leaves", "../../repository");
    let at = |path: &str| tree.path().join(path);
    let wide = Workspace::open(&[at("x/repo"), at("y/repo"), at("z")]).expect("roots");
    let named = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|path| at(path)).collect();
        let roots = wide.narrow_to(&paths).map_err(|error| error.reason())?;
        Ok(roots.into_iter().map(|root| root.name).collect::<Vec<_>>())
    };
    assert_eq!(named(&["y/repo"]), Ok(vec!["repo-2".to_owned()]));
    let several = named(&["z/in/repo", "x/repo"]);
    assert_eq!(several, Ok(vec!["repo-2".to_owned(), "repo".to_owned()]));
    for outside in [
        "repository",
        "x",
        ".",
        "x/repo/leaves",
        "x/repo/../../repository",
    ] {
        assert_eq!(named(&[outside]), Err("path_outside_roots"), "{outside}");
    }
    assert_eq!(named(&["x/repo", "nowhere"]), Err("root_not_found"));
    assert_eq!(named(&["x/repo/a.rs"]), Err("root_not_a_directory"));
}

#[test]
fn narrowing_narrows_and_nothing_else() {
    let tree = Tree::new(&[
        ("root/a/src/a.rs", "fn a() {}"),
        ("root/b/src/b.rs", "fn b() {}"),
        ("outside/c.rs", ""),
    ]);
    tree.link("root/leaves", "../outside");
    let wide = tree.workspace("root");
    let narrow = |paths: &[&str]| {
        let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        wide.narrow(&paths)
    };
    let roots = narrow(&["a/src", "b/src"]).expect("inside");
    let names: Vec<&str> = roots.iter().map(|root| root.name.as_str()).collect();
    assert_eq!(names, ["src", "src-2"]);
    let narrower = Workspace::from_roots(roots).with_manifests(|_| false);
    assert_eq!(paths(&scan(&narrower, &at(""))), ["src-2/b.rs", "src/a.rs"]);

    let one = Workspace::from_roots(narrow(&["a"]).expect("inside")).with_manifests(|_| false);
    assert_eq!(paths(&scan(&one, &at(""))), ["src/a.rs"]);
    assert_eq!(fails(&one, &at("../b")).reason(), "path_outside_roots");
    assert_eq!(narrow(&[]).expect("the same"), wide.roots);
    assert_eq!(narrow(&["a", "a/src"]).expect("inside").len(), 1);
    let reason = |paths: &[&str]| narrow(paths).expect_err("refused").reason();
    assert_eq!(reason(&[".."]), "path_outside_roots");
    assert_eq!(reason(&["leaves"]), "path_outside_roots");
    assert_eq!(reason(&["a", "nothing"]), "path_not_found");
    assert_eq!(reason(&["a/src/a.rs"]), "invalid_path");
}

#[test]
fn roots_that_cannot_be_used_say_so() {
    let tree = Tree::new(&[("file.rs", "")]);
    let reason = |paths: &[PathBuf]| Workspace::open(paths).err().map(|error| error.reason());
    assert_eq!(reason(&[]), Some("no_roots"));
    assert_eq!(reason(&[tree.at("nothing")]), Some("root_not_found"));
    assert_eq!(reason(&[tree.at("file.rs")]), Some("root_not_a_directory"));
    assert_eq!(reason(&[tree.path()]), None);
}

#[test]
fn a_root_that_went_or_became_a_link_is_not_entered() {
    let tree = Tree::new(&[
        ("root/sub/a.rs", "fn a() {}"),
        ("outside/sub/secret.rs", "fn s() {}"),
    ]);
    let workspace = tree.workspace("root/sub");
    let file = scan(&workspace, &at("")).files.remove(0);
    fs::rename(tree.at("root"), tree.at("moved")).expect("moved");
    assert_eq!(fails(&workspace, &at("")).reason(), "root_not_found");
    tree.link("root", "outside");
    assert_eq!(fails(&workspace, &at("")).reason(), "root_not_found");
    let secret = File {
        path: "secret.rs".to_owned(),
        ..file
    };
    // Which of the two depends on the way in which this system opens.
    let refused = workspace.read(&secret).expect_err("refused");
    assert!(matches!(
        refused,
        SkipReason::Symlink | SkipReason::Vanished
    ));
}

#[test]
fn reading_takes_only_what_an_answer_could_have_named() {
    let tree = Tree::new(&[("root/a.rs", "fn a() {}"), ("outside.rs", "fn o() {}")]);
    let workspace = tree.workspace("root");
    let file = scan(&workspace, &at("")).files.remove(0);
    for path in [
        "",
        ".",
        "..",
        "../outside.rs",
        "/etc/passwd",
        "a.rs/",
        "./a.rs",
        "a.rs\0",
    ] {
        let other = File {
            path: path.to_owned(),
            ..file.clone()
        };
        assert!(workspace.read(&other).is_err(), "{path:?}");
    }
    let directory = File {
        path: "nothing.rs".to_owned(),
        ..file
    };
    assert_eq!(workspace.read(&directory), Err(SkipReason::Vanished));
}

fn hostile_part() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
        2 => Just("inner".to_owned()),
        2 => Just("link_out".to_owned()),
        2 => Just("link_in".to_owned()),
        2 => Just("link_abs".to_owned()),
        1 => Just("root".to_owned()),
        1 => Just("root-other".to_owned()),
        1 => Just("secret.rs".to_owned()),
        1 => Just("link_up".to_owned()),
        1 => "[ -~]{0,6}",
        1 => "\\PC{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// For any path, the result is inside the roots.
    #[test]
    fn no_path_leads_outside(parts in prop::collection::vec(hostile_part(), 0..10), is_absolute: bool) {
        let tree = Tree::new(&[
            ("root/inner/a.rs", "fn a() {}"),
            ("root-other/secret.rs", "fn secret() {}"),
            ("secret.rs", "fn secret() {}"),
        ]);
        tree.link("root/link_out", "../root-other");
        tree.link("root/link_up", "..");
        tree.link("root/link_in", "inner");
        tree.link("root/inner/link_abs", tree.at("root-other"));
        tree.link("root/inner/link_up", "../..");
        let workspace = tree.workspace("root");
        let mut path = parts.join("/");
        if is_absolute {
            path = format!("{}/{path}", tree.at("root").display());
        }
        match workspace.scan(&at(&path), &|_| {}, &|| false) {
            Ok(scan) => {
                prop_assert!(scan.files.iter().all(|file| file.path == "inner/a.rs"), "{path:?}: {:?}", scan.files);
            }
            Err(error) => {
                let known = ["path_outside_roots", "path_not_found", "invalid_path", "not_readable"];
                prop_assert!(known.contains(&error.reason()), "{path:?}: {error}");
            }
        }
    }
}
