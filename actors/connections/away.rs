//! Handles an outage of the shared connection store: notices it, waits, and copies missing data to the store once it
//! is back. One task does that while there is something to copy; if the task dies, the next failure starts another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::{Connections, Inner};
use crate::clock::jitter;
use crate::ids::ConnectionId;
use crate::store::StoreError;

/// First pause between checks of a store that is down: short, because it may only have broken its connections.
const LOOK_AGAIN_FIRST: Duration = Duration::from_millis(100);
const LOOK_AGAIN_LAST: Duration = Duration::from_secs(5);
/// Connections closed during an outage that must still be closed in the store. Any beyond this number expire there.
const CLOSING_MAX: usize = 4096;

pub(super) struct Away {
    /// The error of the current outage.
    why: watch::Sender<Option<StoreError>>,
    closing: Mutex<HashSet<ConnectionId>>,
    /// A task is running.
    busy: Mutex<bool>,
}

impl Default for Away {
    fn default() -> Self {
        Self {
            why: watch::Sender::new(None),
            closing: Mutex::default(),
            busy: Mutex::default(),
        }
    }
}

impl Away {
    pub(super) fn is_there(&self) -> Result<(), StoreError> {
        self.why.borrow().clone().map_or(Ok(()), Err)
    }

    pub(super) fn failed(&self, error: &StoreError) {
        let first = self.why.send_replace(Some(error.clone())).is_none();
        if first {
            tracing::warn!(%error, "the connection store is down: connections continue in memory");
        }
    }

    pub(super) async fn until_back(&self, within: Duration) {
        let mut why = self.why.subscribe();
        let _ = tokio::time::timeout(within, why.wait_for(Option::is_none)).await;
    }

    pub(super) fn is_closing(&self, id: ConnectionId) -> bool {
        self.closing().contains(&id)
    }

    pub(super) fn close_later(&self, id: ConnectionId) {
        let mut closing = self.closing();
        if closing.len() < CLOSING_MAX {
            closing.insert(id);
        }
    }

    fn closing(&self) -> std::sync::MutexGuard<'_, HashSet<ConnectionId>> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if no other task is running.
    fn takes_it_up(&self) -> bool {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut busy, true)
    }
}

/// Marks the task as ended, however it ends, so that another can start.
struct AtIt(Weak<Inner>);

impl Drop for AtIt {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            *inner
                .away
                .busy
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}

impl Connections {
    /// Starts a task that copies missing data to the store as soon as the store answers.
    pub(super) fn bring_back(&self) {
        if self.0.stopped.is_cancelled() || !self.0.away.takes_it_up() {
            return;
        }
        let (inner, stopped) = (Arc::downgrade(&self.0), self.0.stopped.clone());
        let at_it = AtIt(Weak::clone(&inner));
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = bring_back(&inner) => {}
            }
            drop(at_it);
            // Changes that arrived at the very end saw a running task and did not start their own.
            if let Some(connections) = inner.upgrade().map(Connections)
                && connections.lacks()
            {
                connections.bring_back();
            }
        });
    }

    /// Returns true once the store has everything.
    async fn brought_back(&self) -> bool {
        let closing: Vec<_> = self.0.away.closing().iter().copied().collect();
        for id in closing {
            if self.ask(|store| store.close(id)).await.is_err() {
                return false;
            }
            self.0.away.closing().remove(&id);
        }
        for (connection, laid_down, streams) in self.here(|table, _| table.behind()) {
            if !laid_down {
                match self.lay_down(&connection).await {
                    Ok(()) => {}
                    // Other nodes opened too many connections in the meantime, or a client closed this one.
                    Err(StoreError::Limit(_) | StoreError::Deleted) => {
                        self.here(|table, _| table.close(connection.id));
                        continue;
                    }
                    Err(_) => return false,
                }
            }
            for stream in streams {
                let lacking = self.here(|table, _| table.since(connection.id, stream, None));
                if let Some(lacking) = lacking {
                    self.catch_up(connection.id, stream, lacking).await;
                }
                if self.0.away.is_there().is_err() {
                    return false;
                }
            }
        }
        !self.lacks()
    }

    /// Whether the store still lacks something.
    fn lacks(&self) -> bool {
        !self.0.away.closing().is_empty() || !self.here(|table, _| table.behind()).is_empty()
    }
}

async fn bring_back(inner: &Weak<Inner>) {
    let mut pause = LOOK_AGAIN_FIRST;
    loop {
        sleep(pause.mul_f64(0.5 + jitter() / 2.0)).await;
        let Some(connections) = inner.upgrade().map(Connections) else {
            return;
        };
        if connections.looks().await && connections.brought_back().await {
            return;
        }
        pause = (pause * 2).min(LOOK_AGAIN_LAST);
    }
}

impl Connections {
    /// Whether the store answers at all.
    async fn looks(&self) -> bool {
        let Some(store) = &self.0.shared else {
            return false;
        };
        let looking = store.find(ConnectionId::from_u128(0));
        let answer = tokio::time::timeout(super::STORE_WITHIN, looking).await;
        let answers = !matches!(answer, Err(_) | Ok(Err(StoreError::Unavailable(_))));
        if answers && self.0.away.why.send_replace(None).is_some() {
            tracing::info!("the connection store is back");
        }
        answers
    }
}
