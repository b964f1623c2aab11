//! What an idle session weighs: the process before and after many were made.

use std::time::Duration;

use actors::ids::Principal;
use actors::sessions::Sessions;
use tokio::runtime::Runtime;

use crate::actor::{create, start};

const SESSIONS: usize = 10_000;
/// Bytes that an idle session may weigh.
const MARK_KIB: f64 = 12.0;

pub(crate) fn run() {
    let runtime = Runtime::new().unwrap();
    let sessions = start(&runtime);
    awaken(&runtime, &sessions, SESSIONS / 10);
    let Some(before) = resident_kib() else {
        println!("memory is not known on this system");
        return;
    };
    awaken(&runtime, &sessions, SESSIONS);
    let after = resident_kib().unwrap();
    let awake = runtime.block_on(sessions.status()).sessions.awake;
    assert!(awake >= SESSIONS as u64, "only {awake} sessions are awake");
    #[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
    let each = after.saturating_sub(before) as f64 / SESSIONS as f64;
    println!("{:<34} {each:>8.1} KiB (mark {MARK_KIB})", "idle session");
    runtime.block_on(sessions.shutdown(Duration::from_secs(1)));
}

/// A session that was only made is in the store alone.
fn awaken(runtime: &Runtime, sessions: &Sessions, count: usize) {
    for _ in 0..count {
        let id = create(runtime, sessions);
        let seen = runtime.block_on(sessions.get(&Principal::local(), id));
        seen.unwrap();
    }
}

/// Resident memory of this process, as Linux tells it.
pub(crate) fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
