//! The process's output to stderr: a bounded queue and a writer thread. Logging never blocks, so if nothing reads
//! stderr, only the writer thread stops. When the queue is full, messages are dropped and counted, and the count is
//! written once stderr accepts output again.
//!
//! `tracing-appender` is similar, but reports on stdout and stderr when its worker is stuck at shutdown. Here stdout is
//! the protocol, and the write to stderr would block forever.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes in the queue: about ten thousand lines, or seconds of the most verbose log.
const WAITING_BYTES: usize = 1 << 20;
/// Bytes written at once: a pipe takes this much whole or not at all (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

static STDERR: LazyLock<Outlet> = LazyLock::new(|| Outlet::start(io::stderr(), WAITING_BYTES));

/// Writes one line for the person at the terminal.
pub fn say(message: &str) {
    let message = super::visible::line(message);
    STDERR.push(format!("{message}\n").as_bytes());
}

/// Waits until everything is written, at most this long. Called at exit. Returns `false` if something is left.
pub fn flush(within: Duration) -> bool {
    STDERR.flush(within)
}

/// Messages dropped since the process started.
pub fn dropped() -> u64 {
    STDERR.lock().dropped
}

/// Writes text unchanged: several lines, or lines with colours.
pub fn show(text: &str) {
    STDERR.push(text.as_bytes());
}

/// Writes one formatted log event.
pub(super) fn event(bytes: &[u8]) {
    STDERR.push(bytes);
}

/// Flushes within this time, unless an earlier flush timed out and nothing was written since.
pub(super) fn flush_unless_stalled(within: Duration) {
    let stuck = STDERR.lock().stuck;
    if !stuck {
        STDERR.flush(within);
    }
}

/// A queue in front of a writer that may block forever.
struct Outlet {
    shared: Arc<Shared>,
    bound: usize,
}

struct Shared {
    state: Mutex<State>,
    /// Signals that there is something to write.
    filled: Condvar,
    /// Signals that something was written.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Bytes that the thread has taken but not yet written.
    writing: usize,
    dropped: u64,
    /// Dropped messages that the log does not mention yet.
    untold: u64,
    /// A flush timed out, and nothing was written since.
    stuck: bool,
    /// The thread could not be started, so callers write directly.
    alone: bool,
}

impl Outlet {
    fn start(to: impl Write + Send + 'static, bound: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            moved: Condvar::new(),
        });
        let outlet = Self { shared, bound };
        let shared = Arc::clone(&outlet.shared);
        let thread = thread::Builder::new().name("stderr".to_owned());
        outlet.lock().alone = thread.spawn(move || shared.write_on(to)).is_err();
        outlet
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// Queues a message of one or more lines, whole or not at all.
    fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if state.alone {
            drop(state);
            // If stderr is closed, there is nowhere to report it.
            let _ = io::stderr().write_all(bytes);
            return;
        }
        // After a drop, drop everything until the thread has caught up, so that the log has one gap and one notice.
        let full = state.waiting.len() + state.writing + bytes.len() > self.bound;
        if full || state.untold > 0 {
            state.dropped += 1;
            state.untold += 1;
            drop(state);
            // The thread may wait for something to write: the notice is something.
            self.shared.filled.notify_one();
            return;
        }
        state.waiting.extend_from_slice(bytes);
        drop(state);
        self.shared.filled.notify_one();
    }

    fn flush(&self, within: Duration) -> bool {
        let busy =
            |state: &mut State| !state.waiting.is_empty() || state.writing > 0 || state.untold > 0;
        let waited = self
            .shared
            .moved
            .wait_timeout_while(self.lock(), within, busy);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.stuck |= timeout.timed_out();
        !timeout.timed_out()
    }
}

