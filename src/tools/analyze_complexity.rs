//! `analyze_complexity`: metrics per function, file and language, the worst first.

use actors::tool::{Tool, ToolContext, ToolError, ToolOutput};
use serde_json::{Map, Value, json};

use self::scores::{FileScores, Tally};
use self::sort::SortBy;
use super::analyzed::{Analyzed, Phase};
use super::argument::{Argument, integer, one_of};
use super::output::{Outcome, output, page_of};
use super::read_access::ReadAccess;
use super::shared::{Shared, counted_by_profile, with_given, with_shared};
use super::text::{counted, figure, rounded};
use super::whole::{Made, Whole};
use super::{Example, Kind, Spec};
use crate::answer::lean::Shape;
use crate::answer::page::{Fitted, Frame, fit};

mod rows;
mod schema;
mod scores;
mod sort;

const NAME: &str = "analyze_complexity";
const LEVELS: [&str; 3] = ["summary", "files", "functions"];
/// Functions and files in a summary: enough to see the worst places.
const SUMMARY_ROWS: usize = 10;

/// The least size of a function as JSON: the names of its figures.
const FUNCTION_BYTES: usize = 400;

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        title: "Analyze complexity",
        description: "Cyclomatic and cognitive complexity, Halstead, maintainability and line counts per function, \
                      file and language, worst first.",
        category: "analysis",
        tags: &[
            "complexity",
            "metrics",
            "quality",
            "hotspots",
            "refactoring",
        ],
        words: &[
            "cyclomatic",
            "cognitive",
            "halstead",
            "maintainability",
            "loc",
            "lines",
            "count",
            "nesting",
            "long",
            "function",
            "method",
            "hard",
            "difficult",
            "messy",
            "hot",
            "spot",
            "worst",
            "smell",
            "refactor",
            "simplify",
            "measure",
            "score",
            "technical",
            "debt",
            "lint",
        ],
        kind: Kind::Analysis,
        read_only: true,
        idempotent: true,
        destructive: false,
        cost: "medium",
        arguments: counted_by_profile(with_shared(vec![
            Argument::new(
                "level",
                one_of(&LEVELS, "functions"),
                "what is listed",
                "The rows: `functions`, `files`, or a `summary` with the worst few of both.",
            ),
            Argument::new(
                "sort_by",
                one_of(&SortBy::ALL.map(SortBy::name), SortBy::default().name()),
                "worst first by",
                "Worst first by this metric (own values; sums for files). The lowest maintainability_index is the worst.",
            ),
            Argument::new(
                "min_cyclomatic",
                integer(0, u32::MAX.into()),
                "at least",
                "Only functions (files: with a function) whose own cyclomatic complexity is at least this.",
            ),
            Argument::new(
                "min_cognitive",
                integer(0, u32::MAX.into()),
                "at least",
                "Only functions (files: with a function) whose own cognitive complexity is at least this.",
            ),
        ])),
        data: schema::data(),
        lean: schema::LEAN,
        grouped: false,
        returns: "`functions` (level functions: one page), `files` (level files), both short and `languages` (level \
                  summary); always `totals` over everything analysed. Rows include their sort key. `own` excludes \
                  nested functions, `total` includes them. In full: always `languages` and `profile`, and `files` \
                  of the page of functions.",
        examples: vec![
            Example::new("The most complex functions", json!({"path": "."})),
            Example::new(
                "Functions that a reviewer would question, in Python only",
                json!({"path": ".", "languages": ["python"], "sort_by": "cognitive", "min_cognitive": 3}),
            ),
            Example::new(
                "An overview of a project",
                json!({"path": ".", "level": "summary"}),
            ),
        ],
        reasons: &[
            "path_not_found",
            "path_outside_roots",
            "cursor_stale",
            "cursor_mismatch",
        ],
    }
}

/// Creates the tool. It reads only the roots that the operator allows.
pub(super) struct AnalyzeComplexity(pub(super) ReadAccess);

