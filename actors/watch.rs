//! Detects what is stuck: an actor that does not finish a message, an event loop that is blocked, a lease keeper that is
//! late. Each is logged when it begins and when it ends, and listed by [`Sessions::stuck`](crate::sessions::Sessions).
//!
//! The watch has a thread of its own, outside every runtime, because it must also work when all their threads are
//! blocked. It only reads counters, so it can neither block an actor nor wait for one. It ends with the tree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, Roll, now_us};
use crate::clock::Clock;
use crate::status::StuckList;
use crate::supervisor::Places;
use book::{Book, Late, News};

mod book;

/// Four looks in each [`ACTOR_WITHIN`], so that a report comes at most a quarter of a second late.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest time for one message. Actors never block: they hand waiting to tasks and computing to the pool, and take
/// microseconds. A second is more than a busy machine keeps a thread from running.
const ACTOR_WITHIN: Duration = Duration::from_secs(1);
/// Interval of the heartbeats of an event loop.
const BEAT_EVERY: Duration = Duration::from_millis(100);
/// A loop whose heartbeat is later than this is blocked: its clients notice.
const BEAT_LATE: Duration = Duration::from_secs(1);
/// A renewal of leases is late by this part of its period. Two periods are left then until the first lease ends.
const RENEWAL_LATE: f64 = 0.5;
/// The kind of the lease keeper.
const KEEPER: &str = "lease_keeper";
/// Heartbeats watched at once: more than a machine has cores.
const BEATS_MAX: usize = 1024;

/// What the watch reads. Each part exists before the actors do.
pub(crate) struct Watch {
    beats: Mutex<Vec<Weak<Pulse>>>,
    book: Mutex<Book>,
    clock: Clock,
}

/// The thread; it ends when this value is dropped.
pub(crate) struct WatchThread {
    _running: SyncSender<()>,
}

