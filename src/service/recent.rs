//! The calls of the last minutes: rates and times for each tool, and the newest calls that were slow or failed. For
//! operators; in memory only, and bounded. [`Service`](super::Service) records each call when it ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actors::ids::SessionId;

use crate::answer::{Fault, Reason};
use window::Window;

mod window;

/// A call that takes longer is listed and logged as slow: by then an agent has noticed that it waits.
pub const SLOW: Duration = Duration::from_secs(2);
/// Slow and failed calls listed: as many as a person looks through.
const NOTED_MAX: usize = 50;
/// Bytes of a listed message.
const MESSAGE_BYTES: usize = 200;

/// Shared by all clones of a service.
pub struct Recent {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// As many as there are tools in the catalogue.
    tools: BTreeMap<&'static str, Window>,
    noted: VecDeque<Noted>,
}

/// One call that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    pub tool: &'static str,
    pub took: Duration,
    pub session: Option<SessionId>,
    /// `None`: it succeeded.
    pub failed: Option<(&'static Reason, &'a str)>,
}

/// A call that was slow or failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    pub tool: &'static str,
    pub took: Duration,
    pub session: Option<SessionId>,
    /// `None`: it was slow, and succeeded.
    pub failed: Option<(&'static str, Fault)>,
    /// Why, for failures of the server. What a caller did wrong may name its files, and is not an operator's business.
    pub message: Option<String>,
    /// The id of its trace, if it was traced.
    pub trace: Option<String>,
}

/// The calls of one tool within the last five minutes, or since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub tool: &'static str,
    pub calls: u64,
    pub per_minute: f64,
    /// Failures by fault.
    pub callers: u64,
    pub servers: u64,
    /// At most an eighth above the true value.
    pub p50: Duration,
    pub p95: Duration,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            inner: Mutex::default(),
        }
    }
}

impl Recent {
    pub fn record(&self, ended: Ended<'_>) {
        log(&ended);
        self.note(ended, self.started.elapsed());
    }

    fn note(&self, ended: Ended<'_>, at: Duration) {
        let fault = ended.failed.map(|(reason, _)| reason.fault());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .tools
            .entry(ended.tool)
            .or_default()
            .add(at, ended.took, fault);
        if fault.is_none() && ended.took < SLOW {
            return;
        }
        inner.noted.push_front(noted(&ended));
        inner.noted.truncate(NOTED_MAX);
    }

    /// By tool, in the order of names; tools without a call are left out.
    pub fn rates(&self) -> Vec<Rate> {
        self.rates_at(self.started.elapsed())
    }

    fn rates_at(&self, at: Duration) -> Vec<Rate> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let tools = inner.tools.iter_mut();
        tools
            .filter_map(|(tool, window)| window.rate(tool, at))
            .collect()
    }

    /// The newest first.
    pub fn noted(&self) -> Vec<Noted> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.noted.iter().cloned().collect()
    }

    /// The time that [`Recent::rates`] cover.
    pub fn covered(&self) -> Duration {
        self.started.elapsed().min(window::COVERED)
    }
}

fn noted(ended: &Ended<'_>) -> Noted {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let at_ms = now.unwrap_or_default().as_millis();
    let servers = |(reason, _): &(&Reason, &str)| reason.fault() == Fault::Server;
    Noted {
        at_ms: u64::try_from(at_ms).unwrap_or(u64::MAX),
        tool: ended.tool,
        took: ended.took,
        session: ended.session,
        failed: ended
            .failed
            .map(|(reason, _)| (reason.name, reason.fault())),
        message: ended.failed.filter(servers).map(|(_, message)| {
            let mut message = message.to_owned();
            crate::answer::page::clip(&mut message, MESSAGE_BYTES);
            message
        }),
        trace: telemetry::current().map(|trace| format!("{:032x}", trace.trace)),
    }
}

fn log(ended: &Ended<'_>) {
    let ms = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    let session = ended.session.map(tracing::field::display);
    match ended.failed {
        Some((reason, message)) if reason.fault() == Fault::Server => tracing::warn!(
            tool = ended.tool,
            session,
            reason = reason.name,
            ms,
            cause = message,
            "a call failed"
        ),
        _ if ended.took >= SLOW => tracing::info!(
            tool = ended.tool,
            session,
            reason = ended.failed.map(|(reason, _)| reason.name),
            ms,
            "a call was slow"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::reason::reason;

    fn ended(tool: &'static str, ms: u64, failed: Option<&'static str>) -> Ended<'static> {
        Ended {
            tool,
            took: Duration::from_millis(ms),
            session: None,
            failed: failed.map(|name| (reason(name), "because of /secret")),
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn slow_and_failed_calls_are_listed_newest_first_and_bounded() {
        let recent = Recent::default();
        recent.note(ended("find_tools", 1, None), at(1));
        recent.note(ended("find_tools", 2500, None), at(1));
        recent.note(ended("get_session", 1, Some("unknown_session")), at(1));
        recent.note(ended("get_session", 1, Some("store_unavailable")), at(1));
        let noted = recent.noted();
        let shown: Vec<_> = noted
            .iter()
            .map(|noted| (noted.tool, noted.failed))
            .collect();
        assert_eq!(
            shown,
            [
                ("get_session", Some(("store_unavailable", Fault::Server))),
                ("get_session", Some(("unknown_session", Fault::Caller))),
                ("find_tools", None),
            ]
        );
        assert_eq!(noted[0].message.as_deref(), Some("because of /secret"));
        assert_eq!(noted[1].message, None, "callers' words stay their own");
        for _ in 0..2 * NOTED_MAX {
            recent.note(ended("find_tools", 9000, None), at(1));
        }
        assert_eq!(recent.noted().len(), NOTED_MAX);
    }

    #[test]
    fn rates_count_failures_by_fault() {
        let recent = Recent::default();
        for _ in 0..8 {
            recent.note(ended("find_tools", 10, None), at(100));
        }
        recent.note(ended("find_tools", 400, Some("busy")), at(100));
        recent.note(ended("find_tools", 10, Some("rejected")), at(100));
        let rates = recent.rates_at(at(120));
        let [rate] = rates[..] else {
            panic!("{rates:?}");
        };
        assert_eq!((rate.calls, rate.callers, rate.servers), (10, 1, 1));
        assert!((rate.per_minute - 5.0).abs() < 0.01, "{rate:?}");
        assert!(rate.p50 >= Duration::from_millis(10), "{rate:?}");
        assert!(rate.p50 <= Duration::from_millis(12), "{rate:?}");
        assert!(rate.p95 >= Duration::from_millis(400), "{rate:?}");
        assert!(recent.rates_at(at(100 + 400)).is_empty(), "forgotten");
    }
}
