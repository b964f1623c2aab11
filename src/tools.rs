//! The tools: one list. Names, schemas, documentation, validation and the registry of the sessions are derived from it.

use std::sync::{Arc, LazyLock};

use actors::tool::{Catalogue, Tool};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::analysis::Language;
use crate::answer::lean::{Detail, Field};
use crate::answer::page::MAX_MAX_BYTES;
use crate::answer::{Failure, envelope, nearest, normalize, validation};

mod analyze_complexity;
mod analyze_dependencies;
mod analyze_structure;
mod analyzed;
pub use analyzed::DEFAULT_MEMORY;
pub(crate) use analyzed::{AnalysisCodec, namespace};
mod argument;
pub(crate) mod close_session;
pub(crate) mod compare_results;
pub(crate) mod create_session;
pub mod docs;
pub(crate) mod find_tools;
pub(crate) mod get_server_status;
pub(crate) mod get_session;
pub(crate) mod list_sessions;
mod names;
mod output;
pub mod read_access;
mod rows;
pub(crate) mod run_batch;
pub(crate) mod session_data;
pub(crate) mod shared;
mod text;
mod whole;

pub use argument::Argument;
pub(crate) use compare_results::NAME as COMPARE_RESULTS;
pub use read_access::ReadAccess;
pub(crate) use rows::{COMPACT, COMPACT_CAP};
pub use run_batch::{MAX_CALLS, MAX_CONCURRENT};
pub use whole::WHOLE_CAP;
pub(crate) use whole::reduced;

/// One tool.
pub struct Entry {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub category: &'static str,
    pub tags: &'static [&'static str],
    pub read_only: bool,
    pub idempotent: bool,
    pub destructive: bool,
    /// The schema that validates arguments.
    pub input_schema: Value,
    /// The schema in `tools/list`, without the bounds of values.
    pub listed_input_schema: Value,
    /// The schema of every answer, lean or full.
    pub output_schema: Value,
    /// The schema of full answers, with all names, for `find_tools` and the generated page.
    pub full_schema: Value,
    /// The fields of `data` in a lean answer.
    pub(crate) lean: &'static [Field],
    /// category, tags, languages, stability, version, cost class: `_meta` of `tools/list`.
    pub meta: Value,
    pub kind: Kind,
    pub arguments: Vec<Argument>,
    /// Words of users who want this tool but do not know its name.
    pub words: &'static [&'static str],
    /// A description of the answer.
    pub returns: &'static str,
    pub examples: Vec<Example>,
    /// The specific reasons of this tool; the page lists the reasons of all calls once.
    pub reasons: &'static [&'static str],
    input: Validator,
    output: Validator,
    full: Validator,
}

/// How a tool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On the pool, inside a session.
    Analysis,
    /// Answered by the service: sessions, status, discovery.
    Control,
    /// Expanded by the service into ordinary calls.
    Expanded,
}

/// A worked example. A test runs it on the tree of `tests/fixtures/sample`.
#[derive(Debug, Clone)]
pub struct Example {
    pub title: &'static str,
    /// May contain [`SESSION_ID`] and [`RESULT_ID`]: see [`Example::arguments_with`].
    pub arguments: Value,
}

/// Stands in examples for the id of an open session.
pub const SESSION_ID: &str = "ses_0123456789abcdef0123456789abcdef";
/// Stands in examples for the id of a stored result of analyze_complexity in that session.
pub const RESULT_ID: &str = "res_0123456789abcdef0123456789abcdef";

impl Example {
    pub(crate) fn new(title: &'static str, arguments: Value) -> Self {
        Self { title, arguments }
    }

    /// The arguments with existing ids.
    pub fn arguments_with(&self, session_id: &str, result_id: &str) -> Value {
        let text = self.arguments.to_string();
        let text = text
            .replace(SESSION_ID, session_id)
            .replace(RESULT_ID, result_id);
        // Ids have no characters that JSON escapes.
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// Several paths instead of `path`: only the command line has this argument.
pub const PATHS: &str = "paths";

/// The definition of a tool in its file.
struct Spec {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    category: &'static str,
    tags: &'static [&'static str],
    words: &'static [&'static str],
    kind: Kind,
    read_only: bool,
    idempotent: bool,
    destructive: bool,
    /// `low`: no code is read; `medium`: files are analysed once; `high`: many calls.
    cost: &'static str,
    arguments: Vec<Argument>,
    /// The schema of the full `data`.
    data: Value,
    /// The fields of it in a lean answer.
    lean: &'static [Field],
    /// A lean answer groups rows by file.
    grouped: bool,
    returns: &'static str,
    examples: Vec<Example>,
    reasons: &'static [&'static str],
}

