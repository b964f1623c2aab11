//! Creates, reads and closes sessions.

use super::*;
use crate::relay::message::{Answer, Question};
use crate::session;
use crate::session::journal::Journal;
use crate::store::Reached;

/// What the owner of a quarantined session can do about it.
const ENDS_QUARANTINED: &str = "the session is quarantined and runs no calls: close_session deletes it and its storage, \
     create_session creates a new one";

impl Sessions {
    /// Creates a session in the store. Its actor starts with its first call.
    pub async fn create(&self, request: CreateRequest) -> Result<SessionView, CallError> {
        let options = &self.0.around.options;
        if self.0.draining.is_cancelled() {
            return Err(CallError::ShuttingDown);
        }
        if request
            .label
            .as_ref()
            .is_some_and(|label| label.len() > options.limits.label_bytes)
        {
            return Err(CallError::LimitReached {
                what: "bytes of a label".into(),
            });
        }
        let ttl = request
            .ttl
            .unwrap_or(options.session_ttl)
            .min(options.session_ttl_max);
        let id = SessionId::random();
        let machine = Machine::new(
            request.principal.clone(),
            request.label.as_deref().map(Into::into),
            request.roots.as_slice().into(),
            self.0.around.clock.now_ms(),
            millis(ttl),
        );
        let asked = serde_json::json!({
            "label": request.label,
            "roots": request.roots.iter().map(|root| root.path.to_string_lossy()).collect::<Vec<_>>(),
            "ttl_ms": request.ttl.map(millis),
        });
        let new = NewSession {
            id,
            principal: request.principal.clone(),
            label: request.label,
            snapshot: snapshot::encode(&machine),
            ttl_ms: millis(ttl),
            key: request.idempotency_key.map(|key| CreateKey {
                key,
                digest: digest(&asked),
                provisional: request.provisional,
            }),
        };
        let created = patiently(|| self.store().create(new.clone()))
            .await
            .map_err(|error| {
                // The error concerns an index or a key of creation: there is no session yet that could be damaged.
                if matches!(error, StoreError::Corrupt(_)) {
                    return CallError::StoreUnavailable(error.to_string());
                }
                self.heard(&request.principal, id, &error)
            })?;
        match created {
            Created::New(reached) => Ok(SessionView {
                version: 1,
                notices: self.not_durable(reached),
                durability: Durability {
                    level: reached.level,
                    durable: reached.durable,
                    version: 1,
                    epoch: 0,
                },
                expires_ms: machine.created_ms.saturating_add(machine.ttl_ms),
                ..session::view::of(id, &Journal::throwaway(machine), options, false)
            }),
            Created::Before(id) => self.view(&request.principal, id, true).await,
        }
    }

    /// The content of a session. A quarantined one is shown as far as possible without running it.
    pub async fn get(
        &self,
        principal: &Principal,
        id: SessionId,
    ) -> Result<SessionView, CallError> {
        let error = match self.view(principal, id, false).await {
            Ok(view) => return Ok(view),
            Err(error) => self.unless_anothers(principal, id, error).await,
        };
        if let CallError::Quarantined { reason, .. } = error {
            return self.view_quarantined(principal, id, reason).await;
        }
        Err(error)
    }

    async fn view(
        &self,
        principal: &Principal,
        id: SessionId,
        replayed: bool,
    ) -> Result<SessionView, CallError> {
        self.here_or_there(
            || Box::pin(self.view_here(principal, id, replayed)),
            || Question::View {
                session: id,
                principal: principal.clone(),
                replayed,
            },
            |answer| match answer {
                Answer::View(view) => Some(*view),
                Answer::HandOver(_)
                | Answer::Call(_)
                | Answer::Done(_)
                | Answer::Posted(_)
                | Answer::Said(_) => None,
            },
        )
        .await
    }

    async fn view_quarantined(
        &self,
        principal: &Principal,
        id: SessionId,
        reason: String,
    ) -> Result<SessionView, CallError> {
        let row = patiently(|| self.store().look(id))
            .await
            .map_err(|error| self.heard(principal, id, &error))?;
        Ok(SessionView {
            id,
            status: SessionStatus::Quarantined { reason },
            label: row.label,
            roots: Vec::new(),
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            ttl: Duration::from_millis(row.expires_ms.saturating_sub(row.created_ms)),
            version: 0,
            calls: Vec::new(),
            history: Vec::new(),
            keys_remembered: 0,
            keys_limit: self.0.around.options.limits.keys,
            kept: Kept::default(),
            notices: vec![ENDS_QUARANTINED.to_owned()],
            replayed: false,
            durability: Durability {
                level: self.store().level(),
                durable: false,
                version: 0,
                epoch: 0,
            },
        })
    }

