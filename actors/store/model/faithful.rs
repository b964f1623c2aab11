//! The model's record answers like the memory store, for any sequence of requests and after a rollback of both.

use proptest::prelude::*;

use super::Rules;
use super::record::{Fence, Log, Record, Reply, Request, Turns};
use crate::clock::Clock;
use crate::ids::{CommitId, NodeId, Principal, SessionId};
use crate::store::memory::{LEASE, Limits, MemoryStore};
use crate::store::{self, Change, Commit, Lineage, NewSession, Repair, Store, StoreError};

const ALL: Rules = Rules { without: None };
const HELD: StoreError = StoreError::Held {
    node: NodeId::from_u128(0),
    left_ms: 0,
};
/// The longest [`Log`].
const LOG_MAX: u8 = 7;

/// Numbers select earlier fences and logs, newest first.
#[derive(Debug, Clone)]
enum Step {
    Acquire {
        node: u8,
        after: u8,
    },
    Commit {
        fence: usize,
        id: u8,
        onto: usize,
    },
    Repair {
        fence: usize,
        log: usize,
        turns: usize,
        out: Option<u8>,
        aside: Option<usize>,
    },
    Release {
        fence: usize,
        known: usize,
    },
    LeaseEnds,
    Replicate,
    FailOver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (nth, id) = (0..4_usize, 1..9_u8);
    let step = prop_oneof![
        4 => (0..3_u8, 0..5_u8).prop_map(|(node, after)| Step::Acquire { node, after }),
        8 => (0..2_usize, id.clone(), 0..2_usize)
            .prop_map(|(fence, id, onto)| Step::Commit { fence, id, onto }),
        5 => (nth.clone(), nth.clone(), nth.clone(), proptest::option::of(id), proptest::option::of(nth.clone()))
            .prop_map(|(fence, log, turns, out, aside)| Step::Repair { fence, log, turns, out,
                aside }),
        2 => (0..2_usize, 0..2_usize).prop_map(|(fence, known)| Step::Release { fence, known }),
        2 => Just(Step::LeaseEnds),
        1 => Just(Step::Replicate),
        1 => Just(Step::FailOver),
    ];
    proptest::collection::vec(step, 1..60)
}

/// The same session in the model and in the memory store.
struct Both {
    model: Record,
    behind: Record,
    store: MemoryStore,
    id: SessionId,
    fences: Vec<Fence>,
    logs: Vec<Log>,
    turns: Vec<Turns>,
}

fn version(log: u8) -> u64 {
    u64::from(log) + 1
}

fn commit_id(id: u8) -> CommitId {
    CommitId::from_u128(u128::from(id))
}

fn fence_of(fence: Fence) -> store::Fence {
    store::Fence {
        epoch: u64::from(fence.epoch),
        node: NodeId::from_u128(u128::from(fence.node) + 1),
    }
}

fn lineage_of(turns: Turns) -> Lineage {
    let words = turns.as_slice().iter().map(|turn| {
        let fence = fence_of(Fence {
            epoch: turn.epoch,
            node: turn.node,
        });
        format!("{}:{}@{}", fence.epoch, fence.node, version(turn.found))
    });
    let words: Vec<_> = words.collect();
    Lineage::parse(&words.join(" ")).expect("as it is written")
}

fn new(id: SessionId) -> NewSession {
    NewSession {
        id,
        principal: Principal::local(),
        label: None,
        snapshot: b"state".as_slice().into(),
        ttl_ms: 1_000_000_000,
        key: None,
    }
}

/// The model's answer as the store's type.
fn in_its_words(
    request: &Request,
    reply: Reply,
) -> Result<(Option<store::Fence>, u64), StoreError> {
    let expected = match *request {
        Request::Acquire { .. } => 0,
        Request::Commit { onto, .. } => version(onto.len()),
        Request::Repair { log, .. } => version(log.len()),
    };
    match reply {
        Reply::Acquired { fence, log, .. } => Ok((Some(fence_of(fence)), version(log.len()))),
        Reply::Repaired { fence, dropped } => Ok((Some(fence_of(fence)), dropped.into())),
        Reply::Committed | Reply::Released => Ok((None, 0)),
        Reply::Held => Err(HELD),
        Reply::Fenced => Err(StoreError::Fenced),
        Reply::Lapsed => Err(StoreError::Lapsed),
        Reply::Regressed { stored } => Err(StoreError::Regressed {
            stored: version(stored),
            expected,
        }),
        Reply::Overtaken { from } => Err(StoreError::Overtaken {
            from: version(from),
        }),
    }
}

