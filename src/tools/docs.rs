//! Generates the page about tools and reasons from the catalogue and the table of reasons.

use std::fmt::Write as _;

use serde_json::Value;

use super::analyzed::{ENDED_NODE, FAILED, MEMORY_LIMIT, WORK_LIMIT};
use super::{Argument, Entry, Kind, catalogue};
use crate::answer::reason::{EMPTY_REASONS, REASONS};
use crate::workspace::SkipReason;

mod fields;

/// As Markdown: the first part of `docs/tools.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Tools\n\n\
         This page is generated from the code (`UPDATE_DOCS=1 cargo test docs_are_those_of_the_code` writes it).\n\n\
         | tool | does | reads code | changes |\n|---|---|---|---|\n",
    );
    for entry in catalogue() {
        let _ = writeln!(
            page,
            "| [`{0}`](#{0}) | {1} | {2} | {3} |",
            entry.name,
            entry.description,
            if entry.meta["languages"]
                .as_array()
                .is_some_and(|l| !l.is_empty())
            {
                "yes"
            } else {
                "no"
            },
            changes(entry),
        );
    }
    page.push_str(&envelope());
    page.push_str("\
         `context.durability.version` is the version of the session's state that contains the answer. The session commits \
         finished calls together, so answers of concurrent calls may share a version.\n\n\
         `structuredContent` has names of files, symbols and labels exactly as they are. The text of an answer, diagrams, \
         prompts, titles, error messages, the log and the tables of the command line escape control characters and invisible \
         characters: a line break is `\\n`, a right-to-left override `\\u{202e}`. Completion leaves such names out.\n");
    for entry in catalogue() {
        page.push_str(&section(entry));
    }
    page.push_str(&reasons());
    page.push_str(&empties());
    page.push_str(imports());
    page.push_str(&skips());
    page.push_str(&limits());
    page
}

fn envelope() -> String {
    format!(
        "\nEvery answer has the same envelope: `data` as described here, `status`, `context`, `page` if there are rows, and \
         `coverage` if code is read. It is valid under the tool's `outputSchema`. `_meta.metadata` of the result is for \
         programs and operators: `tool`, `version`, `duration_ms`, `timestamp`, `input_digest`, `cache`.\n\n\
         Answers are lean unless `detail` is `full`, since most clients give all of `structuredContent` to the model. A lean \
         answer has the fields of `data` that are marked so below, and the sort key of its rows. It has no null or empty \
         fields, and no field with its usual value ({usual}). It always has `data`, `status.success` and \
         `context.durability`. A full answer has every field, and the metadata in its structure. Stored results, \
         resources and the JSON of the command line are always full. `find_tools` with `name` and `detail: \"full\"` \
         returns the JSON Schema of a tool's full answers. `max_bytes` limits the size of the structured part, and the \
         size of the text.\n\n",
        usual = fields::usual(),
    )
}

fn changes(entry: &Entry) -> &'static str {
    match (entry.read_only, entry.destructive) {
        (true, _) => "nothing",
        (false, true) if entry.kind == Kind::Expanded => "the changes of its calls",
        (false, true) => "deletes a session",
        (false, false) => "sessions only",
    }
}

fn section(entry: &Entry) -> String {
    let mut text = format!(
        "\n## {}\n\n{}\n\nCategory {}, cost {}, tags {}.\n",
        entry.name,
        entry.description,
        entry.category,
        entry.meta["cost"].as_str().unwrap_or_default(),
        entry.tags.join(", "),
    );
    if entry.arguments.is_empty() {
        text.push_str("\nIt has no arguments.\n");
    } else {
        text.push_str("\n| argument | type and bounds | default | meaning |\n|---|---|---|---|\n");
    }
    for argument in &entry.arguments {
        let _ = writeln!(
            text,
            "| `{}`{} | {} | {} | {} |",
            argument.name,
            if argument.required { " (required)" } else { "" },
            cell(&kind_and_bounds(argument)),
            default(argument),
            cell(argument.doc),
        );
    }
    let _ = write!(text, "\nReturns: {}\n", entry.returns);
    text.push_str(&fields::table(entry));
    for example in &entry.examples {
        let _ = write!(
            text,
            "\n{}:\n\n```json\n{}\n```\n",
            example.title,
            serde_json::to_string(&example.arguments).unwrap_or_default(),
        );
    }
    if !entry.reasons.is_empty() {
        let names: Vec<String> = entry
            .reasons
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let _ = write!(
            text,
            "\nSpecific reasons of failure, in addition to those of any call: {}.\n",
            names.join(", ")
        );
    }
    text
}

/// `integer 1…1000`, `one of a, b`, `list of strings, at most 100`.
pub(super) fn kind_and_bounds(argument: &Argument) -> String {
    kind(&argument.schema)
}

fn kind(schema: &Value) -> String {
    if let Some(options) = schema["enum"].as_array() {
        let options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", options.join(", "));
    }
    let name = schema["type"].as_str().unwrap_or("any");
    match name {
        "array" => {
            let at_most = schema["maxItems"].as_u64();
            let at_most = at_most.map_or_else(String::new, |max| format!(", at most {max}"));
            format!("list of {}{at_most}", kind(&schema["items"]))
        }
        "object" => match schema["properties"].as_object() {
            Some(properties) => {
                let names: Vec<&str> = properties.keys().map(String::as_str).collect();
                format!("object of {}", names.join(", "))
            }
            None => "object".to_owned(),
        },
        "integer" => format!("integer {}…{}", schema["minimum"], schema["maximum"]),
        _ => match schema["maxLength"].as_u64() {
            Some(max) => format!("{name}, at most {max} characters"),
            None => name.to_owned(),
        },
    }
}

