//! Checks that every key has the type that its name says. Another client that writes to the same keys can hide sessions
//! from lists, hide nodes from each other, or make a session unusable.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{RedisError as Refused, cmd, pipe};

use super::{Outcome, trouble};
use crate::ids::SessionId;
use crate::store::redis::keys::{Keys, Whose};

/// Keys queried at once: Redis answers within a millisecond, so others do not wait longer.
const AT_ONCE: usize = 1000;
/// Longest duration: a person waits for the result, and a shared Redis may have any number of keys.
pub(super) const LOOKS_FOR: Duration = Duration::from_secs(60);
/// Sessions remembered for the comparison with the index, at 16 bytes each.
const SESSIONS_MAX: usize = 4_000_000;
/// Keys of a wrong type that one run reports or moves aside.
const WRONG_MAX: usize = 100_000;
/// Keys named in one line.
const NAMED: usize = 8;

/// What was found among the keys with the prefix.
#[derive(Default)]
pub(super) struct Walk {
    /// Keys of this program.
    looked_at: usize,
    pub(super) wrong: Vec<Wrong>,
    /// Sessions with a key of a wrong type. They are quarantined at their next use.
    damaged: BTreeSet<SessionId>,
    /// All sessions.
    pub(super) sessions: BTreeSet<SessionId>,
    /// Why not all keys were checked, and what to do.
    pub(super) cut: Option<(String, String)>,
    /// Where the next walk continues. 0: all keys were checked.
    pub(super) next: u64,
    /// SCAN is not allowed, so only the keys of the index were checked.
    pub(super) blind: bool,
}

/// A key of a wrong type that belongs to no session.
pub(super) struct Wrong {
    pub(super) key: String,
    pub(super) is: String,
    pub(super) wanted: &'static str,
    pub(super) whose: Whose,
}

/// Checks the keys from `from` on (0: the start), for `within`.
pub(super) async fn walk(
    connection: &mut MultiplexedConnection,
    prefix: &str,
    from: u64,
    within: Duration,
) -> Result<Walk, Outcome> {
    let names = Keys::new(prefix);
    let mut walk = Walk {
        next: from,
        ..Walk::default()
    };
    let started = Instant::now();
    loop {
        let page = cmd("SCAN")
            .arg(walk.next)
            .arg("MATCH")
            .arg(format!("{prefix}:*"))
            .arg("COUNT")
            .arg(AT_ONCE)
            .query_async::<(u64, Vec<Vec<u8>>)>(connection)
            .await;
        let (next, found) = match page {
            Ok(page) => page,
            Err(refused) if refused.code() == Some("NOPERM") => {
                // The keys whose names are known.
                look(connection, &names, &mut walk, names.shared()).await?;
                let what = "only the keys of the index were checked: SCAN is not allowed";
                let advice = "ACL SETUSER … +scan, to check every key";
                walk.cut = Some((what.to_owned(), advice.to_owned()));
                walk.blind = true;
                return Ok(walk);
            }
            Err(refused) => return Err(trouble::of_answer(&refused, "SCAN")),
        };
        let found = found
            .into_iter()
            .filter_map(|key| String::from_utf8(key).ok());
        look(connection, &names, &mut walk, found.collect()).await?;
        walk.next = next;
        if next == 0 {
            return Ok(walk);
        }
        let full = walk.sessions.len() >= SESSIONS_MAX || walk.wrong.len() >= WRONG_MAX;
        if full || started.elapsed() > within {
            let what = format!(
                "not all keys were checked, only {}: one run checks keys for {} s at most",
                walk.looked_at,
                within.as_secs()
            );
            let advice = "run `doctor --repair` repeatedly: each run continues where the last one stopped. With a \
                          Redis or a database of its own, the program has fewer keys to check";
            walk.cut = Some((what, advice.to_owned()));
            return Ok(walk);
        }
    }
}

async fn look(
    connection: &mut MultiplexedConnection,
    names: &Keys,
    walk: &mut Walk,
    keys: Vec<String>,
) -> Result<(), Outcome> {
    let known: Vec<_> = keys
        .into_iter()
        .filter_map(|key| names.meant(&key).map(|meant| (key, meant)))
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let mut types = pipe();
    for (key, _) in &known {
        types.cmd("TYPE").arg(key);
    }
    let found: Result<Vec<String>, Refused> = types.query_async(connection).await;
    let found = found.map_err(|refused| trouble::of_answer(&refused, "TYPE"))?;
    walk.looked_at += known.len();
    for ((key, meant), is) in known.into_iter().zip(found) {
        // The key was deleted in the meantime.
        let is_wrong = is != "none" && is != meant.kind;
        match meant.whose {
            Whose::Session(id, _) if is_wrong => drop(walk.damaged.insert(id)),
            Whose::Session(id, true) => drop(walk.sessions.insert(id)),
            // SCAN may return a key twice.
            Whose::Index(_) | Whose::Others if is_wrong => walk.wrong.push(Wrong {
                key,
                is,
                wanted: meant.kind,
                whose: meant.whose,
            }),
            Whose::Session(..) | Whose::Index(_) | Whose::Others => {}
        }
    }
    Ok(())
}

impl Walk {
    pub(super) fn told(mut self) -> Outcome {
        self.wrong.sort_by(|a, b| a.key.cmp(&b.key));
        self.wrong.dedup_by(|a, b| a.key == b.key);
        let and_cut = self.cut.as_ref();
        let and_cut = and_cut.map_or_else(String::new, |(what, _)| format!("; {what}"));
        if !self.wrong.is_empty() {
            let what = self.wrong.iter().map(Wrong::told);
            return Outcome::Misfit {
                what: first(what, self.wrong.len()) + &and_cut,
                advice: format!(
                    "another client wrote these keys: `doctor --repair` sets them aside and lists the sessions again; \
                     or delete each (DEL {})",
                    self.wrong[0].key
                ),
            };
        }
        if !self.damaged.is_empty() {
            let ids = first(
                self.damaged.iter().map(ToString::to_string),
                self.damaged.len(),
            );
            return Outcome::Warning {
                what: format!("these sessions have a key of a wrong type: {ids}{and_cut}"),
                advice: "another client wrote them; such a session is quarantined when it is next used: `sessions show \
                         ID` shows the remaining data, `sessions close ID` deletes it"
                    .to_owned(),
            };
        }
        if let Some((what, advice)) = self.cut {
            return Outcome::Warning { what, advice };
        }
        let (keys, sessions) = (self.looked_at, self.sessions.len());
        Outcome::Good(format!(
            "all {keys} keys have the right type; {sessions} sessions"
        ))
    }
}

impl Wrong {
    fn told(&self) -> String {
        format!("{} is a {}, not a {}", self.key, self.is, self.wanted)
    }
}

/// The first few of `count` items, and the number of further ones.
pub(super) fn first(told: impl Iterator<Item = String>, count: usize) -> String {
    let named: Vec<_> = told.take(NAMED).collect();
    let mut text = named.join("; ");
    if count > NAMED {
        text.push_str(&format!("; and {} more", count - NAMED));
    }
    text
}
