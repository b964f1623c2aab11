//! The events of one stream and of one connection, in memory. Pure, so that tests can try the bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::store::{Appended, Batch};
use super::types::{
    BYTES_PER_CONNECTION, BYTES_PER_STREAM, EVENTS_PER_STREAM, Recorded, STREAMS_PER_CONNECTION,
};
use crate::ids::StreamId;

/// Events with consecutive numbers.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Number of the oldest kept event, or of the next event if none is kept.
    first: u64,
    events: VecDeque<Arc<[u8]>>,
    bytes: usize,
    ended: bool,
    /// Counts changes of the connection; the stream with the lowest value was changed the longest ago.
    changed: u64,
    /// How much of the stream another store has; `None`: not even its beginning.
    pub(super) elsewhere: Option<Reached>,
}

/// Position up to which another store has a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reached {
    pub(super) number: u64,
    pub(super) ended: bool,
}

/// The streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: HashMap<StreamId, Stream>,
    bytes: usize,
    changes: u64,
}

impl Stream {
    fn last(&self) -> u64 {
        self.first.max(1) - 1 + self.events.len() as u64
    }

    pub(super) fn reached(&self) -> Reached {
        let (number, ended) = (self.last(), self.ended);
        Reached { number, ended }
    }

    /// Events that another store lacks if it has the stream up to `number`.
    pub(super) fn since(&self, number: u64) -> Batch {
        let first = self.first.max(1).max(number + 1);
        let skip = usize::try_from(first - self.first.max(1)).unwrap_or(usize::MAX);
        Batch {
            first,
            events: self.events.iter().skip(skip).cloned().collect(),
            last: self.ended,
            over_hole: first > number + 1,
        }
    }

    fn read(&self, after: u64) -> Recorded {
        let batch = self.since(after);
        let numbered = (batch.first..).zip(batch.events);
        Recorded {
            events: numbered.collect(),
            ended: self.ended,
        }
    }

    /// Returns the freed bytes.
    fn drop_oldest(&mut self) -> usize {
        let freed = self.events.pop_front().map_or(0, |event| event.len());
        self.first = self.first.max(1) + 1;
        self.bytes -= freed;
        freed
    }
}

impl Streams {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, stream: StreamId) -> Option<&Stream> {
        self.all.get(&stream)
    }

    pub(super) fn get_mut(&mut self, stream: StreamId) -> Option<&mut Stream> {
        self.all.get_mut(&stream)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&StreamId, &Stream)> {
        self.all.iter()
    }

    /// The other store has lost all streams.
    pub(super) fn are_lost(&mut self) {
        self.all
            .values_mut()
            .for_each(|stream| stream.elsewhere = None);
    }

    /// True if every stream has ended.
    pub(super) fn ended(&self) -> bool {
        self.all.values().all(|stream| stream.ended)
    }

    pub(super) fn read(&self, stream: StreamId, after: u64) -> Option<Recorded> {
        self.get(stream).map(|stream| stream.read(after))
    }

    pub(super) fn forget(&mut self, stream: StreamId) {
        if let Some(gone) = self.all.remove(&stream) {
            self.bytes -= gone.bytes;
        }
    }

    /// Drops all streams that have ended. This may free nothing.
    pub(super) fn forget_ended(&mut self) {
        self.all.retain(|_, stream| !stream.ended);
        self.bytes = self.all.values().map(|stream| stream.bytes).sum();
    }

    pub(super) fn append(&mut self, id: StreamId, batch: &Batch) -> Appended {
        if !batch.fits() {
            return Appended::Refused;
        }
        self.changes += 1;
        let (reaches, changed) = (batch.reaches(), self.changes);
        if !self.all.contains_key(&id) {
            if batch.first > 1 && !batch.over_hole {
                return Appended::Behind(0);
            }
            while self.all.len() >= STREAMS_PER_CONNECTION && self.drop_one(id) {}
        }
        let stream = self.all.entry(id).or_insert_with(|| Stream {
            changed,
            ..Stream::default()
        });
        let last = stream.last();
        if reaches < last || reaches == last && (stream.ended || !batch.last) {
            return Appended::Kept;
        }
        if stream.ended {
            return Appended::Refused;
        }
        if batch.first > last + 1 {
            if !batch.over_hole {
                return Appended::Behind(last);
            }
            self.bytes -= std::mem::take(&mut stream.bytes);
            stream.events.clear();
            stream.first = batch.first;
        }
        stream.changed = changed;
        stream.ended = batch.last;
        let known = usize::try_from(stream.last() + 1 - batch.first).unwrap_or(usize::MAX);
        for event in batch.events.iter().skip(known) {
            self.push(id, event);
        }
        Appended::Kept
    }

    fn push(&mut self, id: StreamId, event: &Arc<[u8]>) {
        let size = event.len();
        let Some(stream) = self.all.get_mut(&id) else {
            return;
        };
        while !stream.events.is_empty()
            && (stream.events.len() >= EVENTS_PER_STREAM || stream.bytes + size > BYTES_PER_STREAM)
        {
            self.bytes -= stream.drop_oldest();
        }
        stream.bytes += size;
        self.bytes += size;
        stream.events.push_back(Arc::clone(event));
        while self.bytes > BYTES_PER_CONNECTION && self.drop_one(id) {}
    }

    /// Drops one other stream: the ended stream that was changed the longest ago, or any stream if none has ended.
    /// Returns false if there is no other.
    fn drop_one(&mut self, but: StreamId) -> bool {
        let others = self.all.iter().filter(|(id, _)| **id != but);
        let oldest = others.min_by_key(|(_, stream)| (!stream.ended, stream.changed));
        let Some(id) = oldest.map(|(id, _)| *id) else {
            return false;
        };
        self.forget(id);
        true
    }
}

#[cfg(test)]
mod tests;
