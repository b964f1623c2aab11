//! Pairs functions with nearly equal bodies by their sketches: functions that were renamed and edited, or moved and
//! edited. Not quadratic: each one is compared with a bounded number of others.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::Stop;
use super::matching::{Subject, TELLING_LINES};
use crate::analysis::metrics::sketch::{self, BINS};

/// Equal bins of 16 that make a pair. Measured: of 1.3 million pairs of a function of Flask 3.1 or requests 2.32 and
/// one of Django 5.1, three reach it (`__getstate__` that copies a dictionary and drops a key). Of 715 functions that
/// were edited between Django 4.2 and 5.1, 78 % are found again in their file with all names hidden (Flask 2.3 to 3.1:
/// 62 of 78). If their own partner is removed, 3 are paired with another removed function. With 9 bins 14 pairs reach
/// it, with 12 bins 63 % are found.
const NEAR_BINS: u32 = 10;
/// The same if neither the qualified name nor the file is equal: a large project has so many bodies that some are alike
/// by chance. None of the pairs above reaches it.
const ELSEWHERE_BINS: u32 = 13;
/// A body that fills fewer bins has too few tokens; about thirty tokens fill as many.
const FILLED_BINS: u32 = 12;
/// Candidates per function, of each sort: the nearest lines in its file, the same name, some equal bins. Enough for a
/// file in which everything was renamed.
const CANDIDATES: usize = 64;
/// The best candidates that are kept, in case another function takes the first.
const KEPT: usize = 8;
/// Bins of a band: functions that share a band are candidates in any file. Nearly all pairs of bodies with 12 equal
/// bins share one.
const BAND_BINS: u32 = 3;
/// Bands begin at every second bin.
const BAND_STEP: u32 = 2;
/// Functions between two checks of whether to stop.
const PER_CHECK: usize = 1024;

/// The functions that are not paired by name or by equal body.
pub(super) struct Left<'s> {
    /// With their indexes.
    pub(super) before: Vec<(u32, &'s Subject)>,
    pub(super) after: Vec<(u32, &'s Subject)>,
}

/// Whether the body has enough tokens to be compared.
#[derive(Clone, Copy)]
struct Body<'s> {
    at: u32,
    sketch: u64,
    subject: &'s Subject,
}

/// A possible pair. The smallest is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Equal bins in thousandths of the filled bins.
    near: Reverse<u16>,
    elsewhere: bool,
    lines_between: u32,
    was: u32,
    is: u32,
}

impl Left<'_> {
    /// Pairs as (before, after), each used once: the most similar first, and of equal ones the one at the nearest line.
    /// `None`: the call should stop.
    pub(super) fn pairs(&self, stop: Stop<'_>) -> Option<Vec<(u32, u32)>> {
        let (before, after) = (telling(&self.before), telling(&self.after));
        let mut best = Best::of(&after);
        best.near_by(&before, stop)?;
        best.by(&before, stop, |body| {
            Some((body.subject.name?, body.subject.kind))
        })?;
        for band in (0..BINS).step_by(BAND_STEP as usize) {
            best.by(&before, stop, |body| {
                Some((band_of(body.sketch, band)?, body.subject.kind))
            })?;
        }
        Some(best.pairs(self.before.len().min(self.after.len())))
    }
}

fn telling<'s>(left: &[(u32, &'s Subject)]) -> Vec<Body<'s>> {
    let body = |(at, subject): &(u32, &'s Subject)| {
        let sketch = subject.sketch?;
        let tells = subject.lines >= TELLING_LINES && sketch::filled(sketch) >= FILLED_BINS;
        tells.then_some(Body {
            at: *at,
            sketch,
            subject,
        })
    };
    left.iter().filter_map(body).collect()
}

/// The bins of one band, which wraps around; `None` if one of them is empty.
fn band_of(sketch: u64, first: u32) -> Option<u32> {
    let mut band = 0;
    for bin in first..first + BAND_BINS {
        let value = sketch::bin(sketch, bin % BINS);
        if value == 0 {
            return None;
        }
        band = band << 8 | u32::from(value);
    }
    Some(band)
}

