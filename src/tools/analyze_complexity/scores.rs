//! The figures behind the rows: the scores of each function under a profile, and their sums.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::super::analyzed::Analyzed;
use super::super::text::rounded;
use crate::analysis::metrics::{self, Scores};
use crate::analysis::{FileAnalysis, Profile};

/// The scores of one file, in the order of its functions.
pub(super) struct FileScores {
    pub(super) own: Vec<Scores>,
    pub(super) total: Vec<Scores>,
    /// `cognitive_recursion` including nested functions.
    pub(super) total_recursion: Vec<u32>,
    /// Whether the profile's tool lists the function. A function that it folds into the enclosing one is counted there,
    /// and is neither listed nor counted again.
    pub(super) listed: Vec<bool>,
}

pub(super) fn of(analyzed: &Analyzed, profile: Profile) -> Vec<FileScores> {
    (analyzed.files.par_iter())
        .map(|file| FileScores {
            own: metrics::own(&file.analysis, profile),
            total: metrics::totals(&file.analysis, profile),
            total_recursion: total_recursion(&file.analysis),
            listed: (file.analysis.functions.iter())
                .map(|function| profile.lists(file.analysis.language, function))
                .collect(),
        })
        .collect()
}

/// Nested functions follow their enclosing function, so one pass from the end adds each to its parent once.
fn total_recursion(analysis: &FileAnalysis) -> Vec<u32> {
    let functions = &analysis.functions;
    let mut total: Vec<u32> = functions.iter().map(|f| f.cognitive_recursion).collect();
    for at in (0..functions.len()).rev() {
        if let Some(parent) = functions[at].parent {
            total[parent as usize] += total[at];
        }
    }
    total
}

/// Line counts summed over files; a repository may have more lines than fit in a `u32`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LineSums {
    pub(super) sloc: u64,
    pub(super) ploc: u64,
    pub(super) cloc: u64,
    pub(super) blank: u64,
    pub(super) lloc: u64,
}

/// Sums over files.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) files: u64,
    pub(super) functions: u64,
    pub(super) lines: LineSums,
    pub(super) cyclomatic_sum: u64,
    pub(super) cyclomatic_max: u32,
    pub(super) cognitive_sum: u64,
    pub(super) cognitive_max: u32,
}

impl Tally {
    pub(super) fn of(scores: &[FileScores], analyzed: &Analyzed) -> Self {
        let mut tally = Self::default();
        for (scores, file) in scores.iter().zip(&analyzed.files) {
            tally.add(scores, &file.analysis);
        }
        tally
    }

    /// The language with the most code first.
    pub(super) fn by_language(
        scores: &[FileScores],
        analyzed: &Analyzed,
    ) -> Vec<(&'static str, Self)> {
        let mut tallies: BTreeMap<&'static str, Self> = BTreeMap::new();
        for (scores, file) in scores.iter().zip(&analyzed.files) {
            let tally = tallies.entry(file.analysis.language.name()).or_default();
            tally.add(scores, &file.analysis);
        }
        let mut tallies: Vec<_> = tallies.into_iter().collect();
        tallies.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.lines.ploc));
        tallies
    }

    /// `None` if there is no function.
    pub(super) fn cyclomatic_mean(&self) -> Option<f64> {
        (self.functions > 0).then(|| self.cyclomatic_sum as f64 / self.functions as f64)
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "files": self.files,
            "functions": self.functions,
            "sloc": self.lines.sloc,
            "ploc": self.lines.ploc,
            "cloc": self.lines.cloc,
            "blank": self.lines.blank,
            "lloc": self.lines.lloc,
            "cyclomatic": self.cyclomatic_sum,
            "cyclomatic_mean": rounded(self.cyclomatic_mean()),
            "cyclomatic_max": self.cyclomatic_max,
            "cognitive": self.cognitive_sum,
            "cognitive_max": self.cognitive_max,
        })
    }

    fn add(&mut self, scores: &FileScores, analysis: &FileAnalysis) {
        self.files += 1;
        self.functions += scores.listed().count() as u64;
        self.lines.sloc += u64::from(analysis.lines.sloc);
        self.lines.ploc += u64::from(analysis.lines.ploc);
        self.lines.cloc += u64::from(analysis.lines.cloc);
        self.lines.blank += u64::from(analysis.lines.blank);
        self.lines.lloc += u64::from(analysis.lines.lloc);
        self.cognitive_sum += u64::from(analysis.outside_cognitive);
        for own in scores.listed() {
            self.cyclomatic_sum += u64::from(own.cyclomatic);
            self.cyclomatic_max = self.cyclomatic_max.max(own.cyclomatic);
            self.cognitive_sum += u64::from(own.cognitive);
            self.cognitive_max = self.cognitive_max.max(own.cognitive);
        }
    }
}

/// The sums of one file, over its functions.
impl FileScores {
    /// `own` of the listed functions.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Scores> {
        let own = self.own.iter().zip(&self.listed);
        own.filter(|(_, listed)| **listed).map(|(own, _)| own)
    }

    pub(super) fn cyclomatic_sum(&self) -> u64 {
        self.listed().map(|own| u64::from(own.cyclomatic)).sum()
    }

    pub(super) fn cyclomatic_max(&self) -> u32 {
        self.listed().map(|own| own.cyclomatic).max().unwrap_or(0)
    }

    /// Includes the code outside of functions.
    pub(super) fn cognitive_sum(&self, analysis: &FileAnalysis) -> u64 {
        let functions: u64 = self.listed().map(|own| u64::from(own.cognitive)).sum();
        functions + u64::from(analysis.outside_cognitive)
    }

    pub(super) fn cognitive_max(&self) -> u32 {
        self.listed().map(|own| own.cognitive).max().unwrap_or(0)
    }
}
