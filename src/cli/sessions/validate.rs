//! `sessions validate`: checks exported sessions against the published schema, and whether they can run.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

use actors::operator::{self, ExportedSession};
use clap::Args;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::super::{complain, print, printable};
use super::{Exit, Format, input, pretty};
use crate::answer::validation;

/// The published schema of a line.
pub(super) const SCHEMA: &str = include_str!("../../../docs/session-export.schema.json");
/// Problems shown for one line: the first ones explain the rest.
const TOLD: usize = 5;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "a constant of the program; a test reads it"
    )]
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    validation::compile(&schema)
});

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files from `sessions export`; `-` reads stdin
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl Validate {
    pub(super) fn run(&self) -> Exit {
        let (mut sessions, mut wrong) = (0_u64, Vec::new());
        for file in &self.files {
            let name = file.to_string_lossy();
            let read = input::each_line(file, |line, text| {
                sessions += 1;
                if let Err(problems) = check(text) {
                    wrong.push(json!({"file": name, "line": line, "problems": problems}));
                }
            });
            if let Err(error) = read {
                complain(&format!("{}: {error}", printable(&name)));
                return Exit::NoInput;
            }
        }
        let found = !wrong.is_empty();
        let printed = print(&match self.format {
            Format::Json => pretty(&json!({"sessions": sessions, "invalid": wrong})),
            Format::Table => text(sessions, &wrong),
        });
        if found { Exit::Finding } else { printed }
    }
}

fn text(sessions: u64, wrong: &[Value]) -> String {
    let mut text = String::new();
    for line in wrong {
        let file = printable(line["file"].as_str().unwrap_or_default());
        for problem in line["problems"].as_array().into_iter().flatten() {
            let problem = printable(problem.as_str().unwrap_or_default());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{file}:{}: {problem}", line["line"]);
        }
    }
    let _ = writeln!(text, "{sessions} sessions, {} not valid", wrong.len());
    text
}

/// The session of a line, or its problems.
pub(super) fn check(line: &str) -> Result<ExportedSession, Vec<String>> {
    let value: Value = serde_json::from_str(line).map_err(|error| vec![error.to_string()])?;
    let mut problems = validation::all_errors(&VALIDATOR, &value);
    if !problems.is_empty() {
        problems.truncate(TOLD);
        return Err(problems);
    }
    let session: ExportedSession =
        serde_json::from_value(value).map_err(|error| vec![error.to_string()])?;
    operator::check(&session).map_err(|unfit| vec![unfit.to_string()])?;
    Ok(session)
}
