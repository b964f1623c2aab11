//! What the actors of this node do, read without asking them.

use std::collections::BTreeMap;

use super::Sessions;
use crate::activity::Sum;
use crate::status::{ActorActivity, ActorStatus, Doing, StuckList};

impl Sessions {
    /// Sums by kind of actor. Cheap: it reads counters, and no actor notices.
    pub fn activity(&self) -> Vec<ActorActivity> {
        let places = &self.0.places;
        let mut kinds: BTreeMap<&'static str, Sum> = BTreeMap::new();
        for place in places.all().filter(|place| place.activity().starts() > 0) {
            let sum = kinds.entry(place.kind()).or_default();
            sum.add(place.activity());
        }
        kinds.insert("session", places.roll.sum());
        let shown = |(kind, sum): (&'static str, Sum)| ActorActivity {
            kind,
            actors: sum.actors,
            working: sum.working,
            mailbox: sum.mailbox,
            messages: sum.messages,
            busy: sum.busy,
            restarts: sum.restarts,
        };
        kinds.into_iter().map(shown).collect()
    }

    /// What is stuck on this node: actors, event loops, the lease keeper.
    pub fn stuck(&self) -> StuckList {
        self.0.watch.list()
    }

    /// The heartbeat of a thread that runs tasks. Spawn it there: if it is late, the thread is listed as stuck. It is
    /// watched until the future is dropped.
    pub fn heart(
        &self,
        name: String,
        kind: &'static str,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.0.watch.heart(name, kind)
    }

    /// Fills in what the fixed actors do. Read after their answers, or each would be shown answering.
    pub(super) fn fill_doing(&self, tree: &mut ActorStatus) {
        let mut left = vec![tree];
        while let Some(actor) = left.pop() {
            if let Some(place) = self.0.places.find(&actor.name) {
                actor.doing = Doing::of(place.activity());
            }
            let supervisor_of_sessions = actor.kind == "session_supervisor";
            left.extend(
                actor
                    .children
                    .iter_mut()
                    .filter(|_| !supervisor_of_sessions),
            );
        }
    }
}
