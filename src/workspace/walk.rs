//! The walk: directories listed on several threads, every entry either found or counted.
//!
//! Directories are opened by [`super::open`], entries are asked of the open directory, links are never followed. Work
//! is a stack of directories, so depth costs no call stack, and a thread that fails stops the others.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use super::error::Error;
use super::git::{Git, Sources};
use super::globs::Globs;
use super::resolve::Place;
use super::rules::Rules;
use super::skip::{Lift, Note, SkipReason, Tally};
use super::stat_cache::{Known, StatCache};
use super::{Limits, Link, Root, listing};
use crate::analysis::Language;

/// Inputs of a walk; shared by its threads.
pub(super) struct Task<'a> {
    pub(super) roots: &'a [Root],
    pub(super) limits: &'a Limits,
    pub(super) cache: &'a StatCache,
    pub(super) git: &'a Git,
    pub(super) globs: &'a Globs,
    pub(super) languages: &'a [Language],
    pub(super) lifts: &'a [Lift],
    pub(super) is_manifest: fn(&str) -> bool,
    /// Whether files around the selection are wanted too.
    pub(super) surroundings: bool,
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
}

impl Task<'_> {
    /// Whether the caller includes files that are skipped for this reason.
    pub(super) fn lifts(&self, lift: Lift) -> bool {
        self.lifts.contains(&lift)
    }

    pub(super) fn sources(&self) -> Sources<'_> {
        Sources {
            git: self.git,
            roots: self.roots,
        }
    }
}

/// A file to analyse, judged by its name and its stat.
pub(super) struct Candidate {
    /// As in answers.
    pub(super) path: String,
    pub(super) absolute: PathBuf,
    pub(super) language: Language,
    pub(super) size: u64,
    /// The cached facts for exactly this state of the file, or those from reading it.
    pub(super) known: Option<Result<Known, SkipReason>>,
    /// Requested by name, so it is analysed even if it is generated.
    pub(super) by_name: bool,
}

pub(super) struct ManifestPath {
    pub(super) path: String,
    pub(super) absolute: PathBuf,
}

/// A file around the selection: see [`super::Neighbour`].
pub(super) struct Around {
    pub(super) candidate: Candidate,
    pub(super) left_out: Option<SkipReason>,
    pub(super) in_place: bool,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    pub(super) around: Vec<Around>,
    pub(super) links: Vec<Link>,
    pub(super) manifests: Vec<ManifestPath>,
    pub(super) manifests_around: Vec<ManifestPath>,
    pub(super) tally: Tally,
}

/// Files between two reports of progress.
const FILES_PER_REPORT: u64 = 256;

/// One directory to list.
pub(super) struct Job {
    pub(super) place: Place,
    /// False for directories around the selection, whose files are not counted.
    pub(super) selected: bool,
    pub(super) depth: usize,
    pub(super) rules: Option<Arc<Rules>>,
    pub(super) lifted: Option<Lifted>,
    /// Build output by its name and its neighbours; its content may show otherwise.
    pub(super) looks_built: bool,
}

/// A directory that would have been left out, but an `include` names it: what lies in it is taken where such an
/// `include` matches.
#[derive(Clone)]
pub(super) struct Lifted {
    pub(super) directory: String,
    /// Of a file that none matches.
    pub(super) reason: SkipReason,
}

