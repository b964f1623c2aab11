//! Two nodes, the store, the messages between them, and every event that can happen to them.

use stateright::{Model, Property};

use super::Rules;
use super::node::{Node, Talk};
use super::record::{Log, Record, Reply, Request, Turns};

const NODES: u8 = 2;

/// Bounds on the number of events: large enough for every known counterexample, small enough to explore all states.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) commits: u8,
    /// Acquisitions and repairs: each raises the epoch.
    pub(super) epochs: u8,
    pub(super) failovers: u8,
    pub(super) crashes: u8,
    pub(super) late: usize,
    /// The other node may not be reachable.
    pub(super) deaf: bool,
    /// After a failover the clock may be behind, so that an ended lease is valid again.
    pub(super) skewed: bool,
}

/// Broken promises, noted when they break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Wrongs {
    applied_elsewhere: bool,
    regressed_for_nothing: bool,
    driven_out: bool,
    repaired_over_others: bool,
    not_repaired: bool,
    lost_in_silence: bool,
    unasked: bool,
    without_lease: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) record: Record,
    /// The replica's state, which a failover restores.
    behind: Record,
    pub(super) nodes: [Node; NODES as usize],
    /// Requests that have not arrived yet, and whose senders have timed out.
    late: Vec<Request>,
    /// Commits that clients were told are stored.
    acknowledged: Log,
    /// Nodes whose lease has ended.
    ended: [bool; NODES as usize],
    commits: u8,
    failovers: u8,
    crashes: u8,
    wrongs: Wrongs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Want(u8),
    Commit(u8),
    Release(u8),
    Crash(u8),
    Arrive(u8),
    /// A repair during which the other node was not reachable.
    ArriveUnasked(u8),
    Hear(u8),
    LoseReply(u8),
    /// The sender times out and asks again; the first request may still arrive.
    Linger(u8),
    ArriveLate,
    LeaseEnds,
    Replicate,
    FailOver {
        skewed: bool,
    },
}

