//! Redis answers any sequence of operations as the memory store does.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::store::memory::{Limits, MemoryStore};
use crate::store::{Lineage, Repair, Row};

const SESSIONS: usize = 2;
const CASES: u32 = 48;

/// Numbers select among existing nodes, sessions, fences and commits.
#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    Acquire(usize, u128, u64),
    Commit {
        session: usize,
        fence: usize,
        version: i64,
        form: u8,
        put: bool,
        drop: bool,
    },
    Again(usize),
    Renew(usize, usize),
    Keep(usize, usize),
    Release(usize, usize, bool),
    Delete(usize, usize),
    Quarantine(usize, bool),
    Look(usize),
    Read(usize, usize),
    List,
    Repair(usize, usize, u64, usize, bool, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (session, nth) = (0..SESSIONS, 0..4_usize);
    let step = prop_oneof![
        2 => session.clone().prop_map(Step::Create),
        4 => (session.clone(), 1..3_u128, 0..6_u64).prop_map(|(a, b, c)| Step::Acquire(a, b, c)),
        8 => (session.clone(), nth.clone(), -1..2_i64, 0..3_u8, any::<bool>(), any::<bool>()).prop_map(
            |(session, fence, version, form, put, drop)| Step::Commit { session, fence, version, form, put, drop }
        ),
        2 => nth.clone().prop_map(Step::Again),
        1 => (session.clone(), nth.clone()).prop_map(|(a, b)| Step::Renew(a, b)),
        1 => (session.clone(), nth.clone()).prop_map(|(a, b)| Step::Keep(a, b)),
        2 => (session.clone(), nth.clone(), any::<bool>()).prop_map(|(a, b, c)| Step::Release(a, b, c)),
        1 => (session.clone(), nth.clone()).prop_map(|(a, b)| Step::Delete(a, b)),
        1 => (session.clone(), any::<bool>()).prop_map(|(a, b)| Step::Quarantine(a, b)),
        1 => session.clone().prop_map(Step::Look),
        2 => (session.clone(), nth.clone()).prop_map(|(a, b)| Step::Read(a, b)),
        1 => Just(Step::List),
        3 => (session, nth.clone(), 0..4_u64, nth.clone(), any::<bool>(), nth)
            .prop_map(|(a, b, c, d, e, f)| Step::Repair(a, b, c, d, e, f)),
    ];
    proptest::collection::vec(step, 1..40)
}

/// One store, with the answers it gave.
struct Side<'a> {
    store: &'a dyn Store,
    ids: &'a [SessionId],
    fences: Vec<Fence>,
    lineages: Vec<Lineage>,
}

/// The ids that both sides use.
#[derive(Default)]
struct Shared {
    versions: [u64; SESSIONS],
    commits: Vec<Commit>,
    results: Vec<ResultId>,
}

fn row(row: &Row) -> String {
    let Row {
        id,
        principal,
        label,
        closed,
        quarantine,
        node,
        ..
    } = row;
    format!("{id} {principal:?} {label:?} {closed} {quarantine:?} {node:?}")
}

/// Drops times and the wording of errors.
fn told<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(StoreError::Held { node, .. }) => format!("held by {node}"),
        Err(error) => format!("{error:?}"),
    }
}

