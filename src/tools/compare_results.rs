//! `compare_results`: what got better or worse between two results of a session. Runs on the pool and reads both
//! whole results; for `now` the service has run the baseline's tool again before and passes that result's id.

use actors::ids::ResultId;
use actors::tool::{StoredResult, Tool, ToolContext, ToolError, ToolOutput};
use serde_json::{Map, Value, json};

use self::change::{Change, Changes};
use super::argument::{Argument, text};
use super::output::{Whole, output_of_results};
use super::shared::{Paging, detail, idempotency_key, paging, session_id};
use super::text::counted;
use super::{Example, Kind, RESULT_ID, SESSION_ID, Spec};
use crate::answer::page::{Frame, Row, fit};
use crate::answer::{Empty, Failure};

mod change;
mod dependencies;
mod functions;
mod matching;
mod schema;
mod structure;

pub(crate) const NAME: &str = "compare_results";
/// The `against` that means: run the same again, and compare with that.
const AGAINST_NOW: &str = "now";
/// Arguments that decide what a result is about: where they differ, the answer says so.
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
                  functions regressed, added, changed, moved, renamed, improved, removed, with figures before and \
                  after; for dependencies edges, cycles, external packages and unresolved imports that came or went; \
                  for structure symbols added, removed, or with another signature.",
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

/// What the service passes to the tool; `now` keeps pages of a comparison with now together, whose runs differ.
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
        let baseline = ctx.results.get(id(&arguments["baseline"])?, ctx.deadline)?;
        let against = ctx.results.get(id(&arguments["against"])?, ctx.deadline)?;
        let changes = compare(&baseline, &against)?;
        if let Some(stop) = ctx.stop_reason() {
            return Err(stop);
        }
        Ok(answer(ctx, &baseline, &against, &changes, &paging)?)
    }
}

/// A comparison with now runs the analysis anew on each page: its cursor must not depend on which run that was.
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

fn compare(baseline: &StoredResult, against: &StoredResult) -> Result<Changes, Failure> {
    if baseline.tool != against.tool {
        return Err(Failure::new(
            "different_tools",
            format!(
                "the baseline is of {}, the other of {}",
                baseline.tool, against.tool
            ),
        ));
    }
    let (before, after) = (&baseline.whole["data"], &against.whole["data"]);
    match baseline.tool.as_str() {
        "analyze_complexity" => functions::compare(before, after),
        "analyze_dependencies" => dependencies::compare(before, after),
        "analyze_structure" => structure::compare(before, after),
        other => Err(Failure::new(
            "different_tools",
            format!("results of {other} cannot be compared, only those of analysis tools"),
        )),
    }
}

fn answer(
    ctx: &ToolContext,
    baseline: &StoredResult,
    against: &StoredResult,
    changes: &Changes,
    paging: &Paging,
) -> Result<ToolOutput, Failure> {
    let digest = format!("{} {}", baseline.input_digest, against.input_digest);
    let digest = blake3::hash(digest.as_bytes()).to_hex().to_string();
    let from = paging.offset(&digest)?;
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
    let mut data = base(baseline, against, changes, &differing);
    let mut whole = Whole::new(ctx, data.clone());
    let rows = changes.rows.iter().map(|change| change.value.clone());
    whole.add("changes", 0, rows);
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
        let Change { value, line, .. } = &changes.rows[at];
        let mut shown = shape.part("changes", value.clone());
        if let Some(shown) = shown.as_mut().filter(|_| shape.is_lean()) {
            leave_out_same(shown);
        }
        Row::new("changes", shown, line)
    });
    let page = paging.page(&digest, from, fitted.returned, total);
    let identical = baseline.input_digest == against.input_digest;
    let empty = (total == 0).then(|| unchanged(identical, changes));
    let whole = whole.finish(None);
    Ok(output_of_results(
        fitted, page, empty, whole, summary, digest,
    ))
}

/// Where it was before is said where it is elsewhere now.
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
    baseline: &StoredResult,
    against: &StoredResult,
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
    data.insert("totals".into(), changes.totals.clone());
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

fn result(stored: &StoredResult) -> Value {
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
        let of = |arguments: &'_ Value| match &arguments[*name] {
            Value::Null => default(name).clone(),
            given => given.clone(),
        };
        of(before) != of(after)
    };
    SELECTING.into_iter().filter(differs).collect()
}

#[cfg(test)]
mod tests;
