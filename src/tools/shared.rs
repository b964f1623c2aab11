//! The arguments that the analysis tools share.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::argument::{Argument, integer, one_of, text};
use crate::analysis::{Language, Profile};
use crate::answer::cursor::{Cursor, Short, short};
use crate::answer::lean::{Detail, Field, Shape};
use crate::answer::page::{
    Budget, DEFAULT_LIMIT, DEFAULT_MAX_BYTES, MAX_LIMIT, MAX_MAX_BYTES, MIN_MAX_BYTES, Page,
    json_len,
};
use crate::answer::{Coverage, Failure};
use crate::workspace::{Lift, Selection};

/// Globs in one list: instead of more, use one with braces.
const MAX_GLOBS: usize = 100;
/// Longest idempotency key; a UUID has 36.
const MAX_KEY_LEN: usize = 128;

/// Arguments that change only how an answer is sent or how much is shown, not its content.
const NOT_WHAT: [&str; 6] = [
    Detail::ARGUMENT,
    "session_id",
    "idempotency_key",
    "cursor",
    "limit",
    "max_bytes",
];

/// Arguments for the service only; a tool never gets them.
pub(crate) const ROUTING: [&str; 2] = ["session_id", "idempotency_key"];

/// Ids and cursors: some clients send `""` if they have none.
pub(crate) const EMPTY_IS_ABSENT: [&str; 7] = [
    "session_id",
    "idempotency_key",
    "cursor",
    "baseline",
    "against",
    "focus",
    "name",
];

// === declarations ===

/// `path`, then the tool's own arguments, then the shared ones.
pub(crate) fn with_shared(own: Vec<Argument>) -> Vec<Argument> {
    let globs = json!({"type": "array", "items": {"type": "string"}, "maxItems": MAX_GLOBS});
    let languages: Vec<_> = Language::ALL.map(Language::name).into();
    let mut all = vec![Argument::new(
        "path",
        json!({"type": "string", "default": "."}),
        "file or folder",
        "File or folder to look at, relative to the root, with `/`; with several roots it starts with the root's \
             name. An absolute path is accepted if it is inside a root.",
    )];
    all.extend(own);
    all.extend([
        session_id(),
        Argument::new(
            "include",
            globs.clone(),
            "globs to keep",
            "Globs on paths: only files that match one of them.",
        ),
        Argument::new(
            "exclude",
            globs,
            "globs to leave out",
            "Globs on paths: files that match one of them are left out.",
        ),
        Argument::new(
            "include_skipped",
            json!({"type": "array", "items": {"type": "string"}}),
            "e.g. generated",
            "Files that are left out by default, to analyse anyway: `generated`, `vendored`, `hidden`, `ignored`, \
             `minified`, `build_output`.",
        ),
        Argument::new(
            "languages",
            json!({"type": "array", "items": {"type": "string", "enum": languages}}),
            "only these",
            "Only files in these languages; `typescript` includes `tsx`.",
        ),
        profile().unlisted(),
    ]);
    all.extend(paging());
    all.push(detail());
    all.push(idempotency_key());
    all
}

/// For the analysis that uses the profile: `tools/list` has the argument.
pub(crate) fn counted_by_profile(mut arguments: Vec<Argument>) -> Vec<Argument> {
    for argument in &mut arguments {
        argument.listed |= argument.name == "profile";
    }
    arguments
}

/// Every analysis accepts the profile, but only one uses it.
pub(crate) fn profile() -> Argument {
    let profiles: Vec<_> = Profile::ALL.map(Profile::name).into();
    Argument::new(
        "profile",
        one_of(&profiles, "strict"),
        "whose way of counting",
        "The convention of counting for `cyclomatic`: that of the linter with this name.",
    )
}

pub(crate) fn detail() -> Argument {
    Argument::new(
        Detail::ARGUMENT,
        json!({"type": "string", "enum": Detail::NAMES}),
        "full: every field",
        "`lean`, the default: the fields marked below, without null, empty and usual values. `full`: every field.",
    )
}

pub(crate) fn session_id() -> Argument {
    Argument::new(
        "session_id",
        text(),
        "from create_session",
        "The session to run in, from create_session. Without it: the connection's own, or a throwaway one.",
    )
}