impl From<Spec> for Entry {
    fn from(spec: Spec) -> Self {
        let input_schema = argument::input_schema(&spec.arguments);
        let full_schema = envelope::full_schema(&spec.data);
        let takes = |name: &str| spec.arguments.iter().any(|argument| argument.name == name);
        let answers = envelope::Answers {
            grouped: spec.grouped,
            pages: takes("cursor"),
            reads_code: spec.kind == Kind::Analysis,
            more: takes(Detail::ARGUMENT) || spec.kind == Kind::Expanded,
        };
        let output_schema = envelope::published(&spec.data, spec.lean, &answers);
        let reads_code = spec.kind == Kind::Analysis || spec.kind == Kind::Expanded;
        let languages: Vec<_> = Language::ALL
            .into_iter()
            .filter(|_| reads_code)
            .map(Language::name)
            .collect();
        let meta = json!({
            "category": spec.category,
            "tags": spec.tags,
            "languages": languages,
            "stability": "stable",
            "version": env!("CARGO_PKG_VERSION"),
            "cost": spec.cost,
        });
        let listed = spec.arguments.iter().filter(|argument| argument.listed);
        let listed: Vec<_> = listed.cloned().collect();
        Self {
            name: spec.name,
            title: spec.title,
            description: spec.description,
            category: spec.category,
            tags: spec.tags,
            read_only: spec.read_only,
            idempotent: spec.idempotent,
            destructive: spec.destructive,
            input: validation::compile(&input_schema),
            output: validation::compile(&output_schema),
            listed_input_schema: argument::listed(&argument::input_schema(&listed)),
            full: validation::compile(&full_schema),
            input_schema,
            output_schema,
            full_schema,
            lean: spec.lean,
            meta,
            kind: spec.kind,
            arguments: spec.arguments,
            words: spec.words,
            returns: spec.returns,
            examples: spec.examples,
            reasons: spec.reasons,
        }
    }
}

impl Entry {
    /// Converts a client's arguments to the form that the schema describes; see [`normalize::normalized`].
    pub(crate) fn normalized(&self, arguments: Value) -> Value {
        if arguments.is_null() {
            return json!({});
        }
        normalize::normalized(&self.input_schema, arguments, &shared::EMPTY_IS_ABSENT)
    }

    /// Checks arguments against the input schema. Only with `allow_unlimited` may `limit` be 0 (all rows), `max_bytes`
    /// exceed the limit of a message, and [`PATHS`] be set.
    pub fn check(&self, arguments: &Value, allow_unlimited: bool) -> Result<(), Failure> {
        if !allow_unlimited {
            return validation::check(&self.input, &self.input_schema, arguments);
        }
        let mut bounded = arguments.clone();
        if bounded["limit"] == 0 {
            bounded["limit"] = json!(1);
        }
        let most = MAX_MAX_BYTES as u64;
        if bounded["max_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > most)
        {
            bounded["max_bytes"] = json!(most);
        }
        bounded.as_object_mut().map(|bounded| bounded.remove(PATHS));
        validation::check(&self.input, &self.input_schema, &bounded)
    }

    /// All differences between an answer of this tool and its schemas. Any difference is a bug.
    pub fn output_errors(&self, structured: &Value) -> Vec<String> {
        let mut errors = validation::all_errors(&self.output, structured);
        // Only a full answer has metadata.
        if structured.get("metadata").is_some() {
            errors.extend(validation::all_errors(&self.full, structured));
        }
        errors
    }

    pub fn has_argument(&self, name: &str) -> bool {
        self.arguments.iter().any(|argument| argument.name == name)
    }
}

static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    [
        analyze_complexity::spec(),
        analyze_dependencies::spec(),
        analyze_structure::spec(),
        compare_results::spec(),
        run_batch::spec(),
        create_session::spec(),
        get_session::spec(),
        list_sessions::spec(),
        close_session::spec(),
        find_tools::spec(),
        get_server_status::spec(),
    ]
    .map(Entry::from)
    .into()
});

/// In the fixed order of `tools/list`.
pub fn catalogue() -> &'static [Entry] {
    &CATALOGUE
}

pub fn entry(name: &str) -> Option<&'static Entry> {
    catalogue().iter().find(|entry| entry.name == name)
}

/// The most similar name of a tool.
pub fn nearest_tool(name: &str) -> Option<&'static str> {
    nearest(name, catalogue().iter().map(|entry| entry.name))
}

/// All differences between an answer and its tool's output schema. Any difference is a bug.
pub fn output_errors(tool: &str, structured: &Value) -> Vec<String> {
    match entry(tool) {
        Some(entry) => entry.output_errors(structured),
        None => vec![format!("there is no tool {tool:?}")],
    }
}

/// The analysis tools among them, for `actors::Sessions::start`.
pub fn analysis_tools(reach: &ReadAccess) -> Catalogue {
    let tools: [Arc<dyn Tool>; 4] = [
        Arc::new(analyze_complexity::AnalyzeComplexity(reach.clone())),
        Arc::new(analyze_dependencies::AnalyzeDependencies(reach.clone())),
        Arc::new(analyze_structure::AnalyzeStructure(reach.clone())),
        Arc::new(compare_results::CompareResults),
    ];
    Catalogue::new(tools)
}

#[cfg(test)]
mod tests;