pub(super) struct Protocol {
    pub(super) rules: Rules,
    pub(super) bounds: Bounds,
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let node = Node {
            fence: None,
            log: Log::default(),
            turns: Turns::default(),
            epoch: 0,
            out: None,
            talk: Talk::Silent,
            asked: false,
        };
        vec![World {
            record: Record::default(),
            behind: Record::default(),
            nodes: [node.clone(), node],
            late: Vec::new(),
            acknowledged: Log::default(),
            ended: [false; NODES as usize],
            commits: 0,
            failovers: 0,
            crashes: 0,
            wrongs: Wrongs::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let bounds = &self.bounds;
        for (number, node) in (0..NODES).zip(&world.nodes) {
            match (node.talk, node.fence) {
                // The nodes are symmetric, so only the first may start.
                (Talk::Silent, None) if world.record.epoch == 0 && number > 0 && world.is_new() => {
                }
                (Talk::Silent, None) if world.record.epoch < bounds.epochs => {
                    actions.push(Action::Want(number))
                }
                (Talk::Silent, Some(_)) => {
                    if world.commits < bounds.commits {
                        actions.push(Action::Commit(number));
                    }
                    actions.push(Action::Release(number));
                }
                (Talk::Silent, None) => {}
                (Talk::Asked(request), _) => {
                    actions.push(Action::Arrive(number));
                    let asks = match request {
                        Request::Repair { .. } => true,
                        Request::Commit { .. } => world.must_ask(number),
                        Request::Acquire { .. } => false,
                    };
                    if bounds.deaf && asks {
                        actions.push(Action::ArriveUnasked(number));
                    }
                    if world.late.len() < bounds.late {
                        actions.push(Action::Linger(number));
                    }
                }
                (Talk::Answered(..), _) => {
                    actions.push(Action::Hear(number));
                    actions.push(Action::LoseReply(number));
                }
            }
            if node.fence.is_some() && world.crashes < bounds.crashes {
                actions.push(Action::Crash(number));
            }
        }
        if !world.late.is_empty() {
            actions.push(Action::ArriveLate);
        }
        if world.record.live {
            actions.push(Action::LeaseEnds);
        }
        if world.failovers < bounds.failovers && world.behind != world.record {
            actions.push(Action::Replicate);
            actions.push(Action::FailOver { skewed: false });
            if bounds.skewed && !world.behind.live && world.behind.fence.is_some() {
                actions.push(Action::FailOver { skewed: true });
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.take(action, self.rules);
        Some(next)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.record.epoch <= self.bounds.epochs
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(super::ON_ITS_STATE, |_, world: &World| {
                !world.wrongs.applied_elsewhere
            }),
            Property::always(super::ONCE, |_, world: &World| !world.record.log.repeats()),
            Property::always(super::KEPT, |_, world: &World| {
                world.failovers > 0
                    || world
                        .acknowledged
                        .ids()
                        .all(|id| world.record.log.contains(id))
            }),
            Property::always(super::OWNER_KNOWS, |_, world: &World| world.owner_knows()),
            Property::always(super::NO_FALSE_ALARM, |_, world: &World| {
                !world.wrongs.regressed_for_nothing
            }),
            Property::always(super::LEFT_ALONE, |_, world: &World| {
                !world.wrongs.driven_out
            }),
            Property::always(super::REPAIR_IS_GENTLE, |_, world: &World| {
                !world.wrongs.repaired_over_others
            }),
            Property::always(super::REPAIRED, |_, world: &World| {
                !world.wrongs.not_repaired
            }),
            Property::always(super::UNDER_LEASE, |_, world: &World| {
                !world.wrongs.without_lease
            }),
            Property::always(super::ASKED, |_, world: &World| !world.wrongs.unasked),
            Property::always(super::SAID, |_, world: &World| {
                !world.wrongs.lost_in_silence
            }),
        ]
    }
}

impl World {
    fn is_new(&self) -> bool {
        let untouched = |node: &Node| node.talk == Talk::Silent && node.epoch == 0;
        self.commits == 0 && self.failovers + self.crashes == 0 && self.nodes.iter().all(untouched)
    }

    fn take(&mut self, action: Action, rules: Rules) {
        match action {
            Action::Want(number) => self.node(number).ask_for_it(number),
            Action::Commit(number) => {
                self.commits += 1;
                let id = self.commits;
                let node = self.node(number);
                node.out = Some(id);
                node.send_out();
            }
            Action::Release(number) => self.release(number, rules),
            Action::Crash(number) => {
                self.crashes += 1;
                let node = self.node(number);
                let talk = node.talk;
                node.forget();
                node.talk = Talk::Silent;
                // A request it sent may arrive after the crash.
                if let (Talk::Asked(request), true) = (talk, self.late.is_empty()) {
                    self.late.push(request);
                }
            }
            Action::Arrive(number) => {
                let must_ask = self.must_ask(number);
                self.ask_first(number, rules);
                let later = self.other_was_later(number);
                let lacks_the_other = self.lacks_what_the_other_has(number);
                self.arrive(number, rules);
                self.wrongs.unasked |= match self.node(number).talk {
                    Talk::Answered(Request::Repair { .. }, Reply::Repaired { .. }) => later,
                    Talk::Answered(Request::Commit { .. }, Reply::Committed) => {
                        must_ask && lacks_the_other
                    }
                    Talk::Silent | Talk::Asked(_) | Talk::Answered(..) => false,
                };
            }
            Action::ArriveUnasked(number) => self.arrive(number, rules),
            Action::Hear(number) => {
                if let Talk::Answered(request, reply) = self.node(number).talk {
                    self.hear(number, request, reply, rules);
                }
            }
            Action::LoseReply(number) => {
                if let Talk::Answered(request, _) = self.node(number).talk {
                    self.node(number).talk = Talk::Asked(request);
                }
            }
            Action::Linger(number) => {
                if let Talk::Asked(Request::Commit { .. }) = self.node(number).talk {
                    self.ask_first(number, rules);
                }
                if let Talk::Asked(request) = self.node(number).talk {
                    self.sent(number, &request);
                    self.late.push(request);
                    self.late.sort_unstable();
                }
            }
            Action::ArriveLate => {
                let request = self.late.remove(0);
                self.apply(&request, rules);
            }
            Action::LeaseEnds => {
                self.record.live = false;
                // The replica's lease was granted earlier and has the same length.
                self.behind.live = false;
                if let Some(fence) = self.record.fence {
                    self.ended[usize::from(fence.node)] = true;
                }
            }
            Action::Replicate => self.behind = self.record.clone(),
            Action::FailOver { skewed } => {
                self.failovers += 1;
                self.record = std::mem::take(&mut self.behind);
                self.record.live |= skewed;
                self.ended = [false; NODES as usize];
                self.nodes.iter_mut().for_each(|node| node.asked = false);
                // These requests were on their way to the old server.
                self.late.clear();
            }
        }
    }

    pub(super) fn node(&mut self, number: u8) -> &mut Node {
        &mut self.nodes[usize::from(number)]
    }

    /// Whether its next commit is the first after a rollback.
    pub(super) fn must_ask(&self, number: u8) -> bool {
        self.failovers > 0 && !self.nodes[usize::from(number)].asked
    }

    fn sent(&mut self, number: u8, request: &Request) {
        if self.failovers > 0 && matches!(request, Request::Commit { .. }) {
            self.node(number).asked = true;
        }
    }

    fn arrive(&mut self, number: u8, rules: Rules) {
        if let Talk::Asked(request) = self.node(number).talk {
            self.sent(number, &request);
            let before = self.record.clone();
            let reply = self.apply(&request, rules);
            self.is_heard(&request, reply, &before);
            self.node(number).talk = Talk::Answered(request, reply);
        }
    }

    /// The store handles a request; forbidden outcomes are recorded.
    pub(super) fn apply(&mut self, request: &Request, rules: Rules) -> Reply {
        let before = self.record.clone();
        let reply = self.record.step(request, rules);
        let after = &self.record;
        match (request, reply) {
            (Request::Commit { onto, .. }, Reply::Committed) if before.log != after.log => {
                self.wrongs.applied_elsewhere |= *onto != before.log;
                self.wrongs.without_lease |= !before.live;
            }
            (
                Request::Repair {
                    fence, log, turns, ..
                },
                Reply::Repaired { dropped, .. },
            ) => {
                let taken_away = |id: u8| before.log.contains(id) && !log.contains(id);
                if self.acknowledged.ids().any(taken_away) {
                    let ours = turns.began();
                    let others = before.turns.began_by_another(fence.node);
                    self.wrongs.repaired_over_others |= others >= ours;
                    self.wrongs.lost_in_silence |= dropped == 0;
                }
            }
            _ => {}
        }
        reply
    }

    /// Checks what an owner learns when its repair is refused.
    fn is_heard(&mut self, request: &Request, reply: Reply, before: &Record) {
        if let Request::Repair {
            fence, log, turns, ..
        } = request
            // After `Lapsed` the node acquires the session again and retries.
            && !matches!(reply, Reply::Repaired { .. } | Reply::Lapsed)
        {
            let lost = !log.begins(before.log);
            let said = matches!(reply, Reply::Overtaken { .. });
            let ours = turns.began();
            let since = before
                .turns
                .as_slice()
                .iter()
                .any(|turn| turn.node != fence.node && Some(turn.epoch) >= ours);
            self.wrongs.not_repaired |= lost && !since;
            self.wrongs.lost_in_silence |= lost && !said;
            self.wrongs.regressed_for_nothing |= said && self.failovers == 0;
        }
    }

    /// In one step: a release whose reply is lost has the effect of a crash.
    fn release(&mut self, number: u8, rules: Rules) {
        let (stored, known) = (self.record.log, self.node(number).log);
        let Some(fence) = self.node(number).fence else {
            return;
        };
        if self.record.release(fence, known.len(), rules) != Reply::Released {
            self.node(number).ask_for_repair();
            return;
        }
        // After the release no node would notice the loss.
        self.wrongs.lost_in_silence |= !known.begins(stored);
        let node = self.node(number);
        node.forget();
    }

    fn hear(&mut self, number: u8, request: Request, reply: Reply, rules: Rules) {
        let ended = self.ended[usize::from(number)];
        let failed_over = self.failovers > 0;
        let node = self.node(number);
        node.talk = Talk::Silent;
        match (request, reply) {
            (Request::Commit { id, .. }, Reply::Committed) => {
                node.log = node.log.with(id);
                node.out = None;
                self.acknowledged = self.acknowledged.with(id);
            }
            (Request::Commit { .. }, Reply::Lapsed) => {
                node.ask_for_it(number);
            }
            (Request::Commit { .. }, Reply::Fenced) => {
                node.ask_for_repair();
                let by_another = self.record.fence.is_some_and(|held| held.node != number);
                self.wrongs.driven_out |= !failed_over && by_another && !ended;
            }
            (Request::Commit { .. }, Reply::Regressed { .. }) => {
                node.ask_for_repair();
                self.wrongs.regressed_for_nothing |= !failed_over;
            }
            (Request::Acquire { .. }, Reply::Acquired { fence, log, turns }) => {
                node.acquired(fence, log, turns, rules)
            }
            // Whichever node holds the session now has this state, or the loss is reported.
            (Request::Acquire { .. }, Reply::Held) if node.out.is_some() => node.ask_for_repair(),
            (Request::Repair { .. }, Reply::Lapsed) => node.ask_for_it(number),
            (Request::Repair { .. }, Reply::Repaired { fence, .. }) => {
                node.has(fence);
                node.send_out();
            }
            // The session is loaded again for the next call; the pending commit was never acknowledged.
            _ => node.forget(),
        }
    }

    /// The owner on the store's record knows the stored state, or is about to learn that the store was rolled back.
    fn owner_knows(&self) -> bool {
        self.nodes.iter().all(|node| {
            // A node that repairs or acquires answers no caller.
            let settles = match node.talk {
                Talk::Silent => false,
                Talk::Asked(request) | Talk::Answered(request, _) => {
                    !matches!(request, Request::Commit { .. })
                }
            };
            let owns = !settles && node.fence.is_some() && node.fence == self.record.fence;
            let all = node.out.map_or(node.log, |out| node.log.with(out));
            !owns || self.record.log.begins(all)
        })
    }
}
