//! Reads and analyses the files that are not in the cache: on all cores, the largest first, so that no core still works
//! on a large file while the others are idle.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actors::cache::Weighed;
use actors::tool::{ToolContext, ToolError};

use super::careful::{Careful, ENDED_NODE, NOTED_FROM};
use super::measured::Parsed;
use super::memory::{Held, MEMORY_LIMIT, Memory, Room, Share, Start};

use super::throttle::{Phase, Throttle};
use super::work::{Steps, WORK_LIMIT};
use super::{Depth, Slots, weight};
use crate::analysis::{self, Cancelled, FileAnalysis};
use crate::workspace::{ContentHash, File, Workspace};

/// The skip reason of a file whose analysis panicked: a bug, which must not fail the other files.
pub(crate) const FAILED: &str = "analysis_failed";

/// The results other than the values that went to the cache.
#[derive(Default)]
pub(super) struct Computed {
    /// By index: files that changed after the scan, so no other file shares their analysis.
    pub(super) changed: HashMap<usize, (ContentHash, Arc<FileAnalysis>)>,
    pub(super) skipped: HashMap<usize, &'static str>,
    /// Digests of files that changed after the scan; zeros if a file is no longer readable.
    pub(super) read_otherwise: BTreeMap<usize, [u8; 32]>,
    /// Memory reserved for the analyses.
    pub(super) held: Held,
    pub(super) parsed: Parsed,
}