fn default(argument: &Argument) -> String {
    match argument.schema.get("default") {
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => format!("`{value}`"),
        None => String::new(),
    }
}

fn reasons() -> String {
    let mut text = String::from(
        "\n## Reasons\n\nA failed call has in `status` a canonical `code`, one of these reasons, and advice.\n\n\
         | reason | code | retry | given when | what to do |\n|---|---|---|---|---|\n",
    );
    for reason in REASONS {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | {} | {} |",
            reason.name,
            reason.code.name(),
            if reason.retryable { "yes" } else { "no" },
            cell(reason.meaning),
            cell(reason.recovery),
        );
    }
    text
}

fn empties() -> String {
    let mut text = String::from(
        "\n## Empty answers\n\nA successful answer without rows has the reason in `status.reason` and `status.message`.\n\n\
         | reason | given when |\n|---|---|\n",
    );
    for (name, meaning) in EMPTY_REASONS {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text
}

fn skips() -> String {
    let (directories, files): (Vec<_>, Vec<_>) = SkipReason::ALL
        .into_iter()
        .partition(|reason| reason.is_directory());
    let names = |reasons: Vec<SkipReason>| -> String {
        let names: Vec<String> = reasons
            .iter()
            .map(|reason| format!("`{}`", reason.name()))
            .collect();
        names.join(", ")
    };
    format!(
        "\n## What is left out\n\nEvery file that is left out is counted: `coverage.skipped` has the counts by reason. Files: {}, \
         `{FAILED}` if the analysis of the file panicked, `{MEMORY_LIMIT}` if it exceeds its memory limit \
         (`--memory`), and `{WORK_LIMIT}` if its parser takes too many steps for its size. `{ENDED_NODE}`: a node ended \
         while it analysed this file for an earlier attempt of the same call; a notice names the file. C++ in a file with a \
         name of C is an `unsupported_language`, detected by how its lines start. A hard link looks like any other file, \
         so it is read, even if the file has another name outside of the roots. Directories that were not entered: {}.\n\n\
         `ignored` means what git ignores: `.gitignore` of every folder up to the top of the repository, also above the \
         root, `.git/info/exclude` (a linked worktree has that of its repository), and `core.excludesFile` with its \
         default `~/.config/git/ignore`. These files are read only as rules. A `core.excludesFile` that a repository sets \
         counts only inside a root. A file that is selected by name is analysed anyway. Git's index is not read: a tracked \
         file that a rule ignores is left out.\n",
        names(files),
        names(directories),
    )
}

/// How `analyze_dependencies` resolves imports.
fn imports() -> &'static str {
    "\n## How imports are resolved\n\n\
     **The graph covers the whole project; `path` selects the nodes of the answer.** Imports are resolved over all roots of \
     the session (on the command line: over the enclosing project), for any `path`, `include`, `exclude`, `languages` and \
     `focus`. The answer then has the nodes of the selection, every edge that leaves one of them, and the nodes that these edges \
     lead to; those that were not selected are marked `outside: true`. `fan_in`, `fan_out`, `instability` and cycles are \
     those of the whole graph, so answers about a file, a folder and the project agree. Of files around the selection only \
     imports are read. If they exceed the limit of a scan, they are left out, with the notice \
     `surroundings_too_large`. `coverage` counts what was selected.\n\n\
     **Files that are left out** (generated, minified, hidden, ignored) are nodes if an analysed file imports them, \
     directly or through others. They are marked `left_out` with the reason, and are not measured.\n\n\
     **Cycles.** Each entry of `cycles` is a set of nodes that all reach one another: `size` says how many, `path` is a \
     shortest closed path through some of them: its last id is its first. `lines` has the lines of each \
     import on the path, `more` counts the other nodes, and with `detail: \"full\"` `members` has all of them. Imports that are erased when compiled (`import type`, \
     `TYPE_CHECKING`) make no cycle, nor does a Rust `mod` declaration; `cycles: \"all\"` counts the former.\n\n\
     **Never a guess.** An import ends as an edge, in `external`, or in `unresolved` with the reason. If several files \
     fit and only the build can decide, the reason is `ambiguous` and names them. Imports that need no target (a file's \
     own nested class, a namespace package, `import p.*` with no used name) are in none of \
     the three.\n\n\
     Supported configuration: TypeScript: the tsconfig.json that includes the file, with `extends` (of packages too), `paths`, \
     `baseUrl`, `rootDirs`, `moduleSuffixes`, `${configDir}`; package.json `exports` and `imports` in the written order \
     of conditions; workspaces of npm, Yarn, pnpm and Lerna; deno.json and import maps; React Native's platform files. \
     Python: source folders of setuptools, Poetry, Hatch, PDM, uv, Maturin and scikit-build, namespace packages, the \
     nearest project first. Go: go.mod and go.work with `replace`, `vendor`. Rust: Cargo workspaces; an import of an item that a \
     facade re-exports is an edge to the facade. C: include folders of compile_commands.json. Symbolic links inside the roots.\n"
}

fn limits() -> String {
    let mut text = String::from(
        "\n## Limits\n\n`get_server_status` returns the limits of the running server.\n\n| limit | value |\n|---|---|\n",
    );
    for (name, value) in super::get_server_status::limits()
        .as_object()
        .into_iter()
        .flatten()
    {
        let _ = writeln!(text, "| `{name}` | {value} |");
    }
    text
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
