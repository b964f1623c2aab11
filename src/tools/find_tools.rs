//! `find_tools`: finds tools by the words of a user, and describes one tool in full. Answered by the service.

use serde_json::{Value, json};

use super::argument::{Argument, text};
use super::shared::detail;
use super::{Entry, Example, Kind, Spec, catalogue, entry, nearest_tool};
use crate::analysis::Language;
use crate::answer::envelope::{list, or_null, strict, string};
use crate::answer::lean::{Detail, Field, Shape};
use crate::answer::page::json_len;
use crate::answer::{Empty, Failure, Finding, Page, reason};

mod search;

pub(crate) const NAME: &str = "find_tools";
const CATEGORIES: [&str; 3] = ["analysis", "sessions", "server"];
/// The fields of `data` in a lean answer: those that help to choose and call a tool.
const LEAN: &[Field] = &[
    ("tools", &["name", "description"]),
    (
        "tool",
        &[
            "name",
            "description",
            "arguments",
            "returns",
            "examples",
            "reasons",
        ],
    ),
];
/// Longest query; more words do not improve the result.
const MAX_QUERY: usize = 200;

pub(super) fn spec() -> Spec {
    let languages: Vec<_> = Language::ALL.map(Language::name).into();
    Spec {
        name: NAME,
        title: "Find tools",
        description: "Find tools by what you want to know; with name, one tool in full with examples.",
        category: "server",
        tags: &["discovery", "help", "documentation"],
        words: &[
            "help",
            "how",
            "usage",
            "manual",
            "docs",
            "example",
            "examples",
            "search",
            "available",
            "schema",
            "explain",
        ],
        kind: Kind::Control,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "low",
        arguments: vec![
            Argument::new(
                "query",
                json!({"type": "string", "maxLength": MAX_QUERY}),
                "what you want to know",
                "What you want to know, in your own words.",
            ),
            Argument::new(
                "category",
                json!({"type": "string", "enum": CATEGORIES}),
                "only this one",
                "Only tools of this category.",
            ),
            Argument::new("tag", text(), "only this one", "Only tools with this tag."),
            Argument::new(
                "language",
                json!({"type": "string", "enum": languages}),
                "only this one",
                "Only tools that analyse this language.",
            ),
            Argument::new(
                "name",
                text(),
                "one tool in full",
                "Show this tool in full: arguments, examples, reasons for failure.",
            ),
            detail(),
        ],
        data: strict(json!({
            "tools": list(strict(json!({
                "name": string(), "title": string(), "description": string(), "category": string(),
                "tags": list(string()), "cost": string(), "score": {"type": "number", "minimum": 0},
            }))),
            "tool": or_null("object"),
        })),
        lean: LEAN,
        grouped: false,
        returns: "`tools`, the best match first; with `name`, `tool`: its arguments, what it returns, worked examples \
                  and its reasons for failure; in full also the schema of its answers in full.",
        examples: vec![
            Example::new(
                "By what you want to know",
                json!({"query": "circular imports"}),
            ),
            Example::new("One tool in full", json!({"name": "analyze_complexity"})),
        ],
        reasons: &["unknown_tool"],
    }
}

