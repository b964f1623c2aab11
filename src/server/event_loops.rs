//! Threads that connections are served on, each with a runtime of its own: a request is read, answered and written by
//! one thread, and changes it only for what it asks of actors. Among workers that take tasks from each other, waking
//! the next thread costs more than most answers. Nothing is kept here: with a loop, its connections are gone.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// They run until this is dropped; what then still runs on them is dropped, too.
pub struct EventLoops {
    handles: Vec<Handle>,
    /// Whose turn it is: connections live long, and none is known to be heavier than another.
    turn: AtomicUsize,
    _running: DropGuard,
}

impl EventLoops {
    /// One for each core.
    ///
    /// # Errors
    /// The system gives no thread, or no way to wait for input.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let stop = CancellationToken::new();
        // Before the first thread: those that did start end where one does not.
        let running = stop.clone().drop_guard();
        let handles = (0..count)
            .map(|nth| event_loop(nth, stop.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            handles,
            turn: AtomicUsize::new(0),
            _running: running,
        })
    }

    /// What is spawned, and whatever it spawns itself, stays on one loop. Input and output have to be made within.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.handles[turn % self.handles.len()].spawn(work)
    }
}

fn event_loop(nth: usize, stop: CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let run = move || {
        runtime.block_on(stop.cancelled());
        // A look at the disk may still run: nobody waits for it.
        runtime.shutdown_background();
    };
    thread::Builder::new()
        .name(format!("event-loop-{nth}"))
        .spawn(run)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_is_spawned_stays_on_one_thread_and_the_next_gets_the_next() {
        let loops = EventLoops::start().expect("starts");
        let mut seen = Vec::new();
        for _ in 0..loops.handles.len() {
            let (outer, inner) = loops.spawn(threads()).await.expect("runs");
            assert_eq!(outer, inner);
            assert!(!seen.contains(&outer), "{outer:?} came twice");
            seen.push(outer);
        }
        let (again, _) = loops.spawn(threads()).await.expect("runs");
        assert_eq!(again, seen[0]);
    }

    async fn threads() -> (thread::ThreadId, thread::ThreadId) {
        let inner = tokio::spawn(async { thread::current().id() });
        (thread::current().id(), inner.await.expect("runs"))
    }

    #[tokio::test]
    async fn what_still_runs_ends_with_them() {
        let loops = EventLoops::start().expect("starts");
        let never = loops.spawn(std::future::pending::<()>());
        drop(loops);
        let ended = tokio::time::timeout(PATIENCE, never).await;
        assert!(ended.expect("in time").is_err(), "it was cut off");
    }
}
