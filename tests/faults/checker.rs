//! Checks the guarantees, using only the answers that clients got.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::{Answer, Caller, Failure, Seen};
use super::world::{PRINCIPALS, World};
use super::{Loss, Scenario};

/// A session's history keeps at least this many results.
const KEPT: usize = 40;

/// Longest wait for one answer after recovery.
const TRIES: usize = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

pub(crate) struct Verdict {
    name: &'static str,
    answers: usize,
    durable: usize,
    refused: u64,
    slowest: Duration,
    back: Option<Duration>,
    lost: u64,
    pub(crate) broken: Vec<String>,
}

impl Verdict {
    pub(crate) const HEADING: &str = "scenario                                  answers  durable  refused  slowest ms  back ms  lost";
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back = self
            .back
            .map_or_else(|| "-".to_owned(), |back| back.as_millis().to_string());
        write!(
            out,
            "{:<40}  {:>7}  {:>7}  {:>7}  {:>10}  {back:>7}  {:>4}",
            self.name,
            self.answers,
            self.durable,
            self.refused,
            self.slowest.as_millis(),
            self.lost
        )
    }
}

pub(crate) fn judge(
    scenario: &Scenario,
    world: &World,
    seen: &[Seen],
    back: Option<Duration>,
) -> Verdict {
    let mut broken = Vec::new();
    match back {
        None => broken.push("not every client had a durable answer again".to_owned()),
        Some(back) if back > scenario.back_within => broken.push(format!(
            "durable again after {} ms, not within {} ms",
            back.as_millis(),
            scenario.back_within.as_millis()
        )),
        Some(_) => {}
    }
    let lost = lost(world);
    if scenario.loss != Loss::Allowed && lost > 0 {
        broken.push(format!("{lost} changes are counted as lost"));
    }
    for seen in seen {
        broken.extend(of_one(scenario.loss, world, seen));
    }
    Verdict {
        name: scenario.name,
        answers: seen.iter().map(|seen| seen.answers.len()).sum(),
        durable: count_durable(seen),
        refused: seen.iter().flat_map(|seen| seen.refused.values()).sum(),
        slowest: seen
            .iter()
            .map(|seen| seen.slowest)
            .max()
            .unwrap_or_default(),
        back,
        lost,
        broken,
    }
}

fn count_durable(seen: &[Seen]) -> usize {
    let answers = seen.iter().flat_map(|seen| &seen.answers);
    answers.filter(|answer| answer.durable).count()
}

/// As counted by the live nodes.
fn lost(world: &World) -> u64 {
    let stores = world.status_of_stores();
    let counts = stores
        .iter()
        .filter_map(|store| store["sheltered"]["lost"].as_u64());
    counts.sum()
}

fn of_one(loss: Loss, world: &World, seen: &Seen) -> Vec<String> {
    let mut broken = seen.broken.clone();
    if loss != Loss::Allowed {
        broken.extend(versions_go_on(&seen.answers));
        broken.extend(
            seen.notices
                .iter()
                .filter(|notice| notice.contains("lost") && !notice.contains("may be lost"))
                .map(|notice| format!("a notice reports a loss: {notice}")),
        );
    }
    let mut owner = Caller::new(seen.principal, &world.addresses, 0);
    let never = AtomicBool::new(false);
    let arguments = json!({"session_id": seen.session, "history_limit": 50});
    match owner.until_answered("get_session", &arguments, &never) {
        None => broken.push("its session does not answer".to_owned()),
        Some(view) => broken.extend(history_holds(loss, seen, &view["data"]["history"])),
    }
    if loss != Loss::Allowed {
        broken.extend(results_are_there(loss, &mut owner, seen));
    }
    broken.extend(is_hidden_from_neighbours(world, seen));
    broken
        .into_iter()
        .map(|line| format!("{} ({}): {line}", seen.session, seen.principal))
        .collect()
}

/// Durable answers of one session have increasing versions.
fn versions_go_on(answers: &[Answer]) -> Option<String> {
    let durable: Vec<_> = answers.iter().filter(|answer| answer.durable).collect();
    let back = durable
        .windows(2)
        .find(|pair| pair[1].version < pair[0].version || pair[1].epoch < pair[0].epoch)?;
    Some(format!("the version of the session decreased: {back:?}"))
}

