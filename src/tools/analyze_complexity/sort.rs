//! Sort keys: the meaning of "worst".

use serde_json::Value;

use super::{At, View, rows};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    Cyclomatic,
    /// The default: code that is hard to read comes first. A long flat match is easy to read.
    #[default]
    Cognitive,
    TotalCyclomatic,
    TotalCognitive,
    Sloc,
    MaxNesting,
    Parameters,
    Volume,
    Effort,
    MaintainabilityIndex,
}

impl SortBy {
    pub(super) const ALL: [Self; 10] = [
        Self::Cyclomatic,
        Self::Cognitive,
        Self::TotalCyclomatic,
        Self::TotalCognitive,
        Self::Sloc,
        Self::MaxNesting,
        Self::Parameters,
        Self::Volume,
        Self::Effort,
        Self::MaintainabilityIndex,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cyclomatic => "cyclomatic",
            Self::Cognitive => "cognitive",
            Self::TotalCyclomatic => "total_cyclomatic",
            Self::TotalCognitive => "total_cognitive",
            Self::Sloc => "sloc",
            Self::MaxNesting => "max_nesting",
            Self::Parameters => "parameters",
            Self::Volume => "volume",
            Self::Effort => "effort",
            Self::MaintainabilityIndex => "maintainability_index",
        }
    }

    pub(super) fn read(value: &Value) -> Self {
        let name = value.as_str().unwrap_or_default();
        let known = Self::ALL.into_iter().find(|sort_by| sort_by.name() == name);
        known.unwrap_or_default()
    }

    /// Its place in a function's row.
    pub(super) fn of_functions(self) -> &'static str {
        match self {
            Self::Cyclomatic => "own.cyclomatic",
            Self::Cognitive => "own.cognitive",
            Self::TotalCyclomatic => "total.cyclomatic",
            Self::TotalCognitive => "total.cognitive",
            Self::Sloc => "sloc",
            Self::MaxNesting => "max_nesting",
            Self::Parameters => "parameters",
            Self::Volume => "halstead.volume",
            Self::Effort => "halstead.effort",
            Self::MaintainabilityIndex => "maintainability_index",
        }
    }

    /// Its place in a file's row.
    pub(super) fn of_files(self) -> &'static str {
        match self {
            Self::Cyclomatic | Self::TotalCyclomatic => "cyclomatic",
            Self::Cognitive | Self::TotalCognitive => "cognitive",
            Self::Parameters => "max_parameters",
            Self::Sloc
            | Self::MaxNesting
            | Self::Volume
            | Self::Effort
            | Self::MaintainabilityIndex => self.of_functions(),
        }
    }

    /// Higher is worse; rows without a value come last.
    pub(super) fn of_function(self, view: &View<'_>, (file, function): At) -> f64 {
        let scores = &view.scores[file];
        let facts = &view.analyzed.files[file].analysis.functions[function];
        match self {
            Self::Cyclomatic => scores.own[function].cyclomatic.into(),
            Self::Cognitive => scores.own[function].cognitive.into(),
            Self::TotalCyclomatic => scores.total[function].cyclomatic.into(),
            Self::TotalCognitive => scores.total[function].cognitive.into(),
            Self::Sloc => facts.lines.sloc.into(),
            Self::MaxNesting => facts.max_nesting.into(),
            Self::Parameters => facts.parameters.into(),
            Self::Volume => known(facts.halstead.volume()),
            Self::Effort => known(facts.halstead.effort()),
            Self::MaintainabilityIndex => {
                known(rows::function_index(view, file, function).map(|index| -index))
            }
        }
    }

    /// Sums over the file for complexity, the largest for nesting and parameters, the file's own for the rest.
    pub(super) fn of_file(self, view: &View<'_>, file: usize) -> f64 {
        let scores = &view.scores[file];
        let analysis = &view.analyzed.files[file].analysis;
        match self {
            Self::Cyclomatic | Self::TotalCyclomatic => scores.cyclomatic_sum() as f64,
            Self::Cognitive | Self::TotalCognitive => scores.cognitive_sum(analysis) as f64,
            Self::Sloc => analysis.lines.sloc.into(),
            Self::MaxNesting => rows::max_nesting(analysis).into(),
            Self::Parameters => rows::max_parameters(analysis).into(),
            Self::Volume => known(analysis.halstead.volume()),
            Self::Effort => known(analysis.halstead.effort()),
            Self::MaintainabilityIndex => known(rows::file_index(view, file).map(|index| -index)),
        }
    }
}

fn known(value: Option<f64>) -> f64 {
    value
        .filter(|value| !value.is_nan())
        .unwrap_or(f64::NEG_INFINITY)
}
