use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::{Language, analyze};

mod compiled;
mod hostile;
mod scripts;
mod shapes;
mod snakes;
mod told;

fn graph(files: &[(&str, &str)]) -> Graph {
    let mut analyses = vec![];
    let mut manifests = vec![];
    let mut links = vec![];
    // Files that manifests refer to are read once they are named.
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut leaning = Leaning::default();
    let mut read: Vec<Manifest> = vec![];
    for _ in 0..3 {
        let is_known = |path: &str| is_manifest(files::name(path)) || named.contains(path);
        for (path, text) in files.iter().filter(|(path, _)| is_known(path)) {
            if read.iter().all(|manifest| manifest.path != *path) {
                read.push(Manifest {
                    path: (*path).to_owned(),
                    text: (*text).to_owned(),
                });
            }
        }
        let all: Vec<&Manifest> = read.iter().collect();
        named.extend(leaning.named_by(&all, &|| false));
    }
    for (path, text) in files {
        if let Some((link, target)) = path.split_once(" -> ") {
            links.push((link.to_owned(), target.to_owned()));
            continue;
        }
        if is_manifest(files::name(path)) || named.contains(*path) {
            manifests.push(Manifest {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            });
        }
        if let Some(language) = Language::of_path(path) {
            let analysis = analyze(language, text, &|| false).expect("nobody cancels");
            analyses.push((*path, analysis));
        }
    }
    let sources: Vec<SourceFile<'_>> = analyses
        .iter()
        .map(|(path, analysis)| SourceFile::new(path, analysis))
        .collect();
    let project = Project {
        files: &sources,
        manifests: &manifests,
        links: &links,
    };
    let graph = build(project, &|| false).expect("nobody cancels");
    let imports: usize = analyses
        .iter()
        .map(|(_, analysis)| analysis.imports.len())
        .sum();
    assert!(accounted(&graph) <= imports, "no import is told twice");
    graph
}

/// At least one for each place with an answer.
fn accounted(graph: &Graph) -> usize {
    graph.unresolved.len() + graph.within_file as usize
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: Expect) {
    let graph = graph(files);
    let id = |at: u32| graph.nodes[at as usize].id.as_str();
    let mut shown = String::new();
    for edge in &graph.edges {
        let mark = if edge.type_only { " type" } else { "" };
        shown.push_str(&format!(
            "{} -> {} {:?}{mark}\n",
            id(edge.from),
            id(edge.to),
            edge.kind
        ));
    }
    for external in &graph.external {
        let mark = if external.standard_library {
            " std"
        } else {
            ""
        };
        shown.push_str(&format!("external {}{mark}\n", external.name));
    }
    for unresolved in &graph.unresolved {
        let reason = unresolved.reason.split(':').next().unwrap_or_default();
        shown.push_str(&format!(
            "{}:{} {} {reason}\n",
            unresolved.path, unresolved.line, unresolved.specifier
        ));
    }
    let packages: BTreeSet<&str> = graph
        .nodes
        .iter()
        .map(|node| node.package.as_str())
        .collect();
    shown.push_str(&format!("packages {packages:?}\n"));
    expected.assert_eq(&shown);
}

#[test]
fn rust() {
    check(
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"b-c\"]\n[workspace.dependencies]\nb = { package = \"b-c\", path = \"b-c\" }\nserde = \"1\"\n",
            ),
            (
                "a/Cargo.toml",
                "[package]\nname = \"a\"\nedition = \"2021\"\n[dependencies]\nb.workspace = true\nserde.workspace = true\n",
            ),
            (
                "a/src/lib.rs",
                "pub mod x;\nmod y;\nmod gone;\npub use y::deep;\nuse serde::Serialize;\nuse std::fmt;\nuse b::part::Thing;\nuse nothing::Z;\nenum E { A }\nuse E::*;\nuse self::x::missing::Q;\n",
            ),
            (
                "a/src/x.rs",
                "use super::deep::Item;\nuse crate::y::Y;\nmod tests { use super::*; }\n",
            ),
            ("a/src/y/mod.rs", "pub mod deep;\npub struct Y;\n"),
            ("a/src/y/deep.rs", "pub struct Item;\n"),
            ("a/src/main.rs", "use a::x;\n"),
            ("a/tests/t.rs", "mod common;\nuse a::y;\n"),
            ("a/tests/common/mod.rs", ""),
            (
                "b-c/Cargo.toml",
                "[package]\nname = \"b-c\"\nedition = \"2021\"\n",
            ),
            (
                "b-c/src/lib.rs",
                "#[path = \"odd/file.rs\"]\npub mod part;\n",
            ),
            ("b-c/src/odd/file.rs", "pub struct Thing;\n"),
        ],
        expect![[r#"
            a/src/lib.rs -> a/src/x.rs Module
            a/src/lib.rs -> a/src/y/mod.rs Module
            a/src/lib.rs -> a/src/y/deep.rs Reexport
            a/src/lib.rs -> b-c/src/odd/file.rs Import
            a/src/x.rs -> a/src/y/mod.rs Import
            a/src/x.rs -> a/src/y/deep.rs Import
            a/src/y/mod.rs -> a/src/y/deep.rs Module
            a/src/main.rs -> a/src/x.rs Import
            a/tests/t.rs -> a/src/y/mod.rs Import
            a/tests/t.rs -> a/tests/common/mod.rs Module
            b-c/src/lib.rs -> b-c/src/odd/file.rs Module
            external serde
            external std std
            a/src/lib.rs:3 gone no_such_file
            a/src/lib.rs:8 nothing::Z unknown_crate
            a/src/lib.rs:11 self::x::missing::Q no_such_module
            packages {"a", "b-c"}
        "#]],
    );
}

