//! The names of all keys. The keys of one script are always in one slot.

use crate::ids::{ConnectionId, NodeId, Principal, SessionId};
use crate::store::Part;

/// Parts of the session index, by principal: no part grows without bound, and all parts can be visited.
pub(super) const PARTITIONS: u8 = 64;

/// Parts of the shared cache; the oldest part is dropped as a whole. The scripts use the same number.
pub(super) const SEGMENTS: usize = 8;

/// Key names with one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

/// The keys of one session. The braces are a hash tag, so all three are in one slot.
pub(super) struct SessionKeys {
    pub(super) session: String,
    pub(super) journal: String,
    pub(super) results: String,
}

impl SessionKeys {
    pub(super) fn all(&self) -> [&str; 3] {
        [&self.session, &self.journal, &self.results]
    }
}

/// The keys of one part of the index.
pub(super) struct IndexKeys {
    pub(super) ordered: String,
    pub(super) by_end: String,
    pub(super) bytes: String,
    pub(super) bytes_of_principals: String,
}

impl IndexKeys {
    pub(super) fn all(&self) -> [&str; 4] {
        [
            &self.ordered,
            &self.by_end,
            &self.bytes,
            &self.bytes_of_principals,
        ]
    }
}

/// The keys of one connection.
pub(super) struct ConnectionKeys {
    pub(super) connection: String,
    pub(super) streams: String,
    pub(super) events: String,
}

impl ConnectionKeys {
    pub(super) fn all(&self) -> [&str; 3] {
        [&self.connection, &self.streams, &self.events]
    }
}

/// The keys of the shared cache.
pub(super) struct CacheKeys {
    pub(super) segments: [String; SEGMENTS],
    pub(super) state: String,
}

impl CacheKeys {
    pub(super) fn all(&self) -> Vec<&str> {
        let segments = self.segments.iter().map(String::as_str);
        segments.chain([self.state.as_str()]).collect()
    }
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn session(&self, id: SessionId) -> SessionKeys {
        let prefix = &self.prefix;
        SessionKeys {
            session: format!("{prefix}:{{{id}}}:m"),
            journal: format!("{prefix}:{{{id}}}:j"),
            results: format!("{prefix}:{{{id}}}:d"),
        }
    }

    pub(super) fn index(&self, partition: u8) -> IndexKeys {
        let prefix = &self.prefix;
        IndexKeys {
            ordered: format!("{prefix}:{{ix:{partition:02}}}:l"),
            by_end: format!("{prefix}:{{ix:{partition:02}}}:x"),
            bytes: format!("{prefix}:{{ix:{partition:02}}}:b"),
            bytes_of_principals: format!("{prefix}:{{ix:{partition:02}}}:p"),
        }
    }

    /// The key of a creation under an idempotency key.
    pub(super) fn creation(&self, principal: &Principal, key: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(principal.as_str().len() as u64).to_le_bytes());
        hasher.update(principal.as_str().as_bytes());
        hasher.update(key.as_bytes());
        format!("{}:{{ck:{}}}", self.prefix, hasher.finalize().to_hex())
    }

    pub(super) fn connection(&self, id: ConnectionId) -> ConnectionKeys {
        let prefix = &self.prefix;
        ConnectionKeys {
            connection: format!("{prefix}:{{{id}}}:c"),
            streams: format!("{prefix}:{{{id}}}:s"),
            events: format!("{prefix}:{{{id}}}:e"),
        }
    }

    /// The connections of a principal, for counting them.
    pub(super) fn connections_of(&self, principal: &Principal) -> String {
        let digest = blake3::hash(principal.as_str().as_bytes()).to_hex();
        format!("{}:{{cp:{}}}", self.prefix, &digest[..32])
    }

    pub(super) fn cache(&self) -> CacheKeys {
        let prefix = &self.prefix;
        CacheKeys {
            segments: std::array::from_fn(|nth| format!("{prefix}:{{cache}}:s{nth}")),
            state: format!("{prefix}:{{cache}}:m"),
        }
    }

    pub(super) fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    pub(super) fn node(&self, node: NodeId) -> String {
        format!("{}:node:{node}", self.prefix)
    }

    /// The keys that belong to no single session, connection or node.
    pub(super) fn shared(&self) -> Vec<String> {
        let mut shared = vec![self.nodes()];
        for partition in 0..PARTITIONS {
            shared.extend(self.index(partition).all().map(str::to_owned));
        }
        shared
    }

    pub(super) fn inbox(&self, node: NodeId) -> String {
        format!("{}:inbox:{node}", self.prefix)
    }

    /// How far `doctor --repair` has looked through the keys.
    pub(super) fn repaired(&self) -> String {
        format!("{}:repaired", self.prefix)
    }

    /// Where a key of a wrong type is moved for a while. The hash tag, and so the slot, stays the same.
    pub(super) fn aside(&self, key: &str, stamp: &str) -> String {
        let rest = key.strip_prefix(&self.prefix).unwrap_or(key);
        format!("{}:aside:{stamp}{rest}", self.prefix)
    }

    /// The purpose of a key, by its name. `None`: not a key of this program, or one that is no longer used.
    pub(super) fn meant(&self, key: &str) -> Option<Meant> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix(':')?;
        if rest == "nodes" {
            return Some(Meant::of_others("zset"));
        }
        if rest.starts_with("node:") {
            return Some(Meant::of_others("string"));
        }
        if rest.starts_with("inbox:") {
            return Some(Meant::of_others("list"));
        }
        let (tag, part) = rest.strip_prefix('{')?.split_once('}')?;
        if let Some(partition) = tag.strip_prefix("ix:") {
            let partition = partition.parse().ok().filter(|at| *at < PARTITIONS)?;
            let kind = match part {
                ":l" | ":x" => "zset",
                ":b" | ":p" => "hash",
                _ => return None,
            };
            let whose = Whose::Index(partition);
            return Some(Meant { kind, whose });
        }
        if tag.starts_with("ck:") {
            return Some(Meant::of_others("hash"));
        }
        if tag.starts_with("cp:") {
            return Some(Meant::of_others("zset"));
        }
        if tag == "cache" || ConnectionId::parse(tag).is_ok() {
            return Some(Meant::of_others("hash"));
        }
        let whose = Whose::Session(SessionId::parse(tag).ok()?, part == ":m");
        let kind = match part {
            ":m" | ":d" => "hash",
            ":j" => "list",
            _ => return None,
        };
        Some(Meant { kind, whose })
    }
}