struct Best<'b, 's> {
    after: &'b [Body<'s>],
    /// The best candidates of each index of `after`, sorted.
    candidates: Vec<Vec<Candidate>>,
}

impl<'b, 's> Best<'b, 's> {
    fn of(after: &'b [Body<'s>]) -> Self {
        Self {
            after,
            candidates: vec![Vec::new(); after.len()],
        }
    }

    /// Candidates of the same file and kind with the nearest first lines.
    fn near_by(&mut self, before: &[Body<'s>], stop: Stop<'_>) -> Option<()> {
        let place = |body: &Body<'s>| (body.subject.path, body.subject.kind);
        let line = |body: &Body<'s>| body.subject.start_line;
        let mut sorted: Vec<Body<'s>> = before.to_vec();
        sorted.sort_by_key(|body| (place(body), line(body)));
        for (at, is) in self.after.iter().enumerate() {
            if at % PER_CHECK == 0 && stop() {
                return None;
            }
            let start = sorted.partition_point(|was| place(was) < place(is));
            let end = sorted.partition_point(|was| place(was) <= place(is));
            let here = &sorted[start..end];
            let middle = here.partition_point(|was| line(was) < line(is));
            let first = middle.saturating_sub(CANDIDATES / 2);
            let last = here.len().min(middle + CANDIDATES / 2);
            for was in &here[first..last] {
                keep(&mut self.candidates[at], was, is);
            }
        }
        Some(())
    }

    /// Candidates with an equal key.
    fn by<K: Hash + Eq>(
        &mut self,
        before: &[Body<'s>],
        stop: Stop<'_>,
        key: impl Fn(&Body<'s>) -> Option<K>,
    ) -> Option<()> {
        let mut waiting: HashMap<K, Vec<Body<'s>>> = HashMap::new();
        for was in before {
            if let Some(key) = key(was) {
                let waiting = waiting.entry(key).or_default();
                if waiting.len() < CANDIDATES {
                    waiting.push(*was);
                }
            }
        }
        for (at, is) in self.after.iter().enumerate() {
            if at % PER_CHECK == 0 && stop() {
                return None;
            }
            let waiting = key(is).and_then(|key| waiting.get(&key));
            for was in waiting.into_iter().flatten() {
                keep(&mut self.candidates[at], was, is);
            }
        }
        Some(())
    }

    fn pairs(self, at_most: usize) -> Vec<(u32, u32)> {
        let mut all: Vec<Candidate> = self.candidates.into_iter().flatten().collect();
        all.sort_unstable();
        let mut used = std::collections::HashSet::new();
        let mut paired = std::collections::HashSet::new();
        let mut pairs = Vec::new();
        for candidate in all {
            if pairs.len() == at_most {
                break;
            }
            if !used.contains(&candidate.was) && paired.insert(candidate.is) {
                used.insert(candidate.was);
                pairs.push((candidate.was, candidate.is));
            }
        }
        pairs
    }
}

/// Keeps a pair that is similar enough, if it is among the best of its function.
fn keep(best: &mut Vec<Candidate>, was: &Body<'_>, is: &Body<'_>) {
    let (equal, either) = sketch::nearness(was.sketch, is.sketch);
    let (a, b) = (was.subject, is.subject);
    let needed = match a.path == b.path || a.qualified_name == b.qualified_name {
        true => NEAR_BINS,
        false => ELSEWHERE_BINS,
    };
    if equal * BINS < either * needed || a.kind != b.kind {
        return;
    }
    let candidate = Candidate {
        near: Reverse((equal * 1000 / either.max(1)) as u16),
        elsewhere: a.path != b.path,
        lines_between: a.start_line.abs_diff(b.start_line),
        was: was.at,
        is: is.at,
    };
    let place = best.partition_point(|other| *other < candidate);
    if place < KEPT && best.get(place) != Some(&candidate) {
        best.insert(place, candidate);
        best.truncate(KEPT);
    }
}
