//! The callers that wait for each call, and their answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::RpcReplyPort;

use super::journal::Journal;
use super::machine::{End, Ended, Rejected};
use super::repairs::notices;
use super::{Surroundings, view};
use crate::ids::{Principal, RequestId, ResultId, SessionId};
use crate::persistence::patiently;
use crate::results;
use crate::sessions::{BUSY_RETRY, CallAnswer, CallError};
use crate::store::memory::LEASE;
use crate::store::{Part, StoreError};
use crate::tool::{ToolError, ToolOutput};

type Port = RpcReplyPort<Result<CallAnswer, CallError>>;

/// Lost with the session's actor: a waiting caller sees its port close and asks again.
#[derive(Default)]
pub(super) struct Replies {
    ports: HashMap<RequestId, Waiting>,
    /// Callers that wait for another request with the same idempotency key: (caller, running request).
    aliases: Vec<(RequestId, RequestId)>,
}

struct Waiting {
    principal: Principal,
    ports: Vec<Port>,
}

impl Replies {
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Removes `asker`: it has disconnected, or all its ports are closed.
    pub(super) fn leave(&mut self, asker: RequestId) {
        self.ports.remove(&asker);
        self.aliases.retain(|(alias, _)| *alias != asker);
    }

    pub(super) fn add(&mut self, request: RequestId, principal: Principal, port: Port) {
        let waiting = self.ports.entry(request).or_insert_with(|| Waiting {
            principal,
            ports: Vec::new(),
        });
        // Only the newest port of a request is open: its caller asks again because the previous reply was lost.
        waiting.ports.retain(|port| !port.is_closed());
        waiting.ports.push(port);
    }

    pub(super) fn await_other(&mut self, asker: RequestId, running: RequestId) {
        if asker == running || self.aliases.contains(&(asker, running)) {
            return;
        }
        // Drop callers that disconnected without cancelling.
        let ports = &mut self.ports;
        self.aliases.retain(|(alias, _)| {
            let waits = |waiting: &Waiting| waiting.ports.iter().any(|port| !port.is_closed());
            let stays = ports.get(alias).is_some_and(waits);
            if !stays {
                ports.remove(alias);
            }
            stays
        });
        self.aliases.push((asker, running));
    }

    /// Answers the callers of `request`, which has ended, from memory or from the store.
    pub(super) fn answer(
        &mut self,
        around: &Arc<Surroundings>,
        id: SessionId,
        journal: &Journal,
        request: RequestId,
        output: Option<Arc<ToolOutput>>,
    ) {
        let ports = self
            .ports
            .remove(&request)
            .map(|waiting| waiting.ports)
            .unwrap_or_default();
        reply_to(around, id, journal, request, output.clone(), ports, false);
        let (mine, others) = std::mem::take(&mut self.aliases)
            .into_iter()
            .partition(|(_, running)| *running == request);
        self.aliases = others;
        let mine: Vec<(RequestId, RequestId)> = mine;
        let left = journal
            .find_ended(request)
            .is_some_and(|ended| was_left(&ended.end));
        for (asker, _) in mine {
            if left {
                // The key is free again, and this caller did not cancel. Its port closes, so it asks again and runs the
                // call itself.
                self.ports.remove(&asker);
                continue;
            }
            let ports = self
                .ports
                .remove(&asker)
                .map(|waiting| waiting.ports)
                .unwrap_or_default();
            reply_to(around, id, journal, request, output.clone(), ports, true);
        }
    }

    /// Answers `asker`, whose key belongs to a call that ended earlier.
    pub(super) fn replay(
        &mut self,
        around: &Arc<Surroundings>,
        id: SessionId,
        journal: &Journal,
        asker: RequestId,
        original: RequestId,
    ) {
        let ports = self
            .ports
            .remove(&asker)
            .map(|waiting| waiting.ports)
            .unwrap_or_default();
        reply_to(around, id, journal, original, None, ports, true);
    }

