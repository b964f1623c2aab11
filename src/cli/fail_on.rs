//! `--fail-on 'cyclomatic>20'`: conditions over all analysed files, not only over the rows shown.

use std::cmp::Ordering;
use std::str::FromStr;

use serde_json::{Value, json};
use thiserror::Error;

use super::arguments::{Kind, Selection, page};
use super::run::{Run, parse_errors};
use super::{Exit, complain, printable};

const NOTHING: &str = "nothing was analysed, so --fail-on cannot be checked: correct PATH, --include, --exclude and \
                       --languages, or permit that with --allow-empty";
/// Findings that are listed; the others are only counted.
const LISTED: usize = 100;

/// Metrics of every function, and their places in a row of `functions`.
const OF_FUNCTIONS: [(&str, &str); 13] = [
    ("cyclomatic", "/own/cyclomatic"),
    ("cyclomatic_modified", "/own/cyclomatic_modified"),
    ("cognitive", "/own/cognitive"),
    ("total_cyclomatic", "/total/cyclomatic"),
    ("total_cognitive", "/total/cognitive"),
    ("maintainability_index", "/maintainability_index"),
    ("halstead_volume", "/halstead/volume"),
    ("sloc", "/sloc"),
    ("ploc", "/ploc"),
    ("cloc", "/cloc"),
    ("lloc", "/lloc"),
    ("max_nesting", "/max_nesting"),
    ("parameters", "/parameters"),
];
/// A total of the dependency graph.
const OF_GRAPH: [&str; 2] = ["cycles", "unresolved"];
/// The number of files with parse errors, from the coverage.
const PARSE_ERRORS: &str = "parse_errors";

/// One condition, as `metric operator number`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    metric: Metric,
    operator: Operator,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    Function {
        name: &'static str,
        pointer: &'static str,
    },
    Graph(&'static str),
    ParseErrors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Unequal,
}

/// Longest first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 7] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Equal),
];

#[derive(Debug, Clone, PartialEq, Error)]
pub(super) enum Invalid {
    #[error(
        "{0:?} is not a condition: write a metric, one of > >= < <= == !=, and a number, as in cyclomatic>20"
    )]
    Shape(String),
    #[error("there is no metric {name:?}: the metrics are {}", known())]
    Metric { name: String },
    #[error("{0:?} is not a number")]
    Number(String),
}

fn known() -> String {
    let functions = OF_FUNCTIONS.iter().map(|(name, _)| *name);
    let names: Vec<_> = functions.chain(OF_GRAPH).chain([PARSE_ERRORS]).collect();
    names.join(", ")
}

impl FromStr for Condition {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (at, sign, operator) = OPERATORS
            .iter()
            .filter_map(|(sign, operator)| Some((text.find(sign)?, *sign, *operator)))
            // The first operator in the text. If two start there, the longer one, which is listed first.
            .reduce(|best, next| if next.0 < best.0 { next } else { best })
            .ok_or_else(|| Invalid::Shape(text.to_owned()))?;
        let (name, bound) = (text[..at].trim(), text[at + sign.len()..].trim());
        if name.is_empty() || bound.is_empty() {
            return Err(Invalid::Shape(text.to_owned()));
        }
        Ok(Self {
            metric: metric(name)?,
            operator,
            bound: number(bound)?,
        })
    }
}

fn metric(name: &str) -> Result<Metric, Invalid> {
    if let Some((name, pointer)) = OF_FUNCTIONS.iter().find(|(known, _)| *known == name) {
        return Ok(Metric::Function { name, pointer });
    }
    if name == PARSE_ERRORS {
        return Ok(Metric::ParseErrors);
    }
    OF_GRAPH
        .into_iter()
        .find(|known| *known == name)
        .map(Metric::Graph)
        .ok_or_else(|| Invalid::Metric {
            name: name.to_owned(),
        })
}

fn number(text: &str) -> Result<f64, Invalid> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| Invalid::Number(text.to_owned()))
}

impl Condition {
    fn holds(&self, value: f64) -> bool {
        let Some(ordering) = value.partial_cmp(&self.bound) else {
            return false;
        };
        match self.operator {
            Operator::Above => ordering == Ordering::Greater,
            Operator::AtLeast => ordering != Ordering::Less,
            Operator::Below => ordering == Ordering::Less,
            Operator::AtMost => ordering != Ordering::Greater,
            Operator::Equal => ordering == Ordering::Equal,
            Operator::Unequal => ordering != Ordering::Equal,
        }
    }

    fn text(&self) -> String {
        let sign = OPERATORS
            .iter()
            .find_map(|(sign, operator)| (*operator == self.operator).then_some(*sign))
            .unwrap_or_default();
        format!("{sign} {}", self.bound)
    }

    /// The findings in the answers of one analysis, one per line.
    fn findings(&self, kind: Kind, envelope: &Value, unparsed: &[String]) -> Vec<String> {
        match (self.metric, kind) {
            (Metric::Function { name, pointer }, Kind::Complexity) => {
                self.in_functions(name, pointer, &envelope["data"]["functions"])
            }
            (Metric::ParseErrors, Kind::Complexity) => {
                let count = parse_errors(&envelope["coverage"]);
                let found = self.of_whole(PARSE_ERRORS, Some(count as f64));
                let files = unparsed.iter().filter(|_| !found.is_empty());
                let files = files.map(|path| format!("{}: does not parse", printable(path)));
                files.chain(found.iter().cloned()).collect()
            }
            (Metric::Graph(name), Kind::Dependencies) => {
                self.of_whole(name, envelope["data"]["totals"][name].as_f64())
            }
            (Metric::Function { .. } | Metric::ParseErrors | Metric::Graph(_), _) => Vec::new(),
        }
    }

