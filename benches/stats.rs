//! Medians and ratios.

use std::time::{Duration, Instant};

/// What was measured in turns, in seconds.
pub(crate) struct Pair {
    pub(crate) ours: Vec<f64>,
    pub(crate) theirs: Vec<f64>,
}

/// Runs both in turns, the one first and then the other, `rounds` times; the first tenth is not counted.
pub(crate) fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) -> Pair {
    let mut pair = Pair {
        ours: Vec::with_capacity(rounds),
        theirs: Vec::with_capacity(rounds),
    };
    let warm_up = rounds / 10;
    for round in 0..rounds + warm_up {
        let (mine, other) = if round % 2 == 0 {
            let mine = ours();
            (mine, theirs())
        } else {
            let other = theirs();
            (ours(), other)
        };
        if round >= warm_up {
            pair.ours.push(mine.as_secs_f64());
            pair.theirs.push(other.as_secs_f64());
        }
    }
    pair
}

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    std::hint::black_box(work());
    started.elapsed()
}

/// The value below which this share of the samples lies. Zero for none.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a few thousand"
    )]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Of ours to theirs, turn by turn.
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    let turns = ours.iter().zip(theirs);
    turns.map(|(ours, theirs)| ours / theirs).collect()
}

/// One line for a pair, with the ratio that is aimed at.
pub(crate) fn report_pair(name: &str, pair: &Pair, their_name: &str, mark: f64) {
    let ratios = ratios(&pair.ours, &pair.theirs);
    println!(
        "{name:<34} {:>12} {their_name} {:>12} ratio {:.2} (mark {mark})",
        show(quantile(&pair.ours, 0.5)),
        show(quantile(&pair.theirs, 0.5)),
        quantile(&ratios, 0.5),
    );
}

/// One line for pairs of several starts. Where the system puts a process's threads holds for as long as the process
/// does, and may double what a message costs: the median of the starts is told, and how far they lie apart.
pub(crate) fn report_starts(name: &str, starts: &[Pair], their_name: &str, mark: f64) {
    let medians = |side: fn(&Pair) -> &Vec<f64>| -> Vec<f64> {
        starts
            .iter()
            .map(|pair| quantile(side(pair), 0.5))
            .collect()
    };
    let (ours, theirs) = (medians(|pair| &pair.ours), medians(|pair| &pair.theirs));
    let ratios = ratios(&ours, &theirs);
    println!(
        "{name:<34} {:>12} {their_name} {:>12} ratio {:.2} (mark {mark}), {:.2} to {:.2} in {} starts",
        show(quantile(&ours, 0.5)),
        show(quantile(&theirs, 0.5)),
        quantile(&ratios, 0.5),
        quantile(&ratios, 0.0),
        quantile(&ratios, 1.0),
        starts.len(),
    );
}

/// One line for one thing.
pub(crate) fn report(name: &str, samples: &[f64]) {
    println!(
        "{name:<34} {:>12} p99 {:>12}",
        show(quantile(samples, 0.5)),
        show(quantile(samples, 0.99)),
    );
}

fn show(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