    /// The sessions of one principal, newest first. `after`: creation time and id of the last row of the previous page.
    /// Returns the rows and the total number.
    pub async fn list(
        &self,
        principal: &Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> Result<(Vec<SessionRow>, u64), CallError> {
        let listed = patiently(|| self.store().list(principal, after, limit.min(LIST_MAX))).await;
        let (rows, total) = listed.map_err(|error| CallError::StoreUnavailable(error.cause()))?;
        let row = |row: crate::store::Row| SessionRow {
            id: row.id,
            label: row.label,
            status: match row.quarantine {
                Some(reason) => SessionStatus::Quarantined { reason },
                None if row.closed => SessionStatus::Closed,
                None => SessionStatus::Open,
            },
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
        };
        Ok((rows.into_iter().map(row).collect(), total))
    }

    /// Closes a session and deletes what it stored; running calls are cancelled.
    pub async fn close(&self, principal: &Principal, id: SessionId) -> Result<(), CallError> {
        let closed = self
            .here_or_there(
                || Box::pin(self.close_here(principal, id)),
                || Question::Close {
                    session: id,
                    principal: principal.clone(),
                },
                done,
            )
            .await;
        let Err(error) = closed else {
            return Ok(());
        };
        let error = self.unless_anothers(principal, id, error).await;
        if let CallError::Quarantined { reason, .. } = error {
            return self.close_quarantined(principal, id, reason).await;
        }
        Err(error)
    }

    /// Does not run the session, so that an unreadable one can be closed too.
    async fn close_quarantined(
        &self,
        principal: &Principal,
        id: SessionId,
        reason: String,
    ) -> Result<(), CallError> {
        let heard = |error: StoreError| self.heard(principal, id, &error);
        let close = || patiently(|| self.store().close_quarantined(id, principal));
        match close().await {
            // Its supervisor has just quarantined it, and the store does not know yet.
            Err(StoreError::Fenced) => {
                let quarantine = || self.store().quarantine(id, Some(reason.clone()));
                patiently(quarantine).await.map_err(heard)?;
                close().await.map_err(heard)
            }
            // The caller asked twice, or another node was faster.
            Err(StoreError::Deleted) => Ok(()),
            closed => closed.map_err(heard),
        }
    }

    /// A stored result, unchanged.
    pub async fn result(
        &self,
        principal: &Principal,
        session: SessionId,
        id: ResultId,
    ) -> Result<StoredResult, CallError> {
        let touched = self
            .here_or_there(
                || Box::pin(self.touch_here(principal, session)),
                || Question::Touch {
                    session,
                    principal: principal.clone(),
                },
                done,
            )
            .await;
        if let Err(error) = touched {
            return Err(self.unless_anothers(principal, session, error).await);
        }
        match results::read(self.store(), session, id).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(true)) => Err(CallError::ResultNotStored(id)),
            Ok(Err(false)) => {
                // An older result has no answer, and its whole part may have been dropped for newer ones.
                let view = self.view(principal, session, false).await?;
                let is_known = view.history.iter().any(|result| result.result_id == id);
                Err(if is_known {
                    CallError::ResultNotStored(id)
                } else {
                    CallError::UnknownResult(id)
                })
            }
            Err(StoreError::Corrupt(why)) => Err(CallError::ResultDamaged { id, why }),
            Err(error) => Err(self.heard(principal, session, &error)),
        }
    }

    /// Sends one request to one session, even if the session dies in the meantime.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        id: SessionId,
        make: impl Fn(ractor::RpcReplyPort<Result<R, CallError>>) -> SessionMsg,
    ) -> Result<R, CallError> {
        tokio::select! {
            biased;
            () = self.0.stopped.cancelled() => Err(CallError::ShuttingDown),
            answer = self.ask_until_answered(id, make) => answer,
        }
    }

    async fn ask_until_answered<R: Send + 'static>(
        &self,
        id: SessionId,
        make: impl Fn(ractor::RpcReplyPort<Result<R, CallError>>) -> SessionMsg,
    ) -> Result<R, CallError> {
        let until = Instant::now() + ASK_WITHIN;
        while Instant::now() < until {
            let session = self.find(id, until).await?;
            let Ok(_permit) = session.admission.clone().try_acquire_owned() else {
                return Err(CallError::Busy {
                    what: "messages to this session".into(),
                    retry_after: BUSY_RETRY,
                });
            };
            let (reply, answer) = oneshot::channel();
            if session.actor.send_message(make(reply.into())).is_ok()
                && let Ok(Ok(answer)) = timeout_at(until, answer).await
            {
                return answer;
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Err(CallError::StoreUnavailable(
            "the session did not answer in time".to_owned(),
        ))
    }

    pub(super) fn heard(
        &self,
        principal: &Principal,
        id: SessionId,
        error: &StoreError,
    ) -> CallError {
        session::as_call_error(id, Some(principal), error)
    }

    /// The notice of a session that is less durable than the operator configured.
    fn not_durable(&self, reached: Reached) -> Vec<String> {
        let asked_for_more = self.store().level() != DurabilityLevel::Memory;
        let told =
            (asked_for_more && !reached.durable).then(|| session::not_durable(reached).to_owned());
        told.into_iter().collect()
    }

    pub fn store_is_away(&self) -> bool {
        self.store().health().away.is_some()
    }

    /// Whether the session of this view is only in memory while the store is down: its key of creation may belong to
    /// another session in the store.
    pub fn is_provisional(&self, view: &SessionView) -> bool {
        self.store().level() != DurabilityLevel::Memory
            && view.durability.level == DurabilityLevel::Memory
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.0.around.persistence.store.as_ref()
    }
}

fn done(answer: Answer) -> Option<Result<(), CallError>> {
    match answer {
        Answer::Done(done) => Some(done),
        Answer::HandOver(_)
        | Answer::Call(_)
        | Answer::View(_)
        | Answer::Posted(_)
        | Answer::Said(_) => None,
    }
}
