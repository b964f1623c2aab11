//! The fixed children of a supervisor: started in order, restarted by policy, shown in the status.

use std::future::Future;
use std::pin::Pin;

use ractor::{ActorCell, ActorId, SupervisionEvent};

use crate::clock::{Clock, jitter};
use crate::faults::INJECTED;
use crate::handle::AnyActorSlot;
use crate::restart::{Budget, Death, Policy, Verdict};
use crate::status::{ActorStatus, Doing};

/// Marks the failure of a supervisor whose child kept failing.
pub(crate) const ESCALATED: &str = "too many failures of";

pub(crate) type Spawned = Pin<Box<dyn Future<Output = Result<ActorCell, String>> + Send>>;

/// A child and the function that starts it under a supervisor. `spawn` also sets the child's place.
pub(crate) struct Spec {
    pub(crate) policy: Policy,
    pub(crate) place: Box<dyn AnyActorSlot>,
    pub(crate) spawn: Box<dyn Fn(ActorCell) -> Spawned + Send + Sync>,
}

pub(crate) struct Children {
    clock: Clock,
    children: Vec<Child>,
}

struct Child {
    spec: Spec,
    budget: Budget,
    actor: Option<ActorId>,
    last_failure: Option<String>,
    since_ms: u64,
}

/// What to do about a dead child.
#[derive(Debug, PartialEq)]
pub(crate) enum Care {
    Nothing,
    Restart {
        child: usize,
        after: std::time::Duration,
    },
    GiveUp {
        child: usize,
        cause: String,
    },
}

impl Children {
    pub(crate) fn new(clock: Clock, specs: Vec<Spec>) -> Self {
        let child = |spec: Spec| Child {
            budget: Budget::new(spec.policy),
            spec,
            actor: None,
            last_failure: None,
            since_ms: clock.now_ms(),
        };
        Self {
            clock,
            children: specs.into_iter().map(child).collect(),
        }
    }

    /// Starts the children in order; each has started before the next one does.
    pub(crate) async fn start_all(&mut self, supervisor: &ActorCell) -> Result<(), String> {
        for child in 0..self.children.len() {
            self.start(child, supervisor).await?;
        }
        Ok(())
    }

    pub(crate) async fn start(
        &mut self,
        child: usize,
        supervisor: &ActorCell,
    ) -> Result<(), String> {
        let Some(child) = self.children.get_mut(child) else {
            return Ok(());
        };
        let cell = (child.spec.spawn)(supervisor.clone()).await?;
        child.actor = Some(cell.get_id());
        child.since_ms = self.clock.now_ms();
        Ok(())
    }

    /// A failed start counts as a death.
    pub(crate) fn start_failed(&mut self, child: usize, cause: String) -> Care {
        self.died(child, Death::Failure, cause)
    }

    pub(crate) fn care_for(&mut self, event: &SupervisionEvent) -> Care {
        let (cell, death, cause) = match event {
            SupervisionEvent::ActorFailed(cell, error) => {
                let cause = error.to_string();
                (
                    cell,
                    if cause.contains(INJECTED) {
                        Death::Outside
                    } else {
                        Death::Failure
                    },
                    cause,
                )
            }
            SupervisionEvent::ActorTerminated(cell, _, reason) => (
                cell,
                Death::Outside,
                reason.clone().unwrap_or_else(|| "stopped".to_owned()),
            ),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Care::Nothing;
            }
        };
        let id = cell.get_id();
        let Some(child) = self
            .children
            .iter()
            .position(|child| child.actor == Some(id))
        else {
            return Care::Nothing;
        };
        // A child that has finished a message since its start works in principle: one bad message must not spend its
        // budget.
        let worked =
            self.children[child].spec.place.activity().worked() && !cause.contains(ESCALATED);
        self.died(child, if worked { Death::Outside } else { death }, cause)
    }

    fn died(&mut self, index: usize, death: Death, cause: String) -> Care {
        let now = self.clock.now_ms();
        let Some(child) = self.children.get_mut(index) else {
            return Care::Nothing;
        };
        tracing::warn!(actor = %child.spec.place.name(), %cause, "an actor died: it is restarted, unless it keeps failing");
        child.spec.place.clear();
        child.actor = None;
        let escalated = cause.contains(ESCALATED);
        child.last_failure = Some(cause.clone());
        match child.budget.record(death, now, jitter()) {
            Verdict::Restart { after } if !escalated => Care::Restart {
                child: index,
                after,
            },
            Verdict::Restart { .. } | Verdict::GiveUp => Care::GiveUp {
                child: index,
                cause,
            },
        }
    }

    /// Clears the restart budget, after a parent decided that the child may try again.
    pub(crate) fn forgive(&mut self, child: usize) {
        if let Some(child) = self.children.get_mut(child) {
            child.budget.clear();
        }
    }

    pub(crate) fn name(&self, child: usize) -> &str {
        self.children
            .get(child)
            .map_or("?", |child| child.spec.place.name())
    }

    pub(crate) fn status(&self) -> Vec<ActorStatus> {
        let status = |child: &Child| ActorStatus {
            name: child.spec.place.name().to_string(),
            kind: child.spec.place.kind(),
            status: if child.actor.is_some() {
                "running"
            } else {
                "restarting"
            },
            restarts: child.budget.restarts(),
            last_failure: child.last_failure.clone(),
            since_ms: child.since_ms,
            doing: Doing::default(),
            children: Vec::new(),
        };
        self.children.iter().map(status).collect()
    }
}
