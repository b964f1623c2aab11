//! Threads that serve connections, each with its own single-threaded runtime: one thread reads, runs and answers a
//! request, and other threads run only what it asks of actors. On a work-stealing runtime, waking another thread costs
//! more than most answers. Nothing is kept here: if a loop dies, its connections are lost.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::service::Service;

/// The loops run until this is dropped; tasks that still run are dropped too.
pub struct EventLoops {
    handles: Vec<Handle>,
    /// The next loop, round robin: connections live long, and none is known to be busier than another.
    turn: AtomicUsize,
    _running: DropGuard,
}

impl EventLoops {
    /// Starts one loop per core.
    ///
    /// # Errors
    /// The system provides no thread or no event queue.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let stop = CancellationToken::new();
        // Set up before the first thread, so that started ones end if a later one fails.
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

    /// Reports a loop that is blocked: [`Sessions::stuck`](actors::sessions::Sessions::stuck) lists it.
    pub fn watched_by(&self, service: &Service) {
        for (nth, handle) in self.handles.iter().enumerate() {
            let name = format!("event-loop-{nth}");
            handle.spawn(service.sessions.heart(name, "event_loop"));
        }
    }

    /// Spawns a task on one loop; tasks that it spawns stay there. Sockets must be created inside the task.
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
        // A blocking file access may still run; do not wait for it.
        runtime.shutdown_background();
    };
    thread::Builder::new()
        .name(format!("event-loop-{nth}"))
        .spawn(run)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::{Config, Layer};
    use crate::startup;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn tasks_stay_on_one_thread_and_threads_take_turns() {
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
    async fn a_blocked_loop_is_reported_until_it_goes_on() {
        let config = Config::resolve(Layer::default(), std::iter::empty()).expect("defaults");
        let service = startup::start(&config).await.expect("starts");
        let loops = EventLoops::start().expect("starts");
        loops.watched_by(&service);
        let blocks = loops.spawn(async { thread::sleep(Duration::from_millis(2500)) });
        let until = Instant::now() + PATIENCE * 6;
        let began = loop {
            let list = service.sessions.stuck();
            if let Some(stuck) = list.now.first() {
                break stuck.clone();
            }
            assert!(Instant::now() < until, "{list:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(
            (began.name.as_str(), began.kind),
            ("event-loop-0", "event_loop")
        );
        blocks.await.expect("ends");
        loop {
            let list = service.sessions.stuck();
            if list.ended.iter().any(|stuck| stuck.name == began.name) {
                break;
            }
            assert!(Instant::now() < until, "{list:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service.sessions.shutdown(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn running_tasks_end_with_their_loops() {
        let loops = EventLoops::start().expect("starts");
        let never = loops.spawn(std::future::pending::<()>());
        drop(loops);
        let ended = tokio::time::timeout(PATIENCE, never).await;
        assert!(ended.expect("in time").is_err(), "it was cut off");
    }
}