impl Computed {
    pub(super) fn within(memory: &Arc<Memory>) -> Self {
        Self {
            held: Held::of(memory),
            ..Self::default()
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.held.add(other.held);
        self.parsed.merge(&other.parsed);
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

/// The context of a call.
pub(super) struct Means<'c> {
    pub(super) ctx: &'c ToolContext,
    pub(super) memory: &'c Arc<Memory>,
    pub(super) workspace: &'c Workspace,
}

/// Blocks until every slot of `missing` is done, or the call should stop.
pub(super) fn all(
    &Means {
        ctx,
        memory,
        workspace,
    }: &Means<'_>,
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
        memory,
        workspace,
        files,
        slots,
        hand_in,
        stopped: AtomicBool::new(false),
        computed: Mutex::new(Computed::within(memory)),
    };
    let done = AtomicU64::new(0);
    let total = order.len() as u64;
    let count = || {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        throttle.report(Phase::Analyse, done, Some(total), || {
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
    // Each call has its own threads: in a shared pool, a small call would wait for a large one.
    std::thread::scope(|scope| {
        for _ in 1..workspace.limits.threads.min(order.len()) {
            // If a thread cannot be started, the others do its work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work_through);
        }
        work_through();
    });
    let computed = work.computed.into_inner();
    let computed = computed.unwrap_or_else(PoisonError::into_inner);
    computed.parsed.measure();
    match ctx.stop_reason() {
        Some(stop) if work.stopped.load(Ordering::Relaxed) => Err(stop),
        _ => Ok(computed),
    }
}

/// Why there is no analysis.
enum Broken {
    /// The call should stop.
    Stopped,
    /// The file is left out for this reason.
    Skipped(&'static str),
    /// The file is no longer readable, for this reason.
    Unread(&'static str),
    /// The memory budget had no room for the share to grow.
    NoRoom,
}

/// The hash of a file as it was read, and its analysis.
struct Analysis {
    hash: ContentHash,
    found: Arc<FileAnalysis>,
}

struct Work<'w> {
    ctx: &'w ToolContext,
    memory: &'w Arc<Memory>,
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

    /// A node ended while it analysed this file.
    fn leave_out(&self, slot: usize) {
        for &index in &self.slots.files[slot] {
            let path = &self.files[index].path;
            tracing::warn!(
                ?path,
                "a file is left out of a call: a node ended while it was analysed"
            );
            self.note(|computed| computed.note_skipped(index, ENDED_NODE));
        }
    }

    /// Analyses one of the equal files: the first that has not changed since the scan.
    fn slot(&self, slot: usize) {
        for &index in &self.slots.files[slot] {
            let file = &self.files[index];
            // Start with the memory of ordinary code. If there is no room to grow, try again with the maximum.
            let depth = self.slots.depths[slot];
            let tried = match self.attempt(file, depth, Start::Ordinary) {
                Err(Broken::NoRoom) => self.attempt(file, depth, Start::Most),
                tried => tried,
            };
            let Analysis {
                hash,
                found: analysis,
            } = match tried {
                Ok(analysis) => analysis,
                Err(Broken::Stopped | Broken::NoRoom) => return,
                Err(Broken::Unread(reason)) => {
                    self.note(|computed| computed.note_skipped(index, reason));
                    continue;
                }
                Err(Broken::Skipped(reason)) => {
                    self.note(|computed| computed.note_skipped(index, reason));
                    return;
                }
            };
            let weight = weight::of(&analysis);
            let mut fits = true;
            self.note(|computed| {
                computed.parsed.add(file.language, 1, file.bytes);
                fits = computed.held.hold(weight);
            });
            if !fits {
                self.note(|computed| computed.note_skipped(index, MEMORY_LIMIT));
                return;
            }
            if hash != file.hash {
                self.note(|computed| computed.note_changed(index, hash, analysis));
                continue;
            }
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

    /// Reads and analyses one file with a share of the memory budget, which is returned at the end.
    fn attempt(&self, file: &File, depth: Depth, start: Start) -> Result<Analysis, Broken> {
        let bytes = usize::try_from(file.bytes).unwrap_or(usize::MAX);
        let share = self.memory.share(bytes, start, &|| self.should_stop());
        let share = share.ok_or(Broken::Stopped)?;
        let before = metered::net();
        let source = self.workspace.read(file);
        let source = source.map_err(|reason| Broken::Unread(reason.name()))?;
        let found = self.analysis(file, depth, &source.text, &share, before)?;
        Ok(Analysis {
            hash: source.hash,
            found: Arc::new(found),
        })
    }

    /// `before`: the thread's allocated bytes when it began with the file.
    fn analysis(
        &self,
        file: &File,
        depth: Depth,
        text: &str,
        share: &Share,
        before: isize,
    ) -> Result<FileAnalysis, Broken> {
        let room = Cell::new(Room::Enough);
        let steps = Steps::of(text.len());
        let cancelled = || {
            steps.look();
            if room.get() == Room::Enough {
                let taken = metered::net().wrapping_sub(before);
                room.set(share.covers(usize::try_from(taken).unwrap_or(0)));
            }
            room.get() != Room::Enough || steps.is_too_much() || self.should_stop()
        };
        let run = || match depth {
            Depth::Full => analysis::analyze(file.language, text, &cancelled),
            Depth::Imports => analysis::imports_of(file.language, text, &cancelled),
        };
        match (catch_unwind(AssertUnwindSafe(run)), room.get()) {
            (Ok(Ok(analysis)), _) => Ok(analysis),
            (Ok(Err(Cancelled)), Room::Enough) if steps.is_too_much() => {
                tracing::warn!(path = ?file.path, "a file is left out of a call: its analysis takes too many steps");
                Err(Broken::Skipped(WORK_LIMIT))
            }
            (Ok(Err(Cancelled)), Room::Enough) => Err(Broken::Stopped),
            (Ok(Err(Cancelled)), Room::NotNow) => Err(Broken::NoRoom),
            (Ok(Err(Cancelled)), Room::Never) => {
                tracing::warn!(path = ?file.path, limit = share.limit, "a file is left out of a call: its analysis takes too much memory");
                Err(Broken::Skipped(MEMORY_LIMIT))
            }
            (Err(_), _) => {
                tracing::error!(path = ?file.path, "a file is left out of a call: its analysis panicked");
                Err(Broken::Skipped(FAILED))
            }
        }
    }

    fn note(&self, what: impl FnOnce(&mut Computed)) {
        what(&mut self.computed.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
