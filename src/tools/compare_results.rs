//! `compare_results`: shows what got better or worse between two results of a session. It runs on the pool and reads
//! both whole results. For `now` the service first runs the baseline's tool again, and passes the id of that result.

use actors::ids::ResultId;
use actors::tool::{StoredResult, Tool, ToolContext, ToolError, ToolOutput};
use serde_json::{Map, Value, json};

use self::change::{Change, Changes, Sides};
use super::argument::{Argument, text};
use super::output::output_of_results;
use super::rows::{Functions, Graph, Kept, Rows, Symbols};
use super::shared::{Paging, detail, idempotency_key, paging, session_id};
use super::text::counted;
use super::whole::Whole;
use super::{Example, Kind, RESULT_ID, SESSION_ID, Spec};
use crate::answer::page::{Frame, Row, fit};
use crate::answer::{Empty, Failure};

mod change;
mod dependencies;
mod functions;
mod matching;
mod nearness;
mod schema;
mod structure;

pub(crate) const NAME: &str = "compare_results";
/// The value of `against` that runs the baseline's tool again and compares with that.
const AGAINST_NOW: &str = "now";
/// The names of the parts of a change, as JSON.
const CHANGE_BYTES: usize = 40;

/// Called from time to time; returns true if the work should stop.
type Stop<'s> = &'s dyn Fn() -> bool;

/// Arguments that define the subject of a result: if they differ, the answer says so.
const SELECTING: [&str; 11] = [
    "path",
    "include",
    "exclude",
    "include_skipped",
    "languages",
    "profile",
    "granularity",
    "cycles",
    "focus",
    "direction",
    "depth",
];

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Compare results",
        description: "What got better or worse between two results of a session, or a result and now; regressions \
                      first. Follows moved and renamed functions.",
        category: "analysis",
        tags: &["compare", "diff", "regression", "trend", "review"],
        words: &[
            "before",
            "after",
            "change",
            "changed",
            "difference",
            "delta",
            "worse",
            "better",
            "improve",
            "regress",
            "progress",
            "since",
            "then",
            "now",
            "baseline",
            "check",
            "verify",
            "refactoring",
            "pull",
            "request",
        ],
        kind: Kind::Analysis,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "medium",
        arguments: arguments(),
        data: schema::data(),
        lean: schema::LEAN,
        grouped: false,
        returns: "`summary` counts what changed, `totals` stand before and after (lean: `delta` alone), and one page of `changes`: for \
                  functions regressed, unparsed, added, changed, moved, renamed, improved, removed, with figures \
                  before and after (`unparsed`: missing at one time, since its file did not parse then); for dependencies edges, cycles, external packages and unresolved imports that came or went; \
                  for structure symbols added, removed, or with another signature. Results that are too large to be read \
                  again are compared, too.",
        examples: vec![
            Example::new(
                "What an edit did to complexity since a result",
                json!({"session_id": SESSION_ID, "baseline": RESULT_ID}),
            ),
            Example::new(
                "Between two results",
                json!({"session_id": SESSION_ID, "baseline": RESULT_ID, "against": RESULT_ID}),
            ),
        ],
        reasons: &[
            "session_required",
            "unknown_result",
            "result_not_stored",
            "different_tools",
            "cursor_stale",
        ],
    }
}

fn arguments() -> Vec<Argument> {
    let mut arguments = vec![
        session_id(),
        Argument::new(
            "baseline",
            text(),
            "earlier result_id",
            "The earlier result: a `result_id` of this session.",
        )
        .required(),
        Argument::new(
            "against",
            json!({"type": "string", "default": AGAINST_NOW}),
            "result_id or now",
            "The later result's id, or `now`: the baseline's tool is run again with its arguments.",
        ),
    ];
    arguments.extend(paging());
    arguments.push(detail());
    arguments.push(idempotency_key());
    arguments
}

/// The arguments that the service passes to the tool. `now` joins the pages of a comparison with now, whose runs
/// differ.
pub(crate) fn tool_arguments(given: &Value, baseline: ResultId, against: ResultId) -> Value {
    let mut arguments = json!({
        "baseline": baseline,
        "against": against,
        "now": is_now(given),
    });
    for name in ["limit", "cursor", "max_bytes", "detail"] {
        if let Some(value) = given.get(name) {
            arguments[name] = value.clone();
        }
    }
    arguments
}

pub(crate) fn is_now(arguments: &Value) -> bool {
    arguments["against"].as_str().unwrap_or(AGAINST_NOW) == AGAINST_NOW
}

