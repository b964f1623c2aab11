//! Compares the index with the stored sessions. `doctor --repair` lists sessions that are missing from the index. While
//! the server evicts keys, sessions that vanished before their expiry are counted, each once among all nodes.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::pipe;

use super::RedisStore;
use super::index::{Listing, is_just_listed, read, server_ms};
use super::keys::{PARTITIONS, read_member};
use super::reply::{Reply, row};
use super::script::{self, Invocation};
use crate::ids::SessionId;
use crate::store::StoreError;

/// Sessions checked in one round trip.
const AT_ONCE: usize = 256;
/// Round trips of one sweep, to keep it short: all 64 parts of the index, or large parts over several sweeps.
const PAGES_PER_SWEEP: usize = 64;
/// Duration of one sweep: the fallback store waits 4 s for it, and would drop it half-way.
const SWEEP_WITHIN: Duration = Duration::from_secs(2);

/// The result of listing sessions again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) there: u64,
    /// Sessions that were not listed before.
    pub(super) anew: u64,
    /// Sessions that cannot be read, so their owner is unknown.
    pub(super) damaged: u64,
}

/// How far the index has been searched for evicted sessions.
#[derive(Debug, Default)]
pub(super) struct Round {
    at: Option<ActorSlot>,
    /// The number of evicted keys when the last complete round began.
    done: u64,
    began: u64,
}

/// A part of the index, and the last member checked.
type ActorSlot = (u8, Option<String>);

