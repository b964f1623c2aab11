//! `doctor --repair`: moves keys of a wrong type aside, so that nodes create them again, and lists sessions that are
//! missing from the index. Safe beside running nodes, and safe to repeat: correct keys are not touched.

use std::collections::BTreeSet;

use redis::Script;
use redis::aio::MultiplexedConnection;

use super::keys::{Walk, Wrong, first, walk};
use super::{Finding, Outcome, connect, finding, trouble};
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

/// `stamp` is the date in the names of moved keys.
pub async fn repair(options: &RedisOptions, stamp: &str) -> Vec<Finding> {
    let done = async {
        let mut connection = connect(options).await?;
        let walked = walk(&mut connection, &options.prefix).await?;
        if walked.blind {
            return Err(Outcome::Misfit {
                what: "sessions cannot be found: SCAN is not allowed".to_owned(),
                advice: "ACL SETUSER … +scan +rename, or run `doctor --repair` as a user who may"
                    .to_owned(),
            });
        }
        let aside = set_aside(&mut connection, options, &walked, stamp).await?;
        let listed = list_again(options, &walked).await?;
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
    let (mut moved, mut all) = (BTreeSet::new(), 0);
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
            moved.insert(wrong.key.clone());
            all += count;
        }
    }
    if moved.is_empty() {
        return Ok(Outcome::Good("no key of a wrong type".to_owned()));
    }
    let named = first(
        moved.into_iter(),
        usize::try_from(all).unwrap_or(usize::MAX),
    );
    Ok(Outcome::Good(format!(
        "keys of a wrong type set aside as {}:aside:{stamp}:…, for {ASIDE_DAYS} days: {all} ({named})",
        options.prefix
    )))
}

/// A command that a script may not run gives no `NOPERM` error of its own.
fn refused_to_rename(refused: &redis::RedisError, key: &str) -> Outcome {
    let denied = refused.to_string().contains("can't run this command");
    if refused.code() == Some("NOPERM") || denied {
        return Outcome::Misfit {
            what: format!("{key} cannot be set aside: RENAME is not allowed"),
            advice: "ACL SETUSER … +rename, or run `doctor --repair` as a user who may".to_owned(),
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
        advice: "run `doctor --repair` once more: what is done already is left alone".to_owned(),
    };
    let opened = RedisStore::open(options.clone(), Clock::system());
    let store = opened.map_err(|error| trouble::of_address(&error.to_string()))?;
    let listed = store.list_all(&walked.sessions).await.map_err(failed)?;
    let gone = store.unlist_gone().await.map_err(failed)?;
    Ok(Outcome::Good(format!(
        "sessions: {} there, {} of them listed anew, {} that cannot be read; {gone} taken off the list that were gone \
         before their end",
        listed.there, listed.anew, listed.damaged
    )))
}