fn history_holds(loss: Loss, seen: &Seen, history: &Value) -> Vec<String> {
    let empty = Vec::new();
    let entries = history.as_array().unwrap_or(&empty);
    let kept: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry["result_id"].as_str())
        .collect();
    let mut broken = Vec::new();
    let acknowledged = durable_results(seen);
    if loss != Loss::Allowed {
        let gone: Vec<_> = acknowledged
            .iter()
            .filter(|(_, result)| !kept.contains(result))
            .collect();
        if !gone.is_empty() {
            broken.push(format!(
                "{} of {} durable results are not in the history: {gone:?}",
                gone.len(),
                acknowledged.len()
            ));
        }
    }
    // The newest are listed first; every call is listed, in the order of its answers.
    let order: HashMap<_, _> = kept.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let places: Vec<_> = acknowledged
        .iter()
        .filter_map(|(_, result)| order.get(result))
        .collect();
    if places.windows(2).any(|pair| pair[1] < pair[0]) {
        broken.push("the history has another order than the answers".to_owned());
    }
    if seen.keyed {
        let mut once = acknowledged.iter().map(|(n, _)| *n).collect::<Vec<_>>();
        once.sort_unstable();
        once.dedup();
        if once.len() != acknowledged.len() {
            broken.push("a call with a key ran twice".to_owned());
        }
    }
    broken
}

/// The newest answers, newest first: older ones may have been dropped from the history.
fn durable_results(seen: &Seen) -> Vec<(u64, &str)> {
    let newest = seen.answers.iter().rev().take(KEPT);
    newest
        .filter(|answer| answer.durable)
        .filter_map(|answer| Some((answer.n, answer.result.as_deref()?)))
        .collect()
}

/// Each is complete, and belongs to the call that got it.
fn results_are_there(loss: Loss, owner: &mut Caller, seen: &Seen) -> Vec<String> {
    let mut broken = Vec::new();
    for (n, result) in durable_results(seen) {
        let uri = format!("analysis://sessions/{}/results/{result}", seen.session);
        match read(owner, &uri) {
            Ok(message) if loss == Loss::Results && is_unknown(&message) => {}
            Ok(message) => {
                let text = message["result"]["contents"][0]["text"].as_str();
                let whole: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
                if whole.is_none_or(|whole| !whole.is_object()) {
                    broken.push(format!("call {n}: its result {result}: {message}"));
                }
            }
            Err(why) => broken.push(format!("call {n}: its result {result}: {why}")),
        }
        if broken.len() >= 3 {
            break;
        }
    }
    broken
}

/// Repeats the request while the answer says to retry.
fn read(owner: &mut Caller, uri: &str) -> Result<Value, String> {
    for _ in 0..TRIES {
        match owner.request("resources/read", json!({"uri": uri})) {
            Ok(message) => return Ok(message),
            Err(Failure::Final(why)) => return Err(why),
            Err(Failure::Again(_)) => {}
        }
        std::thread::sleep(BETWEEN_TRIES);
        owner.turn();
    }
    Err("no answer".to_owned())
}

/// The answers for a result that Redis lost: the second one if the history still names it.
fn is_unknown(message: &Value) -> bool {
    let reason = &message["error"]["data"]["reason"];
    reason == "unknown_result" || reason == "result_not_stored"
}

/// Another principal gets the same answer as for a session that never existed.
fn is_hidden_from_neighbours(world: &World, seen: &Seen) -> Option<String> {
    let other = PRINCIPALS
        .into_iter()
        .find(|name| *name != seen.principal)?;
    let mut other = Caller::new(other, &world.addresses, 0);
    let mut ask = |id: &str| {
        let arguments = json!({"session_id": id});
        for _ in 0..TRIES {
            match other.call("get_session", &arguments) {
                Ok(answer) => return format!("it sees {answer}"),
                Err(Failure::Final(why)) => {
                    let why: Value = serde_json::from_str(&why).unwrap_or(Value::String(why));
                    return why["result"]["structuredContent"]["status"]["reason"].to_string();
                }
                Err(Failure::Again(_)) => std::thread::sleep(BETWEEN_TRIES),
            }
            other.turn();
        }
        "no answer".to_owned()
    };
    let (of_it, of_none) = (
        ask(&seen.session),
        ask("ses_00000000000000000000000000000000"),
    );
    (of_it != of_none).then(|| format!("another principal gets {of_it} instead of {of_none}"))
}