impl Watch {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            beats: Mutex::default(),
            book: Mutex::default(),
            clock,
        })
    }

    pub(crate) fn start(
        self: &Arc<Self>,
        places: &Places,
        stopped: CancellationToken,
    ) -> Result<WatchThread, String> {
        let (running, ended) = sync_channel(1);
        let watch = Arc::clone(self);
        let places = Watched::of(places);
        let run = move || {
            let mut last = now_us();
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY)
                && !stopped.is_cancelled()
            {
                let now = now_us();
                watch.look(&places, last, now);
                last = now;
            }
        };
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(run)
            .map_err(|error| error.to_string())?;
        Ok(WatchThread { _running: running })
    }

    fn look(&self, watched: &Watched, last: u64, now: u64) {
        // If this thread did not run either, the whole process was stopped, and nothing in it is stuck.
        if now.saturating_sub(last) >= us(ACTOR_WITHIN) {
            return;
        }
        let mut late = Vec::new();
        watched.late(now, &mut late);
        self.beats(|beats| {
            beats.retain(|beat| beat.strong_count() > 0);
            late.extend(beats.iter().filter_map(|beat| beat.upgrade()?.late(now)));
        });
        let wall_ms = self.clock.now_ms();
        let news = self.book(|book| book.look(now, wall_ms, late));
        news.iter().for_each(log);
    }

    /// What is stuck, and what was.
    pub(crate) fn list(&self) -> StuckList {
        let now = now_us();
        self.book(|book| book.list(now))
    }

    fn beat(
        &self,
        name: String,
        kind: &'static str,
        doing: &'static str,
        within: Duration,
    ) -> Beat {
        let pulse = Arc::new(Pulse {
            name,
            kind,
            doing,
            within,
            last_us: AtomicU64::new(now_us()),
        });
        self.beats(|beats| {
            beats.retain(|beat| beat.strong_count() > 0);
            if beats.len() < BEATS_MAX {
                beats.push(Arc::downgrade(&pulse));
            }
        });
        Beat(pulse)
    }

    /// The heartbeat of the lease keeper, one for each round of renewals.
    pub(crate) fn renewals(&self, period: Duration) -> Beat {
        let within = period.saturating_add(period.mul_f64(RENEWAL_LATE));
        self.beat("leases".to_owned(), KEEPER, "renew_leases", within)
    }

    /// The heartbeat of a thread that runs tasks: spawn the future there. It is watched until the future is dropped.
    pub(crate) fn heart(
        &self,
        name: String,
        kind: &'static str,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let beat = self.beat(name, kind, "run_tasks", BEAT_EVERY + BEAT_LATE);
        async move {
            loop {
                beat.tick();
                tokio::time::sleep(BEAT_EVERY).await;
            }
        }
    }

    fn beats<R>(&self, act: impl FnOnce(&mut Vec<Weak<Pulse>>) -> R) -> R {
        act(&mut self.beats.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn book<R>(&self, act: impl FnOnce(&mut Book) -> R) -> R {
        act(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// One line when it begins, one when it ends.
fn log(news: &News) {
    match news {
        News::Began(stuck) => tracing::warn!(
            name = %stuck.name,
            kind = stuck.kind,
            doing = stuck.doing,
            for_ms = crate::clock::millis(stuck.lasted),
            mailbox = stuck.mailbox,
            "a part of the server is stuck: its callers wait"
        ),
        News::Ended(stuck) => tracing::info!(
            name = %stuck.name,
            kind = stuck.kind,
            doing = stuck.doing,
            took_ms = crate::clock::millis(stuck.lasted),
            "a part of the server is no longer stuck"
        ),
    }
}

/// The counters of all actors.
struct Watched {
    places: Vec<(Arc<str>, &'static str, Arc<Activity>)>,
    roll: Arc<Roll>,
}

impl Watched {
    fn of(places: &Places) -> Self {
        let entry = |place: &dyn crate::handle::AnyActorSlot| {
            let activity = Arc::clone(place.activity());
            (Arc::clone(place.name()), place.kind(), activity)
        };
        Self {
            // The lease keeper waits for the store; its heartbeat is watched instead.
            places: places
                .all()
                .filter(|place| place.kind() != KEEPER)
                .map(entry)
                .collect(),
            roll: Arc::clone(&places.roll),
        }
    }

    fn late(&self, now: u64, late: &mut Vec<Late>) {
        for (name, kind, activity) in &self.places {
            late.extend(late_actor(activity, now, kind, || name.to_string()));
        }
        self.roll.each(|id, activity| {
            let name = || format!("session:{id}");
            late.extend(late_actor(activity, now, "session", name));
        });
    }
}

fn late_actor(
    activity: &Activity,
    now_us: u64,
    kind: &'static str,
    name: impl FnOnce() -> String,
) -> Option<Late> {
    let now = activity.now()?;
    (now_us.saturating_sub(now.since_us) > us(ACTOR_WITHIN)).then(|| Late {
        name: name(),
        kind,
        doing: now.message,
        since_us: now.since_us,
        mailbox: activity.mailbox(),
    })
}

/// A heartbeat. It is watched until dropped.
pub(crate) struct Beat(Arc<Pulse>);

struct Pulse {
    name: String,
    kind: &'static str,
    doing: &'static str,
    within: Duration,
    last_us: AtomicU64,
}

impl Beat {
    pub(crate) fn tick(&self) {
        self.0.last_us.store(now_us(), Ordering::Relaxed);
    }
}

impl Pulse {
    fn late(&self, now_us: u64) -> Option<Late> {
        let since_us = self.last_us.load(Ordering::Relaxed);
        (now_us.saturating_sub(since_us) > us(self.within)).then(|| Late {
            name: self.name.clone(),
            kind: self.kind,
            doing: self.doing,
            since_us,
            mailbox: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(within: Duration) -> (Arc<Watch>, Beat) {
        let watch = Watch::new(Clock::starting_at(1_000_000));
        let beat = watch.beat("loop".to_owned(), "event_loop", "run_tasks", within);
        (watch, beat)
    }

    fn nobody() -> Watched {
        Watched {
            places: Vec::new(),
            roll: Arc::default(),
        }
    }

    #[test]
    fn a_late_heartbeat_is_listed_until_the_next_one() {
        let (watch, beat) = pulse(Duration::from_secs(1));
        let ticked = now_us();
        beat.tick();
        let look = |after_ms: u64| {
            let now = ticked + after_ms * 1000;
            watch.look(&nobody(), now - 250_000, now);
            let list = watch.list();
            let names = |stuck: &[crate::status::Stuck]| stuck.len();
            (names(&list.now), names(&list.ended))
        };
        assert_eq!(look(900), (0, 0));
        assert_eq!(look(1_250), (1, 0));
        assert_eq!(look(1_500), (1, 0));
        beat.tick();
        assert_eq!(look(900), (0, 1));
    }

    #[test]
    fn a_heart_that_ended_is_not_late() {
        let (watch, beat) = pulse(Duration::from_secs(1));
        let now = now_us() + 5_000_000;
        drop(beat);
        watch.look(&nobody(), now - 250_000, now);
        assert_eq!(watch.list(), StuckList::default());
    }

    /// After SIGSTOP and SIGCONT, or the sleep of a virtual machine, everything looks late.
    #[test]
    fn a_process_that_stood_still_is_not_stuck() {
        let (watch, beat) = pulse(Duration::from_secs(1));
        let now = now_us() + 60_000_000;
        watch.look(&nobody(), now - 60_000_000, now);
        assert!(watch.list().now.is_empty());
        watch.look(&nobody(), now, now + 250_000);
        assert_eq!(watch.list().now.len(), 1, "this one does not go on");
        drop(beat);
    }

    #[test]
    fn a_renewal_of_leases_is_late_after_half_a_period() {
        let watch = Watch::new(Clock::starting_at(1_000_000));
        let beat = watch.renewals(Duration::from_secs(10));
        let since = now_us();
        beat.tick();
        let late = |after_s: u64| beat.0.late(since + after_s * 1_000_000).is_some();
        assert!(!late(14));
        assert!(late(16));
    }
}
