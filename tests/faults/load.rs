//! Clients that call without a break, each in its own session, and record every answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{Addresses, FILES, PRINCIPALS, World, token};
use crate::support::node::Client;

/// Two clients per principal: one sends idempotency keys, so that retries count once, and one does not.
const CLIENTS: usize = 4;
/// Pause between calls, so that a slow machine can serve all clients.
const PACE: Duration = Duration::from_millis(4);
/// Pause before a retry.
const AGAIN: Duration = Duration::from_millis(25);

/// One acknowledged answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The `limit` of the call, which identifies it.
    pub(crate) n: u64,
    pub(crate) result: Option<String>,
    pub(crate) durable: bool,
    pub(crate) version: u64,
    pub(crate) epoch: u64,
}

/// The record of one client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) principal: &'static str,
    pub(crate) session: String,
    pub(crate) keyed: bool,
    pub(crate) answers: Vec<Answer>,
    /// Retryable failures, by message.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Failures that are not retryable.
    pub(crate) broken: Vec<String>,
    pub(crate) notices: Vec<String>,
    /// Time from the first attempt of a call to its answer.
    pub(crate) slowest: Duration,
    last_durable: Option<Instant>,
}

pub(crate) struct Load {
    over: Arc<AtomicBool>,
    seen: Vec<Arc<Mutex<Seen>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(world: &World) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (mut seen, mut threads) = (Vec::new(), Vec::new());
        for nth in 0..CLIENTS {
            let principal = PRINCIPALS[nth % PRINCIPALS.len()];
            let mut caller = Caller::new(principal, &world.addresses, nth);
            let made = caller.until_answered("create_session", &json!({"label": "load"}), &over);
            let session = made.expect("the calm before it")["data"]["session_id"]
                .as_str()
                .expect("an id")
                .to_owned();
            let own = Arc::new(Mutex::new(Seen {
                principal,
                session,
                keyed: nth < CLIENTS / 2,
                ..Seen::default()
            }));
            seen.push(Arc::clone(&own));
            let over = Arc::clone(&over);
            threads.push(thread::spawn(move || work(caller, &own, &over)));
        }
        Self {
            over,
            seen,
            threads,
        }
    }

    /// Time from `healed` until every client had a durable answer; `None` if one got none in time.
    pub(crate) fn until_durable(&self, healed: Instant, patience: Duration) -> Option<Duration> {
        loop {
            let since = self.seen.iter().map(|seen| {
                let last = seen.lock().expect("what was seen").last_durable;
                last.filter(|last| *last > healed)
            });
            if since.into_iter().all(|last| last.is_some()) {
                return Some(healed.elapsed());
            }
            if healed.elapsed() > patience {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn end(self) -> Vec<Seen> {
        self.over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a client never panics");
        }
        let seen = self.seen.iter();
        seen.map(|seen| seen.lock().expect("what was seen").clone())
            .collect()
    }
}

fn work(mut caller: Caller, seen: &Mutex<Seen>, over: &AtomicBool) {
    let (session, keyed) = {
        let seen = seen.lock().expect("what was seen");
        (seen.session.clone(), seen.keyed)
    };
    let mut n = 0;
    while !over.load(Ordering::SeqCst) {
        n += 1;
        let file = usize::try_from(n).unwrap_or_default() % FILES;
        let mut arguments = json!({
            "session_id": session, "path": format!("pkg/m{file}.py"), "limit": 1 + n % 100, "min_cyclomatic": 1,
        });
        if keyed {
            arguments["idempotency_key"] = json!(format!("call-{n}"));
        }
        let started = Instant::now();
        loop {
            match caller.call("analyze_complexity", &arguments) {
                Ok(answer) => {
                    note(
                        &mut seen.lock().expect("what was seen"),
                        n,
                        &answer,
                        started,
                    );
                    break;
                }
                Err(Failure::Again(why)) => {
                    *seen
                        .lock()
                        .expect("what was seen")
                        .refused
                        .entry(why)
                        .or_default() += 1;
                }
                Err(Failure::Final(why)) => {
                    let mut seen = seen.lock().expect("what was seen");
                    if seen.broken.len() < 5 {
                        seen.broken.push(format!("call {n}: {why}"));
                    }
                }
            }
            if over.load(Ordering::SeqCst) {
                return;
            }
            caller.turn();
            thread::sleep(AGAIN);
        }
        thread::sleep(PACE);
    }
}

fn note(seen: &mut Seen, n: u64, answer: &Value, started: Instant) {
    let context = &answer["context"];
    let durability = &context["durability"];
    let durable = durability["durable"] == true;
    if durable {
        seen.last_durable = Some(Instant::now());
    }
    for notice in context["notices"].as_array().into_iter().flatten() {
        let notice = notice.as_str().unwrap_or_default().to_owned();
        if !seen.notices.contains(&notice) {
            seen.notices.push(notice);
        }
    }
    seen.slowest = seen.slowest.max(started.elapsed());
    seen.answers.push(Answer {
        n,
        result: context["result_id"].as_str().map(str::to_owned),
        durable,
        version: durability["version"].as_u64().unwrap_or_default(),
        epoch: durability["epoch"].as_u64().unwrap_or_default(),
    });
}

pub(crate) enum Failure {
    /// The answer says to retry, or the connection broke.
    Again(String),
    Final(String),
}

/// One client of 2026-07-28. It goes to the next node when one does not answer.
pub(crate) struct Caller {
    client: Client,
    addresses: Addresses,
    at: usize,
}

impl Caller {
    pub(crate) fn new(principal: &str, addresses: &Addresses, at: usize) -> Self {
        let bearer = format!("Bearer {}", token(principal));
        Self {
            client: Client::of("http://127.0.0.1:1").with("authorization", &bearer),
            addresses: Arc::clone(addresses),
            at,
        }
    }

    pub(crate) fn turn(&mut self) {
        self.at += 1;
    }

    /// The envelope of a successful call.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, Failure> {
        let params = json!({"name": tool, "arguments": arguments});
        let message = self.request("tools/call", params)?;
        let result = &message["result"];
        let answer = &result["structuredContent"];
        if result["isError"] == false {
            return Ok(answer.clone());
        }
        let status = &answer["status"];
        if status["retryable"] == true {
            let reason = status["reason"].as_str().unwrap_or("no reason");
            return Err(Failure::Again(reason.to_owned()));
        }
        Err(Failure::Final(message.to_string()))
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        let address = {
            let addresses = self.addresses.lock().expect("addresses");
            addresses[self.at % addresses.len()]
        };
        self.client.base = format!("http://{address}");
        let (message, client) = self.client.stateless_message(method, params);
        let body = message.to_string();
        let Some(answer) = client.try_post_to("/mcp", body.as_bytes()) else {
            return Err(Failure::Again("no connection".to_owned()));
        };
        match answer.status {
            200 | 503 => {}
            status => {
                return Err(Failure::Final(format!(
                    "HTTP {status}: {:?}",
                    answer.try_message()
                )));
            }
        }
        let status = answer.status;
        answer.try_message().ok_or_else(|| {
            Failure::Again(match status {
                503 => "HTTP 503".to_owned(),
                _ => "the answer broke off".to_owned(),
            })
        })
    }

    /// Retries until the scenario is over.
    pub(crate) fn until_answered(
        &mut self,
        tool: &str,
        arguments: &Value,
        over: &AtomicBool,
    ) -> Option<Value> {
        let started = Instant::now();
        while !over.load(Ordering::SeqCst) && started.elapsed() < super::world::PATIENCE {
            match self.call(tool, arguments) {
                Ok(answer) => return Some(answer),
                Err(Failure::Again(_)) => thread::sleep(AGAIN),
                Err(Failure::Final(why)) => panic!("{tool}: {why}"),
            }
            self.turn();
        }
        None
    }
}
