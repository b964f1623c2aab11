//! Random sequences of client and node actions, with store outages, compared with a model that forgets nothing.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::super::contract::connection;
use super::away::{Mood, Switch, node, until};
use super::*;

const CONNECTIONS: usize = 3;
const STREAMS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Open(usize, usize),
    Find(usize, usize),
    Close(usize, usize),
    /// The next event of a stream, by the node that writes it.
    Record(usize, usize, bool),
    Read(usize, usize, usize, u64),
    Store(Mood),
    /// In minutes: connections end after sixty.
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (nodes, connections) = (|| 0..2_usize, || 0..CONNECTIONS);
    let step = prop_oneof![
        2 => (nodes(), connections()).prop_map(|(node, of)| Step::Open(node, of)),
        2 => (nodes(), connections()).prop_map(|(node, of)| Step::Find(node, of)),
        1 => (nodes(), connections()).prop_map(|(node, of)| Step::Close(node, of)),
        8 => (connections(), 0..STREAMS, prop::bool::weighted(0.1))
            .prop_map(|(of, stream, last)| Step::Record(of, stream, last)),
        4 => (nodes(), connections(), 0..STREAMS, 0..4_u64)
            .prop_map(|(node, of, stream, after)| Step::Read(node, of, stream, after)),
        1 => prop_oneof![Just(Mood::There), Just(Mood::Refuses), Just(Mood::Silent)].prop_map(Step::Store),
        1 => (1..45_u64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What the model knows of one connection.
struct Known {
    connection: Connection,
    node: usize,
    /// By stream: its events are their own numbers.
    written: HashMap<usize, (u64, bool)>,
    used: tokio::time::Instant,
    /// Last use through its own node.
    used_here: tokio::time::Instant,
    /// Last use that the store knows of.
    used_there: tokio::time::Instant,
    /// It expired in the store while its node used it: streams that had ended by then are lost.
    lapsed: bool,
}

impl Known {
    fn is_used(&mut self, node: usize, there: bool) {
        let now = tokio::time::Instant::now();
        self.lapsed |= self.used_there.elapsed() >= TTL;
        self.used = now;
        if node == self.node {
            self.used_here = now;
        }
        if there {
            self.used_there = now;
        }
    }
}

struct World {
    nodes: [Connections; 2],
    switch: Arc<Switch>,
    there: bool,
    /// The store was never down, so both nodes find everything.
    always_there: bool,
    known: [Option<Known>; CONNECTIONS],
}

fn stream_id(n: usize) -> StreamId {
    StreamId::from_u128(n as u128 + 1)
}

impl World {
    fn new() -> Self {
        let clock = Clock::starting_at(1_000_000);
        let switch = Switch::new(ConnectionOptions::default(), clock);
        let nodes = [0, 1].map(|_| node(Arc::clone(&switch) as _, clock));
        Self {
            nodes,
            switch,
            there: true,
            always_there: true,
            known: [const { None }; CONNECTIONS],
        }
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Open(node, of) => {
                let new = connection();
                prop_assert_eq!(self.nodes[node].open(new.clone()).await, Ok(()));
                self.known[of] = Some(Known {
                    connection: new,
                    node,
                    written: HashMap::new(),
                    used: tokio::time::Instant::now(),
                    used_here: tokio::time::Instant::now(),
                    used_there: tokio::time::Instant::now(),
                    lapsed: false,
                });
            }
            Step::Find(node, of) => return self.find(node, of).await,
            Step::Close(node, of) => {
                if let Some(known) = self.known[of].take() {
                    let id = known.connection.id;
                    self.nodes[node].close(id).await;
                    prop_assert_eq!(self.nodes[node].find(id).await.unwrap_or(None), None);
                }
            }
            Step::Record(of, stream, last) => return self.record(of, stream, last).await,
            Step::Read(node, of, stream, after) => {
                return self.read(node, of, stream, after).await.map(|_| ());
            }
            Step::Store(mood) => {
                self.switch.turn(mood);
                self.there = matches!(mood, Mood::There);
                self.always_there &= self.there;
                if self.there {
                    // Longer than a node waits before it checks the store again.
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
            }
            Step::Pass(minutes) => tokio::time::sleep(Duration::from_secs(60 * minutes)).await,
        }
        Ok(())
    }

    async fn find(&mut self, node: usize, of: usize) -> Result<(), TestCaseError> {
        let Some(known) = &mut self.known[of] else {
            return Ok(());
        };
        let found = self.nodes[node].find(known.connection.id).await;
        let (idle, always) = (known.used.elapsed(), self.always_there);
        if let Ok(Some(found)) = found {
            prop_assert_eq!(&found, &known.connection);
            prop_assert!(!always || idle < TTL, "it has ended");
            known.is_used(node, self.there);
            return Ok(());
        }
        prop_assert!(
            idle >= TTL || !always,
            "{found:?} of a connection that lives"
        );
        let idle_here = known.used_here.elapsed();
        prop_assert!(
            idle_here >= TTL || node != known.node || self.there,
            "its own node knows it"
        );
        if found == Ok(None) && node == known.node {
            self.known[of] = None;
        }
        Ok(())
    }

    async fn record(&mut self, of: usize, stream: usize, last: bool) -> Result<(), TestCaseError> {
        // A request is served once its connection is found.
        let Some(Known {
            connection, node, ..
        }) = &self.known[of]
        else {
            return Ok(());
        };
        let (id, node) = (connection.id, *node);
        self.find(node, of).await?;
        let Some(known) = &mut self.known[of] else {
            return Ok(());
        };
        if known.used_here.elapsed() > Duration::ZERO {
            return Ok(());
        }
        let (number, ended) = known.written.get(&stream).copied().unwrap_or_default();
        if ended {
            return Ok(());
        }
        let next = number + 1;
        let kept = self.nodes[node]
            .record(id, stream_id(stream), next, event(&next.to_string()), last)
            .await;
        known.written.insert(stream, (next, last));
        prop_assert!(kept || !self.there, "event {next} was not kept");
        if kept && self.there {
            for other in 0..2 {
                let read = self.read(other, of, stream, number).await?;
                prop_assert!(
                    read.is_some_and(|read| read.contains(&next)),
                    "said to be kept"
                );
            }
        }
        Ok(())
    }

    /// The numbers of the events that were read.
    async fn read(
        &self,
        node: usize,
        of: usize,
        stream: usize,
        after: u64,
    ) -> Result<Option<Vec<u64>>, TestCaseError> {
        let Some(known) = &self.known[of] else {
            return Ok(None);
        };
        let read = self.nodes[node]
            .read(known.connection.id, stream_id(stream), after)
            .await;
        let Some(read) = read else { return Ok(None) };
        let (written, ended) = known.written.get(&stream).copied().unwrap_or_default();
        prop_assert!(!read.ended || ended);
        let numbers: Vec<_> = read.events.iter().map(|(number, _)| *number).collect();
        for (number, bytes) in &read.events {
            prop_assert_eq!(bytes, &event(&number.to_string()));
            prop_assert!(*number > after && *number <= written);
        }
        prop_assert!(numbers.windows(2).all(|two| two[0] < two[1]));
        Ok(Some(numbers))
    }

    /// Once the store is up, both nodes find every live connection.
    async fn settle(&mut self) {
        self.switch.turn(Mood::There);
        for known in self.known.iter().flatten() {
            if known.used.elapsed() >= TTL / 2 {
                continue;
            }
            let id = known.connection.id;
            let lapsed = known.lapsed || known.used_there.elapsed() >= TTL / 2;
            for (&stream, &(written, ended)) in &known.written {
                if ended && lapsed {
                    continue;
                }
                for node in &self.nodes {
                    until("the whole stream is read", || async {
                        let Some(read) = node.read(id, stream_id(stream), 0).await else {
                            return false;
                        };
                        read.events.len() as u64 == written && read.ended == ended
                    })
                    .await;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn events_reported_as_kept_are_read_on_every_node(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for step in &steps {
                world.take(step).await?;
            }
            world.settle().await;
            Ok::<(), TestCaseError>(())
        })?;
    }
}