impl Side<'_> {
    fn fence(&self, nth: usize) -> Fence {
        let none = Fence {
            epoch: 9,
            node: NODE,
        };
        self.fences.iter().rev().nth(nth).copied().unwrap_or(none)
    }

    async fn take(&mut self, step: &Step, commit: Option<&Commit>, shared: &Shared) -> String {
        let store = self.store;
        match step {
            Step::Create(nth) => {
                let new = NewSession {
                    id: self.ids[*nth],
                    ..new()
                };
                told(
                    store
                        .create(new)
                        .await
                        .map(|created| matches!(created, Created::New(_))),
                )
            }
            Step::Acquire(nth, node, after) => {
                let acquired = store
                    .acquire_after(self.ids[*nth], NodeId::from_u128(*node), *after)
                    .await;
                if let Ok(acquired) = &acquired {
                    self.fences.push(acquired.fence);
                    self.lineages.push(acquired.lineage.clone());
                }
                told(acquired.map(|acquired| {
                    (
                        acquired.fence,
                        acquired.version,
                        acquired.snapshot,
                        acquired.deltas,
                        acquired.last_commit,
                        acquired.lineage,
                    )
                }))
            }
            Step::Commit { fence, .. } => {
                let Some(commit) = commit else {
                    return String::new();
                };
                let commit = Commit {
                    fence: self.fence(*fence),
                    ..commit.clone()
                };
                told(
                    store
                        .commit(&[commit])
                        .await
                        .remove(0)
                        .map(|done| (done.version, done.declined)),
                )
            }
            Step::Again(nth) => {
                let Some(commit) = shared.commits.iter().rev().nth(*nth) else {
                    return String::new();
                };
                let commit = Commit {
                    fence: self.fence(0),
                    ..commit.clone()
                };
                told(
                    store
                        .commit(&[commit])
                        .await
                        .remove(0)
                        .map(|done| (done.version, done.declined)),
                )
            }
            Step::Renew(nth, fence) => told(
                store
                    .renew(self.ids[*nth], self.fence(*fence))
                    .await
                    .map(drop),
            ),
            Step::Keep(nth, fence) => told(
                store
                    .keep(&[(self.ids[*nth], self.fence(*fence))])
                    .await
                    .remove(0),
            ),
            Step::Release(nth, fence, other) => {
                let version = shared.versions[*nth] + u64::from(*other);
                told(
                    store
                        .release(self.ids[*nth], self.fence(*fence), version)
                        .await,
                )
            }
            Step::Delete(nth, fence) => {
                told(store.delete(self.ids[*nth], self.fence(*fence)).await)
            }
            Step::Quarantine(nth, on) => told(
                store
                    .quarantine(self.ids[*nth], on.then(|| "why".to_owned()))
                    .await,
            ),
            Step::Look(nth) => told(store.look(self.ids[*nth]).await.map(|found| row(&found))),
            Step::Read(nth, result) => {
                let Some(result) = shared.results.iter().rev().nth(*result) else {
                    return String::new();
                };
                told(store.result(self.ids[*nth], *result, Part::Answer).await)
            }
            Step::List => {
                let listed = store.list(&Principal::local(), None, 10).await;
                let rows = listed.map(|(rows, _)| {
                    let mut rows: Vec<_> = rows.iter().map(row).collect();
                    rows.sort();
                    rows
                });
                told(rows)
            }
            Step::Repair(nth, fence, ahead, unknown, out, lineage) => {
                let ours = |commit: &&Commit| commit.session == self.ids[*nth];
                let commits = shared.commits.iter().filter(ours);
                let mut commits = commits.map(|commit| commit.id).rev();
                let newest = commits.clone().next().filter(|_| *out);
                let lineage = self.lineages.iter().rev().nth(*lineage);
                let repair = Repair {
                    session: NewSession {
                        id: self.ids[*nth],
                        snapshot: b"repaired".as_slice().into(),
                        ..new()
                    },
                    created_ms: 1_700_000_000_000,
                    fence: self.fence(*fence),
                    version: shared.versions[*nth] + ahead,
                    lineage: lineage.cloned().unwrap_or_default(),
                    last: commits.nth(*unknown),
                    out: newest,
                    aside: (*ahead == 0).then(|| self.fence(*unknown)),
                };
                let given = store.repair(repair).await;
                self.fences
                    .extend(given.as_ref().ok().map(|given| given.fence));
                told(given)
            }
        }
    }
}

async fn compare(redis: &RedisStore, steps: &[Step]) -> Result<(), TestCaseError> {
    let memory = MemoryStore::new(Clock::system(), Limits::default());
    let ids: Vec<_> = (0..SESSIONS).map(|_| SessionId::random()).collect();
    let side = |store| Side {
        store,
        ids: &ids,
        fences: Vec::new(),
        lineages: Vec::new(),
    };
    let (mut ours, mut reference) = (side(redis), side(&memory));
    let mut shared = Shared {
        versions: [1; SESSIONS],
        ..Shared::default()
    };
    for (at, step) in steps.iter().enumerate() {
        let made = if let Step::Commit {
            session,
            version,
            form,
            put,
            drop,
            ..
        } = step
        {
            let expected = shared.versions[*session].saturating_add_signed(*version);
            let bytes: Arc<[u8]> = format!("change {at}").into_bytes().into();
            let change = match form {
                0 => Change::Delta(bytes),
                1 => Change::Snapshot(bytes),
                _ => Change::Branch {
                    snapshot: None,
                    deltas: vec![Arc::clone(&bytes), bytes],
                    versions: 3,
                },
            };
            let result = ResultId::random();
            let blob = ResultBlob {
                id: result,
                part: Part::Answer,
                bytes: b"r".as_slice().into(),
            };
            let dropped = shared
                .results
                .last()
                .filter(|_| *drop)
                .map(|id| (*id, Part::Answer));
            shared.results.extend(put.then_some(result));
            Some(Commit {
                change,
                put: put.then_some(blob).into_iter().collect(),
                drop: dropped.into_iter().collect(),
                ..commit(
                    ids[*session],
                    Fence {
                        epoch: 0,
                        node: NODE,
                    },
                    expected,
                )
            })
        } else {
            None
        };
        let answer = ours.take(step, made.as_ref(), &shared).await;
        let wanted = reference.take(step, made.as_ref(), &shared).await;
        prop_assert_eq!(&answer, &wanted, "step {} {:?}", at, step);
        shared.commits.extend(made);
        for (nth, id) in ids.iter().enumerate() {
            // What the reference holds, so that versions that fit are met often.
            if let Ok(image) = crate::store::archive::Archive::read(&memory, *id).await {
                shared.versions[nth] = image.version;
            }
        }
    }
    Ok(())
}

#[test]
fn any_operations_are_answered_as_the_memory_store_does() {
    let Some(server) = server::good() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let store = runtime.block_on(async { store(&server) });
    let outcome = runner.run(&steps(), |steps| {
        let mut meddler = server.connection();
        run(&mut meddler, &["FLUSHALL"]).unwrap();
        runtime.block_on(compare(&store, &steps))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
