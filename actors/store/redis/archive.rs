//! Operator requests: list all sessions, read one whole session, and delete sessions that no node can run.

use super::commits::STATE_MAX;
use super::keys::{PARTITIONS, read_field, read_member};
use super::reply::row;
use super::sessions::RESULT_MAX;
use super::{RedisStore, frame, script};
use crate::ids::{Principal, SessionId};
use crate::store::archive::{Archive, Image, Listed, Mark};
use crate::store::{ResultBlob, StoreError, StoreFuture};

impl Archive for RedisStore {
    fn all(&self, after: Option<Mark>, limit: usize) -> StoreFuture<'_, Listed> {
        Box::pin(self.all_sessions(after, limit))
    }

    fn read(&self, id: SessionId) -> StoreFuture<'_, Image> {
        Box::pin(async move { self.seen_twice(|| self.image(id)).await })
    }

    fn discard(&self, id: SessionId, remember: bool) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            match self.discard_session(id, remember, None).await {
                Err(StoreError::Missing) => Ok(()),
                other => other,
            }
        })
    }
}

impl RedisStore {
    /// Deletes a session that no node can run; if `owner` is given, only a session of that principal.
    pub(super) async fn discard_session(
        &self,
        id: SessionId,
        remember: bool,
        owner: Option<&Principal>,
    ) -> Result<(), StoreError> {
        let keys = self.0.keys.session(id);
        let discard = script::DISCARD
            .on(&keys.all())
            .arg(u8::from(remember))
            .arg(owner.map(Principal::as_str).unwrap_or_default());
        let mut reply = self.one(id, discard).await?;
        let (principal, created, key) = (reply.principal()?, reply.number()?, reply.text()?);
        // The index entry of an unreadable session is unknown, and expires by itself.
        if created > 0 {
            self.unlist(id, &principal, created, key);
        }
        Ok(())
    }

    /// A mark is the partition and the last member returned; the member is empty at the start of a partition.
    async fn all_sessions(&self, after: Option<Mark>, limit: usize) -> Result<Listed, StoreError> {
        let mark = after.map_or_else(String::new, |mark| mark.0);
        let (partition, member) = mark.split_once(' ').unwrap_or(("0", ""));
        let partition: u8 = partition
            .parse()
            .map_err(|_| StoreError::Corrupt("invalid position in a listing".to_owned()))?;
        let member = (!member.is_empty()).then_some(member);
        let members = self.partition(partition, member, limit).await?;
        let next = match members.last() {
            Some(last) if members.len() >= limit => Some(format!("{partition} {last}")),
            _ if partition + 1 < PARTITIONS => Some(format!("{} ", partition + 1)),
            _ => None,
        };
        Ok(Listed {
            found: members
                .iter()
                .filter_map(|member| read_member(member))
                .collect(),
            next: next.map(Mark),
        })
    }

    /// Over the pool, because a session may be megabytes.
    async fn image(&self, id: SessionId) -> Result<Image, StoreError> {
        let keys = self.0.keys.session(id);
        let mut reply = self.run_apart(script::READ.on(&keys.all())).await?;
        let row = row(id, &mut reply, self.0.clock.now_ms())?;
        let (ttl_ms, version) = (reply.number()?, reply.number()?);
        let (epoch, left_ms) = (reply.number()?, reply.number()?);
        let (snapshot, deltas, results) = (reply.bytes()?, reply.list()?, reply.list()?);
        let no_results = reply.text()?;
        let mut damaged: Vec<_> = (!no_results.is_empty())
            .then(|| format!("its results: {no_results}"))
            .into_iter()
            .collect();
        let state = |framed: &[u8]| unwrap(framed, STATE_MAX);
        let mut lost = Vec::new();
        let mut blobs = Vec::with_capacity(results.len() / 2);
        for pair in results.chunks_exact(2) {
            let (id, part) = read_field(&pair[0])
                .ok_or_else(|| StoreError::Corrupt("a result without a name".to_owned()))?;
            match unwrap(&pair[1], RESULT_MAX) {
                Ok(bytes) => blobs.push(ResultBlob { id, part, bytes }),
                Err(StoreError::Corrupt(why)) => {
                    damaged.push(format!("result {id}: {why}"));
                    lost.push((id, part));
                }
                Err(error) => return Err(error),
            }
        }
        blobs.sort_by_key(|blob| (blob.id, blob.part));
        Ok(Image {
            row,
            ttl_ms,
            version,
            epoch,
            left_ms,
            snapshot: state(&snapshot)?,
            deltas: deltas
                .iter()
                .map(|delta| state(delta))
                .collect::<Result<_, _>>()?,
            results: blobs,
            lost,
            damaged,
        })
    }
}

fn unwrap(framed: &[u8], cap: usize) -> Result<std::sync::Arc<[u8]>, StoreError> {
    frame::unwrap(framed, cap)
        .map(|(_, bytes)| bytes)
        .map_err(|unread| unread.of("a value"))
}
