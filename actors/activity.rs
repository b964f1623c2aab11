//! What each actor does now, and how busy it was.
//!
//! Every actor runs inside [`Counted`], which counts its messages without its help, and [`spawn`] and [`spawn_under`]
//! are the only ways to start one (`clippy.toml`), so none can be forgotten. The counters live outside the actor: a
//! successor in the same place goes on with them, and a panic or a kill ends the message like its end.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::task::JoinHandle;

mod roll;

pub(crate) use roll::{Listed, Roll, Sum};

/// Messages whose kinds have static names. [`messages!`] implements it.
pub(crate) trait Named {
    const NAMES: &'static [&'static str];
    /// The index of this message's name.
    fn nth(&self) -> u8;
}

/// Names every variant of a message type. A new variant does not compile until it has a name.
macro_rules! messages {
    ($message:ident { $($variant:ident => $name:literal),* $(,)? }) => {
        impl $crate::activity::Named for $message {
            const NAMES: &'static [&'static str] = &[$($name),*];

            fn nth(&self) -> u8 {
                enum Nth {
                    $($variant),*
                }
                match self {
                    $(Self::$variant { .. } => Nth::$variant as u8,)*
                }
            }
        }
    };
}
pub(crate) use messages;

/// Work that is no message: what the actor does before its first one, and the death of a child.
const STARTING: u8 = u8::MAX;
const CHILD_EVENT: u8 = u8::MAX - 1;

/// All times here count from this instant, which makes them fit into an atomic.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Microseconds of real time, also where a test has paused tokio's clock: the watch runs on a thread without it.
pub(crate) fn now_us() -> u64 {
    u64::try_from(BASE.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The counters of one place in the tree.
pub(crate) struct Activity {
    names: &'static [&'static str],
    waiting: AtomicUsize,
    worked: AtomicBool,
    starts: AtomicU32,
    messages: AtomicU64,
    busy_ns: AtomicU64,
    /// 0: idle. Otherwise the start in microseconds plus one, shifted by a byte, and the index of the name: one value,
    /// so that a reader never sees the name of one message with the time of another.
    now: AtomicU64,
}

/// The message that an actor works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InProgress {
    pub(crate) message: &'static str,
    pub(crate) since_us: u64,
}

impl Activity {
    pub(crate) fn of<M: Named>() -> Self {
        Self {
            names: M::NAMES,
            waiting: AtomicUsize::default(),
            worked: AtomicBool::default(),
            starts: AtomicU32::default(),
            messages: AtomicU64::default(),
            busy_ns: AtomicU64::default(),
            now: AtomicU64::default(),
        }
    }

    /// A new actor has the place.
    pub(crate) fn put(&self) {
        self.waiting.store(0, Ordering::Relaxed);
        self.worked.store(false, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// A message left the mailbox, or did not reach it.
    pub(crate) fn taken_up(&self) {
        // A restart resets the count to 0 while messages to the previous actor are still being counted down.
        let _ = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    /// Messages sent but not yet taken up.
    pub(crate) fn mailbox(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether the current actor has finished a message.
    pub(crate) fn worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    pub(crate) fn starts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Messages taken up.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Time spent on messages, including the one in progress.
    pub(crate) fn busy(&self) -> Duration {
        let finished = Duration::from_nanos(self.busy_ns.load(Ordering::Relaxed));
        let now = self.now().map_or(0, |now| now.elapsed_us());
        finished + Duration::from_micros(now)
    }

    pub(crate) fn now(&self) -> Option<InProgress> {
        let now = self.now.load(Ordering::Relaxed);
        let since_us = (now >> 8).checked_sub(1)?;
        let message = match (now & 0xff) as u8 {
            STARTING => "start",
            CHILD_EVENT => "child_event",
            nth => self.names.get(usize::from(nth)).copied().unwrap_or("?"),
        };
        Some(InProgress { message, since_us })
    }

    fn begin(&self, nth: u8) -> Working<'_> {
        self.now
            .store(((now_us() + 1) << 8) | u64::from(nth), Ordering::Relaxed);
        Working {
            activity: self,
            since: Instant::now(),
        }
    }

    fn take_up(&self, nth: u8) -> Working<'_> {
        self.taken_up();
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.begin(nth)
    }
}

impl InProgress {
    pub(crate) fn elapsed_us(&self) -> u64 {
        now_us().saturating_sub(self.since_us)
    }
}

/// A message in progress, until dropped.
struct Working<'a> {
    activity: &'a Activity,
    since: Instant,
}

impl Working<'_> {
    fn finished(self) {
        self.activity.worked.store(true, Ordering::Relaxed);
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let nanos = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.activity.busy_ns.fetch_add(nanos, Ordering::Relaxed);
        self.activity.now.store(0, Ordering::Relaxed);
    }
}

