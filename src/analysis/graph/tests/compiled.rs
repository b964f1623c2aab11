//! C, Go, Java and Rust, as their builds resolve imports.

use super::told::told;

#[test]
fn a_compilation_database_names_include_folders() {
    let command = r#"[{"directory": "/w", "command": "cc -Ithird/mylib -Isrc/core -c src/app/a.c", "file": "src/app/a.c"}]"#;
    let arguments = r#"[{"directory": "/home/me/proj/build", "arguments": ["cc", "-I", "../third/mylib", "-isystem/home/me/proj/src/core", "-c", "../src/app/a.c"], "file": "../src/app/a.c"}]"#;
    for (database, text) in [
        ("compile_commands.json", command),
        ("compile_commands.json", arguments),
        ("build/compile_commands.json", arguments),
    ] {
        told(
            &[
                (database, text),
                (
                    "src/app/a.c",
                    "#include <mylib/api.h>\n#include <core.h>\n#include \"inc.c\"\n#include \"list.h\"\n#include <stdio.h>\n#include_next <limits.h>\n# include \"sub/x.h\"\n#include \"a.c\"\nint f(void) {\n#include \"sub/x.h\"\n}\n",
                ),
                ("src/app/inc.c", ""),
                ("src/app/sub/x.h", "#include <core.h>\n"),
                ("src/core/List.h", ""),
                ("src/core/core.h", ""),
                ("third/mylib/mylib/api.h", ""),
                ("other/core.h", ""),
            ],
            &[
                (
                    "src/app/a.c",
                    &[
                        "-> src/app/inc.c",
                        "-> src/app/sub/x.h",
                        "-> src/core/core.h",
                        "-> third/mylib/mylib/api.h",
                        "std limits.h",
                        "std stdio.h",
                        "? list.h no_such_file",
                    ],
                ),
                ("src/app/sub/x.h", &["-> src/core/core.h"]),
            ],
        );
    }
}

/// Folders are searched in the order of the command, not of their names.
#[test]
fn include_next_continues_after_its_folder_on_the_path() {
    let x = "#include_next <x.h>\n";
    let headers = [("a/x.h", x), ("m/x.h", x), ("z/x.h", x)];
    let database = |orders: &[&str]| {
        let command = |(at, order): (usize, &&str)| {
            format!(
                r#"{{"directory": "/w", "command": "cc {order} -c f{at}.c", "file": "f{at}.c"}}"#
            )
        };
        let commands: Vec<String> = orders.iter().enumerate().map(command).collect();
        format!("[{}]", commands.join(","))
    };
    let check = |orders: &[&str], expected: &[(&str, &[&str])]| {
        let database = database(orders);
        let mut files = vec![("compile_commands.json", database.as_str())];
        files.extend([("f0.c", "#include <x.h>\n"), ("f1.c", "#include <x.h>\n")]);
        files.extend(headers);
        told(&files, expected);
    };
    check(
        &["-Im -Ia -Iz"],
        &[
            ("f0.c", &["-> m/x.h"]),
            ("m/x.h", &["-> a/x.h"]),
            ("a/x.h", &["-> z/x.h"]),
            ("z/x.h", &["package x.h"]),
        ],
    );
    // The next folder depends on the command that reads the header.
    check(
        &["-Im -Ia -Iz", "-Im -Iz"],
        &[
            ("m/x.h", &["? x.h ambiguous"]),
            ("a/x.h", &["-> z/x.h"]),
            ("z/x.h", &["package x.h"]),
        ],
    );
}

#[test]
fn an_include_may_be_named_by_a_macro() {
    told(
        &[
            ("a.c", "#define MAL \"mal.h\"\n#include MAL\n"),
            (
                "b.c",
                "#ifdef X\n#define CFG \"x.h\"\n#else\n#define CFG \"y.h\"\n#endif\n#include CFG\n#include OTHER\n",
            ),
            ("mal.h", ""),
            ("x.h", ""),
            ("y.h", ""),
        ],
        &[
            ("a.c", &["-> mal.h"]),
            ("b.c", &["? CFG ambiguous", "? OTHER computed"]),
        ],
    );
}

#[test]
fn angle_brackets_may_mean_what_quotes_do() {
    told(
        &[
            ("lib/h.h", ""),
            ("lib/l.c", "#include \"h.h\"\n"),
            ("app/a.c", "#include <h.h>\n#include <z.h>\n"),
            ("other/z.h", ""),
        ],
        &[("app/a.c", &["-> lib/h.h", "package z.h"])],
    );
}

