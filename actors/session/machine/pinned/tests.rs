//! Which results stay when not all fit: the newest, and those that a client is likely to return to.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::ids::RequestId;
use crate::session::machine::tests::machine;
use crate::session::machine::{Event, Finished, Requested};
use crate::session::{invariants, snapshot};

struct Task {
    machine: Machine,
    limits: Limits,
    calls: u128,
}

impl Task {
    fn new(limits: Limits) -> Self {
        let machine = Machine {
            label: None,
            ..machine()
        };
        Self {
            machine,
            limits,
            calls: 0,
        }
    }

    fn decide(&mut self, event: Event) {
        let decision = self.machine.decide(event, &self.limits).unwrap();
        let stored = snapshot::decode_deltas(&snapshot::encode_deltas(&decision.deltas)).unwrap();
        assert_eq!(stored, decision.deltas);
        stored.iter().for_each(|delta| self.machine.apply(delta));
        assert_eq!(invariants::over_limits(&self.machine, &self.limits), None);
    }

    /// A call with a whole result of this many bytes.
    fn call(&mut self, whole: u64, pin: Option<ResultId>) -> ResultId {
        self.calls += 1;
        let (request, result) = (
            RequestId::from_u128(self.calls),
            ResultId::from_u128(self.calls),
        );
        let call = Requested {
            tool: "t".into(),
            idempotent: true,
            arguments: Arc::new(json!({"n": self.calls.to_string()})),
            bytes: 10,
            key: None,
            pin,
            trace: None,
        };
        self.decide(Event::CallRequested {
            request,
            call,
            at_ms: 1,
        });
        let finished = Finished {
            result,
            summary: "s".into(),
            input_digest: "d".into(),
            whole_bytes: Some(whole),
        };
        self.decide(Event::ToolFinished {
            request,
            finished,
            at_ms: 2,
        });
        result
    }

    fn knows(&self, result: ResultId) -> bool {
        self.machine.find_result(result).is_some()
    }
}

fn limits() -> Limits {
    Limits {
        history: 4,
        results: 10,
        whole_bytes: 100,
        pinned: 2,
        ..Limits::default()
    }
}

#[test]
fn the_oldest_go_first_and_pinned_ones_last() {
    let mut task = Task::new(limits());
    let [first, second, third] = [10; 3].map(|bytes| task.call(bytes, None));
    task.call(10, Some(second));
    for _ in 0..50 {
        task.call(10, None);
    }
    assert!(!task.knows(first) && !task.knows(third));
    assert!(task.knows(second) && task.machine.keeps_whole(second));
    assert_eq!(task.machine.results().count(), 10);
    // It is not used as an answer any more: a repeated request is a new call.
    assert!(!task.machine.keeps_answer(second));
    assert_eq!(task.machine.find_ended(RequestId::from_u128(2)), None);
}

#[test]
fn a_third_pin_releases_the_least_recently_used() {
    let mut task = Task::new(limits());
    let [first, second, third] = [10; 3].map(|bytes| task.call(bytes, None));
    task.call(10, Some(first));
    task.call(10, Some(second));
    task.call(10, Some(first));
    task.call(10, Some(third));
    assert_eq!(task.machine.pinned, [first, third]);
    // An unknown result is not pinned.
    task.call(10, Some(ResultId::from_u128(9999)));
    assert_eq!(task.machine.pinned, [first, third]);
}

#[test]
fn pinned_results_leave_half_of_the_room_to_others() {
    let mut task = Task::new(limits());
    let [first, second] = [40; 2].map(|bytes| task.call(bytes, None));
    task.call(1, Some(first));
    task.call(1, Some(second));
    assert_eq!(task.machine.pinned, [second]);
    let newest = task.call(50, None);
    assert!(task.machine.keeps_whole(newest) && task.machine.keeps_whole(second));
    // If nothing else helps, even a pinned one is dropped: the newest result is always kept.
    let large = task.call(100, None);
    assert!(task.machine.keeps_whole(large) && !task.machine.keeps_whole(second));
    assert!(task.knows(second));
}

#[test]
fn the_first_results_of_a_session_with_a_label_are_pinned() {
    let mut task = Task::new(Limits {
        pinned: 4,
        ..limits()
    });
    task.machine.label = Some("task".into());
    let first = [5; 3].map(|bytes| task.call(bytes, None));
    for _ in 0..30 {
        task.call(10, None);
    }
    assert_eq!(task.machine.pinned, &first[..2]);
    assert!(task.knows(first[0]) && task.knows(first[1]) && !task.knows(first[2]));
}

#[test]
fn older_results_are_bounded_in_bytes() {
    let mut task = Task::new(Limits {
        results: 1000,
        result_bytes: 2000,
        ..limits()
    });
    for _ in 0..40 {
        task.call(1, None);
    }
    let bytes: usize = task.machine.aged.iter().map(|aged| aged.bytes).sum();
    let stored = serde_json::from_slice::<serde_json::Value>(&snapshot::encode(&task.machine));
    let stored = stored.unwrap()["aged"].to_string().len();
    assert!((1000..=2000).contains(&bytes), "{bytes}");
    assert!(stored <= bytes, "{stored} bytes are stored for {bytes}");
}
