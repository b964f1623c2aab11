//! The walk: directories listed on several threads, every entry either found or counted.
//!
//! Directories are opened by [`super::open`], entries are asked of the open directory, links are never followed. Work
//! is a stack of directories, so depth costs no call stack, and a thread that fails stops the others.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use super::error::Error;
use super::globs::Globs;
use super::open;
use super::resolve::Place;
use super::rules::Rules;
use super::skip::{SkipReason, Tally};
use super::stat_cache::{Known, StatCache};
use super::{Limits, Root, listing};
use crate::analysis::Language;

/// What a walk needs to know; shared by its threads.
pub(super) struct Task<'a> {
    pub(super) roots: &'a [Root],
    pub(super) limits: &'a Limits,
    pub(super) cache: &'a StatCache,
    pub(super) globs: &'a Globs,
    pub(super) languages: &'a [Language],
    pub(super) is_manifest: fn(&str) -> bool,
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
    pub(super) stop: &'a (dyn Fn() -> bool + Sync),
}

/// A file to analyse, as far as its name and its stat say.
pub(super) struct Candidate {
    /// As in answers.
    pub(super) path: String,
    pub(super) absolute: PathBuf,
    pub(super) language: Language,
    pub(super) size: u64,
    /// What the cache knows of this very state of it, or what reading it gave.
    pub(super) known: Option<Result<Known, SkipReason>>,
    /// Asked for by name: generated or not, it is wanted.
    pub(super) by_name: bool,
}

pub(super) struct ManifestPath {
    pub(super) path: String,
    pub(super) absolute: PathBuf,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    pub(super) manifests: Vec<ManifestPath>,
    pub(super) tally: Tally,
}

/// Files between two reports of progress.
const FILES_PER_REPORT: u64 = 256;

/// One directory to list.
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) depth: usize,
    pub(super) rules: Option<Arc<Rules>>,
    pub(super) lifted: Option<Lifted>,
    /// By its name and its neighbours a build wrote it; what is in it may say otherwise.
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

/// Walks from `starts`, which are directories.
pub(super) fn walk(task: &Task<'_>, starts: Vec<Place>) -> Result<Found, Error> {
    let mut found = Found::default();
    let jobs = starts
        .into_iter()
        .map(|place| first_job(task, place, &mut found.tally))
        .collect();
    let walk = Walk {
        task,
        queue: Mutex::new(Queue { jobs, busy: 0 }),
        changed: Condvar::new(),
        halted: AtomicBool::new(false),
        chosen: AtomicUsize::new(0),
        manifests: AtomicUsize::new(0),
        reported: Mutex::new(Reported::default()),
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..task.limits.threads)
            // Where the system gives no more threads, those that are there do it.
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
    if walk.halted.load(Ordering::Relaxed) || (task.stop)() {
        return Err(Error::Cancelled);
    }
    (task.progress)(found.tally.files_seen);
    Ok(found)
}

fn first_job(task: &Task<'_>, place: Place, tally: &mut Tally) -> Job {
    Job {
        depth: 0,
        rules: rules_above(&task.roots[place.root], &place, tally),
        place,
        lifted: None,
        looks_built: false,
    }
}

/// The rules above a directory that was asked for hold in it, unless they leave the directory itself out: it was asked
/// for by name.
pub(super) fn rules_above(root: &Root, place: &Place, tally: &mut Tally) -> Option<Arc<Rules>> {
    let mut rules: Option<Arc<Rules>> = None;
    let mut inside = String::new();
    for part in place.inside.split('/').filter(|part| !part.is_empty()) {
        let absolute = root.path.join(&inside);
        if let Ok(directory) = open::open_directory(&absolute) {
            rules = Rules::enter(rules, &directory, &absolute, &inside, tally);
        }
        if !inside.is_empty() {
            inside.push('/');
        }
        inside.push_str(part);
        if rules
            .as_ref()
            .is_some_and(|rules| rules.ignores(&inside, true))
        {
            rules = None;
        }
    }
    rules
}

pub(super) struct Walk<'a> {
    pub(super) task: &'a Task<'a>,
    queue: Mutex<Queue>,
    changed: Condvar,
    halted: AtomicBool,
    chosen: AtomicUsize,
    manifests: AtomicUsize,
    reported: Mutex<Reported>,
}

struct Queue {
    jobs: Vec<Job>,
    /// Threads that may yet add jobs.
    busy: usize,
}

#[derive(Default)]
struct Reported {
    seen: u64,
    told: u64,
}

/// Ends a thread's turn even where it panics, so that the others do not wait for it.
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
            // Under the lock, so that what is told never goes back.
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
        self.manifests.append(&mut other.manifests);
        self.tally.merge(other.tally);
    }
}
