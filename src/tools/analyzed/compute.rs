//! Reads and analyses the files that the cache did not have: on all cores, the largest first, so that no core is left
//! alone with a large file at the end.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actors::cache::Weighed;
use actors::tool::{ToolContext, ToolError};

use super::careful::{Careful, ENDED_NODE, NOTED_FROM};
use super::throttle::Throttle;
use super::{Slots, weight};
use crate::analysis::{self, FileAnalysis};
use crate::workspace::{ContentHash, File, Workspace};

/// The reason under which a file is counted whose analysis panicked: a fault of ours, which must not cost the others.
pub(crate) const FAILED: &str = "analysis_failed";

/// What came of it beside the values that went to the cache.
#[derive(Default)]
pub(super) struct Computed {
    /// By index of the file: read otherwise than it was scanned, so that no other file shares the analysis.
    pub(super) changed: HashMap<usize, (ContentHash, Arc<FileAnalysis>)>,
    pub(super) skipped: HashMap<usize, &'static str>,
    /// Digests of what was read otherwise; zeros for what could no longer be read.
    pub(super) read_otherwise: BTreeMap<usize, [u8; 32]>,
}

impl Computed {
    pub(super) fn merge(&mut self, other: Self) {
        self.changed.extend(other.changed);
        self.skipped.extend(other.skipped);
        self.read_otherwise.extend(other.read_otherwise);
    }

    fn note_changed(&mut self, index: usize, hash: ContentHash, analysis: Arc<FileAnalysis>) {
        self.read_otherwise.insert(index, hash.0);
        self.changed.insert(index, (hash, analysis));
    }

    fn note_skipped(&mut self, index: usize, reason: &'static str) {
        self.read_otherwise.insert(index, [0; 32]);
        self.skipped.insert(index, reason);
    }
}

/// Blocks until every slot of `missing` is done, or the call should stop.
pub(super) fn all(
    ctx: &ToolContext,
    workspace: &Workspace,
    files: &[File],
    slots: &Slots,
    missing: &[usize],
    hand_in: &(dyn Fn(usize, Weighed) + Sync),
    throttle: &Throttle<'_>,
) -> Result<Computed, ToolError> {
    let size = |slot: &usize| {
        slots.files[*slot]
            .first()
            .map_or(0, |&file| files[file].bytes)
    };
    let mut order = missing.to_vec();
    order.sort_by_key(|slot| std::cmp::Reverse(size(slot)));
    let work = Work {
        ctx,
        workspace,
        files,
        slots,
        hand_in,
        stopped: AtomicBool::new(false),
        computed: Mutex::default(),
    };
    let done = AtomicU64::new(0);
    let total = order.len() as u64;
    let count = || {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        throttle.report(done, Some(total), || {
            format!("{done} of {total} files analysed")
        });
    };
    let careful = Careful::of(ctx, slots);
    let large = order.partition_point(|slot| careful.is_some() && size(slot) >= NOTED_FROM);
    let (large, order) = order.split_at(large);
    if let Some(careful) = careful {
        let leave_out = |slot| {
            work.leave_out(slot);
            count();
        };
        let analyse = |slot| {
            work.slot(slot);
            count();
        };
        careful.work_through(large, leave_out, analyse)?;
    }
    let next = AtomicUsize::new(0);
    let work_through = || {
        while let Some(&slot) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if work.should_stop() {
                return;
            }
            work.slot(slot);
            count();
        }
    };
    // Threads of this call alone: in a pool that calls share, a small call would wait for a large one to end.
    std::thread::scope(|scope| {
        for _ in 1..workspace.limits.threads.min(order.len()) {
            // A thread that cannot be had is done without.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work_through);
        }
        work_through();
    });
    match ctx.stop_reason() {
        Some(stop) if work.stopped.load(Ordering::Relaxed) => Err(stop),
        _ => Ok(work
            .computed
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)),
    }
}

struct Work<'w> {
    ctx: &'w ToolContext,
    workspace: &'w Workspace,
    files: &'w [File],
    slots: &'w Slots,
    hand_in: &'w (dyn Fn(usize, Weighed) + Sync),
    stopped: AtomicBool,
    computed: Mutex<Computed>,
}

impl Work<'_> {
    fn should_stop(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return true;
        }
        let stop = self.ctx.stop_reason().is_some();
        if stop {
            self.stopped.store(true, Ordering::Relaxed);
        }
        stop
    }

    /// It was being analysed when a node ended.
    fn leave_out(&self, slot: usize) {
        for &index in &self.slots.files[slot] {
            let path = &self.files[index].path;
            tracing::warn!(
                ?path,
                "a file is left out: a node ended while it was analysed"
            );
            self.note(|computed| computed.note_skipped(index, ENDED_NODE));
        }
    }

    /// The first of the equal files that still holds what was scanned stands for all of them.
    fn slot(&self, slot: usize) {
        for &index in &self.slots.files[slot] {
            let file = &self.files[index];
            let source = match self.workspace.read(file) {
                Ok(source) => source,
                Err(reason) => {
                    self.note(|computed| computed.note_skipped(index, reason.name()));
                    continue;
                }
            };
            let Some(analysis) = self.analysis(file, &source.text) else {
                if !self.should_stop() {
                    self.note(|computed| computed.note_skipped(index, FAILED));
                }
                return;
            };
            let analysis = Arc::new(analysis);
            if source.hash != file.hash {
                self.note(|computed| computed.note_changed(index, source.hash, analysis));
                continue;
            }
            let weight = weight::of(&analysis);
            (self.hand_in)(
                slot,
                Weighed {
                    value: analysis,
                    weight,
                },
            );
            return;
        }
    }

    /// `None` where the call should stop, or the analysis panicked.
    fn analysis(&self, file: &File, text: &str) -> Option<FileAnalysis> {
        let cancelled = || self.should_stop();
        let run = || analysis::analyze(file.language, text, &cancelled);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result.ok(),
            Err(_) => {
                tracing::error!(path = %file.path, "the analysis of a file panicked");
                None
            }
        }
    }

    fn note(&self, what: impl FnOnce(&mut Computed)) {
        what(&mut self.computed.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
