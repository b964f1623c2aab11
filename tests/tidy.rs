//! Layering, size and structure of the repository. Each rule is tested by breaking it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

mod modules;
mod source;

use modules::orphans;
use source::Source;

/// Production lines of a file beyond which it must be split by meaning.
const MAX_LINES: usize = 450;

/// What may stand at the top level.
const TOP_LEVEL: [&str; 29] = [
    ".ci",
    ".dockerignore",
    ".git",
    ".gitattributes",
    ".github",
    ".gitignore",
    "AGENTS.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "actors",
    "benches",
    "chaos",
    "clippy.toml",
    "deny.toml",
    "docker-compose.yml",
    "docs",
    "metered",
    "otel",
    "rust-toolchain.toml",
    "src",
    "tests",
];
/// Made by tools, and ignored by git.
const IGNORED: [&str; 2] = [".env", "target"];

/// A line that must not be crossed: code below `within` names none of `names`, but for the files below `except`.
struct Rule {
    within: &'static str,
    except: &'static [&'static str],
    /// A path (`std::fs`) or the beginning of the name of a crate (`tree_sitter*`).
    names: &'static [&'static str],
    why: &'static str,
}

const RULES: [Rule; 10] = [
    Rule {
        within: "",
        except: &["metered/allocator.rs"],
        names: &["unsafe"],
        why: "only the allocator that counts is unsafe",
    },
    Rule {
        within: "",
        except: &["src/server.rs", "src/server/"],
        names: &["rmcp"],
        why: "only src/server speaks the protocol",
    },
    Rule {
        within: "",
        except: &["src/server.rs", "src/server/"],
        names: &["axum*", "hyper*", "tower*", "http_body*", "tokio_rustls"],
        why: "only src/server speaks HTTP",
    },
    Rule {
        within: "",
        except: &["actors/store/redis.rs", "actors/store/redis/"],
        names: &["redis", "deadpool_redis"],
        why: "only actors/store/redis talks to Redis",
    },
    Rule {
        within: "",
        except: &["otel/"],
        names: &[
            "opentelemetry*",
            "tracing_opentelemetry",
            "tracing_subscriber",
        ],
        why: "only otel installs telemetry",
    },
    Rule {
        within: "src/",
        except: &[
            "src/workspace.rs",
            "src/workspace/",
            "src/config/",
            "src/cli/sessions/input.rs",
        ],
        names: &["std::fs", "tokio::fs", "ignore"],
        why: "only src/workspace reads the disk",
    },
    Rule {
        within: "actors/",
        except: &[],
        names: &[
            "tree_sitter*",
            "rmcp",
            "std::fs",
            "tokio::fs",
            "mcp_code_analysis",
        ],
        why: "actors know no grammar, no protocol and no disk",
    },
    Rule {
        within: "src/",
        except: &["src/analysis.rs", "src/analysis/"],
        names: &["tree_sitter*"],
        why: "only src/analysis parses",
    },
    Rule {
        within: "src/analysis",
        except: &[],
        names: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "std::path",
            "std::time",
            "async",
            "await",
            "actors",
            "crate::workspace",
            "crate::tools",
            "crate::service",
            "crate::server",
        ],
        why: "analysis is pure",
    },
    Rule {
        within: "src/",
        except: &[
            "src/startup.rs",
            "src/service.rs",
            "src/service/",
            "src/tools.rs",
            "src/tools/",
        ],
        names: &["actors::sessions::Sessions"],
        why: "sessions are called through the service",
    },
];

#[test]
fn no_line_is_crossed() {
    let mut crossed = Vec::new();
    for (path, text) in sources() {
        crossed.extend(crossings(&path, &text));
    }
    assert!(crossed.is_empty(), "{}", crossed.join("\n"));
}

#[test]
fn every_rule_catches_what_it_forbids() {
    for rule in &RULES {
        let path = format!("{}{}", rule.within, "/somewhere.rs").replace("//", "/");
        let path = if rule.within.is_empty() {
            "src/somewhere.rs".to_owned()
        } else {
            path
        };
        for name in rule.names {
            let name = name.trim_end_matches('*');
            let line = match name {
                "async" => "pub async fn f() {}".to_owned(),
                "unsafe" => "fn f() { unsafe { g() } }".to_owned(),
                "await" => "fn f() { g().await }".to_owned(),
                _ => format!("use {name}::Thing;"),
            };
            let caught = crossings(&path, &line);
            assert!(
                caught.iter().any(|crossing| crossing.contains(rule.why)),
                "{line} in {path} was not caught: {}",
                rule.why
            );
        }
    }
}

