//! The table of jobs: waiting jobs, running jobs, and outcomes that no session has fetched. It lives above the tree;
//! every method takes one short lock.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Job, JobKey, Outcome};
use crate::ids::{RequestId, SessionId};
use crate::status::PoolStatus;
use crate::tool::{InputKey, Progress, ProgressSink};

/// What the pool reports to a session about its job.
#[derive(Debug, Clone)]
pub(crate) enum News {
    Outcome(Outcome),
    /// The queue was full.
    Refused,
    /// The tool is about to work on this input, and continues once `told` confirms that the note is stored.
    Noting {
        at_work: Option<InputKey>,
        told: SyncSender<()>,
    },
}

pub(crate) type Notify = Arc<dyn Fn(News) + Send + Sync>;

pub(crate) struct Table {
    workers: usize,
    queue_limit: usize,
    outcomes_limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    jobs: HashMap<JobKey, Entry>,
    queue: VecDeque<JobKey>,
    /// Outcomes in order of arrival; over the limit the oldest is dropped.
    outcomes: VecDeque<JobKey>,
    running: usize,
    /// Counts runs, to tell a stopped run from a later run under the same key.
    runs: u64,
    panics: u64,
}

/// A job handed to a worker.
pub(super) struct Started {
    pub(super) key: JobKey,
    pub(super) run: u64,
    pub(super) job: Job,
    /// How long it waited for this worker.
    pub(super) waited: Duration,
    pub(super) progress: ProgressSink,
}

struct Entry {
    stage: Stage,
    /// The run whose outcome counts; 0 before the job starts.
    run: u64,
    /// When it was queued.
    since: Instant,
    notify: Notify,
    cancel: CancellationToken,
    progress: SharedSink,
}

enum Stage {
    Waiting(Box<Job>),
    Running,
    /// Still running, but its outcome is no longer wanted.
    Abandoned,
    Ended(Outcome),
}

/// The progress sink of a job; replaced when the session restarts and the caller asks again.
#[derive(Clone, Default)]
struct SharedSink(Arc<Mutex<ProgressSink>>);

impl SharedSink {
    fn set(&self, sink: ProgressSink) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sink;
    }

    fn report(&self, progress: Progress) {
        let sink = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        sink.report(progress.done, progress.total, progress.message);
    }
}

impl Table {
    pub(crate) fn new(workers: usize, queue_limit: usize, outcomes_limit: usize) -> Self {
        Self {
            workers,
            queue_limit,
            outcomes_limit,
            inner: Mutex::default(),
        }
    }

    /// Queues a job. A job with a known key is not run again; `notify` replaces the earlier callback.
    pub(crate) fn enqueue(&self, key: JobKey, job: Job, notify: Notify) {
        if self.adopt(key, Arc::clone(&notify)) {
            return;
        }
        let refused = self.with(|inner| {
            if inner.queue.len() >= self.queue_limit {
                return true;
            }
            let (cancel, progress) = (job.cancel.clone(), SharedSink::default());
            progress.set(job.progress.clone());
            let stage = Stage::Waiting(Box::new(job));
            inner.jobs.insert(
                key,
                Entry {
                    stage,
                    run: 0,
                    since: Instant::now(),
                    notify: Arc::clone(&notify),
                    cancel,
                    progress,
                },
            );
            inner.queue.push_back(key);
            false
        });
        if refused {
            notify(News::Refused);
        }
    }

    /// Redirects a job's reports to `notify`. Returns false if there is no such job.
    pub(crate) fn adopt(&self, key: JobKey, notify: Notify) -> bool {
        let known = self.with(|inner| {
            let entry = inner.jobs.get_mut(&key)?;
            entry.notify = Arc::clone(&notify);
            match &entry.stage {
                Stage::Ended(outcome) => Some(Some(outcome.clone())),
                Stage::Waiting(_) | Stage::Running => Some(None),
                // The job was told to stop; a new call has to start it again under another key.
                Stage::Abandoned => None,
            }
        });
        let Some(ended) = known else { return false };
        if let Some(outcome) = ended {
            notify(News::Outcome(outcome));
        }
        true
    }