pub(crate) fn idempotency_key() -> Argument {
    Argument::new(
        "idempotency_key",
        json!({"type": "string", "minLength": 1, "maxLength": MAX_KEY_LEN}),
        "same key, same answer",
        "A call with the same key and arguments returns the answer of the first call. Needs a session.",
    )
}

pub(crate) fn paging() -> Vec<Argument> {
    vec![limit(), cursor(), max_bytes()]
}

pub(crate) fn limit() -> Argument {
    let mut schema = integer(1, MAX_LIMIT as u64);
    schema["default"] = json!(DEFAULT_LIMIT);
    Argument::new("limit", schema, "rows", "Maximum rows of a page.")
}

pub(crate) fn cursor() -> Argument {
    Argument::new(
        "cursor",
        text(),
        "page.next_cursor",
        "`page.next_cursor` of the previous answer, for the next page, with the same arguments.",
    )
}

pub(crate) fn max_bytes() -> Argument {
    let mut schema = integer(MIN_MAX_BYTES as u64, MAX_MAX_BYTES as u64);
    schema["default"] = json!(DEFAULT_MAX_BYTES);
    Argument::new(
        "max_bytes",
        schema,
        "size of the answer",
        "Maximum size of the text, and of the structured part as JSON. Pages have complete rows, at least one; notices \
         are not counted.",
    )
}

// === reading ===

/// The shared arguments of one call, validated and with their defaults.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) selection: Selection,
    pub(crate) profile: Profile,
    pub(crate) paging: Paging,
}

impl Shared {
    /// Fails if the cursor does not belong to these arguments.
    pub(crate) fn read(tool: &str, arguments: &Value) -> Result<Self, Failure> {
        let path = arguments["path"].as_str().unwrap_or_default();
        let path = if path == "." { "" } else { path };
        Ok(Self {
            selection: Selection {
                path: path.to_owned(),
                paths: strings(&arguments[super::PATHS]),
                include: strings(&arguments["include"]),
                exclude: strings(&arguments["exclude"]),
                languages: languages(&arguments["languages"]),
                include_skipped: lifts(&arguments["include_skipped"])?,
            },
            profile: arguments["profile"]
                .as_str()
                .and_then(Profile::from_name)
                .unwrap_or_default(),
            paging: Paging::read(tool, arguments)?,
        })
    }
}

/// The page: its position, rows and bytes.
#[derive(Debug)]
pub(crate) struct Paging {
    pub(crate) budget: Budget,
    detail: Detail,
    arguments: Short,
    cursor: Option<Cursor>,
}

impl Paging {
    pub(crate) fn read(tool: &str, arguments: &Value) -> Result<Self, Failure> {
        let digest = short(&canonical(tool, arguments));
        let cursor = match arguments["cursor"].as_str() {
            None => None,
            Some(text) => Some(Cursor::open(text, digest)?),
        };
        let detail = Detail::of(arguments);
        Ok(Self {
            budget: Budget::new(rows(arguments), bytes(arguments), detail),
            detail,
            arguments: digest,
            cursor,
        })
    }

    /// The projection to these lean fields.
    pub(crate) fn shape(&self, fields: &'static [Field]) -> Shape {
        Shape::new(self.detail, fields)
    }

    /// The budget next to these other parts.
    pub(crate) fn budget_beside(&self, coverage: &Coverage) -> Budget {
        self.budget.beside(json_len(coverage))
    }

    /// The number of rows on earlier pages.
    pub(crate) fn offset(&self, input_digest: &str) -> Result<usize, Failure> {
        let Some(cursor) = &self.cursor else {
            return Ok(0);
        };
        cursor.check_inputs(short(input_digest))?;
        Ok(usize::try_from(cursor.mark).unwrap_or(usize::MAX))
    }

    /// The last row of the previous page, if rows are listed by id: see [`Paging::page_after`].
    pub(crate) fn after(&self) -> Option<(u64, u128)> {
        let cursor = self.cursor?;
        Some((u64::from_le_bytes(cursor.inputs), cursor.mark))
    }

    /// A page of rows that come and go, so there is no digest of them: the cursor names the last row shown.
    pub(crate) fn page_after(
        &self,
        returned: usize,
        total: usize,
        truncated: bool,
        last: (u64, u128),
    ) -> Page {
        self.page_marked(last.0.to_le_bytes(), returned, total, truncated, last.1)
    }