    fn in_functions(&self, name: &str, pointer: &str, functions: &Value) -> Vec<String> {
        let rows = functions.as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter()
            .filter_map(|row| {
                let value = row.pointer(pointer)?.as_f64()?;
                self.holds(value).then(|| {
                    printable(&format!(
                        "{}:{}: {}: {name} {value} {}",
                        row["path"].as_str().unwrap_or_default(),
                        row["start_line"],
                        row["qualified_name"].as_str().unwrap_or_default(),
                        self.text(),
                    ))
                })
            })
            .collect()
    }

    fn of_whole(&self, name: &str, value: Option<f64>) -> Vec<String> {
        value
            .filter(|value| self.holds(*value))
            .map(|value| format!("{name} {value} {}", self.text()))
            .into_iter()
            .collect()
    }

    fn kind(&self) -> Kind {
        match self.metric {
            Metric::Function { .. } | Metric::ParseErrors => Kind::Complexity,
            Metric::Graph(_) => Kind::Dependencies,
        }
    }
}

/// Runs the analyses that the conditions need, on all files, and lists the findings on stderr.
pub(super) async fn judge(
    run: &Run,
    selection: &Selection,
    conditions: &[Condition],
    allow_empty: bool,
) -> Result<Exit, Exit> {
    let mut findings = Vec::new();
    let mut nothing = false;
    for kind in [Kind::Complexity, Kind::Dependencies] {
        let of_kind: Vec<_> = conditions
            .iter()
            .filter(|condition| condition.kind() == kind)
            .collect();
        if of_kind.is_empty() {
            continue;
        }
        let mut arguments = selection.shared(&run.targets)?;
        match kind {
            Kind::Complexity => {
                arguments.extend(page(0));
                arguments.insert("level".to_owned(), json!("functions"));
            }
            // The totals cover the whole graph, even if few rows are listed.
            Kind::Dependencies | Kind::Structure => arguments.extend(page(1)),
        }
        let answer = run.call(kind.tool(), arguments).await?;
        let coverage = &answer.structured["coverage"];
        nothing |= coverage["files_analyzed"].as_u64() == Some(0);
        let unparsed = match of_kind
            .iter()
            .any(|condition| condition.metric == Metric::ParseErrors)
        {
            true => run.unparsed(selection, coverage).await?,
            false => Vec::new(),
        };
        for condition in of_kind {
            findings.extend(condition.findings(kind, &answer.structured, &unparsed));
        }
    }
    if nothing && !allow_empty {
        complain(NOTHING);
        return Ok(Exit::NoInput);
    }
    if findings.is_empty() {
        return Ok(Exit::Ok);
    }
    // Without the program's name: editors and CI find `path:line:` at the start of a line.
    for finding in findings.iter().take(LISTED) {
        otel::stderr::say(finding);
    }
    if let Some(more) = findings.len().checked_sub(LISTED).filter(|more| *more > 0) {
        complain(&format!("… and {more} more"));
    }
    complain(&format!("--fail-on found {}", findings.len()));
    Ok(Exit::Finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        text.parse().expect("a condition")
    }

    #[test]
    fn every_operator_compares() {
        for (text, below, at, above) in [
            ("cyclomatic>20", false, false, true),
            ("cyclomatic >= 20", false, true, true),
            ("cyclomatic<20", true, false, false),
            ("cyclomatic<=20", true, true, false),
            ("cyclomatic==20", false, true, false),
            ("cyclomatic=20", false, true, false),
            ("cyclomatic!=20", true, false, true),
        ] {
            let condition = condition(text);
            let held = [19.0, 20.0, 21.0].map(|value| condition.holds(value));
            assert_eq!(held, [below, at, above], "{text}");
        }
    }

    #[test]
    fn invalid_conditions_are_refused_with_advice() {
        for (text, word) in [
            ("", "is not a condition"),
            ("cyclomatic", "is not a condition"),
            (">20", "is not a condition"),
            ("cyclomatic>", "is not a condition"),
            ("cyclomatic>many", "is not a number"),
            ("cyclomatic>nan", "is not a number"),
            ("beauty<3", "the metrics are cyclomatic,"),
        ] {
            let error = text.parse::<Condition>().expect_err("refused").to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn findings_have_place_function_value_and_limit() {
        let envelope = json!({
            "data": {"functions": [
                {"path": "a.rs", "start_line": 7, "qualified_name": "f\u{1b}[2J", "own": {"cyclomatic": 21}},
                {"path": "b.rs", "start_line": 1, "qualified_name": "g", "own": {"cyclomatic": 20}},
                {"path": "c.rs", "start_line": 1, "qualified_name": "h", "own": {"cyclomatic": null}},
            ]},
            "coverage": {"parse_errors": 2},
        });
        let found =
            condition("cyclomatic>20").findings(Kind::Complexity, &envelope, &["c.rs".to_owned()]);
        assert_eq!(found, ["a.rs:7: f\\u{1b}[2J: cyclomatic 21 > 20"]);
        let found =
            condition("parse_errors>0").findings(Kind::Complexity, &envelope, &["c.rs".to_owned()]);
        assert_eq!(found, ["c.rs: does not parse", "parse_errors 2 > 0"]);
        let graph = json!({"data": {"totals": {"cycles": 1, "unresolved": 0}}});
        let found = condition("cycles>=1").findings(Kind::Dependencies, &graph, &[]);
        assert_eq!(found, ["cycles 1 >= 1"]);
        assert!(
            condition("unresolved>0")
                .findings(Kind::Dependencies, &graph, &[])
                .is_empty()
        );
    }
}
