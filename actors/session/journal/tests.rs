//! The journal against a store, with commits acknowledged late, sent twice, and refused: every answer is stored, and
//! everything stored is referenced.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::clock::Clock;
use crate::ids::NodeId;
use crate::session::machine::tests::{aimed, event, limits, machine};
use crate::session::machine::{Aged, End, Finished, Requested};
use crate::store::memory::{self, MemoryStore};
use crate::store::{NewSession, Store};
use serde_json::json;

/// The node that owns the session all the time.
const NODE: NodeId = NodeId::from_u128(1);

#[derive(Debug, Clone)]
enum Step {
    Decide(Event),
    /// The pending commit is stored and acknowledged.
    Acknowledge,
    /// It is stored, but its acknowledgement is lost.
    Unheard,
    /// Another node takes the session, and this one takes it back.
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => event().prop_map(Step::Decide),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::Unheard),
        1 => Just(Step::Reload),
    ]
}

struct World {
    store: MemoryStore,
    id: SessionId,
    journal: Journal,
    put: BTreeSet<(ResultId, Part)>,
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the memory store answers at once"),
    }
}

impl World {
    fn new() -> Self {
        Self::of(machine())
    }

    fn of(machine: Machine) -> Self {
        let store = MemoryStore::new(Clock::starting_at(1), memory::Limits::default());
        let id = SessionId::random();
        let new = NewSession {
            id,
            principal: machine.principal.clone(),
            label: None,
            snapshot: snapshot::encode(&machine),
            ttl_ms: 1_000_000,
            key: None,
        };
        ready(store.create(new)).unwrap();
        let acquired = ready(store.acquire(id, NODE)).unwrap();
        Self {
            journal: Journal::load(id, &acquired).unwrap(),
            store,
            id,
            put: BTreeSet::new(),
        }
    }

    fn decide(&mut self, event: Event) {
        let event = aimed(self.journal.ahead(), event);
        let mut put = Vec::new();
        if let Event::ToolFinished { finished, .. } = &event {
            let fits = finished
                .whole_bytes
                .is_some_and(|bytes| bytes <= limits().whole_bytes);
            let bytes: Arc<[u8]> = Arc::from(b"x".as_slice());
            put = blobs(
                finished.result,
                Some(Arc::clone(&bytes)),
                fits.then_some(bytes),
            );
        }
        if let Ok(now) = self.journal.decide(event, put, &limits()) {
            self.check(now);
        }
        if let Some(commit) = self.journal.next_commit() {
            self.put
                .extend(commit.put.iter().map(|blob| (blob.id, blob.part)));
        }
    }

    fn acknowledge(&mut self) -> bool {
        let Some(commit) = self.journal.out.as_ref().map(|out| out.commit.clone()) else {
            return false;
        };
        let answer = ready(self.store.commit(std::slice::from_ref(&commit)))
            .remove(0)
            .unwrap();
        let effects = self.journal.acknowledged(commit.id, &answer);
        self.check(effects);
        if let Some(commit) = self.journal.next_commit() {
            self.put
                .extend(commit.put.iter().map(|blob| (blob.id, blob.part)));
        }
        true
    }

    fn unheard(&self) {
        if let Some(out) = &self.journal.out {
            let answer = ready(self.store.commit(std::slice::from_ref(&out.commit)));
            assert!(answer[0].is_ok());
            assert_eq!(self.journal.again(out.commit.id).unwrap().id, out.commit.id);
        }
    }

    fn stored(&self) -> Machine {
        let acquired = ready(self.store.acquire(self.id, NODE)).unwrap();
        snapshot::fold(&acquired.snapshot, &acquired.deltas).unwrap()
    }

    fn reload(&mut self) {
        let acquired = ready(self.store.acquire(self.id, NODE)).unwrap();
        let late = self.journal.out.as_ref().map(|out| out.commit.clone());
        if let Some(commit) = late {
            let refused = ready(self.store.commit(std::slice::from_ref(&commit))).remove(0);
            assert_eq!(refused, Err(StoreError::Fenced));
        }
        self.journal = Journal::load(self.id, &acquired).unwrap();
        let live = BTreeSet::new();
        self.decide(Event::Recovered { live, at_ms: 10 });
    }