    pub(crate) fn page(&self, digest: &str, from: usize, returned: usize, total: usize) -> Page {
        let end = from.saturating_add(returned);
        self.page_marked(short(digest), returned, total, end < total, end as u128)
    }

    fn page_marked(
        &self,
        inputs: Short,
        returned: usize,
        total: usize,
        truncated: bool,
        mark: u128,
    ) -> Page {
        let cursor = Cursor {
            arguments: self.arguments,
            inputs,
            mark,
        };
        Page {
            total,
            returned,
            truncated,
            next_cursor: truncated.then(|| cursor.seal()),
        }
    }
}

/// The arguments with a default added, if it was not given.
pub(crate) fn with_given(arguments: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut arguments = arguments.clone();
    if arguments[name].is_null() {
        arguments[name] = value.into();
    }
    arguments
}

/// `limit`; 0 means all rows, which only the command line may request.
pub(crate) fn rows(arguments: &Value) -> usize {
    match arguments["limit"].as_u64() {
        None => DEFAULT_LIMIT,
        Some(0) => usize::MAX,
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
    }
}

/// `max_bytes`; if all rows are requested, there is no default limit.
pub(crate) fn bytes(arguments: &Value) -> usize {
    match arguments["max_bytes"].as_u64() {
        Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        None if rows(arguments) == usize::MAX => usize::MAX,
        None => DEFAULT_MAX_BYTES,
    }
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The tool and the arguments that select the rows, in a canonical form that does not depend on their order.
fn canonical(tool: &str, arguments: &Value) -> String {
    let what: BTreeMap<&String, &Value> = arguments
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !NOT_WHAT.contains(&name.as_str()))
        .collect();
    format!("{tool} {}", json!(what))
}

fn lifts(value: &Value) -> Result<Vec<Lift>, Failure> {
    let read = |name: &String| {
        let kinds = Lift::ALL.map(Lift::name);
        let message = || {
            format!(
                "/include_skipped: {name:?} is not a kind of files that are left out: {}",
                kinds.join(", ")
            )
        };
        Lift::from_name(name).ok_or_else(|| Failure::new("invalid_argument", message()))
    };
    strings(value).iter().map(read).collect()
}

fn languages(value: &Value) -> Vec<Language> {
    let mut languages: Vec<_> = strings(value)
        .iter()
        .filter_map(|name| Language::from_name(name))
        .collect();
    // To users, both are TypeScript.
    if languages.contains(&Language::TypeScript) && !languages.contains(&Language::Tsx) {
        languages.push(Language::Tsx);
    }
    languages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_for_any_argument_order_and_page_size() {
        let first = Paging::read("t", &json!({"path": "a", "sort_by": "x"})).unwrap();
        let cursor = first.page("digest", 0, 10, 20).next_cursor.unwrap();
        let again =
            json!({"sort_by": "x", "path": "a", "limit": 5, "max_bytes": 2000, "cursor": cursor});
        let next = Paging::read("t", &again).unwrap();
        assert_eq!(next.offset("digest").unwrap(), 10);
        assert_eq!(next.offset("changed").unwrap_err().reason, "cursor_stale");
        assert_eq!(next.budget.rows, 5);
    }

    #[test]
    fn a_cursor_of_other_arguments_or_another_tool_is_refused() {
        let first = Paging::read("t", &json!({"path": "a"})).unwrap();
        let cursor = first.page("digest", 0, 10, 20).next_cursor.unwrap();
        for (tool, path) in [("t", "b"), ("u", "a")] {
            let refused = Paging::read(tool, &json!({"path": path, "cursor": cursor.clone()}));
            assert_eq!(refused.unwrap_err().reason, "cursor_mismatch");
        }
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let paging = Paging::read("t", &json!({})).unwrap();
        let page = paging.page("digest", 10, 10, 20);
        assert!(!page.truncated && page.next_cursor.is_none());
    }

    #[test]
    fn typescript_includes_tsx() {
        let shared = Shared::read("t", &json!({"languages": ["typescript"], "path": "."})).unwrap();
        assert_eq!(
            shared.selection.languages,
            [Language::TypeScript, Language::Tsx]
        );
        assert_eq!(shared.selection.path, "");
    }
}
