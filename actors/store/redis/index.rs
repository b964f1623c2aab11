//! The index of sessions by principal, newest first. It is in separate slots, so it is written before a session is
//! created and after it is deleted, and readers look up every session that it lists.

use redis::{RedisResult, Value, cmd, pipe};

use super::RedisStore;
use super::keys::{listed_at, member, read_member};
use super::reply::Reply;
use super::reply::row;
use super::script;
use crate::ids::{Principal, SessionId};
use crate::store::{Row, StoreError, Usage};

/// Sessions of one principal, so that one caller cannot take all room.
const SESSIONS_PER_PRINCIPAL: usize = 20_000;
/// How often a page is refilled when listed sessions are gone. The rest is on the next page.
const ROUNDS: usize = 16;

/// A session is listed before it is created. Its entry is kept for this long even if there is no such session: longer
/// than any node takes from one to the other, and longer than clocks of nodes and of the server should differ.
const JUST_LISTED_MS: u64 = 60_000;

/// Whether the index already names a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enlisted {
    Yes,
    /// A key of the index has a wrong type. The session's next change tries again.
    NotYet,
}

/// What the index has of a session.
pub(super) struct Listing {
    pub(super) ends: u64,
    pub(super) ttl_ms: u64,
    pub(super) weight: u64,
}

/// The weight of a new session with this many bytes: slightly too high, as in the scripts.
pub(super) fn weight(bytes: usize) -> u64 {
    (bytes + (bytes / 8).max(4096)) as u64
}

impl RedisStore {
    /// The usage of a principal: an upper estimate of its sessions, including ones that ended recently.
    pub(super) async fn usage_of(&self, principal: &Principal) -> Result<Usage, StoreError> {
        let (partition, prefix) = listed_at(principal);
        let keys = self.0.keys.index(partition);
        let usage = script::USAGE
            .on(&keys.all())
            .arg(self.0.clock.now_ms())
            .arg(prefix);
        let lane = &self.0.lanes[usize::from(partition) % self.0.lanes.len()];
        let mut answers = lane.run(vec![usage]).await?;
        let mut reply = Reply::read(answers.pop().unwrap_or(Ok(Value::Nil)))?;
        Ok(Usage {
            sessions: reply.number()?,
            bytes: reply.number()?,
        })
    }

