//! The stage of the process between start and end. `serve` advances it; the transports and the admin port read it and
//! wait for it. It lives above every actor and ends only with the process.

use std::sync::Arc;

use tokio::sync::watch;

/// In order; no stage is entered twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not all configured ports listen yet.
    Starting,
    Ready,
    /// Running requests may finish; new ones are refused.
    Draining,
    /// Running requests are cut off.
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// Cheap to clone: all clones refer to the same process.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<watch::Sender<State>>);

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::Starting)))
    }

    pub fn state(&self) -> State {
        *self.0.borrow()
    }

    /// Traffic may come. Has no effect once the process drains.
    pub fn ready(&self) {
        self.advance(State::Ready);
    }

    /// New requests are refused. Calling it twice has no further effect.
    pub fn drain(&self) {
        self.advance(State::Draining);
    }

    /// The drain has finished or timed out.
    pub fn stop(&self) {
        self.advance(State::Stopped);
    }

    /// True while draining, and after it has stopped.
    pub fn is_draining(&self) -> bool {
        self.state() >= State::Draining
    }

    /// Returns when the drain begins; at once if it has begun.
    pub async fn draining(&self) {
        self.reached(State::Draining).await;
    }

    /// Returns when running requests are to be cut off.
    pub async fn stopped(&self) {
        self.reached(State::Stopped).await;
    }

    /// Never goes back: of two concurrent changes the later stage wins.
    fn advance(&self, to: State) {
        self.0.send_if_modified(|state| {
            let forward = *state < to;
            if forward {
                *state = to;
            }
            forward
        });
    }

    async fn reached(&self, wanted: State) {
        let mut states = self.0.subscribe();
        // An error would mean that the sender is dropped, but `self` holds it.
        let _ = states.wait_for(|state| *state >= wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn every_waiter_sees_the_drain() {
        let lifecycle = Lifecycle::new();
        lifecycle.ready();
        assert!(!lifecycle.is_draining());
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.draining().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        lifecycle.drain();
        let heard = tokio::time::timeout(PATIENCE, waiting).await;
        heard.expect("in time").expect("no panic");
        assert!(lifecycle.is_draining());
        lifecycle.stop();
        let heard = tokio::time::timeout(PATIENCE, async {
            lifecycle.draining().await;
            lifecycle.stopped().await;
        });
        heard.await.expect("at once");
        assert!(lifecycle.is_draining());
    }

    proptest! {
        #[test]
        fn the_latest_stage_wins_in_any_order(
            moves in prop::collection::vec(0_usize..3, 0..8)
        ) {
            let lifecycle = Lifecycle::new();
            let states = [State::Ready, State::Draining, State::Stopped];
            let mut latest = State::Starting;
            for at in moves {
                [Lifecycle::ready, Lifecycle::drain, Lifecycle::stop][at](&lifecycle);
                latest = latest.max(states[at]);
                prop_assert_eq!(lifecycle.state(), latest);
            }
        }
    }
}
