//! Folders of source code with metrics that were counted by hand.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A folder that is deleted with the test.
pub(crate) struct Project(TempDir);

/// Cyclomatic 4 (1 + if + && + for), cognitive 4 (if 1, && 1, for nested in it 2).
pub(crate) const PYTHON: &str = "\
import os
from app import helper


def busy(items, flag):
    if flag and items:
        for item in items:
            helper.use(item)
    return os.sep


def calm():
    return 1
";
const HELPER: &str = "\
from app import main


def use(item):
    return main.calm()
";
const RUST: &str = "\
//! Docs.
mod inner;

/// Says whether.
pub fn choose(n: u32) -> bool {
    match n {
        0 => false,
        1 => inner::yes(),
        _ => true,
    }
}
";
const INNER: &str = "pub fn yes() -> bool {\n    true\n}\n";
const TYPESCRIPT: &str = "\
import { b } from './b';
export function a(x?: number): number { return x ? b(x) : 0; }
";
const TYPESCRIPT_B: &str = "export const b = (x: number): number => x + 1;\n";
const GO: &str = "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfor i := 0; i < 3; i++ {\n\t\tfmt.Println(i)\n\t}\n}\n";
const JAVA: &str = "package app;\n\nimport java.util.List;\n\npublic class App {\n    int size(List<String> l) { return l == null ? 0 : l.size(); }\n}\n";
const C: &str = "#include <stdio.h>\n#include \"app.h\"\n\nint run(int n) {\n    while (n > 0) { n--; }\n    return n;\n}\n";

impl Project {
    pub(crate) fn empty() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// At least one file of every language, an import cycle of two Python modules, and a file that does not parse.
    pub(crate) fn small() -> Self {
        Self::empty()
            .with("app/__init__.py", "")
            .with("app/main.py", PYTHON)
            .with("app/helper.py", HELPER)
            .with("rs/Cargo.toml", "[package]\nname = \"rs\"\n")
            .with("rs/src/lib.rs", RUST)
            .with("rs/src/inner.rs", INNER)
            .with("web/a.ts", TYPESCRIPT)
            .with("web/b.ts", TYPESCRIPT_B)
            .with("go/go.mod", "module example.org/app\n")
            .with("go/main.go", GO)
            .with("java/app/App.java", JAVA)
            .with("c/app.c", C)
            .with("c/app.h", "int run(int n);\n")
            .with("notes.txt", "not code\n")
            .with("broken.py", "def f(:\n    return )\n")
    }

    /// Large enough that an analysis takes a while on any machine: `files` Python files of a few hundred functions.
    pub(crate) fn large(files: usize) -> Self {
        let project = Self::empty();
        for file in 0..files {
            let functions: String = (0..300)
                .map(|n| {
                    format!(
                        "def f{file}_{n}(a, b):\n    if a and b:\n        for x in a:\n            while b:\n                b -= x\n    return a\n\n"
                    )
                })
                .collect();
            project.write(&format!("pkg/m{file}.py"), functions.as_bytes());
        }
        project
    }

    pub(crate) fn with(self, path: &str, text: &str) -> Self {
        self.write(path, text.as_bytes());
        self
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("below the project")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