    /// Every answer comes from acknowledged state.
    fn check(&self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer { request }
            | Effect::Replay {
                original: request, ..
            } = effect
            {
                let ended = self.journal.find_ended(request);
                assert!(ended.is_some(), "an answer to what has not ended");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_stored_and_every_stored_result_is_referenced(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Decide(event) => world.decide(event),
                Step::Acknowledge => drop(world.acknowledge()),
                Step::Unheard => world.unheard(),
                Step::Reload => world.reload(),
            }
            let out_at_most_once = world.journal.out.is_some() || world.journal.next.is_empty();
            prop_assert!(out_at_most_once, "a change waits, and no commit is out");
        }
        while world.acknowledge() {}
        prop_assert!(world.journal.ahead.is_none() && world.journal.is_settled());
        let stored = world.stored();
        prop_assert_eq!(&stored, world.journal.committed());
        for (result, part) in &world.put {
            let there = ready(world.store.result(world.id, *result, *part)).unwrap().is_some();
            let pointed_at = match part {
                Part::Answer => stored.keeps_answer(*result),
                Part::Whole => stored.keeps_whole(*result),
            };
            prop_assert_eq!(there, pointed_at, "{:?} of {}", part, result);
        }
    }
}

#[test]
fn the_retry_pause_grows() {
    let mut world = World::new();
    world.decide(Event::Noticed { text: "n".into() });
    let pauses: Vec<_> = (0..9)
        .map(|_| world.journal.again_after().as_millis())
        .collect();
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
}

/// A large session is changed by deltas, and written as a snapshot before there are too many deltas.
#[test]
fn deltas_do_not_pile_up() {
    let large = Machine {
        label: Some("l".repeat(20_000).into()),
        ..machine()
    };
    let mut world = World::of(large);
    let mut most = 0;
    for n in 0..300 {
        let text = format!("n{n}").into();
        world.decide(Event::Noticed { text });
        assert!(world.acknowledge());
        most = most.max(world.journal.stored.as_ref().unwrap().journal_deltas);
    }
    let deltas = ready(world.store.acquire(world.id, NODE));
    let deltas = deltas.unwrap().deltas.len();
    assert_eq!(most, JOURNAL_DELTAS - 1);
    assert!((1..JOURNAL_DELTAS).contains(&deltas), "{deltas}");
}

/// A session with a thousand results: a call writes only its changes, and the whole state once in a while.
#[test]
fn a_call_of_a_long_session_writes_only_its_changes() {
    let limits = Limits::default();
    let finished = |n: u128| Finished {
        result: ResultId::from_u128(n),
        summary: "123 functions in 40 files, worst 31".into(),
        input_digest: "d".repeat(64).into(),
        whole_bytes: Some(1000),
    };
    let aged = |n: u128| {
        let Finished {
            result,
            summary,
            input_digest,
            ..
        } = finished(n);
        let end = End::Succeeded {
            result,
            summary,
            input_digest,
        };
        Aged::of(Arc::new(Ended {
            request: RequestId::from_u128(n),
            tool: "analyze_complexity".into(),
            arguments: Arc::new(json!({"path": "src"})),
            attempt: 1,
            at_ms: 1_700_000_000_000,
            end,
        }))
    };
    let most = (limits.results - limits.history) as u128;
    let mut world = World::of(Machine {
        aged: Arc::new((0..most).map(aged).collect()),
        ..machine()
    });
    let (mut deltas, mut snapshots, mut largest) = (0, 0, 0);
    for n in most..most + 200 {
        let (request, finished) = (RequestId::from_u128(n), finished(n));
        let call = Requested {
            tool: "analyze_complexity".into(),
            idempotent: true,
            arguments: Arc::new(json!({"path": "src"})),
            bytes: 14,
            key: None,
            pin: None,
            trace: None,
        };
        for event in [
            Event::CallRequested {
                request,
                call,
                at_ms: 1_700_000_000_000,
            },
            Event::ToolFinished {
                request,
                finished,
                at_ms: 1_700_000_000_000,
            },
        ] {
            world.journal.decide(event, Vec::new(), &limits).unwrap();
            let commit = world.journal.next_commit().unwrap();
            match &commit.change {
                Change::Snapshot(bytes) if n > most + 64 => {
                    snapshots += 1;
                    assert!(bytes.len() < 600 << 10, "{}", bytes.len());
                }
                Change::Delta(bytes) if n > most + 64 => {
                    deltas += 1;
                    largest = largest.max(bytes.len());
                }
                Change::Snapshot(_) | Change::Delta(_) | Change::Branch { .. } => {}
            }
            assert!(world.acknowledge());
        }
    }
    assert_eq!(world.journal.committed().results().count(), limits.results);
    assert!(largest < 1500, "{largest}");
    assert!(
        snapshots <= 1 + deltas / (JOURNAL_DELTAS - 1),
        "{snapshots} of {deltas}"
    );
    // Another node reads the same state.
    assert_eq!(&world.stored(), world.journal.committed());
}
