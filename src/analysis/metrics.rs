//! Every metric of a function and a file.
//!
//! `watch` counts while the file is traversed; this module computes metrics from the counts. The language's row
//! ([`super::language`]) defines the meaning of nodes; the [`Profile`] defines which decisions count.

mod cognitive;
mod decision;
mod frame;
mod halstead;
pub(super) mod hash;
mod lines;
mod names;
pub mod sketch;
#[cfg(test)]
mod tests;
mod watch;

pub use self::decision::{DecisionCounts, DecisionKind};
pub use self::halstead::Halstead;
pub(super) use self::watch::Watcher;
use super::{FileAnalysis, Profile};

/// The metrics of one function under one profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    pub cyclomatic: u32,
    /// The value with a whole switch as one decision.
    pub cyclomatic_modified: u32,
    pub cognitive: u32,
}

/// `own` of every function of a file, in the order of `functions`: the value that the profile's tool prints. A function
/// that the tool folds into the surrounding one ([`Profile::folds`]) adds its decisions there and still has a value.
pub fn own(file: &FileAnalysis, profile: Profile) -> Vec<Scores> {
    let mut scores = bases(file, profile);
    fold(file, &mut scores, |index, inner| {
        profile
            .folds(file.language, &file.functions[index])
            .then_some(Scores {
                cyclomatic: inner.cyclomatic.saturating_sub(1),
                cyclomatic_modified: inner.cyclomatic_modified.saturating_sub(1),
                cognitive: 0,
            })
    });
    scores
}

/// `total` of every function of a file: own + Σ total(nested), each nested function with its base of 1.
pub fn totals(file: &FileAnalysis, profile: Profile) -> Vec<Scores> {
    let mut scores = bases(file, profile);
    fold(file, &mut scores, |_, inner| Some(inner));
    scores
}

/// The function without nested ones.
fn bases(file: &FileAnalysis, profile: Profile) -> Vec<Scores> {
    file.functions
        .iter()
        .map(|function| Scores {
            cyclomatic: 1 + profile.weigh(file.language, &function.decisions),
            cyclomatic_modified: 1 + profile.weigh_modified(file.language, &function.decisions),
            cognitive: function.cognitive,
        })
        .collect()
}

/// Adds to each function the `share` of those directly inside. Nested functions come later, so it starts at the end.
fn fold(
    file: &FileAnalysis,
    scores: &mut [Scores],
    share: impl Fn(usize, Scores) -> Option<Scores>,
) {
    for (index, function) in file.functions.iter().enumerate().rev() {
        let Some(parent) = function.parent else {
            continue;
        };
        let Some(added) = share(index, scores[index]) else {
            continue;
        };
        if let Some(sum) = scores.get_mut(parent as usize) {
            sum.cyclomatic = sum.cyclomatic.saturating_add(added.cyclomatic);
            sum.cyclomatic_modified = sum
                .cyclomatic_modified
                .saturating_add(added.cyclomatic_modified);
            sum.cognitive = sum.cognitive.saturating_add(added.cognitive);
        }
    }
}

/// max(0, (171 − 5.2 ln V − 0.23 CC − 16.2 ln SLOC) · 100 / 171): 0 … 100 (Visual Studio). `None` if the volume or the
/// lines are 0.
pub fn maintainability_index(halstead: &Halstead, cyclomatic: u32, sloc: u32) -> Option<f64> {
    Some((original_index(halstead, cyclomatic, sloc)? * 100.0 / 171.0).clamp(0.0, 100.0))
}

/// radon's form: Coleman and Oman's with the share of comment lines, on 0 … 100. `None` if the volume or the lines are
/// 0.
pub fn maintainability_index_sei(
    halstead: &Halstead,
    cyclomatic: u32,
    sloc: u32,
    cloc: u32,
) -> Option<f64> {
    let percent = 100.0 * f64::from(cloc) / f64::from(sloc);
    let bonus = 50.0 * (2.46 * percent.to_radians()).sqrt().sin();
    let index = original_index(halstead, cyclomatic, sloc)? + bonus;
    Some((index * 100.0 / 171.0).clamp(0.0, 100.0))
}

fn original_index(halstead: &Halstead, cyclomatic: u32, sloc: u32) -> Option<f64> {
    let volume = halstead.volume().filter(|volume| *volume > 0.0)?;
    (sloc > 0).then(|| {
        171.0 - 5.2 * volume.ln() - 0.23 * f64::from(cyclomatic) - 16.2 * f64::from(sloc).ln()
    })
}