impl Tool for AnalyzeComplexity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn idempotent(&self) -> bool {
        true
    }

    fn call(&self, ctx: &ToolContext, arguments: &Value) -> Result<ToolOutput, ToolError> {
        let sort_by = SortBy::read(&arguments["sort_by"]);
        // The order is part of the arguments even if it is the default, because a cursor belongs to one order.
        let arguments = &with_given(arguments, "sort_by", sort_by.name());
        let shared = Shared::read(NAME, arguments)?;
        let analyzed = Analyzed::of(ctx, &self.0, &shared.selection)?;
        Phase::Answer.begins(&ctx.progress, "writing the answer");
        let scores = scores::of(&analyzed, shared.profile);
        if let Some(stop) = ctx.stop_reason() {
            return Err(stop);
        }
        let view = View {
            analyzed: &analyzed,
            scores: &scores,
            totals: Tally::of(&scores, &analyzed),
            languages: Tally::by_language(&scores, &analyzed),
            shape: shared
                .paging
                .shape(schema::fields(&arguments["level"]))
                .and(
                    Some(("functions", sort_by.of_functions())),
                    Some(("files", sort_by.of_files())),
                ),
            sort_by,
            min_cyclomatic: floor(&arguments["min_cyclomatic"]),
            min_cognitive: floor(&arguments["min_cognitive"]),
        };
        let outcome = match arguments["level"].as_str() {
            Some("summary") => view.summary(&shared),
            Some("files") => view.files(&shared)?,
            Some(_) | None => view.functions(&shared)?,
        };
        let outcome = Outcome {
            whole: view.whole(ctx, &shared),
            ..outcome
        };
        Ok(output(analyzed, &shared.selection, outcome))
    }
}

fn floor(value: &Value) -> u32 {
    value
        .as_u64()
        .map_or(0, |floor| u32::try_from(floor).unwrap_or(u32::MAX))
}

/// Index of a file, and of a function in it.
type At = (usize, usize);

/// All measurements, and how to show them.
struct View<'a> {
    analyzed: &'a Analyzed,
    /// One per file.
    scores: &'a [FileScores],
    totals: Tally,
    languages: Vec<(&'static str, Tally)>,
    shape: Shape,
    sort_by: SortBy,
    min_cyclomatic: u32,
    min_cognitive: u32,
}