pub(super) struct CompareResults;

impl Tool for CompareResults {
    fn name(&self) -> &'static str {
        NAME
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        let paging = paging_of(arguments)?;
        let read = |id: &Value| -> Result<Compared, ToolError> {
            if let Some(stop) = ctx.stop_reason() {
                return Err(stop);
            }
            let stored = ctx.results.get(self::id(id)?, ctx.deadline)?;
            Ok(Compared::read(stored)?)
        };
        // One at a time: as JSON a result takes several times the memory of its rows.
        let (baseline, baseline_rows) = read(&arguments["baseline"])?.into_parts();
        let (against, against_rows) = read(&arguments["against"])?.into_parts();
        same_tool(&baseline, &against)?;
        let stop = || ctx.stop_reason().is_some();
        let compared = Comparison::of(baseline_rows, against_rows, &stop);
        let Some(comparison) = compared else {
            return Err(ctx.stop_reason().unwrap_or_else(ToolError::cancelled));
        };
        Ok(answer(ctx, &baseline, &against, &comparison, &paging)?)
    }
}

/// A comparison with now runs the analysis again for each page, so its cursor must not depend on the run.
fn paging_of(arguments: &Value) -> Result<Paging, Failure> {
    let mut arguments = arguments.clone();
    if arguments["now"] == true {
        arguments["against"] = json!(AGAINST_NOW);
    }
    Paging::read(NAME, &arguments)
}

fn id(value: &Value) -> Result<ResultId, Failure> {
    ResultId::parse(value.as_str().unwrap_or_default())
        .map_err(|error| Failure::new("invalid_result_id", error.to_string()))
}

/// One of the two results, without its rows.
struct Side {
    id: ResultId,
    tool: String,
    arguments: Value,
    input_digest: String,
    created_ms: u64,
    totals: Value,
}

/// One of the two results.
struct Compared {
    side: Side,
    rows: Kept,
}

impl Compared {
    fn read(stored: StoredResult) -> Result<Self, Failure> {
        Ok(Self {
            rows: Kept::read(&stored.tool, &stored.whole)?,
            side: Side {
                id: stored.id,
                tool: stored.tool,
                arguments: stored.arguments,
                input_digest: stored.input_digest,
                created_ms: stored.created_ms,
                totals: stored.whole["data"]["totals"].clone(),
            },
        })
    }

    fn into_parts(self) -> (Side, Kept) {
        (self.side, self.rows)
    }
}

fn same_tool(baseline: &Side, against: &Side) -> Result<(), Failure> {
    if baseline.tool == against.tool {
        return Ok(());
    }
    Err(Failure::new(
        "different_tools",
        format!(
            "the baseline is of {}, the other of {}",
            baseline.tool, against.tool
        ),
    ))
}

/// The rows of both results, and the changes.
struct Comparison {
    rows: Both,
    changes: Changes,
}

enum Both {
    Functions(Functions, Functions),
    Symbols(Symbols, Symbols),
    Graph(Graph, Graph),
}

impl Comparison {
    /// `None`: the call should stop. Both results are of one tool, so they have the same sort of rows.
    fn of(before: Kept, after: Kept, stop: Stop<'_>) -> Option<Self> {
        let errors = Sides {
            before: &before.errors,
            after: &after.errors,
        };
        let rows = match (before.rows, after.rows) {
            (Rows::Functions(before), Rows::Functions(after)) => Both::Functions(before, after),
            (Rows::Symbols(before), Rows::Symbols(after)) => Both::Symbols(before, after),
            (Rows::Graph(before), Rows::Graph(after)) => Both::Graph(before, after),
            (Rows::Functions(_) | Rows::Symbols(_) | Rows::Graph(_), _) => return None,
        };
        let changes = match &rows {
            Both::Functions(before, after) => {
                functions::Both { before, after }.compare(errors, stop)
            }
            Both::Symbols(before, after) => structure::Both { before, after }.compare(errors, stop),
            Both::Graph(before, after) => dependencies::Both { before, after }.compare(stop),
        }?;
        Some(Self { rows, changes })
    }

    fn value(&self, change: &Change) -> Value {
        match &self.rows {
            Both::Functions(before, after) => functions::Both { before, after }.value(change),
            Both::Symbols(before, after) => structure::Both { before, after }.value(change),
            Both::Graph(before, after) => dependencies::Both { before, after }.value(change),
        }
    }