    pub(super) fn reject(&mut self, id: SessionId, request: RequestId, rejected: &Rejected) {
        for port in self
            .ports
            .remove(&request)
            .map(|waiting| waiting.ports)
            .unwrap_or_default()
        {
            let _ = port.send(Err(rejection(id, rejected)));
        }
    }

    /// All requests that wait for an answer.
    pub(super) fn requests(&self) -> Vec<RequestId> {
        self.ports.keys().copied().collect()
    }

    pub(super) fn fail(&mut self, request: RequestId, error: &CallError) {
        for port in self
            .ports
            .remove(&request)
            .map(|waiting| waiting.ports)
            .unwrap_or_default()
        {
            let _ = port.send(Err(error.clone()));
        }
    }

    pub(super) fn refuse_all(&mut self, id: SessionId, error: &StoreError) {
        for (_, waiting) in self.ports.drain() {
            let refusal = as_call_error(id, Some(&waiting.principal), error);
            for port in waiting.ports {
                let _ = port.send(Err(refusal.clone()));
            }
        }
        self.aliases.clear();
    }
}

/// Whether a call ended because its first caller cancelled or ran out of time, not because of its input.
fn was_left(end: &End) -> bool {
    match end {
        End::Cancelled => true,
        End::Failed { reason, .. } => {
            matches!(reason.as_ref(), "cancelled" | "deadline_exceeded")
        }
        End::Succeeded { .. } => false,
    }
}

fn reply_to(
    around: &Arc<Surroundings>,
    id: SessionId,
    journal: &Journal,
    request: RequestId,
    output: Option<Arc<ToolOutput>>,
    ports: Vec<Port>,
    replayed: bool,
) {
    if ports.is_empty() {
        return;
    }
    let Some(ended) = journal.find_ended(request) else {
        if journal.committed().closed {
            let gone = CallError::UnknownSession(id);
            ports
                .into_iter()
                .for_each(|port| drop(port.send(Err(gone.clone()))));
        }
        // Otherwise the end has been trimmed from the history: the port closes, and the caller asks again.
        return;
    };
    let answer = |outcome| CallAnswer {
        replayed,
        notices: notices(around, journal),
        ..answer_of(id, journal, ended, outcome)
    };
    let ready = match &ended.end {
        End::Cancelled => Err(CallError::Cancelled),
        End::Failed {
            reason,
            message,
            retry_after_ms,
        } => Ok(answer(Err(ToolError {
            reason: reason.to_string(),
            message: message.to_string(),
            retry_after: retry_after_ms.map(Duration::from_millis),
        }))),
        End::Succeeded { result, .. } => {
            let Some(output) = output else {
                let empty = answer(Err(ToolError::new(
                    "store_unavailable",
                    "the stored answer could not be read",
                )));
                read_back(around, id, *result, empty, ports);
                return;
            };
            Ok(answer(Ok(output)))
        }
    };
    ports
        .into_iter()
        .for_each(|port| drop(port.send(ready.clone())));
}

/// The answer is only in the store. Reads it outside the mailbox and sends it from there.
fn read_back(
    around: &Arc<Surroundings>,
    id: SessionId,
    result: ResultId,
    answer: CallAnswer,
    ports: Vec<Port>,
) {
    let store = Arc::clone(&around.persistence.store);
    tokio::spawn(async move {
        let read = patiently(|| store.result(id, result, Part::Answer)).await;
        let reply = match read.map(|bytes| bytes.map(|bytes| results::decode_answer(&bytes))) {
            Ok(Some(Ok(read))) => Ok(CallAnswer {
                outcome: Ok(Arc::new(read.output)),
                ..answer
            }),
            Ok(None) => Err(CallError::ResultNotStored(result)),
            Ok(Some(Err(error))) | Err(error) => Err(unread(id, result, error)),
        };
        ports
            .into_iter()
            .for_each(|port| drop(port.send(reply.clone())));
    });
}

/// An error of the result alone; the session itself is fine.
fn unread(session: SessionId, id: ResultId, error: StoreError) -> CallError {
    if let StoreError::Corrupt(why) = error {
        return CallError::ResultDamaged { id, why };
    }
    if let StoreError::NewerSchema(schema) = error {
        return CallError::NewerSchema {
            id: session,
            schema,
        };
    }
    CallError::StoreUnavailable(error.cause())
}