#[test]
fn go_modules_are_those_of_their_manifests() {
    told(
        &[
            (
                "go.work",
                "go 1.24\n\nuse (\n\t./app\n\t./lib\n)\n\nreplace example.org/orig => ./forks/orig\n",
            ),
            (
                "app/go.mod",
                "module corp/app\nrequire (\n\tcorp/lib v0.0.0\n\tcorp/closed v1.2.3\n\texample.org/orig v1.0.0\n)\nreplace example.org/other v1.0.0 => ../forks/other\n",
            ),
            (
                "app/main.go",
                "package main\nimport (\n\"C\"\n\"fmt\"\n\"corp/lib/x\"\n\"corp/closed/api\"\norig \"example.org/orig\"\n\"example.org/other/p\"\n\"golang.org/x/sync/errgroup\"\n)\nfunc main() { fmt.Println(x.X, api.Y, orig.O, p.P, errgroup.Z) }\n",
            ),
            ("forks/orig/go.mod", "module github.com/me/orig-fork\n"),
            ("forks/orig/o.go", "package orig\nfunc O() {}\n"),
            ("forks/other/go.mod", "module github.com/me/other\n"),
            ("forks/other/p/p.go", "package p\nfunc P() {}\n"),
            ("lib/go.mod", "module corp/lib\n"),
            ("lib/x/x.go", "package x\nfunc X() {}\n"),
        ],
        &[(
            "app/main.go",
            &[
                "-> forks/orig/o.go",
                "-> forks/other/p/p.go",
                "-> lib/x/x.go",
                "std C",
                "package corp/closed",
                "std fmt",
                "package golang.org/x/sync/errgroup",
            ],
        )],
    );
    // Each copy of a module that is in the tree twice resolves to itself.
    told(
        &[
            ("a/go.mod", "module m\n"),
            ("a/x/x.go", "package x\nfunc X() {}\n"),
            ("b/go.mod", "module m\n"),
            ("b/main.go", "package main\nimport \"m/x\"\nvar _ = x.X\n"),
            ("b/x/x.go", "package x\nfunc X() {}\n"),
        ],
        &[("b/main.go", &["-> b/x/x.go"])],
    );
}

#[test]
fn a_java_package_may_be_only_partly_ours() {
    told(
        &[
            (
                "src/main/java/app/Main.java",
                "package app;\nimport org.lib.util.Lists;\nimport org.lib.util.Maps;\nimport static org.lib.util.Sets.of;\nimport org.lib.util.Shim;\nclass Main { Lists l; Maps m; Shim s; }\n",
            ),
            (
                "src/test/java/org/lib/util/Shim.java",
                "package org.lib.util;\npublic class Shim {}\n",
            ),
            (
                "src/main/java/app/db/Store.java",
                "package app.db;\npublic class Store {}\n",
            ),
            (
                "src/main/java/app/Use.java",
                "package app;\nimport app.db.Generated;\nimport org.lib.util.*;\nclass Use { Lists l; }\n",
            ),
        ],
        &[
            (
                "src/main/java/app/Main.java",
                &[
                    "-> src/test/java/org/lib/util/Shim.java",
                    "package org.lib.util",
                ],
            ),
            (
                "src/main/java/app/Use.java",
                &["package org.lib.util", "? app.db.Generated no_such_class"],
            ),
        ],
    );
}

#[test]
fn a_java_file_does_not_import_itself() {
    told(
        &[
            (
                "src/p/A.java",
                "package p;\nimport static p.A.Kind.*;\nimport p.A.Inner;\nimport p.*;\nimport module java.base;\nimport module org.x;\nclass A { enum Kind { X } static class Inner {} Inner i; Object k = X; }\n",
            ),
            ("src/p/B.java", "package p;\nclass B {}\n"),
        ],
        &[("src/p/A.java", &["std java.base", "package org.x"])],
    );
}

#[test]
fn a_facade_is_what_its_users_depend_on() {
    let member = |name: &str, dependencies: &str| {
        format!("[package]\nname = \"{name}\"\nedition = \"2021\"\n[dependencies]\n{dependencies}")
    };
    told(
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"app\", \"facade\", \"inner\"]\n",
            ),
            (
                "app/Cargo.toml",
                &member("app", "facade = { path = \"../facade\" }\n"),
            ),
            (
                "app/src/main.rs",
                "use facade::core::Thing;\nuse facade::deep::part::Other;\nuse facade::All;\nuse facade::own::Here;\nfn main() {}\n",
            ),
            (
                "facade/Cargo.toml",
                &member("facade", "inner = { path = \"../inner\" }\n"),
            ),
            (
                "facade/src/lib.rs",
                "pub extern crate inner as core;\npub use inner as deep;\npub use inner::*;\npub mod own;\n",
            ),
            ("facade/src/own.rs", "pub struct Here;\n"),
            ("inner/Cargo.toml", &member("inner", "")),
            (
                "inner/src/lib.rs",
                "pub mod part;\npub struct Thing;\npub struct All;\n",
            ),
            ("inner/src/part.rs", "pub struct Other;\n"),
        ],
        &[
            (
                "app/src/main.rs",
                &["-> facade/src/lib.rs", "-> facade/src/own.rs"],
            ),
            (
                "facade/src/lib.rs",
                &["-> facade/src/own.rs", "-> inner/src/lib.rs"],
            ),
        ],
    );
}