/// Walks from `folders`, and where surroundings are wanted from every root around these and `files`.
pub(super) fn walk(task: &Task<'_>, folders: Vec<Place>, files: &[Place]) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut selected = vec![HashSet::new(); task.roots.len()];
    let mut jobs = Vec::new();
    if task.surroundings {
        for place in folders.iter().chain(files) {
            selected[place.root].insert(place.inside.clone());
        }
        // The stack is taken from its end: the selection comes before the files around it.
        jobs = around(task, &folders);
    }
    let own = folders.into_iter();
    jobs.extend(own.map(|place| first_job(task, place, &mut found.tally)));
    let walk = Walk {
        task,
        queue: Mutex::new(Queue { jobs, busy: 0 }),
        changed: Condvar::new(),
        halted: AtomicBool::new(false),
        selected,
        chosen: AtomicUsize::new(0),
        manifests: AtomicUsize::new(0),
        neighbours: AtomicUsize::new(0),
        reported: Mutex::new(Reported::default()),
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..task.limits.threads)
            // If the system allows no more threads, the existing ones do the work.
            .map_while(|_| Builder::new().spawn_scoped(scope, || walk.work()).ok())
            .collect();
        found.merge(walk.work());
        for other in others {
            match other.join() {
                Ok(part) => found.merge(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    let limit = task.limits.max_files;
    let is_over = |count: &AtomicUsize| count.load(Ordering::Relaxed) > limit;
    if is_over(&walk.chosen) || is_over(&walk.manifests) {
        return Err(Error::TooManyFiles { limit });
    }
    if is_over(&walk.neighbours) {
        // A part of them would differ from walk to walk.
        found.around.clear();
        found.manifests_around.clear();
        found.links.clear();
        found.tally.note(Note::SurroundingsTooLarge);
    }
    if walk.halted.load(Ordering::Relaxed) || (task.stop)() {
        return Err(Error::Cancelled);
    }
    (task.progress)(found.tally.files_seen);
    Ok(found)
}

/// The roots, except those that are selected themselves.
fn around(task: &Task<'_>, folders: &[Place]) -> Vec<Job> {
    let is_asked_for =
        |root: usize| (folders.iter()).any(|place| place.root == root && place.inside.is_empty());
    let others = (0..task.roots.len()).filter(|root| !is_asked_for(*root));
    let job = |root| {
        let place = Place {
            root,
            inside: String::new(),
        };
        Job {
            depth: 0,
            rules: Rules::above(
                &task.roots[root],
                &place,
                task.sources(),
                &mut Tally::default(),
            ),
            place,
            selected: false,
            lifted: None,
            looks_built: false,
        }
    };
    others.map(job).collect()
}

fn first_job(task: &Task<'_>, place: Place, tally: &mut Tally) -> Job {
    Job {
        depth: 0,
        rules: Rules::above(&task.roots[place.root], &place, task.sources(), tally),
        place,
        selected: true,
        lifted: None,
        looks_built: false,
    }
}

pub(super) struct Walk<'a> {
    pub(super) task: &'a Task<'a>,
    queue: Mutex<Queue>,
    changed: Condvar,
    halted: AtomicBool,
    /// By root, the places below it that were asked for, where the roots around them are walked as well.
    selected: Vec<HashSet<String>>,
    chosen: AtomicUsize,
    manifests: AtomicUsize,
    neighbours: AtomicUsize,
    reported: Mutex<Reported>,
}

struct Queue {
    jobs: Vec<Job>,
    /// Threads that may still add jobs.
    busy: usize,
}

#[derive(Default)]
struct Reported {
    seen: u64,
    told: u64,
}

/// Ends a thread's turn even if it panics, so that the others do not wait for it.
struct Turn<'a, 'b>(&'a Walk<'b>);

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.halted.store(true, Ordering::Relaxed);
        }
        self.0.lock().busy -= 1;
        self.0.changed.notify_all();
    }
}

impl<'b> Walk<'b> {
    fn work(&self) -> Found {
        let mut found = Found::default();
        while let Some((job, turn)) = self.take() {
            let mut jobs = Vec::new();
            listing::list(self, &job, &mut found, &mut jobs);
            self.lock().jobs.append(&mut jobs);
            drop(turn);
        }
        found
    }

    fn take(&self) -> Option<(Job, Turn<'_, 'b>)> {
        let mut queue = self.lock();
        loop {
            if self.halted.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(job) = queue.jobs.pop() {
                queue.busy += 1;
                return Some((job, Turn(self)));
            }
            if queue.busy == 0 {
                return None;
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn halt_if_stopped(&self) -> bool {
        if (self.task.stop)() {
            self.halted.store(true, Ordering::Relaxed);
        }
        self.halted.load(Ordering::Relaxed)
    }

    /// One more file to analyse; too many of them end the walk.
    pub(super) fn chose(&self) {
        self.count(&self.chosen);
    }

    pub(super) fn chose_manifest(&self) {
        self.count(&self.manifests);
    }

    /// Whether `place` is selected itself, and is found again from a root.
    pub(super) fn is_selected(&self, root: usize, inside: &str) -> bool {
        self.selected[root].contains(inside)
    }

    /// One more file around the selection; `false` if there are too many.
    pub(super) fn found_around(&self) -> bool {
        let found = self.neighbours.fetch_add(1, Ordering::Relaxed) + 1;
        found <= self.task.limits.max_files
    }

    pub(super) fn has_too_many_around(&self) -> bool {
        self.neighbours.load(Ordering::Relaxed) > self.task.limits.max_files
    }

    fn count(&self, chosen: &AtomicUsize) {
        let chosen = chosen.fetch_add(1, Ordering::Relaxed) + 1;
        if chosen > self.task.limits.max_files {
            self.halted.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn report(&self, files: u64) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.seen += files;
        if reported.seen >= reported.told + FILES_PER_REPORT {
            reported.told = reported.seen;
            // Under the lock, so that progress never decreases.
            (self.task.progress)(reported.seen);
        }
    }
}

pub(super) fn below(root: &Path, inside: &str) -> PathBuf {
    if inside.is_empty() {
        return root.to_owned();
    }
    root.join(inside)
}

impl Found {
    pub(super) fn merge(&mut self, mut other: Self) {
        self.candidates.append(&mut other.candidates);
        self.around.append(&mut other.around);
        self.links.append(&mut other.links);
        self.manifests.append(&mut other.manifests);
        self.manifests_around.append(&mut other.manifests_around);
        self.tally.merge(other.tally);
    }
}