/// The expected type of a key, and its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) kind: &'static str,
    pub(super) whose: Whose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Belongs to a part of the index.
    Index(u8),
    /// Belongs to a session; true for the key without which the session does not exist.
    Session(SessionId, bool),
    /// Belongs to nodes, connections, creations or the cache: created again when needed.
    Others,
}

impl Meant {
    fn of_others(kind: &'static str) -> Self {
        let whose = Whose::Others;
        Self { kind, whose }
    }
}

/// The part of the index that lists a principal's sessions, and the prefix of its members.
pub(super) fn listed_at(principal: &Principal) -> (u8, String) {
    let digest = blake3::hash(principal.as_str().as_bytes());
    let partition = digest.as_bytes()[0] % PARTITIONS;
    (partition, format!("{}:", &digest.to_hex()[..32]))
}

/// The members of a principal sort its sessions newest first.
pub(super) fn member(prefix: &str, created_ms: u64, id: SessionId) -> String {
    format!("{prefix}{:016x}:{id}", u64::MAX - created_ms)
}

/// The creation time and id in a member.
pub(super) fn read_member(member: &str) -> Option<(u64, SessionId)> {
    let mut parts = member.splitn(3, ':').skip(1);
    let created = u64::from_str_radix(parts.next()?, 16).ok()?;
    let id = SessionId::parse(parts.next()?).ok()?;
    Some((u64::MAX - created, id))
}

/// The field of a result's part, in the hash of its session.
pub(super) fn field(id: crate::ids::ResultId, part: Part) -> String {
    match part {
        Part::Answer => format!("{id}:a"),
        Part::Whole => format!("{id}:w"),
    }
}

/// The part of a result that a field holds.
pub(super) fn read_field(field: &[u8]) -> Option<(crate::ids::ResultId, Part)> {
    let (id, part) = str::from_utf8(field).ok()?.split_once(':')?;
    let part = match part {
        "a" => Part::Answer,
        "w" => Part::Whole,
        _ => return None,
    };
    Some((crate::ids::ResultId::parse(id).ok()?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_round_trip_and_sort_newest_first() {
        let (id, (_, prefix)) = (SessionId::random(), listed_at(&Principal::local()));
        let (old, new) = (member(&prefix, 1000, id), member(&prefix, 2000, id));
        assert!(new < old);
        assert_eq!(read_member(&old), Some((1000, id)));
        assert_eq!(read_member("nonsense"), None);
    }

    /// Every key has the type that its name says, and a key that was moved aside belongs to nothing.
    #[test]
    fn the_name_of_every_key_tells_its_type() {
        let (keys, id, node) = (Keys::new("a.b:c"), SessionId::random(), NodeId::random());
        let kind = |key: &str| keys.meant(key).map(|meant| meant.kind);
        let session = keys.session(id);
        assert_eq!(session.all().map(kind), ["hash", "list", "hash"].map(Some));
        let known = Some(Whose::Session(id, true));
        assert_eq!(keys.meant(&session.session).map(|it| it.whose), known);
        let index = keys.index(7);
        let kinds = ["zset", "zset", "hash", "hash"];
        assert_eq!(index.all().map(kind), kinds.map(Some));
        let connection = keys.connection(ConnectionId::random());
        assert_eq!(connection.all().map(kind), ["hash"; 3].map(Some));
        let local = Principal::local();
        for (key, wanted) in [
            (keys.nodes(), "zset"),
            (keys.node(node), "string"),
            (keys.inbox(node), "list"),
            (keys.creation(&local, "once"), "hash"),
            (keys.connections_of(&local), "zset"),
            (keys.cache().state, "hash"),
            (keys.cache().segments[7].clone(), "hash"),
        ] {
            assert_eq!(kind(&key), Some(wanted), "{key}");
            assert_eq!(kind(&keys.aside(&key, "1")), None, "{key}");
        }
        for other in [
            "a.b:c:{ix:64}:l",
            "a.b:c:{doctor}:s",
            &keys.repaired(),
            "other:nodes",
            "a.b:c",
        ] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
