//! Creates sessions, with or without an idempotency key.

use super::commits::state;
use super::{RedisStore, index, script};
use crate::ids::SessionId;
use crate::store::{CreateKey, Created, NewSession, Store, StoreError};

/// Longer than any node takes from claiming a key to creating its session, and far shorter than an ended session is
/// remembered.
const LAID_DOWN_WITHIN_MS: u64 = 60_000;
/// The session that a key of creation names.
struct Claimed {
    session: SessionId,
    /// False: it still has to be created under that id.
    is_there: bool,
}

impl RedisStore {
    pub(super) async fn create_session(&self, session: NewSession) -> Result<Created, StoreError> {
        let NewSession {
            mut id,
            principal,
            label,
            snapshot,
            ttl_ms,
            key,
        } = session;
        let snapshot = state(&snapshot, 1)?;
        let (mut creation, mut before) = (String::new(), false);
        if let Some(key) = &key {
            creation = self.0.keys.creation(&principal, &key.key);
            let claimed = self.claim(&creation, id, key, ttl_ms).await?;
            if claimed.is_there {
                return Ok(Created::Before(claimed.session));
            }
            before = claimed.session != id;
            id = claimed.session;
        }
        let created = self.0.clock.now_ms();
        // Index first: an index entry without a session is detected later, a session without an index entry is not.
        let weight = index::weight(snapshot.len());
        let enlisted = self.enlist(id, &principal, created, ttl_ms, weight).await?;
        let keys = self.0.keys.session(id);
        let create = script::CREATE
            .on(&keys.all())
            .arg(principal.as_str())
            .arg(label.unwrap_or_default())
            .arg(created)
            .arg(ttl_ms)
            .arg(snapshot)
            .arg(&creation)
            .arg(weight)
            .arg(u8::from(enlisted == index::Enlisted::Yes));
        let mut reply = self.one(id, create).await?;
        let (_expires, first) = (reply.number()?, reply.number()?);
        if first != created {
            // An earlier attempt created and indexed it.
            self.unlist(id, &principal, created, String::new());
        }
        if before {
            return Ok(Created::Before(id));
        }
        Ok(Created::New(self.reached().await))
    }

    /// Returns the session of the key. If the key is free or its session has ended, this session claims it.
    async fn claim(
        &self,
        creation: &str,
        id: SessionId,
        key: &CreateKey,
        ttl_ms: u64,
    ) -> Result<Claimed, StoreError> {
        let digest = blake3::Hash::from_bytes(key.digest).to_hex().to_string();
        let mut gone = String::new();
        loop {
            let claim = script::CLAIM
                .on(&[creation])
                .arg(id.to_string())
                .arg(&digest)
                .arg(ttl_ms)
                .arg(&gone);
            let mut reply = self.one(id, claim).await?;
            let (session, since_ms, same) = (reply.text()?, reply.number()?, reply.number()? == 1);
            let session = SessionId::parse(&session)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let claimed = |is_there| match same {
                true => Ok(Claimed { session, is_there }),
                false => Err(StoreError::KeyReused),
            };
            if session == id || gone == session.to_string() {
                return claimed(false);
            }
            match self.look(session).await {
                // The node that claimed the key has not created the session yet, or has crashed. Both nodes create the
                // same session.
                Err(StoreError::Missing) if since_ms < LAID_DOWN_WITHIN_MS => {
                    return claimed(false);
                }
                // Ended sessions free their keys.
                Err(StoreError::Deleted | StoreError::Expired(_) | StoreError::Missing) => {
                    gone = session.to_string();
                }
                Ok(_) => return claimed(true),
                Err(error) => return Err(error),
            }
        }
    }
}