fn answer_of(
    id: SessionId,
    journal: &Journal,
    ended: &Ended,
    outcome: Result<Arc<ToolOutput>, ToolError>,
) -> CallAnswer {
    let machine = journal.committed();
    let kept = journal.fence().is_some();
    let result_id = ended.end.result().filter(|_| kept);
    CallAnswer {
        request_id: ended.request,
        session_id: kept.then_some(id),
        result_id,
        outcome,
        replayed: false,
        durability: view::durability(journal),
        stored: result_id.is_some_and(|result| journal.keeps_whole(result)),
        notices: Vec::new(),
        related: if kept {
            machine.related(ended)
        } else {
            Vec::new()
        },
    }
}

fn rejection(id: SessionId, rejected: &Rejected) -> CallError {
    match rejected {
        Rejected::Closed => CallError::UnknownSession(id),
        Rejected::TooManyCalls { .. } => CallError::Busy {
            what: "calls of this session".into(),
            retry_after: BUSY_RETRY,
        },
        Rejected::ArgumentsTooLarge { bytes, limit } => CallError::ArgumentsTooLarge {
            size: *bytes,
            limit: *limit,
        },
        Rejected::KeyReused => CallError::KeyReused,
        Rejected::OutOfOrder { .. } | Rejected::NotRunning => {
            CallError::Rejected(rejected.to_string())
        }
    }
}

/// Converts a store error for a caller. A session of another principal looks unknown.
pub(crate) fn as_call_error(
    id: SessionId,
    asker: Option<&Principal>,
    error: &StoreError,
) -> CallError {
    match error {
        StoreError::Missing | StoreError::Deleted => CallError::UnknownSession(id),
        StoreError::Expired(owner) if asker.is_none_or(|asker| asker == owner) => {
            CallError::SessionExpired(id)
        }
        StoreError::Quarantined { principal, reason }
            if asker.is_none_or(|asker| asker == principal) =>
        {
            CallError::Quarantined {
                id,
                reason: reason.clone(),
            }
        }
        StoreError::Expired(_) | StoreError::Quarantined { .. } => CallError::UnknownSession(id),
        StoreError::KeyReused => CallError::KeyReused,
        StoreError::Fenced | StoreError::Overtaken { .. } => CallError::Fenced(id),
        StoreError::Held { node, left_ms } => CallError::Elsewhere {
            id,
            node: *node,
            // Never trust a longer time from the store: no lease lasts longer than this.
            retry_after: Duration::from_millis(*left_ms).min(LEASE),
        },
        StoreError::Limit(what) => CallError::LimitReached {
            what: (*what).into(),
        },
        StoreError::NewerSchema(schema) => CallError::NewerSchema {
            id,
            schema: *schema,
        },
        StoreError::Corrupt(_) => CallError::Quarantined {
            id,
            reason: error.to_string(),
        },
        StoreError::Regressed { .. }
        | StoreError::Lapsed
        | StoreError::Unrecorded(_)
        | StoreError::Refused(_)
        | StoreError::Unavailable(_) => CallError::StoreUnavailable(error.cause()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_that_disconnected_are_dropped() {
        let mut replies = Replies::default();
        let running = RequestId::random();
        let mut stays = Vec::new();
        for n in 0..100 {
            let (reply, answer) = tokio::sync::oneshot::channel();
            let asker = RequestId::random();
            replies.add(asker, Principal::local(), reply.into());
            replies.await_other(asker, running);
            match n {
                50 => stays.push((asker, answer)),
                51 => {
                    replies.leave(asker);
                    stays.push((asker, answer));
                }
                _ => drop(answer),
            }
        }
        // The alias that waits, and the newest one: closed ports are dropped only when the next alias is added.
        assert_eq!((replies.ports.len(), replies.aliases.len()), (2, 2));
        assert!(replies.ports.contains_key(&stays[0].0));
    }
}