impl RedisStore {
    pub(super) async fn list_all(&self, ids: &BTreeSet<SessionId>) -> Result<Listed, StoreError> {
        let mut listed = Listed::default();
        let ids: Vec<_> = ids.iter().copied().collect();
        for ids in ids.chunks(AT_ONCE) {
            let looks = ids.iter().map(|id| self.looking(*id)).collect();
            let looks = self.0.lanes[0].run(looks).await?;
            let mut weights = pipe();
            for id in ids {
                let key = self.0.keys.session(*id).session;
                weights.cmd("HMGET").arg(key).arg("ttl").arg("weight");
            }
            let weights = self.0.lanes[0].ask(weights.ignore_errors()).await?;
            let mut puts = Vec::new();
            for ((id, look), weighed) in ids.iter().zip(looks).zip(weights) {
                let looked = Reply::read(look);
                let found = match looked.and_then(|mut it| row(*id, &mut it, self.0.clock.now_ms()))
                {
                    Ok(found) => found,
                    Err(StoreError::Missing | StoreError::Deleted | StoreError::Expired(_)) => {
                        continue;
                    }
                    Err(StoreError::Corrupt(_)) => {
                        listed.damaged += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let weighed: Vec<Option<String>> = read(Some(weighed)).unwrap_or_default();
                let number = |at: usize| weighed.get(at)?.as_ref()?.parse().ok();
                let listing = Listing {
                    ends: found.expires_ms,
                    ttl_ms: number(0).unwrap_or(0),
                    weight: number(1).unwrap_or(0),
                };
                puts.push(self.put(*id, &found.principal, found.created_ms, listing, 0));
            }
            for answer in self.0.lanes[0].run(puts).await? {
                listed.there += 1;
                listed.anew += Reply::read(answer)?.number()?;
            }
        }
        Ok(listed)
    }

    /// Removes index entries of sessions that are gone. Returns how many of them had not expired yet.
    pub(super) async fn unlist_gone(&self) -> Result<u64, StoreError> {
        let (mut gone, mut at) = (0, Some((0, None)));
        while let Some(place) = at {
            let (more, next) = self.unlist_gone_at(place).await?;
            gone += more;
            at = next;
        }
        Ok(gone)
    }

    /// Counts evicted sessions while the server evicts keys.
    pub(super) async fn count_evicted(&self) -> Result<(), StoreError> {
        let evicted = self.0.shared.counts.evicted_keys.load(Ordering::Relaxed);
        let mut at = self.with_round(|round| {
            if round.at.is_none() && evicted > round.done {
                (round.at, round.began) = (Some((0, None)), evicted);
            }
            round.at.clone()
        });
        let started = Instant::now();
        for _ in 0..PAGES_PER_SWEEP {
            let Some(place) = at.filter(|_| started.elapsed() < SWEEP_WITHIN) else {
                break;
            };
            let partition = place.0;
            let (gone, next) = match self.unlist_gone_at(place).await {
                Ok(done) => done,
                // A key of this part has a wrong type until an operator repairs it.
                Err(StoreError::Corrupt(why)) => {
                    tracing::warn!(
                        partition,
                        why,
                        "a part of the index is damaged and is not searched: run `mcp-code-analysis doctor --repair`"
                    );
                    (0, after_part(partition))
                }
                Err(error) => return Err(error),
            };
            if gone > 0 {
                let sessions = &self.0.shared.counts.evicted_sessions;
                let so_far = sessions.fetch_add(gone, Ordering::Relaxed) + gone;
                tracing::error!(
                    gone,
                    so_far,
                    "Redis evicted sessions before their end: set maxmemory-policy noeviction"
                );
            }
            // After each page: the caller may drop this sweep at any time.
            self.with_round(|round| {
                round.at.clone_from(&next);
                if next.is_none() {
                    round.done = round.began;
                }
            });
            at = next;
        }
        Ok(())
    }

    fn with_round<R>(&self, act: impl FnOnce(&mut Round) -> R) -> R {
        act(&mut self.0.round.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn unlist_gone_at(
        &self,
        place: ActorSlot,
    ) -> Result<(u64, Option<ActorSlot>), StoreError> {
        let (partition, after) = place;
        let members = self.partition(partition, after.as_deref(), AT_ONCE).await?;
        let next = match members.last() {
            Some(last) if members.len() >= AT_ONCE => Some((partition, Some(last.clone()))),
            Some(_) | None => after_part(partition),
        };
        if members.is_empty() {
            return Ok((0, next));
        }
        let keys = self.0.keys.index(partition);
        let listed: Vec<_> = members
            .iter()
            .filter_map(|member| Some((member, read_member(member)?)))
            .collect();
        let mut looks = pipe();
        looks.cmd("TIME");
        for (member, (_, id)) in &listed {
            looks.cmd("TYPE").arg(self.0.keys.session(*id).session);
            looks.cmd("ZSCORE").arg(&keys.by_end).arg(*member);
        }
        let mut answers = self.0.lanes[0]
            .ask(looks.ignore_errors())
            .await?
            .into_iter();
        let now = server_ms(answers.next())?;
        let (mut gone, mut ended) = (Vec::new(), Vec::new());
        for (member, (created, id)) in listed {
            let kind: String = read(answers.next())?;
            let listed_until: Option<f64> = read(answers.next())?;
            if kind != "none" || is_just_listed(created, now) {
                continue;
            }
            match listed_until {
                Some(until) if was_to_last(created, until as u64, now) => {
                    tracing::warn!(session = %id, "a session is gone before its end: its callers are answered unknown_session");
                    gone.push(member);
                }
                Some(_) => {}
                // The ends were lost or moved aside, so no purge will ever find it.
                None => ended.push(member),
            }
        }
        if gone.is_empty() && ended.is_empty() {
            return Ok((0, next));
        }
        let drops = [gone, ended].map(|members| {
            let drop = script::LIST_DROP.on(&keys.all());
            members.into_iter().fold(drop, Invocation::arg)
        });
        let mut answers = self.0.lanes[0].run(drops.into()).await?.into_iter();
        let dropped = Reply::read(answers.next().unwrap_or(Ok(redis::Value::Nil)))?.number()?;
        Ok((dropped, next))
    }
}

fn after_part(partition: u8) -> Option<ActorSlot> {
    (partition + 1 < PARTITIONS).then_some((partition + 1, None))
}

/// Whether a session created at `created_ms` and listed until `listed_until_ms` had not expired yet. It is listed for
/// one time to live beyond the last known expiry, and that is at least one time to live after its creation. So the
/// expiry is at or after the middle of the two.
fn was_to_last(created_ms: u64, listed_until_ms: u64, now_ms: u64) -> bool {
    now_ms < created_ms / 2 + listed_until_ms / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_as_evicted_only_before_its_expiry() {
        const TTL: u64 = 60_000;
        let (made, until) = (1_000_000, 1_000_000 + 2 * TTL);
        assert!(was_to_last(made, until, made + TTL - 1));
        assert!(!was_to_last(made, until, made + TTL), "it ended by itself");
        // Its expiry was extended since: the estimate is never too late.
        let (told, end) = (made + TTL / 2, made + TTL / 2 + TTL);
        assert!(was_to_last(made, told + 2 * TTL, end - TTL / 4 - 1));
        assert!(!was_to_last(made, told + 2 * TTL, end));
    }
}
