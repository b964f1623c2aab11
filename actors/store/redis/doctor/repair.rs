//! `doctor --repair`: moves keys of a wrong type aside, so that nodes create them again, and lists sessions that are
//! missing from the index. Safe while nodes run, and safe to repeat: correct keys are not touched.
//!
//! One run takes a bounded time. How far it came is stored, so that runs in a row reach every key of a large Redis.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Script, cmd};

use super::keys::{LOOKS_FOR, Walk, Wrong, first, walk};
use super::{Finding, Info, Outcome, connect, finding, trouble};
use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::redis::keys::{Keys, Whose};
use crate::store::redis::{RedisOptions, RedisStore};

/// How long moved keys are kept: enough to find out who wrote them.
const ASIDE_DAYS: u64 = 7;

/// First the keys, then their new names. Checks the types again, atomically: a node may have created a key again.
const SET_ASIDE: &str = "
local count, wrong, moved = #KEYS / 2, false, 0
for at = 1, count do
  local kind = redis.call('TYPE', KEYS[at])['ok']
  wrong = wrong or (kind ~= 'none' and kind ~= ARGV[2])
end
if not wrong then return 0 end
for at = 1, count do
  if redis.call('TYPE', KEYS[at])['ok'] ~= 'none' then
    redis.call('RENAME', KEYS[at], KEYS[count + at])
    redis.call('PEXPIRE', KEYS[count + at], ARGV[1])
    moved = moved + 1
  end
end
return moved";

/// How long the place is remembered. A run after that starts again.
const PLACE_KEPT_MS: u64 = 24 * 3600 * 1000;

/// Where the next run continues. A cursor of SCAN is valid until the server restarts, so the run id is stored with it.
struct Place {
    key: String,
    run_id: String,
}

impl Place {
    async fn of(connection: &mut MultiplexedConnection, prefix: &str) -> Result<Self, Outcome> {
        let info = Info::read(connection).await;
        let info = info.map_err(|refused| trouble::of_answer(&refused, "INFO"))?;
        let (key, run_id) = (Keys::new(prefix).repaired(), info.get("run_id").to_owned());
        Ok(Self { key, run_id })
    }

    /// 0: the start.
    async fn read(&self, connection: &mut MultiplexedConnection) -> Result<u64, Outcome> {
        let stored = cmd("GET").arg(&self.key).query_async(connection).await;
        let stored: Option<String> =
            stored.map_err(|refused| trouble::of_answer(&refused, "GET"))?;
        let cursor = stored.and_then(|stored| {
            let (run_id, cursor) = stored.split_once(' ')?;
            cursor.parse().ok().filter(|_| run_id == self.run_id)
        });
        Ok(cursor.unwrap_or(0))
    }

    async fn write(
        &self,
        connection: &mut MultiplexedConnection,
        cursor: u64,
    ) -> Result<(), Outcome> {
        let mut write = cmd("SET");
        write
            .arg(&self.key)
            .arg(format!("{} {cursor}", self.run_id));
        write.arg("PX").arg(PLACE_KEPT_MS);
        let written = write.exec_async(connection).await;
        written.map_err(|refused| trouble::of_answer(&refused, "SET"))
    }
}

/// `stamp` is the date in the names of moved keys.
pub async fn repair(options: &RedisOptions, stamp: &str) -> Vec<Finding> {
    repair_within(options, stamp, LOOKS_FOR).await
}