    /// The next job to run, if a worker is free.
    pub(super) fn start_next(&self) -> Option<Started> {
        self.with(|inner| {
            while inner.running < self.workers {
                let key = inner.queue.pop_front()?;
                let Some(entry) = inner.jobs.get_mut(&key) else {
                    continue;
                };
                if !matches!(entry.stage, Stage::Waiting(_)) {
                    continue;
                }
                let Stage::Waiting(job) = std::mem::replace(&mut entry.stage, Stage::Running)
                else {
                    continue;
                };
                inner.running += 1;
                inner.runs += 1;
                entry.run = inner.runs;
                let shared = entry.progress.clone();
                let sink = ProgressSink::new(move |progress| shared.report(progress));
                return Some(Started {
                    key,
                    run: inner.runs,
                    job: *job,
                    waited: entry.since.elapsed(),
                    progress: sink,
                });
            }
            None
        })
    }

    /// Reports to the session of a running job which input the tool works on, unless a later run replaced this one.
    pub(super) fn note(
        &self,
        key: JobKey,
        run: u64,
        at_work: Option<InputKey>,
        told: SyncSender<()>,
    ) {
        let notify = self.with(|inner| {
            let entry = inner.jobs.get(&key).filter(|entry| entry.run == run)?;
            Some(Arc::clone(&entry.notify))
        });
        if let Some(notify) = notify {
            notify(News::Noting { at_work, told });
        }
    }

    pub(super) fn finish(&self, key: JobKey, run: u64, outcome: Outcome) {
        let notify = self.with(|inner| {
            inner.running = inner.running.saturating_sub(1);
            // A stopped run must not answer for a later run under the same key.
            let entry = inner.jobs.get_mut(&key).filter(|entry| entry.run == run)?;
            if matches!(entry.stage, Stage::Abandoned) {
                inner.jobs.remove(&key);
                return None;
            }
            entry.stage = Stage::Ended(outcome.clone());
            let notify = Arc::clone(&entry.notify);
            inner.outcomes.push_back(key);
            while inner.outcomes.len() > self.outcomes_limit {
                let oldest = inner.outcomes.pop_front()?;
                inner.jobs.remove(&oldest);
            }
            Some(notify)
        });
        if let Some(notify) = notify {
            notify(News::Outcome(outcome));
        }
    }

    /// Tells a job to stop; its outcome is still wanted.
    pub(crate) fn cancel(&self, key: JobKey) {
        self.with(|inner| {
            if let Some(entry) = inner.jobs.get(&key) {
                entry.cancel.cancel();
            }
        });
    }

    /// Stops a job whose outcome is no longer wanted.
    pub(crate) fn stop(&self, key: JobKey) {
        self.cancel(key);
        self.forget(key);
    }

    /// Drops a job: its outcome is stored, or no longer wanted.
    pub(crate) fn forget(&self, key: JobKey) {
        self.with(|inner| {
            let Some(entry) = inner.jobs.get_mut(&key) else {
                return;
            };
            match entry.stage {
                Stage::Running | Stage::Abandoned => entry.stage = Stage::Abandoned,
                Stage::Waiting(_) => {
                    inner.jobs.remove(&key);
                    inner.queue.retain(|waiting| *waiting != key);
                }
                Stage::Ended(_) => {
                    inner.jobs.remove(&key);
                    inner.outcomes.retain(|ended| *ended != key);
                }
            }
        });
    }

    /// Redirects the progress of a job to `sink`.
    pub(crate) fn watch(&self, key: JobKey, sink: ProgressSink) {
        self.with(|inner| {
            if let Some(entry) = inner.jobs.get(&key) {
                entry.progress.set(sink);
            }
        });
    }

    /// Requests of one session that have a job in the table.
    pub(crate) fn requests_of(&self, session: SessionId) -> BTreeSet<RequestId> {
        self.with(|inner| {
            let wanted = |(key, entry): (&JobKey, &Entry)| {
                (key.session == session && !matches!(entry.stage, Stage::Abandoned))
                    .then_some(key.request)
            };
            inner.jobs.iter().filter_map(wanted).collect()
        })
    }

    pub(super) fn count_panic(&self) {
        self.with(|inner| inner.panics += 1);
    }

    pub(crate) fn status(&self) -> PoolStatus {
        self.with(|inner| PoolStatus {
            workers: self.workers,
            running: inner.running,
            queued: inner.queue.len(),
            queue_limit: self.queue_limit,
            panics: inner.panics,
        })
    }

    /// Cancels all jobs at shutdown.
    pub(crate) fn stop_all(&self) {
        self.with(|inner| inner.jobs.values().for_each(|entry| entry.cancel.cancel()));
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
