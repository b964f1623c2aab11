//! Starts and restarts sessions.

use super::*;
use crate::activity::spawn_under;

impl State {
    pub(super) async fn ensure(
        &mut self,
        myself: &ActorRef<SupervisorMsg>,
        id: SessionId,
        start: Start,
        trace: Option<Trace>,
        reply: RpcReplyPort<Result<Resolved, CallError>>,
    ) {
        let child = self.children.get_mut(&id);
        match child.map(|child| (&mut child.phase, &mut child.trace)) {
            Some((Phase::Awake { .. }, _)) => {
                let resolved = self.children.get(&id).and_then(Child::resolved);
                let _ = resolved.map(|resolved| reply.send(Ok(resolved)));
                return;
            }
            Some((Phase::Restarting { waiters, .. }, waits)) => {
                *waits = waits.or(trace);
                // Over the limit the reply port is dropped, and the caller asks again.
                if waiters.len() < WAITERS_MAX {
                    waiters.push(reply);
                }
                return;
            }
            Some((Phase::Quarantined { stored: false }, _)) => {
                let _ = reply.send(Err(self.quarantine_of(id)));
                return;
            }
            // Load it again: an operator may have released it in the store.
            Some((Phase::Quarantined { stored: true }, _)) | None => {}
        }
        let Ok(room) = Arc::clone(&self.arguments.awake).try_acquire_owned() else {
            let retry_after = crate::sessions::BUSY_RETRY;
            let _ = reply.send(Err(CallError::Busy {
                what: "sessions that are awake on this node".into(),
                retry_after,
            }));
            return;
        };
        let mailbox = self.arguments.around.options.session_mailbox;
        let child = Child {
            start,
            trace,
            budget: Budget::new(Policy::SESSION),
            phase: Phase::Restarting {
                waiters: vec![reply],
                room: Some(room),
            },
            admission: Arc::new(Semaphore::new(mailbox)),
            heard_ms: Arc::default(),
            failures: 0,
            last_failure: None,
            died: None,
            since_ms: self.now(),
            listed: self.arguments.roll.list(id),
        };
        self.children.insert(id, child);
        self.restart(myself, id).await;
    }

    pub(super) async fn restart(&mut self, myself: &ActorRef<SupervisorMsg>, id: SessionId) {
        let now = self.now();
        let Some(child) = self.children.get_mut(&id) else {
            return;
        };
        let Phase::Restarting { waiters, room } = &mut child.phase else {
            return;
        };
        let arguments = session::Arguments {
            id,
            start: child.start.clone(),
            trace: child.trace.take(),
            around: Arc::clone(&self.arguments.around),
            heard_ms: Arc::clone(&child.heard_ms),
            died: child.died.take(),
        };
        let (waiters, room) = (std::mem::take(waiters), room.take());
        let activity = Arc::clone(&child.listed.activity);
        let spawned = spawn_under(Session, arguments, activity, myself.get_cell()).await;
        let (Ok(actor), Some(room)) = (spawned, room) else {
            // Dropping the waiters makes their callers ask again.
            self.children.remove(&id);
            return;
        };
        self.by_actor.insert(actor.get_id(), id);
        child.since_ms = now;
        child.phase = Phase::Awake { actor, _room: room };
        let resolved = child.resolved();
        self.pass(CrashPoint::SupervisorSpawned);
        for waiter in waiters {
            let _ = resolved.clone().map(|resolved| waiter.send(Ok(resolved)));
        }
        if let Some(child) = self.children.get(&id) {
            self.announce(id, child);
        }
    }

    pub(super) fn announce(&self, id: SessionId, child: &Child) {
        // A throwaway session is not registered: only its caller uses it.
        if let (Start::Stored, Some(resolved)) = (&child.start, child.resolved()) {
            self.arguments
                .registry
                .cast(RegistryMsg::Awake { id, resolved });
        }
    }
}