impl Shared {
    /// The state holds only counters and bytes, so it is valid even after a panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_on(&self, mut to: impl Write) {
        loop {
            for part in self.take().chunks(AT_ONCE) {
                // If stderr is closed, there is nowhere to report it.
                let _ = to.write_all(part);
                self.wrote(part.len());
            }
        }
    }

    /// Takes everything that waits, followed by a notice about dropped messages.
    fn take(&self) -> Vec<u8> {
        let idle = |state: &mut State| state.waiting.is_empty() && state.untold == 0;
        let filled = self.filled.wait_while(self.lock(), idle);
        let mut state = filled.unwrap_or_else(PoisonError::into_inner);
        let mut bytes = std::mem::take(&mut state.waiting);
        let untold = std::mem::take(&mut state.untold);
        if untold > 0 {
            let notice = format!("{untold} log messages were dropped here: stderr was not read\n");
            bytes.extend_from_slice(notice.as_bytes());
        }
        state.writing = bytes.len();
        bytes
    }

    fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        state.writing -= bytes;
        state.stuck = false;
        drop(state);
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const BOUND: usize = 1000;

    /// A pipe without a buffer: each write waits until it is read.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn piped() -> (Outlet, Receiver<Vec<u8>>) {
        let (sender, reader) = sync_channel(0);
        (Outlet::start(Pipe(sender), BOUND), reader)
    }

    /// Reads until this many bytes have arrived.
    fn read(reader: &Receiver<Vec<u8>>, bytes: usize) -> String {
        let mut text = Vec::new();
        while text.len() < bytes {
            text.extend(reader.recv_timeout(PATIENCE).expect("more is written"));
        }
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn logging_never_blocks_and_the_log_counts_dropped_messages() {
        let (outlet, reader) = piped();
        let begun = Instant::now();
        outlet.push(b"000000000\n");
        while outlet.lock().writing == 0 {
            assert!(begun.elapsed() < PATIENCE);
            thread::yield_now();
        }
        for n in 1..10_000 {
            outlet.push(format!("{n:09}\n").as_bytes());
        }
        assert!(begun.elapsed() < PATIENCE);
        let (kept, dropped) = {
            let state = outlet.lock();
            (state.waiting.len() + state.writing, state.dropped)
        };
        assert_eq!(kept, BOUND);
        assert_eq!(dropped, 10_000 - BOUND as u64 / 10);
        // The beginning was kept; the notice about the rest follows.
        let notice = format!("{dropped} log messages were dropped here: stderr was not read\n");
        let text = read(&reader, BOUND + notice.len());
        for (n, line) in text.lines().take(BOUND / 10).enumerate() {
            assert_eq!(line, format!("{n:09}"));
        }
        assert!(text.ends_with(&notice), "{text}");
        // Nothing is missing after that.
        assert!(outlet.flush(PATIENCE));
        outlet.push(b"again\n");
        assert_eq!(read(&reader, 6), "again\n");
        assert_eq!(outlet.lock().dropped, dropped);
    }

    #[test]
    fn the_last_flush_is_bounded() {
        let (outlet, reader) = piped();
        outlet.push(b"first\n");
        let begun = Instant::now();
        assert!(!outlet.flush(Duration::from_millis(50)));
        assert!(begun.elapsed() < PATIENCE && outlet.lock().stuck);
        let reading = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            read(&reader, 12)
        });
        outlet.push(b"second\n");
        assert!(outlet.flush(PATIENCE) && !outlet.lock().stuck);
        drop(outlet);
        assert_eq!(reading.join().expect("read"), "first\nsecond\n");
    }

    #[test]
    fn a_closed_stderr_drops_everything() {
        let (outlet, reader) = piped();
        drop(reader);
        for _ in 0..100 {
            outlet.push(&[b'x'; BOUND / 2]);
            assert!(outlet.flush(PATIENCE));
        }
        assert_eq!(outlet.lock().dropped, 0);
    }

    #[test]
    fn a_message_larger_than_the_queue_is_dropped_and_counted() {
        let (outlet, reader) = piped();
        outlet.push(&[b'x'; BOUND + 1]);
        let told = "1 log messages were dropped here: stderr was not read\n";
        assert_eq!(read(&reader, told.len()), told);
    }
}