impl Both {
    async fn ask(&mut self, request: Request) -> Result<(), TestCaseError> {
        let reply = self.model.step(&request, ALL);
        let answer = match request {
            Request::Acquire { node, after } => {
                let node = NodeId::from_u128(u128::from(node) + 1);
                let acquired = self.store.acquire_after(self.id, node, after.into()).await;
                // The model does not know the holder or the remaining lease.
                let forgotten = |error| {
                    if matches!(error, StoreError::Held { .. }) {
                        return HELD;
                    }
                    error
                };
                acquired
                    .map(|acquired| (Some(acquired.fence), acquired.version))
                    .map_err(forgotten)
            }
            Request::Commit { fence, id, onto } => {
                let commit = Commit {
                    session: self.id,
                    id: commit_id(id),
                    fence: fence_of(fence),
                    expected: version(onto.len()),
                    change: Change::Delta(b"delta".as_slice().into()),
                    put: Vec::new(),
                    drop: Vec::new(),
                };
                self.store
                    .commit(&[commit])
                    .await
                    .remove(0)
                    .map(|_| (None, 0))
            }
            Request::Repair {
                fence,
                log,
                turns,
                out,
                aside,
            } => {
                let repair = Repair {
                    session: new(self.id),
                    created_ms: 0,
                    fence: fence_of(fence),
                    version: version(log.len()),
                    lineage: lineage_of(turns),
                    last: log.last().map(commit_id),
                    out: out.map(commit_id),
                    aside: aside.map(fence_of),
                };
                self.store
                    .repair(repair)
                    .await
                    .map(|given| (Some(given.fence), given.dropped))
            }
        };
        prop_assert_eq!(answer, in_its_words(&request, reply), "{:?}", request);
        if let Reply::Acquired { fence, .. } | Reply::Repaired { fence, .. } = reply {
            self.fences.push(fence);
        }
        self.logs.push(self.model.log);
        self.turns.push(self.model.turns);
        Ok(())
    }

    fn fence(&self, nth: usize) -> Fence {
        let none = Fence { epoch: 9, node: 0 };
        self.fences.iter().rev().nth(nth).copied().unwrap_or(none)
    }

    fn log(&self, nth: usize) -> Log {
        self.logs.iter().rev().nth(nth).copied().unwrap_or_default()
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Acquire { node, after } => self.ask(Request::Acquire { node, after }).await,
            Step::Commit { .. } if self.model.log.len() >= LOG_MAX => Ok(()),
            Step::Commit { fence, id, onto } => {
                let (fence, onto) = (self.fence(fence), self.log(onto));
                self.ask(Request::Commit { fence, id, onto }).await
            }
            Step::Repair {
                fence,
                log,
                turns,
                out,
                aside,
            } => {
                let (fence, log) = (self.fence(fence), self.log(log));
                let turns = self.turns.iter().rev().nth(turns);
                let turns = turns.copied().unwrap_or_default();
                let aside = aside.map(|nth| self.fence(nth));
                let repair = Request::Repair {
                    fence,
                    log,
                    turns,
                    out,
                    aside,
                };
                self.ask(repair).await
            }
            Step::Release { fence, known } => {
                let (fence, known) = (self.fence(fence), self.log(known).len());
                let reply = self.model.release(fence, known, ALL);
                let released = self.store.release(self.id, fence_of(fence), version(known));
                let said = match reply {
                    Reply::Regressed { stored } => Err(StoreError::Regressed {
                        stored: version(stored),
                        expected: version(known),
                    }),
                    Reply::Released => Ok(()),
                    Reply::Acquired { .. }
                    | Reply::Committed
                    | Reply::Repaired { .. }
                    | Reply::Held
                    | Reply::Fenced
                    | Reply::Lapsed
                    | Reply::Overtaken { .. } => Err(StoreError::Fenced),
                };
                prop_assert_eq!(released.await, said);
                Ok(())
            }
            Step::LeaseEnds => {
                self.model.live = false;
                self.behind.live = false;
                tokio::time::advance(LEASE).await;
                Ok(())
            }
            Step::Replicate | Step::FailOver => Ok(()),
        }
    }
}

async fn compare(steps: &[Step]) -> Result<(), TestCaseError> {
    let store = MemoryStore::new(Clock::starting_at(1_000_000), Limits::default());
    let id = SessionId::random();
    store.create(new(id)).await.expect("there is room");
    let mut stored = store.as_stored(id);
    let mut both = Both {
        model: Record::default(),
        behind: Record::default(),
        store,
        id,
        fences: Vec::new(),
        logs: Vec::new(),
        turns: Vec::new(),
    };
    for step in steps {
        match step {
            Step::Replicate => {
                both.behind = both.model.clone();
                stored = both.store.as_stored(id);
            }
            Step::FailOver => {
                both.model = both.behind.clone();
                both.store.go_back(id, stored.clone());
            }
            Step::Acquire { .. }
            | Step::Commit { .. }
            | Step::Repair { .. }
            | Step::Release { .. }
            | Step::LeaseEnds => both.take(step).await?,
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_record_answers_like_the_memory_store(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(compare(&steps))?;
    }
}