impl View<'_> {
    fn functions(&self, shared: &Shared) -> Result<Outcome, ToolError> {
        let order = self.sorted_functions();
        let from = shared.paging.offset(&self.analyzed.digest)?;
        let mut frame = self.frame(
            shared,
            self.heading(order.len(), "function", &rows::function_columns(self)),
        );
        let mut named = vec![false; self.scores.len()];
        let mut all_files = Vec::new();
        if shared.paging.budget.is_unlimited() {
            all_files = (0..self.scores.len())
                .map(|file| rows::file(self, file))
                .collect();
            named.fill(true);
        }
        frame.data.insert("functions".into(), json!([]));
        frame.data.insert("files".into(), json!(all_files));
        // Rows are rendered in order. If the last one does not fit, the next page renders its file again.
        let budget = shared.paging.budget_beside(&self.analyzed.coverage);
        let fitted = fit(frame, budget, from, order.len(), |at| {
            let (file, function) = order[at];
            let mut row = rows::function(self, file, function);
            if !self.shape.is_lean() && !named[file] {
                named[file] = true;
                row.add("files", self.shape.part("files", rows::file(self, file)));
            }
            row
        });
        Ok(self.outcome(shared, fitted, from, order.len(), "function"))
    }

    fn files(&self, shared: &Shared) -> Result<Outcome, ToolError> {
        let order = self.sorted_files();
        let from = shared.paging.offset(&self.analyzed.digest)?;
        let mut frame = self.frame(
            shared,
            self.heading(order.len(), "file", &rows::file_columns(self)),
        );
        frame.data.insert("files".into(), json!([]));
        let budget = shared.paging.budget_beside(&self.analyzed.coverage);
        let fitted = fit(frame, budget, from, order.len(), |at| {
            rows::file_row(self, order[at])
        });
        Ok(self.outcome(shared, fitted, from, order.len(), "file"))
    }

    /// The worst few functions and files, without pages.
    fn summary(&self, shared: &Shared) -> Outcome {
        let functions = self.sorted_functions();
        let files = self.sorted_files();
        let (some_functions, some_files) = (
            functions.len().min(SUMMARY_ROWS),
            files.len().min(SUMMARY_ROWS),
        );
        let mut heading = self.heading(functions.len(), "function", "by language:");
        for (language, tally) in &self.languages {
            heading.push_str(&rows::language_line(language, tally));
        }
        heading.push_str(&format!(
            "worst {some_functions} functions: {}
then {some_files} files: {}
",
            rows::function_columns(self),
            rows::file_columns(self),
        ));
        let mut frame = self.frame(shared, heading);
        frame.data.insert("functions".into(), json!([]));
        frame.data.insert("files".into(), json!([]));
        let mut budget = shared.paging.budget_beside(&self.analyzed.coverage);
        budget.rows = usize::MAX;
        let fitted = fit(frame, budget, 0, some_functions + some_files, |at| match at
            .checked_sub(some_functions)
        {
            None => rows::function(self, functions[at].0, functions[at].1),
            Some(at) => rows::file_row(self, files[at]),
        });
        Outcome {
            page: None,
            ..self.outcome(shared, fitted, 0, files.len(), "file")
        }
    }

    fn outcome(
        &self,
        shared: &Shared,
        fitted: Fitted,
        from: usize,
        total: usize,
        row: &'static str,
    ) -> Outcome {
        Outcome {
            page: Some(page_of(
                &shared.paging,
                &self.analyzed.digest,
                from,
                &fitted,
                total,
            )),
            fitted,
            row,
            rows: total,
            whole: Made::default(),
            summary: self.one_line(),
        }
    }

    fn frame(&self, shared: &Shared, heading: String) -> Frame {
        Frame {
            data: self.base(shared),
            shape: self.shape,
            grouped: false,
            droppable: &["languages", "files", "totals"],
            heading,
        }
    }

    fn base(&self, shared: &Shared) -> Map<String, Value> {
        let languages: Vec<_> = (self.languages.iter())
            .map(|(language, tally)| {
                let mut row = tally.to_json();
                row["language"] = json!(language);
                row
            })
            .collect();
        let mut data = Map::new();
        data.insert("profile".into(), json!(shared.profile.name()));
        data.insert("totals".into(), self.totals.to_json());
        data.insert("languages".into(), json!(languages));
        data
    }

    /// Unfiltered, so that any two results can be compared; functions have their `body_digest`.
    fn whole(&self, ctx: &ToolContext, shared: &Shared) -> Made {
        let mut whole = Whole::new(ctx, self.base(shared));
        let at_least = self.totals.functions as usize * FUNCTION_BYTES;
        let functions = self.all_functions();
        whole.add(
            "functions",
            at_least,
            functions.map(|(file, function)| rows::kept_function(self, file, function)),
        );
        let files = (0..self.scores.len()).map(|file| rows::file(self, file));
        whole.add("files", 0, files);
        whole.finish(self.analyzed, |stop| rows::compact(self, stop))
    }

    /// The functions that the profile lists.
    fn all_functions(&self) -> impl Iterator<Item = At> {
        self.scores.iter().enumerate().flat_map(|(file, scores)| {
            let listed = scores.listed.iter().enumerate();
            listed
                .filter(|(_, listed)| **listed)
                .map(move |(function, _)| (file, function))
        })
    }

    fn passes(&self, (file, function): At) -> bool {
        let own = &self.scores[file].own[function];
        own.cyclomatic >= self.min_cyclomatic && own.cognitive >= self.min_cognitive
    }

    /// Worst first; then by path and line, so that pages are stable.
    fn sorted_functions(&self) -> Vec<At> {
        let mut keyed: Vec<(f64, At)> = self
            .all_functions()
            .filter(|at| self.passes(*at))
            .map(|at| (self.sort_by.of_function(self, at), at))
            .collect();
        keyed.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
        keyed.into_iter().map(|(_, at)| at).collect()
    }

    fn sorted_files(&self) -> Vec<usize> {
        let filtered = self.min_cyclomatic > 0 || self.min_cognitive > 0;
        let mut keyed: Vec<(f64, usize)> = (0..self.scores.len())
            .filter(|&file| {
                let scores = &self.scores[file];
                let mut functions = 0..scores.own.len();
                !filtered || functions.any(|at| scores.listed[at] && self.passes((file, at)))
            })
            .map(|file| (self.sort_by.of_file(self, file), file))
            .collect();
        keyed.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
        keyed.into_iter().map(|(_, file)| file).collect()
    }

    fn heading(&self, matched: usize, row: &str, columns: &str) -> String {
        let matched = counted(matched as u64, row);
        format!(
            "{}; {matched} listed, worst {} first\n{columns}\n",
            self.one_line(),
            self.sort_by.name(),
        )
    }

    fn one_line(&self) -> String {
        let totals = &self.totals;
        format!(
            "{} in {}, {} lines of code; cyclomatic mean {} max {}, cognitive max {}",
            counted(totals.functions, "function"),
            counted(totals.files, "file"),
            totals.lines.ploc,
            figure(&rounded(totals.cyclomatic_mean())),
            totals.cyclomatic_max,
            totals.cognitive_max,
        )
    }
}