pub(crate) fn finding(arguments: &Value) -> Result<Finding, Failure> {
    let detail = Detail::of(arguments);
    if let Some(name) = arguments["name"].as_str() {
        return one(name, detail);
    }
    let query = arguments["query"].as_str().unwrap_or_default();
    let asked = |name: &str| arguments[name].as_str();
    let matches = |entry: &&Entry| {
        asked("category").is_none_or(|category| entry.category == category)
            && asked("tag").is_none_or(|tag| entry.tags.contains(&tag.to_lowercase().as_str()))
            && asked("language").is_none_or(|language| analyses(entry, language))
    };
    let found = search::ranked(query, catalogue().iter().filter(matches));
    let tools: Vec<Value> = found
        .iter()
        .map(|(entry, score)| row(entry, *score))
        .collect();
    let shape = Shape::new(detail, LEAN);
    let mut text = String::new();
    for (entry, _) in &found {
        text.push_str(&format!("{}: {}\n", entry.name, entry.description));
    }
    let empty = found.is_empty().then(|| Empty {
        reason: "nothing_matched".to_owned(),
        message: format!(
            "no tool matches; all tools are {}",
            catalogue()
                .iter()
                .map(|entry| entry.name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    });
    Ok(Finding {
        page: Some(Page {
            total: tools.len(),
            returned: tools.len(),
            truncated: false,
            next_cursor: None,
        }),
        empty,
        ..Finding::plain(shape.value(json!({"tools": tools, "tool": null})), text)
    })
}

fn analyses(entry: &Entry, language: &str) -> bool {
    let languages = entry.meta["languages"].as_array();
    languages.is_some_and(|languages| languages.iter().any(|name| name == language))
}

fn row(entry: &Entry, score: f64) -> Value {
    json!({
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "category": entry.category,
        "tags": entry.tags,
        "cost": entry.meta["cost"],
        "score": (score * 100.0).round() / 100.0,
    })
}

fn one(name: &str, detail: Detail) -> Result<Finding, Failure> {
    let Some(entry) = entry(name) else {
        let hint =
            nearest_tool(name).map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        return Err(Failure::new(
            "unknown_tool",
            format!("there is no tool {name:?}{hint}"),
        ));
    };
    let data = match detail {
        Detail::Lean => Shape::new(detail, LEAN).value(json!({"tool": tool(entry)})),
        Detail::Full => json!({"tools": [row(entry, 0.0)], "tool": tool(entry)}),
    };
    debug_assert!(json_len(&data) < crate::answer::page::DEFAULT_MAX_BYTES);
    Ok(Finding::plain(data, tool_text(entry)))
}

fn tool(entry: &Entry) -> Value {
    let arguments: Vec<Value> = (entry.arguments.iter())
        .map(|argument| {
            json!({
                "name": argument.name,
                "required": argument.required,
                "schema": argument.schema,
                "means": argument.doc,
            })
        })
        .collect();
    let examples: Vec<Value> = (entry.examples.iter())
        .map(|example| json!({"title": example.title, "arguments": example.arguments}))
        .collect();
    let reasons: Vec<Value> = (entry.reasons.iter())
        .map(|name| {
            let row = reason::reason(name);
            json!({"reason": row.name, "code": row.code.name(), "recovery": row.recovery})
        })
        .collect();
    json!({
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "meta": entry.meta,
        "arguments": arguments,
        "returns": entry.returns,
        "examples": examples,
        "reasons": reasons,
        "output_schema": entry.full_schema,
    })
}

fn tool_text(entry: &Entry) -> String {
    let mut text = format!("{}: {}\narguments:\n", entry.name, entry.description);
    for argument in &entry.arguments {
        text.push_str(&format!(
            "  {} ({}): {}\n",
            argument.name,
            super::docs::kind_and_bounds(argument),
            argument.doc
        ));
    }
    text.push_str(&format!("returns: {}\n", entry.returns));
    for example in &entry.examples {
        text.push_str(&format!(
            "example, {}: {}\n",
            example.title, example.arguments
        ));
    }
    text.push_str(&format!("may fail with: {}\n", entry.reasons.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(query: &str) -> &'static str {
        let found = search::ranked(query, catalogue().iter());
        found.first().map_or("nothing", |(entry, _)| entry.name)
    }

    #[test]
    fn words_of_users_find_the_tool() {
        for (query, tool) in [
            ("which functions are too complicated", "analyze_complexity"),
            ("cyclomatic", "analyze_complexity"),
            ("find messy code", "analyze_complexity"),
            ("circular imports", "analyze_dependencies"),
            ("who depends on this module", "analyze_dependencies"),
            ("draw the architecture", "analyze_dependencies"),
            ("where is this class defined", "analyze_structure"),
            ("list all symbols of a file", "analyze_structure"),
            (
                "did my refactoring make it better or worse",
                "compare_results",
            ),
            ("what changed since the baseline", "compare_results"),
            ("several calls at once", "run_batch"),
            ("delete a session", "close_session"),
            ("start a new session", "create_session"),
            ("sessions that exist", "list_sessions"),
            ("earlier results", "get_session"),
            ("is the server healthy", "get_server_status"),
            ("versoin and limits", "get_server_status"),
        ] {
            assert_eq!(first(query), tool, "for {query:?}");
        }
    }

    #[test]
    fn a_query_without_matches_says_so() {
        let finding = finding(&json!({"query": "xylophone quark"})).unwrap();
        assert_eq!(finding.empty.unwrap().reason, "nothing_matched");
    }

    #[test]
    fn filters_narrow() {
        let finding = finding(&json!({"category": "sessions"})).unwrap();
        assert_eq!(finding.data["tools"].as_array().unwrap().len(), 4);
        let finding = super::finding(&json!({"language": "rust"})).unwrap();
        let names: Vec<_> = finding.data["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| &t["name"])
            .collect();
        assert!(
            names.contains(&&json!("analyze_structure"))
                && !names.contains(&&json!("list_sessions"))
        );
    }

    #[test]
    fn one_tool_has_examples_and_an_unknown_name_a_suggestion() {
        for entry in catalogue() {
            let finding = finding(&json!({"name": entry.name})).unwrap();
            assert!(
                finding.data["tool"]["examples"]
                    .as_array()
                    .is_some_and(|e| !e.is_empty())
            );
        }
        let failure = finding(&json!({"name": "analyse_complexity"})).unwrap_err();
        assert_eq!(failure.reason, "unknown_tool");
        assert!(failure.message.contains("analyze_complexity"));
    }
}