pub(in crate::store::redis) async fn repair_within(
    options: &RedisOptions,
    stamp: &str,
    within: Duration,
) -> Vec<Finding> {
    let done = async {
        let mut connection = connect(options).await?;
        let place = Place::of(&mut connection, &options.prefix).await?;
        let from = place.read(&mut connection).await?;
        let walked = walk(&mut connection, &options.prefix, from, within).await?;
        if walked.blind {
            return Err(Outcome::Misfit {
                what: "sessions cannot be found: SCAN is not allowed".to_owned(),
                advice: "ACL SETUSER … +scan +rename, or run `doctor --repair` as a user with these permissions"
                    .to_owned(),
            });
        }
        let aside = set_aside(&mut connection, options, &walked, stamp).await?;
        let listed = list_again(options, &walked).await?;
        // Only now: the next run repeats a part that could not be repaired.
        place.write(&mut connection, walked.next).await?;
        Ok((aside, listed, walked.cut))
    };
    match done.await {
        Ok((aside, listed, cut)) => {
            let cut =
                cut.map(|(what, advice)| finding("repair", Outcome::Warning { what, advice }));
            let done = [finding("repair", aside), finding("repair", listed)];
            done.into_iter().chain(cut).collect()
        }
        Err(outcome) => vec![finding("repair", outcome)],
    }
}

async fn set_aside(
    connection: &mut MultiplexedConnection,
    options: &RedisOptions,
    walked: &Walk,
    stamp: &str,
) -> Result<Outcome, Outcome> {
    let names = Keys::new(&options.prefix);
    let script = Script::new(SET_ASIDE);
    let (mut moved, mut all) = (Vec::new(), 0);
    for wrong in &walked.wrong {
        let keys = together(&names, wrong);
        let mut asking = script.prepare_invoke();
        for key in &keys {
            asking.key(key);
        }
        for key in &keys {
            asking.key(names.aside(key, stamp));
        }
        asking.arg(ASIDE_DAYS * 24 * 3600 * 1000).arg(wrong.wanted);
        let count: Result<u64, _> = asking.invoke_async(connection).await;
        let count = count.map_err(|refused| refused_to_rename(&refused, &wrong.key))?;
        if count > 0 {
            moved.push(wrong.key.clone());
            all += count;
        }
    }
    if moved.is_empty() {
        return Ok(Outcome::Good("no key of a wrong type".to_owned()));
    }
    let (count, moved) = (moved.len(), moved.into_iter());
    let named = first(moved, count);
    Ok(Outcome::Good(format!(
        "keys of a wrong type, and keys that belong to them, set aside as {}:aside:{stamp}:…, for {ASIDE_DAYS} days: {all} \
         ({named})",
        options.prefix
    )))
}

/// A command that a script may not run does not give a plain `NOPERM` error.
fn refused_to_rename(refused: &redis::RedisError, key: &str) -> Outcome {
    let denied = refused.to_string().contains("can't run this command");
    if refused.code() == Some("NOPERM") || denied {
        return Outcome::Misfit {
            what: format!("{key} cannot be set aside: RENAME is not allowed"),
            advice:
                "ACL SETUSER … +rename, or run `doctor --repair` as a user with these permissions"
                    .to_owned(),
        };
    }
    trouble::of_answer(refused, "RENAME")
}

/// The weight of a part of the index is the sum of its members' weights, so both keys are moved together.
fn together(names: &Keys, wrong: &Wrong) -> Vec<String> {
    if let Whose::Index(partition) = wrong.whose {
        let index = names.index(partition);
        if [&index.bytes, &index.bytes_of_principals].contains(&&wrong.key) {
            return vec![index.bytes, index.bytes_of_principals];
        }
    }
    vec![wrong.key.clone()]
}

async fn list_again(options: &RedisOptions, walked: &Walk) -> Result<Outcome, Outcome> {
    let failed = |error: StoreError| Outcome::Away {
        what: format!("the sessions were not listed again: {error}"),
        advice: "run `doctor --repair` again: it skips completed work".to_owned(),
    };
    let opened = RedisStore::open(options.clone(), Clock::system());
    let store = opened.map_err(|error| trouble::of_address(&error.to_string()))?;
    let listed = store.list_all(&walked.sessions).await.map_err(failed)?;
    // All of the index, so once: at the end.
    let gone = match walked.next {
        0 => store.unlist_gone().await.map_err(failed)?,
        _ => 0,
    };
    Ok(Outcome::Good(format!(
        "sessions: {} exist, {} of them listed again, {} unreadable; {gone} removed from the list that were evicted \
         before their expiry",
        listed.there, listed.anew, listed.damaged
    )))
}
