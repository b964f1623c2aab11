//! `tools`: the catalogue of tools for agents.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::screen::{Color, Screen};
use super::table::Page;
use super::{Exit, complain, print};
use crate::tools::{Entry, catalogue};

#[derive(Debug, Args)]
pub struct Tools {
    /// Describe this tool in full
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    /// The same JSON as `tools/list`
    Json,
    Markdown,
}

impl Tools {
    /// Prints the catalogue, or one of its tools.
    pub fn run(&self) -> Exit {
        let Some(name) = &self.name else {
            return print(&self.list(catalogue()));
        };
        if let Some(entry) = catalogue().iter().find(|entry| entry.name == name) {
            return print(&self.one(entry));
        }
        let names: Vec<_> = catalogue().iter().map(|entry| entry.name).collect();
        complain(&format!(
            "there is no tool {name:?}: the tools are {}",
            names.join(", ")
        ));
        Exit::Usage
    }

    fn list(&self, entries: &[Entry]) -> String {
        match self.format {
            Format::Text => entries
                .iter()
                .map(|entry| format!("{:<24} {}\n", entry.name, entry.title))
                .collect(),
            Format::Json => pretty(&entries.iter().map(listed).collect()),
            Format::Markdown => entries.iter().map(markdown).collect::<Vec<_>>().join("\n"),
        }
    }

    fn one(&self, entry: &Entry) -> String {
        match self.format {
            Format::Text => text(entry, Screen::stdout(Color::Auto)),
            Format::Json => pretty(&listed(entry)),
            Format::Markdown => markdown(entry),
        }
    }
}

fn listed(entry: &Entry) -> Value {
    json!({
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "inputSchema": entry.listed_input_schema,
        "outputSchema": entry.output_schema,
        "annotations": {
            "readOnlyHint": entry.read_only,
            "idempotentHint": entry.idempotent,
            "destructiveHint": entry.destructive,
            "openWorldHint": false,
        },
        "_meta": entry.meta,
    })
}

fn pretty(value: &Value) -> String {
    // All keys are strings, so this cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn text(entry: &Entry, screen: Screen) -> String {
    let mut page = Page::new(screen);
    page.title(&format!("{}: {}", entry.name, entry.title));
    page.line("");
    page.say(entry.description);
    for argument in arguments(entry) {
        page.line("");
        let required = if argument.required { ", required" } else { "" };
        page.indented(
            2,
            &format!("{}: {}{required}", argument.name, argument.shape),
        );
        page.indented(6, argument.description);
    }
    if !entry.returns.is_empty() {
        page.line("");
        page.indented(0, &format!("Answers with: {}", entry.returns));
    }
    for example in &entry.examples {
        page.line("");
        page.indented(0, &format!("{}:", example.title));
        // Not wrapped, because people copy it.
        page.line(&format!("  {}", example.arguments));
    }
    page.end()
}

fn markdown(entry: &Entry) -> String {
    let mut text = format!(
        "## `{}`\n\n{}. {}\n\n| argument | type | |\n|---|---|---|\n",
        entry.name, entry.title, entry.description
    );
    for argument in arguments(entry) {
        let required = if argument.required {
            "**required.** "
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {required}{} |",
            argument.name,
            argument.shape.replace('|', "\\|"),
            argument.description.replace('|', "\\|"),
        );
    }
    text
}

struct Argument<'e> {
    name: &'e str,
    shape: String,
    description: &'e str,
    required: bool,
}

/// Arguments with the full documentation of the generated page; the schemas for agents are shorter.
fn arguments(entry: &Entry) -> Vec<Argument<'_>> {
    let arguments = entry.arguments.iter();
    let arguments = arguments.map(|argument| Argument {
        name: argument.name,
        shape: shape(&argument.schema),
        description: argument.doc,
        required: argument.required,
    });
    arguments.collect()
}

/// `string`, `a | b | c`, `integer`, `[string]`, with the default.
fn shape(property: &Value) -> String {
    let choices = property["enum"].as_array();
    let base = match (choices, property["type"].as_str()) {
        (Some(choices), _) => choices.iter().map(plain).collect::<Vec<_>>().join(" | "),
        (None, Some("array")) => match property["items"]["enum"].as_array() {
            Some(choices) => format!(
                "[{}]",
                choices.iter().map(plain).collect::<Vec<_>>().join(" | ")
            ),
            None => format!(
                "[{}]",
                property["items"]["type"].as_str().unwrap_or("object")
            ),
        },
        (None, Some(name)) => name.to_owned(),
        (None, None) => "any".to_owned(),
    };
    match property.get("default") {
        Some(default) => format!("{base} (default {})", plain(default)),
        None => base,
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_short_and_readable() {
        for (property, expected) in [
            (json!({"type": "string"}), "string"),
            (
                json!({"enum": ["a", "b"], "default": "a"}),
                "a | b (default a)",
            ),
            (
                json!({"type": "array", "items": {"enum": ["x", "y"]}}),
                "[x | y]",
            ),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                "[string]",
            ),
            (
                json!({"type": "integer", "default": 50}),
                "integer (default 50)",
            ),
        ] {
            assert_eq!(shape(&property), expected);
        }
    }
}