/// Starts an actor without a supervisor.
pub(crate) async fn spawn<A: Actor<Msg: Named>>(
    actor: A,
    arguments: A::Arguments,
    activity: impl Deref<Target = Arc<Activity>>,
) -> Result<(ActorRef<A::Msg>, JoinHandle<()>), SpawnErr> {
    let arguments = (Arc::clone(&activity), arguments);
    #[expect(clippy::disallowed_methods, reason = "here it is counted")]
    Actor::spawn(None, Counted(actor), arguments).await
}

pub(crate) async fn spawn_under<A: Actor<Msg: Named>>(
    actor: A,
    arguments: A::Arguments,
    activity: Arc<Activity>,
    supervisor: ActorCell,
) -> Result<ActorRef<A::Msg>, SpawnErr> {
    #[expect(clippy::disallowed_methods, reason = "here it is counted")]
    let spawned =
        Actor::spawn_linked(None, Counted(actor), (activity, arguments), supervisor).await;
    spawned.map(|(actor, _)| actor)
}

struct Counted<A>(A);

struct State<S> {
    activity: Arc<Activity>,
    own: S,
}

impl<A: Actor<Msg: Named>> Actor for Counted<A> {
    type Msg = A::Msg;
    type State = State<A::State>;
    type Arguments = (Arc<Activity>, A::Arguments);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (activity, arguments): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        activity.starts.fetch_add(1, Ordering::Relaxed);
        let own = self.0.pre_start(myself, arguments).await?;
        Ok(State { activity, own })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _working = state.activity.begin(STARTING);
        self.0.post_start(myself, &mut state.own).await
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        self.0.post_stop(myself, &mut state.own).await
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let working = state.activity.take_up(message.nth());
        self.0.handle(myself, message, &mut state.own).await?;
        working.finished();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _working = state.activity.begin(CHILD_EVENT);
        self.0
            .handle_supervisor_evt(myself, event, &mut state.own)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Msg {
        Good,
        Bad,
        Panic,
        Wait(tokio::sync::oneshot::Sender<()>),
    }

    messages!(Msg {
        Good => "good",
        Bad => "bad",
        Panic => "panic",
        Wait => "wait",
    });

    struct Worker;

    impl Actor for Worker {
        type Msg = Msg;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ActorRef<Self::Msg>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: ActorRef<Self::Msg>,
            message: Self::Msg,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            match message {
                Msg::Good => tokio::time::sleep(Duration::from_millis(5)).await,
                Msg::Bad => return Err("no".into()),
                Msg::Panic => panic!("oh"),
                Msg::Wait(begun) => {
                    let _ = begun.send(());
                    std::future::pending::<()>().await;
                }
            }
            Ok(())
        }
    }

    async fn worker(activity: &Arc<Activity>) -> (ActorRef<Msg>, JoinHandle<()>) {
        activity.put();
        spawn(Worker, (), activity).await.unwrap()
    }

    #[tokio::test]
    async fn every_way_to_end_a_message_counts_it() {
        let activity = Arc::new(Activity::of::<Msg>());
        for (last, messages) in [(Msg::Bad, 2), (Msg::Panic, 4)] {
            let (actor, ended) = worker(&activity).await;
            actor.send_message(Msg::Good).unwrap();
            actor.send_message(last).unwrap();
            ended.await.unwrap();
            assert_eq!((activity.messages(), activity.now()), (messages, None));
            assert!(activity.worked(), "the first message was finished");
        }
        assert!(activity.busy() >= Duration::from_millis(10));
        assert_eq!(activity.starts(), 2);
    }

    #[tokio::test]
    async fn the_message_in_progress_has_a_name_until_its_actor_is_killed() {
        let activity = Arc::new(Activity::of::<Msg>());
        let (actor, ended) = worker(&activity).await;
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        actor.send_message(Msg::Wait(begun)).unwrap();
        has_begun.await.unwrap();
        let now = activity.now().unwrap();
        assert_eq!(now.message, "wait");
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(now.elapsed_us() >= 5_000);
        assert!(
            activity.busy() >= Duration::from_millis(5),
            "it counts already"
        );
        actor.kill();
        ended.await.unwrap();
        assert_eq!((activity.now(), activity.worked()), (None, false));
    }
}