#[test]
fn python() {
    check(
        &[
            ("pyproject.toml", "[project]\nname = \"p\"\n"),
            ("src/p/__init__.py", "from .a import A\nimport os\n"),
            (
                "src/p/a.py",
                "from p import b, c\nimport p.sub.m as m\nfrom ..too.far import x\nimport numpy.linalg\nfrom p import missing_attribute\n",
            ),
            (
                "src/p/b.py",
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import a\n",
            ),
            ("src/p/c.pyi", ""),
            ("src/p/sub/m.py", "import p.nowhere\nfrom .none import x\n"),
            ("tests/test_a.py", "import helper\nfrom p.a import A\n"),
            ("tests/helper.py", ""),
        ],
        expect![[r#"
            src/p/__init__.py -> src/p/a.py From
            src/p/a.py -> src/p/__init__.py From
            src/p/a.py -> src/p/b.py From
            src/p/a.py -> src/p/c.pyi From
            src/p/a.py -> src/p/sub/m.py Import
            src/p/b.py -> src/p/a.py From type
            tests/test_a.py -> src/p/a.py From
            tests/test_a.py -> tests/helper.py Import
            external numpy
            external os std
            external typing std
            src/p/a.py:3 ..too.far no_such_module
            src/p/sub/m.py:1 p.nowhere no_such_module
            src/p/sub/m.py:2 .none no_such_module
            packages {"helper", "p", "p.sub", "test_a"}
        "#]],
    );
}

#[test]
fn a_package_that_is_the_top_folder_knows_its_name() {
    check(
        &[
            ("__init__.py", ""),
            (
                "a.py",
                "from pkg.b import B\nimport pkg.c\nfrom other.b import X\nimport other.zzz\n",
            ),
            ("b.py", "from pkg import a\nfrom pkg.a import A\n"),
            ("c.py", ""),
        ],
        expect![[r#"
            a.py -> b.py From
            a.py -> c.py Import
            b.py -> a.py From
            external other
            packages {"pkg"}
        "#]],
    );
}

#[test]
fn typescript() {
    check(
        &[
            (
                "package.json",
                "{\"name\": \"root\", \"workspaces\": [\"packages/*\"]}",
            ),
            (
                "tsconfig.base.json",
                "{\"compilerOptions\": {\"baseUrl\": \".\", \"paths\": {\"@app/*\": [\"packages/app/src/*\"],},}} // end",
            ),
            ("tsconfig.json", "{\"extends\": \"./tsconfig.base\"}"),
            ("packages/app/package.json", "{\"name\": \"@x/app\"}"),
            (
                "packages/app/src/main.ts",
                "import '@app/util';\nimport './x.js';\nimport type { T } from './types';\nimport '@x/lib';\nimport '@x/lib/deep';\nimport 'node:fs';\nimport 'react/jsx-runtime';\nimport './style.css';\nimport './gone';\nimport '@/alias';\nimport './dir';\nexport * from './x';\n",
            ),
            ("packages/app/src/util.tsx", ""),
            ("packages/app/src/x.ts", ""),
            ("packages/app/src/types.d.ts", ""),
            (
                "packages/app/src/dir/index.js",
                "const m = require('..');\n",
            ),
            (
                "packages/lib/package.json",
                "{\"name\": \"@x/lib\", \"exports\": {\".\": \"./dist/index.js\", \"./*\": {\"import\": \"./dist/*.mjs\"}}}",
            ),
            ("packages/lib/src/index.ts", ""),
            ("packages/lib/src/deep.mts", ""),
        ],
        expect![[r#"
            packages/app/src/main.ts -> packages/app/src/util.tsx Import
            packages/app/src/main.ts -> packages/app/src/x.ts Import
            packages/app/src/main.ts -> packages/app/src/x.ts Reexport
            packages/app/src/main.ts -> packages/app/src/types.d.ts Import type
            packages/app/src/main.ts -> packages/app/src/dir/index.js Import
            packages/app/src/main.ts -> packages/lib/src/index.ts Import
            packages/app/src/main.ts -> packages/lib/src/deep.mts Import
            external fs std
            external react
            packages/app/src/main.ts:8 ./style.css asset
            packages/app/src/main.ts:9 ./gone no_such_file
            packages/app/src/main.ts:10 @/alias not_mapped
            packages/app/src/dir/index.js:1 .. no_such_file
            packages {"@x/app", "@x/lib"}
        "#]],
    );
}

#[test]
fn go() {
    check(
        &[
            (
                "go.mod",
                "module example.com/app\nrequire github.com/x/y v1.0.0\nreplace example.com/local => ./local\n",
            ),
            (
                "main.go",
                "package main\nimport (\n\"fmt\"\n\"example.com/app/util\"\n_ \"example.com/app/side\"\n\"github.com/x/y/z\"\n\"example.com/local\"\n\"example.com/app/none\"\n)\nfunc main() { util.One(); fmt.Println() }\n",
            ),
            ("util/one.go", "package util\nfunc One() {}\n"),
            ("util/two.go", "package util\nfunc Two() {}\n"),
            (
                "util/one_test.go",
                "package util_test\nimport \"example.com/app/util\"\nvar _ = util.Two\n",
            ),
            ("side/a.go", "package side\n"),
            ("side/b.go", "package side\n"),
            ("local/go.mod", "module example.com/local\n"),
            ("local/l.go", "package local\n"),
        ],
        expect![[r#"
            main.go -> util/one.go Import
            main.go -> side/a.go Import
            main.go -> side/b.go Import
            main.go -> local/l.go Import
            util/one_test.go -> util/two.go Import
            external fmt std
            external github.com/x/y
            main.go:8 example.com/app/none no_such_package
            packages {"example.com/app", "example.com/app/side", "example.com/app/util", "example.com/app/util.test", "example.com/local"}
        "#]],
    );
}

#[test]
fn java() {
    check(
        &[
            (
                "src/main/java/a/A.java",
                "package a;\nimport a.b.*;\nimport a.b.Outer.Inner;\nimport static a.b.C.make;\nimport java.util.List;\nimport org.junit.Test;\nimport a.b.Gone;\nclass A { C c; }\n",
            ),
            (
                "src/main/java/a/b/C.java",
                "package a.b;\npublic class C {}\n",
            ),
            (
                "src/main/java/a/b/D.java",
                "package a.b;\npublic class D {}\n",
            ),
            (
                "src/main/java/a/b/Outer.java",
                "package a.b;\npublic class Outer { public static class Inner {} }\n",
            ),
        ],
        expect![[r#"
            src/main/java/a/A.java -> src/main/java/a/b/C.java Import
            src/main/java/a/A.java -> src/main/java/a/b/C.java Static
            src/main/java/a/A.java -> src/main/java/a/b/Outer.java Import
            external java.util std
            external org.junit
            src/main/java/a/A.java:7 a.b.Gone no_such_class
            packages {"a", "a.b"}
        "#]],
    );
}

#[test]
fn c() {
    check(
        &[
            (
                "src/main.c",
                "#include \"local.h\"\n#include \"pub.h\"\n#include <proj/api.h>\n#include <stdio.h>\n#include <zlib.h>\n#include \"twice.h\"\n#include \"only.h\"\n#include \"gone.h\"\n#include CONFIG\n",
            ),
            ("src/local.h", "#include \"local.h\"\n"),
            ("include/pub.h", ""),
            ("include/proj/api.h", ""),
            ("x/twice.h", ""),
            ("y/twice.h", ""),
            ("z/only.h", ""),
        ],
        expect![[r#"
            src/main.c -> src/local.h IncludeLocal
            src/main.c -> include/pub.h IncludeLocal
            src/main.c -> include/proj/api.h IncludeSystem
            src/main.c -> z/only.h IncludeLocal
            external stdio.h std
            external zlib.h
            src/main.c:6 twice.h ambiguous
            src/main.c:8 gone.h no_such_file
            src/main.c:9 CONFIG computed
            packages {"include", "include/proj", "src", "x", "y", "z"}
        "#]],
    );
}

#[test]
fn manifests_that_do_not_parse_break_nothing() {
    let broken: Vec<(&str, &str)> = [
        "Cargo.toml",
        "package.json",
        "tsconfig.json",
        "go.mod",
        "pyproject.toml",
        "setup.cfg",
    ]
    .into_iter()
    .map(|name| (name, "{[\"\u{0}=\n("))
    .chain([
        ("a.py", "import b"),
        ("b.py", ""),
        ("src/lib.rs", "mod x;"),
        ("src/x.rs", ""),
        ("m.ts", "import './n'"),
        ("n.ts", ""),
    ])
    .collect();
    assert_eq!(graph(&broken).edges.len(), 3);
}
