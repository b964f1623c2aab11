//! Transport sessions of the old protocol revisions. Each has three keys in one slot, and every change is one script
//! that is safe to repeat. The connections of a principal are counted in an index in another slot, which is written
//! before a connection is created and after it is closed.
//!
//! They use separate connections to the server, so that no commit waits behind an event of megabytes. They never wait
//! for replicas or the disk: a client whose connection is lost opens another one.

use std::sync::Arc;

use redis::{RedisResult, Value, pipe};

use super::reply::Reply;
use super::script::{self, Invocation};
use super::{Lane, RedisStore};
use crate::clock::millis;
use crate::connections::{
    Appended, BYTES_PER_CONNECTION, BYTES_PER_STREAM, Batch, Connection, ConnectionOptions,
    ConnectionStore, EVENTS_FOR, EVENTS_PER_STREAM, Page, Recorded, STREAMS_PER_CONNECTION,
};
use crate::ids::{ConnectionId, Principal, StreamId};
use crate::store::{StoreError, StoreFuture};

/// A page of events ends with the event that reaches this many bytes.
const PAGE_BYTES: usize = 256 << 10;

/// See the module documentation.
pub(super) struct RedisConnections(pub(super) RedisStore);

impl ConnectionStore for RedisConnections {
    fn open<'a>(
        &'a self,
        connection: &'a Connection,
        options: ConnectionOptions,
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.open_connection(connection, options))
    }

    fn find(&self, id: ConnectionId) -> StoreFuture<'_, Connection> {
        let find = self.on(&script::CONNECTION_FIND, id);
        Box::pin(async move {
            let mut reply = self.one(id, find).await?;
            let (principal, opening) = (reply.principal()?, reply.bytes()?);
            let (node, later, ttl) = (reply.node()?, reply.number()? == 1, reply.number()?);
            if later {
                self.prolong(id, &principal, ttl);
            }
            Ok(Connection {
                id,
                principal,
                opening: opening.into(),
                node,
            })
        })
    }

    fn close(&self, id: ConnectionId) -> StoreFuture<'_, ()> {
        let close = self.on(&script::CONNECTION_CLOSE, id);
        Box::pin(async move {
            let principal = self.one(id, close).await?.text()?;
            if !principal.is_empty() {
                self.unlist(id, &Principal::named(principal));
            }
            Ok(())
        })
    }

    fn append<'a>(
        &'a self,
        id: ConnectionId,
        stream: StreamId,
        batch: &'a Batch,
    ) -> StoreFuture<'a, Appended> {
        if !batch.fits() {
            return Box::pin(std::future::ready(Ok(Appended::Refused)));
        }
        let mut append = self
            .on(&script::CONNECTION_APPEND, id)
            .arg(stream.to_string())
            .arg(batch.first)
            .arg(u8::from(batch.last))
            .arg(u8::from(batch.over_hole))
            .arg(EVENTS_PER_STREAM)
            .arg(BYTES_PER_STREAM)
            .arg(STREAMS_PER_CONNECTION)
            .arg(BYTES_PER_CONNECTION)
            .arg(millis(EVENTS_FOR));
        for event in &batch.events {
            append = append.arg(event.as_ref());
        }
        Box::pin(async move {
            let mut reply = self.one(id, append).await?;
            match reply.text()?.as_str() {
                "kept" => Ok(Appended::Kept),
                "behind" => Ok(Appended::Behind(reply.number()?)),
                _ => Ok(Appended::Refused),
            }
        })
    }

    fn read(&self, id: ConnectionId, stream: StreamId, after: u64) -> StoreFuture<'_, Page> {
        let read = self
            .on(&script::CONNECTION_READ, id)
            .arg(stream.to_string())
            .arg(after)
            .arg(PAGE_BYTES);
        Box::pin(async move {
            let mut reply = self.one(id, read).await?;
            let (ended, more) = (reply.number()? == 1, reply.number()? == 1);
            Ok(Page {
                recorded: Recorded {
                    events: numbered(reply.list()?)?,
                    ended,
                },
                more,
            })
        })
    }
}

