//! The counters of all sessions with an actor. The list lives above the tree and is as long as there are sessions awake
//! (`Options::sessions_awake`); of a session that has ended, only its part of the sums remains.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Activity;
use crate::ids::SessionId;
use crate::session::SessionMsg;

#[derive(Default)]
pub(crate) struct Roll(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    live: HashMap<u64, Entry>,
    /// Numbers, because a supervisor's successor may start a session before the entry of the dead one is removed.
    next: u64,
    ended: Sum,
}

struct Entry {
    id: SessionId,
    activity: Arc<Activity>,
    quarantined: bool,
}

/// What several actors did together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    pub(crate) actors: u64,
    pub(crate) messages: u64,
    pub(crate) busy: Duration,
    pub(crate) restarts: u64,
    pub(crate) mailbox: u64,
    /// Actors with a message in progress.
    pub(crate) working: u64,
    /// Sessions that have no actor any more.
    pub(crate) quarantined: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, activity: &Activity) {
        self.actors += 1;
        self.messages += activity.messages();
        self.busy += activity.busy();
        self.restarts += u64::from(activity.starts().saturating_sub(1));
        self.mailbox += activity.mailbox() as u64;
        self.working += u64::from(activity.now().is_some());
    }
}

/// The entry of one session, until dropped by its supervisor.
pub(crate) struct Listed {
    roll: Arc<Roll>,
    number: u64,
    pub(crate) activity: Arc<Activity>,
}

impl Roll {
    pub(crate) fn list(self: &Arc<Self>, id: SessionId) -> Listed {
        let activity = Arc::new(Activity::of::<SessionMsg>());
        let number = self.with(|inner| {
            inner.next += 1;
            let entry = Entry {
                id,
                activity: Arc::clone(&activity),
                quarantined: false,
            };
            inner.live.insert(inner.next, entry);
            inner.next
        });
        Listed {
            roll: Arc::clone(self),
            number,
            activity,
        }
    }

    pub(crate) fn sum(&self) -> Sum {
        self.with(|inner| {
            let mut sum = inner.ended;
            for entry in inner.live.values() {
                sum.add(&entry.activity);
                sum.quarantined += u64::from(entry.quarantined);
            }
            sum.actors = sum.actors.saturating_sub(sum.quarantined);
            sum
        })
    }

    pub(crate) fn each(&self, mut look: impl FnMut(SessionId, &Activity)) {
        self.with(|inner| {
            let live = inner.live.values();
            live.for_each(|entry| look(entry.id, &entry.activity));
        });
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listed {
    /// The session is quarantined. A release makes a new entry.
    pub(crate) fn quarantine(&self) {
        self.roll.with(|inner| {
            if let Some(entry) = inner.live.get_mut(&self.number) {
                entry.quarantined = true;
            }
        });
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.roll.with(|inner| {
            inner.live.remove(&self.number);
            inner.ended.add(&self.activity);
            // Sums of what was done remain; nobody works there any more.
            inner.ended = Sum {
                actors: 0,
                mailbox: 0,
                working: 0,
                ..inner.ended
            };
        });
    }
}