#[test]
fn a_crossing_is_seen_through_any_spelling_and_nothing_else_is_taken_for_one() {
    let path = "src/tools/x.rs";
    for crossing in [
        "fn f() { let _ = std::fs::read(\"x\"); }",
        "use std::{io, fs::{self, File}, path::Path};",
        "use ::std::fs as disk;",
        "fn f() { ::tokio :: fs :: read(p); }",
        "use {std::fs, std::io};",
        "use std::*;",
        "use std as s;",
        "type T = Option<std::fs::File>;",
        "fn r#try() { std::fs::read('\"'); }",
    ] {
        assert!(!crossings(path, crossing).is_empty(), "{crossing}");
    }
    for innocent in [
        "// std::fs::read",
        "/* use std::fs; /* nested */ use std::fs; */",
        "const A: &str = \"use std::fs;\";",
        "const A: &str = r#\"std::fs \" still \"#;",
        "fn f<'a>(x: &'a str) { let _ = 'f'; }",
        "use std::{io, path::Path};",
        "use crate::std::fs;",
        "let fs = 1; x.fs();",
        "#[cfg(test)]\nmod tests { use std::fs; }",
    ] {
        assert_eq!(
            crossings(path, innocent),
            Vec::<String>::new(),
            "{innocent}"
        );
    }
}

#[test]
fn the_top_level_is_what_it_should_be() {
    let mut surprising = Vec::new();
    for entry in fs::read_dir(root()).expect("the repository") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        if !TOP_LEVEL.contains(&name.as_str()) && !IGNORED.contains(&name.as_str()) {
            surprising.push(name);
        }
    }
    assert!(surprising.is_empty(), "at the top level: {surprising:?}");
    for needed in [
        "Cargo.toml",
        "src",
        "actors",
        "tests",
        "chaos",
        "benches",
        "otel",
        "docker-compose.yml",
    ] {
        assert!(root().join(needed).exists(), "{needed} is missing");
    }
}

#[test]
fn files_are_short_enough_to_read() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (Source::production(&text).lines().count(), path))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .collect();
    assert!(
        long.is_empty(),
        "split by meaning, over {MAX_LINES} lines: {long:?}"
    );
}

#[test]
fn no_module_is_called_mod() {
    let found: Vec<_> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.ends_with("/mod.rs"))
        .collect();
    assert!(found.is_empty(), "foo.rs and foo/, never mod.rs: {found:?}");
}

#[test]
fn every_file_belongs_to_a_module() {
    let mut files = BTreeMap::new();
    for crate_of_ours in [
        "src", "actors", "metered", "otel", "tests", "benches", "chaos",
    ] {
        for path in files_below(&root().join(crate_of_ours)) {
            let is_fixture = path.components().any(|part| part.as_os_str() == "fixtures");
            if path.extension().is_some_and(|ending| ending == "rs") && !is_fixture {
                let text = fs::read_to_string(&path).expect("source is text");
                files.insert(relative(&path), text);
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    assert_eq!(orphans(&files), Vec::<&str>::new());
    for orphan in ["src/forgotten.rs", "src/service/tests/forgotten.rs"] {
        files.insert(orphan.to_owned(), String::new());
        assert_eq!(orphans(&files), [orphan]);
        files.remove(orphan);
    }
}

#[test]
fn analysis_builds_without_the_server() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    for heavy in ["actors", "otel", "tokio", "tokio-util", "rmcp", "clap"] {
        let dependency = &manifest["dependencies"][heavy];
        assert_eq!(
            dependency["optional"],
            toml::Value::Boolean(true),
            "{heavy}"
        );
    }
}

fn crossings(path: &str, text: &str) -> Vec<String> {
    let source = Source::read(&Source::production(text));
    let mut crossed = Vec::new();
    for rule in &RULES {
        let inside = path.starts_with(rule.within);
        if !inside || rule.except.iter().any(|except| path.starts_with(except)) {
            continue;
        }
        for name in rule.names {
            for line in source.naming(name) {
                crossed.push(format!("{path}:{line}: {name}: {}", rule.why));
            }
        }
    }
    crossed
}

/// Every file of production code, by its path in the repository.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let folders = ["src", "actors", "metered", "otel"];
    for path in folders
        .iter()
        .flat_map(|name| files_below(&root().join(name)))
    {
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs")
            || path.components().any(|part| part.as_os_str() == "tests");
        if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
            let text = fs::read_to_string(&path).expect("source is text");
            found.push((relative(&path), text));
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found.sort();
    found
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            let to = if path.is_dir() {
                &mut folders
            } else {
                &mut found
            };
            to.push(path);
        }
    }
    found
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("inside the repository");
    path.to_string_lossy().replace('\\', "/")
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