    fn line(&self, change: &Change) -> String {
        match &self.rows {
            Both::Functions(before, after) => functions::Both { before, after }.line(change),
            Both::Symbols(before, after) => structure::Both { before, after }.line(change),
            Both::Graph(before, after) => dependencies::Both { before, after }.line(change),
        }
    }
}

fn answer(
    ctx: &ToolContext,
    baseline: &Side,
    against: &Side,
    comparison: &Comparison,
    paging: &Paging,
) -> Result<ToolOutput, Failure> {
    let digest = format!("{} {}", baseline.input_digest, against.input_digest);
    let digest = blake3::hash(digest.as_bytes()).to_hex().to_string();
    let from = paging.offset(&digest)?;
    let changes = &comparison.changes;
    let total = changes.rows.len();
    let summary = changes.one_line();
    let differing = differing(&baseline.tool, &baseline.arguments, &against.arguments);
    let mut heading = format!("{} since {}: {summary}\n", baseline.tool, baseline.id);
    if !differing.is_empty() {
        heading.push_str(&format!(
            "careful: the two were made with different arguments: {}\n",
            differing.join(", ")
        ));
    }
    heading.push_str(&changes.unparsed.lines());
    let mut data = base(baseline, against, changes, &differing);
    let mut whole = Whole::new(ctx, data.clone());
    let rows = changes.rows.iter().map(|change| comparison.value(change));
    whole.add("changes", total * CHANGE_BYTES, rows);
    data.insert("changes".into(), json!([]));
    let shape = paging.shape(schema::LEAN);
    let frame = Frame {
        data,
        shape,
        grouped: false,
        droppable: &["totals", "differing_arguments"],
        heading,
    };
    let fitted = fit(frame, paging.budget, from, total, |at| {
        let change = &changes.rows[at];
        let mut shown = shape.part("changes", comparison.value(change));
        if let Some(shown) = shown.as_mut().filter(|_| shape.is_lean()) {
            leave_out_same(shown);
        }
        Row::new("changes", shown, &comparison.line(change))
    });
    let page = paging.page(&digest, from, fitted.returned, total);
    let identical = baseline.input_digest == against.input_digest;
    let empty = (total == 0).then(|| unchanged(identical, changes));
    let whole = whole.finish_comparison();
    Ok(output_of_results(
        fitted, page, empty, whole, summary, digest,
    ))
}

/// Adds the earlier position if it has changed.
fn leave_out_same(change: &mut Value) {
    for name in ["path", "qualified_name"] {
        let is = change[name].clone();
        let before = change.get_mut("before").and_then(Value::as_object_mut);
        if let Some(before) = before.filter(|before| before.get(name) == Some(&is)) {
            before.remove(name);
        }
    }
}

fn base(
    baseline: &Side,
    against: &Side,
    changes: &Changes,
    differing: &[&str],
) -> Map<String, Value> {
    let identical = baseline.input_digest == against.input_digest;
    let mut data = Map::new();
    data.insert("tool".into(), json!(baseline.tool));
    data.insert("baseline".into(), result(baseline));
    data.insert("against".into(), result(against));
    data.insert("identical_inputs".into(), json!(identical));
    data.insert("differing_arguments".into(), json!(differing));
    data.insert("summary".into(), changes.summary());
    data.insert(
        "totals".into(),
        change::totals(&baseline.totals, &against.totals),
    );
    data
}

fn unchanged(identical: bool, changes: &Changes) -> Empty {
    let compared = counted(changes.unchanged, "entry");
    let message = if identical {
        format!("nothing changed: no file differs, {compared} compared")
    } else {
        format!("files differ, but none of {compared} compared has changed")
    };
    Empty {
        reason: "nothing_matched".to_owned(),
        message,
    }
}

fn result(stored: &Side) -> Value {
    json!({
        "result_id": stored.id,
        "created": crate::answer::rfc3339(stored.created_ms),
        "input_digest": stored.input_digest,
    })
}

/// An absent argument counts as its default.
fn differing(tool: &str, before: &Value, after: &Value) -> Vec<&'static str> {
    let entry = super::entry(tool);
    let default = |name: &str| match entry {
        Some(entry) => &entry.input_schema["properties"][name]["default"],
        None => &Value::Null,
    };
    let differs = |name: &&str| {
        let of = |arguments: &'_ Value| {
            let given = &arguments[*name];
            (if given.is_null() {
                default(name)
            } else {
                given
            })
            .clone()
        };
        of(before) != of(after)
    };
    SELECTING.into_iter().filter(differs).collect()
}

#[cfg(test)]
mod tests;