/// Event numbers and events.
type Numbered = Vec<(u64, Arc<[u8]>)>;

fn numbered(flat: Vec<Vec<u8>>) -> Result<Numbered, StoreError> {
    let strange = || StoreError::Corrupt("the number of an event cannot be read".to_owned());
    let mut flat = flat.into_iter();
    let mut events = Vec::with_capacity(flat.len() / 2);
    while let (Some(number), Some(event)) = (flat.next(), flat.next()) {
        let number = str::from_utf8(&number).map_err(|_| strange())?;
        events.push((number.parse().map_err(|_| strange())?, event.into()));
    }
    Ok(events)
}

impl RedisConnections {
    async fn open_connection(
        &self,
        connection: &Connection,
        options: ConnectionOptions,
    ) -> Result<(), StoreError> {
        let (id, ttl) = (connection.id, millis(options.ttl));
        let enlist = self.enlisting(id, &connection.principal, ttl, options.per_principal);
        match self.one(id, enlist).await {
            Ok(_) => {}
            Err(StoreError::Limit(what)) if what != FULL => {
                return Err(StoreError::Limit("connections of one caller"));
            }
            Err(error) => return Err(error),
        }
        let node = connection.node.map(|node| node.to_string());
        let open = self
            .on(&script::CONNECTION_OPEN, id)
            .arg(connection.principal.as_str())
            .arg(connection.opening.as_ref())
            .arg(node.unwrap_or_default())
            .arg(ttl);
        self.one(id, open).await.map(|_| ())
    }

    fn enlisting(
        &self,
        id: ConnectionId,
        principal: &Principal,
        ttl: u64,
        limit: usize,
    ) -> Invocation {
        let listed = self.0.0.keys.connections_of(principal);
        script::CONNECTION_ENLIST
            .on(&[&listed])
            .arg(id.to_string())
            .arg(ttl)
            .arg(limit)
    }

    /// Extends the expiry in the index. If that fails, the principal may open one connection more than allowed.
    fn prolong(&self, id: ConnectionId, principal: &Principal, ttl: u64) {
        let enlist = self.enlisting(id, principal, ttl, 0);
        let connections = Self(self.0.clone());
        tokio::spawn(async move { connections.one(id, enlist).await.map(|_| ()) });
    }

    fn unlist(&self, id: ConnectionId, principal: &Principal) {
        let mut unlist = pipe();
        unlist
            .cmd("ZREM")
            .arg(self.0.0.keys.connections_of(principal))
            .arg(id.to_string());
        let connections = Self(self.0.clone());
        tokio::spawn(async move { connections.lane(id).ask(&mut unlist).await.map(|_| ()) });
    }

    fn on(&self, operation: &'static script::Operation, id: ConnectionId) -> Invocation {
        operation.on(&self.0.0.keys.connection(id).all())
    }

    fn lane(&self, id: ConnectionId) -> &Lane {
        let lanes = &self.0.0.connections;
        &lanes[usize::try_from(id.as_u128() % lanes.len() as u128).unwrap_or(0)]
    }

    async fn one(&self, id: ConnectionId, invocation: Invocation) -> Result<Reply, StoreError> {
        let mut answers = self.lane(id).run(vec![invocation]).await?;
        let answer = answers.pop().unwrap_or(Ok(Value::Nil));
        if is_full(&answer) {
            // The server is up; it only has no room for writes.
            return Err(StoreError::Limit(FULL));
        }
        Reply::read(answer)
    }
}

const FULL: &str = "memory of the store";

fn is_full(answer: &RedisResult<Value>) -> bool {
    answer
        .as_ref()
        .is_err_and(|error| error.code() == Some("OOM"))
}