    /// Called before the session is created.
    pub(super) async fn enlist(
        &self,
        id: SessionId,
        principal: &Principal,
        created_ms: u64,
        ttl_ms: u64,
        weight: u64,
    ) -> Result<Enlisted, StoreError> {
        let ends = self.0.clock.now_ms().saturating_add(ttl_ms);
        let put = self.put(
            id,
            principal,
            created_ms,
            Listing {
                ends,
                ttl_ms,
                weight,
            },
            SESSIONS_PER_PRINCIPAL,
        );
        match self.one(id, put).await {
            Ok(_) => Ok(Enlisted::Yes),
            Err(StoreError::Limit(_)) => Err(StoreError::Limit("sessions of one caller")),
            // A key of the index has a wrong type: the session is created anyway, and can be reached by its id.
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(
                    session = %id, why,
                    "a key of the index is damaged, and the session is not listed: run `mcp-code-analysis doctor --repair`"
                );
                Ok(Enlisted::NotYet)
            }
            Err(error) => Err(error),
        }
    }

    /// Updates the index after a session's expiry or weight has changed, and extends its key of creation.
    pub(super) fn prolong(
        &self,
        id: SessionId,
        principal: Principal,
        created_ms: u64,
        expires_ms: u64,
        weight: u64,
        creation: String,
    ) {
        let store = self.clone();
        tokio::spawn(async move {
            let ttl = expires_ms.saturating_sub(store.0.clock.now_ms());
            let listing = Listing {
                ends: expires_ms,
                ttl_ms: ttl,
                weight,
            };
            let put = store.put(id, &principal, created_ms, listing, 0);
            if let Err(error) = store.one(id, put).await {
                tracing::debug!(session = %id, %error, "the index was not updated with a later expiry");
            }
            if !creation.is_empty() {
                let mut prolong = pipe();
                prolong.cmd("PEXPIRE").arg(creation).arg(ttl);
                let _ = store.lane(id).ask(&mut prolong).await;
            }
        });
    }

    /// Listed for one time to live beyond its expiry, because a later expiry may not have reached the index.
    pub(super) fn put(
        &self,
        id: SessionId,
        principal: &Principal,
        created_ms: u64,
        listing: Listing,
        limit: usize,
    ) -> script::Invocation {
        let (partition, prefix) = listed_at(principal);
        let keys = self.0.keys.index(partition);
        script::LIST_PUT
            .on(&keys.all())
            .arg(member(&prefix, created_ms, id))
            .arg(listing.ends.saturating_add(listing.ttl_ms))
            .arg(self.0.clock.now_ms())
            .arg(prefix)
            .arg(limit)
            .arg(listing.weight)
    }

    /// Called after the session is deleted; frees its key of creation.
    pub(super) fn unlist(
        &self,
        id: SessionId,
        principal: &Principal,
        created_ms: u64,
        key: String,
    ) {
        let (partition, prefix) = listed_at(principal);
        let keys = self.0.keys.index(partition);
        let drop = script::LIST_DROP
            .on(&keys.all())
            .arg(member(&prefix, created_ms, id));
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.one(id, drop).await {
                tracing::debug!(session = %id, %error, "a session that is gone is still listed");
            }
            if !key.is_empty() {
                let unclaim = script::UNCLAIM.on(&[&key]).arg(id.to_string());
                let _ = store.one(id, unclaim).await;
            }
        });
    }

    pub(super) async fn list_sessions(
        &self,
        principal: &Principal,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> Result<(Vec<Row>, u64), StoreError> {
        let (partition, prefix) = listed_at(principal);
        let keys = self.0.keys.index(partition);
        let lane = &self.0.lanes[usize::from(partition) % self.0.lanes.len()];
        let end = format!("({prefix}~");
        let mut from = match after {
            Some((created, id)) => format!("({}", member(&prefix, created, id)),
            None => format!("[{prefix}"),
        };
        let (mut rows, mut total, mut gone, mut now) = (Vec::new(), 0, Vec::new(), 0);
        for _ in 0..ROUNDS {
            let wanted = limit.saturating_sub(rows.len());
            let mut page = pipe();
            page.cmd("ZRANGEBYLEX")
                .arg(&keys.ordered)
                .arg(&from)
                .arg(&end)
                .arg("LIMIT")
                .arg(0)
                .arg(wanted);
            page.cmd("ZLEXCOUNT")
                .arg(&keys.ordered)
                .arg(format!("[{prefix}"))
                .arg(&end);
            page.cmd("TIME");
            let mut answers = lane.ask(page.ignore_errors()).await?.into_iter();
            let members: Vec<String> = read(answers.next())?;
            total = read::<u64>(answers.next())?;
            now = server_ms(answers.next())?;
            let Some(last) = members.last() else { break };
            from = format!("({last}");
            let full = members.len() == wanted;
            let found: Vec<_> = members
                .iter()
                .filter_map(|member| Some((member, read_member(member)?)))
                .collect();
            let looks = found.iter().map(|(_, (_, id))| self.looking(*id)).collect();
            for ((member, (created, id)), answer) in found.into_iter().zip(lane.run(looks).await?) {
                match Reply::read(answer)
                    .and_then(|mut reply| row(id, &mut reply, self.0.clock.now_ms()))
                {
                    Ok(row) if row.created_ms == created => rows.push(row),
                    // A second entry with a wrong creation time.
                    Ok(_) => gone.push(member.clone()),
                    Err(StoreError::Missing | StoreError::Deleted | StoreError::Expired(_)) => {
                        gone.push(member.clone());
                    }
                    // Damaged: it exists, but is not listed as a healthy session.
                    Err(StoreError::Corrupt(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if rows.len() >= limit || !full {
                break;
            }
        }
        total = total.saturating_sub(gone.len() as u64);
        self.forget(partition, gone, now);
        Ok((rows, total))
    }

    fn forget(&self, partition: u8, members: Vec<String>, now_ms: u64) {
        let old = |member: &String| {
            read_member(member).is_some_and(|(created, _)| !is_just_listed(created, now_ms))
        };
        let members: Vec<_> = members.into_iter().filter(old).collect();
        if members.is_empty() {
            return;
        }
        let keys = self.0.keys.index(partition);
        let mut drop = script::LIST_DROP.on(&keys.all());
        for member in members {
            drop = drop.arg(member);
        }
        let store = self.clone();
        tokio::spawn(async move { store.0.lanes[0].run(vec![drop]).await.map(|_| ()) });
    }

    /// A part of the whole index in order, for all principals.
    pub(super) async fn partition(
        &self,
        partition: u8,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let keys = self.0.keys.index(partition);
        let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let mut page = pipe();
        page.add_command(
            cmd("ZRANGEBYLEX")
                .arg(&keys.ordered)
                .arg(from)
                .arg("+")
                .arg("LIMIT")
                .arg(0)
                .arg(limit)
                .to_owned(),
        );
        let answers = self.0.lanes[0].ask(page.ignore_errors()).await?;
        read(answers.into_iter().next())
    }
}

/// Whether the session that the index names may still have to be created, by the clock of the server.
pub(super) fn is_just_listed(created_ms: u64, now_ms: u64) -> bool {
    now_ms <= created_ms.saturating_add(JUST_LISTED_MS)
}

/// The answer to TIME, in ms.
pub(super) fn server_ms(answer: Option<RedisResult<Value>>) -> Result<u64, StoreError> {
    let (seconds, micros): (u64, u64) = read(answer)?;
    Ok(seconds * 1000 + micros / 1000)
}

pub(super) fn read<T: redis::FromRedisValue>(
    answer: Option<RedisResult<Value>>,
) -> Result<T, StoreError> {
    let value = answer
        .unwrap_or(Ok(Value::Nil))
        .map_err(|error| answered(&error))?;
    redis::from_redis_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// A key of a wrong type is no sign that the server is down.
pub(super) fn answered(error: &redis::RedisError) -> StoreError {
    if error.code() == Some("WRONGTYPE") {
        return StoreError::Corrupt(
            "a key of the index or of the nodes has a wrong type; the operator has to run \
             `mcp-code-analysis doctor --repair`, which sets it aside and lists the sessions again"
                .to_owned(),
        );
    }
    super::link::unavailable(error)
}
