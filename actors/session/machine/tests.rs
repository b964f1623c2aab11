//! Random events against the pure machine: a refused event changes nothing, an accepted one keeps every invariant, and
//! folding the stored form gives the same machine.

use proptest::prelude::*;
use serde_json::json;
use telemetry::Trace;

use super::*;
use crate::options::Limits;
use crate::session::{invariants, snapshot};
use crate::store::{Lost, Part};

const REQUESTS: u128 = 8;

pub(crate) fn limits() -> Limits {
    Limits {
        calls: 3,
        history: 4,
        results: 10,
        result_bytes: 1500,
        pinned: 3,
        keys: 3,
        notices: 2,
        arguments_bytes: 100,
        history_arguments_bytes: 20,
        whole_bytes: 100,
        attempts: 3,
        label_bytes: 10,
    }
}

pub(crate) fn machine() -> Machine {
    let roots = [Root {
        name: "r".to_owned(),
        path: "/r".into(),
    }];
    Machine::new(Principal::local(), Some("l".into()), roots.into(), 1, 1000)
}

fn request() -> impl Strategy<Value = RequestId> {
    (0..REQUESTS).prop_map(RequestId::from_u128)
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let at_ms = 10_u64;
    let arguments = prop_oneof![
        Just(json!({"path": "a"})),
        Just(json!({"path": "b", "x": "y".repeat(50)}))
    ];
    let arguments = arguments.prop_map(Arc::new).boxed();
    let bytes = prop_oneof![9 => Just(50_usize), 1 => Just(101)];
    let key = prop::option::of(
        (0_u8..5, 0_u8..2).prop_map(|(key, digest)| (Arc::from(format!("k{key}")), [digest; 32])),
    );
    let pin = prop::option::of((0..20_u128).prop_map(ResultId::from_u128));
    let requested = (arguments.clone(), bytes.clone(), any::<bool>(), key, pin).prop_map(
        |(arguments, bytes, idempotent, key, pin)| Requested {
            tool: "t".into(),
            idempotent,
            arguments,
            bytes,
            key,
            pin,
            trace: idempotent.then_some(Trace {
                trace: 7,
                span: 8,
                sampled: true,
            }),
        },
    );
    let result = any::<u128>().prop_map(ResultId::from_u128);
    let finished =
        (result.clone(), prop::option::of(0_u64..120)).prop_map(|(result, whole_bytes)| Finished {
            result,
            summary: "s".into(),
            input_digest: "d".into(),
            whole_bytes,
        });
    let reason = prop_oneof![Just("path_not_found"), Just("interrupted"), Just("busy")];
    let live = prop::collection::btree_set(request(), 0..4);
    prop_oneof![
        5 => (request(), requested).prop_map(move |(request, call)| Event::CallRequested { request, call, at_ms }),
        1 => (request(), any::<bool>()).prop_map(move |(request, idempotent)| Event::ToolSelected { request, tool: "t".into(), idempotent, trace: None, at_ms }),
        1 => (request(), arguments, bytes).prop_map(move |(request, arguments, bytes)| Event::ParametersSet { request, arguments, bytes, at_ms }),
        1 => request().prop_map(move |request| Event::ExecutionRequested { request, at_ms }),
        5 => (request(), finished).prop_map(move |(request, finished)| Event::ToolFinished { request, finished, at_ms }),
        2 => (request(), reason).prop_map(move |(request, reason)| Event::ToolFailed { request, reason: reason.into(), message: "m".into(), retry_after: None, at_ms }),
        1 => request().prop_map(move |request| Event::CancelRequested { request, at_ms }),
        2 => (request(), prop::option::of((0_u8..3).prop_map(|n| InputKey([n; 32])))).prop_map(|(request, at_work)| Event::InputNoted { request, at_work }),
        1 => live.prop_map(move |live| Event::Recovered { live, at_ms }),
        1 => (0_u8..5).prop_map(|n| Event::Noticed { text: format!("n{n}").into() }),
        1 => (0_u8..5, 1_u64..9).prop_map(|(n, forgotten)| Event::LossFound { text: format!("n{n}").into(), lost: Lost { forgotten, ..Lost::default() } }),
        1 => prop::collection::vec(result, 0..2).prop_map(|results| Event::WholesDeclined { results }),
    ]
}

/// A pin refers to an existing result by its position, newest first.
pub(crate) fn aimed(machine: &Machine, mut event: Event) -> Event {
    if let Event::CallRequested { call, .. } = &mut event
        && let Some(place) = call.pin
    {
        let place = usize::try_from(place.as_u128()).unwrap();
        let mut known = machine.results().filter_map(|ended| ended.end.result());
        call.pin = known.nth(place).or(call.pin);
    }
    event
}

fn run(machine: &mut Machine, event: Event) -> Result<Decision, Rejected> {
    let decision = machine.decide(event, &limits())?;
    decision
        .deltas
        .iter()
        .for_each(|delta| machine.apply(delta));
    Ok(decision)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_events_keep_the_invariants_and_fold_to_the_same(
        events in prop::collection::vec(event(), 0..120),
        close_at in prop::option::of(0_usize..120),
    ) {
        let start = machine();
        let mut machine = start.clone();
        let mut journal = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            let event = if close_at == Some(index) { Event::CloseRequested { at_ms: 10 } } else { event };
            let event = aimed(&machine, event);
            let before = machine.clone();
            match run(&mut machine, event.clone()) {
                Err(_) => prop_assert_eq!(&machine, &before, "refused, and changed"),
                Ok(decision) => {
                    prop_assert_eq!(invariants::broken(&machine), None);
                    prop_assert_eq!(invariants::over_limits(&machine, &limits()), None, "{:?}", event);
                    prop_assert!(invariants::ends_are_final(&before, &machine));
                    check_effects(&before, &machine, &decision)?;
                    journal.push(snapshot::encode_deltas(&decision.deltas));
                }
            }
            // From the stored deltas only, and from the stored state only.
            let folded = snapshot::fold(&snapshot::encode(&start), &journal).unwrap();
            prop_assert_eq!(&folded, &machine);
            prop_assert_eq!(&snapshot::decode(&snapshot::encode(&machine)).unwrap(), &machine);
        }
    }

    #[test]
    fn bytes_that_are_no_session_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(snapshot::decode(&bytes).is_err());
        prop_assert!(snapshot::decode_deltas(&bytes).is_err());
    }

    #[test]
    fn damaged_sessions_are_refused_or_read_and_never_panic(at in 0_usize..400, with in any::<u8>()) {
        let mut machine = machine();
        let requested = Requested { tool: "t".into(), idempotent: true, arguments: Arc::new(json!({})), bytes: 2, key: Some(("k".into(), [1; 32])), pin: None, trace: None };
        run(&mut machine, Event::CallRequested { request: RequestId::from_u128(1), call: requested, at_ms: 1 }).unwrap();
        let mut bytes = snapshot::encode(&machine).to_vec();
        let at = at % bytes.len();
        bytes[at] = with;
        let _ = snapshot::decode(&bytes);
    }
}

/// The effects fit the new state.
fn check_effects(
    before: &Machine,
    after: &Machine,
    decision: &Decision,
) -> Result<(), TestCaseError> {
    for effect in &decision.effects {
        match effect {
            Effect::Run { request, attempt } => {
                let call = after
                    .calls
                    .get(request)
                    .ok_or_else(|| TestCaseError::fail("runs a call that is not there"))?;
                prop_assert_eq!(call.state.attempt(), *attempt);
                prop_assert!(
                    call.idempotent || *attempt == 1,
                    "what may run once ran twice"
                );
            }
            Effect::Noted { request } => prop_assert!(after.calls.contains_key(request)),
            Effect::Adopt { request } => prop_assert!(after.calls.contains_key(request)),
            Effect::Answer { request } => {
                prop_assert!(
                    after.closed || after.find_ended(*request).is_some(),
                    "answers a call that runs"
                );
            }
            Effect::Await { running, .. } => prop_assert!(after.calls.contains_key(running)),
            Effect::Replay { original, .. } => prop_assert!(after.find_ended(*original).is_some()),
            Effect::StopJob { request } => prop_assert!(!after.calls.contains_key(request)),
            Effect::LossTold { .. } => prop_assert!(!after.notices.is_empty()),
            Effect::Forget { result, part } => match part {
                Part::Answer => {
                    prop_assert!(!after.keeps_answer(*result) && before.keeps_answer(*result))
                }
                Part::Whole => {
                    prop_assert!(!after.keeps_whole(*result) && before.keeps_whole(*result))
                }
            },
        }
    }
    for (result, _) in &before.wholes {
        let forgotten = Effect::Forget {
            result: *result,
            part: Part::Whole,
        };
        let declined = !decision.deltas.is_empty() && decision.effects.is_empty();
        prop_assert!(
            after.keeps_whole(*result) || declined || decision.effects.contains(&forgotten)
        );
    }
    // No stored result is left unreferenced.
    for ended in &before.ended {
        if let Some(result) = ended.end.result()
            && !after.keeps_answer(result)
        {
            let forgotten = Effect::Forget {
                result,
                part: Part::Answer,
            };
            prop_assert!(decision.effects.contains(&forgotten));
        }
    }
    Ok(())
}

#[test]
fn a_call_goes_through_its_states_in_order() {
    let mut machine = machine();
    let request = RequestId::from_u128(1);
    let arguments = Arc::new(json!({}));
    let set = Event::ParametersSet {
        request,
        arguments,
        bytes: 2,
        at_ms: 2,
    };
    let execute = Event::ExecutionRequested { request, at_ms: 3 };
    let refused = |state, wanted| Err(Rejected::OutOfOrder { state, wanted });
    assert_eq!(machine.state_of(request), "idle");
    assert_eq!(
        run(&mut machine, set.clone()),
        refused("idle", "given parameters")
    );
    run(
        &mut machine,
        Event::ToolSelected {
            request,
            tool: "t".into(),
            idempotent: true,
            trace: None,
            at_ms: 1,
        },
    )
    .unwrap();
    assert_eq!(machine.state_of(request), "tool_selected");
    assert_eq!(
        run(&mut machine, execute.clone()),
        refused("tool_selected", "executed")
    );
    run(&mut machine, set.clone()).unwrap();
    assert_eq!(machine.state_of(request), "parameters_set");
    assert_eq!(
        run(&mut machine, set),
        refused("parameters_set", "given parameters")
    );
    run(&mut machine, execute.clone()).unwrap();
    assert_eq!(machine.state_of(request), "executing");
    assert_eq!(run(&mut machine, execute), refused("executing", "executed"));
    run(&mut machine, Event::CancelRequested { request, at_ms: 4 }).unwrap();
    assert_eq!(machine.state_of(request), "cancelled");
}

/// As version 1 wrote it.
#[test]
fn an_older_schema_is_upgraded() {
    let (start, limits) = (machine(), Limits::default());
    let mut machine = start.clone();
    let call = Event::CallRequested {
        request: RequestId::random(),
        call: Requested {
            tool: "echo".into(),
            idempotent: true,
            arguments: Arc::new(json!({})),
            bytes: 2,
            key: Some(("k".into(), [7; 32])),
            pin: None,
            trace: None,
        },
        at_ms: 1,
    };
    let decision = machine.decide(call, &limits).unwrap();
    decision
        .deltas
        .iter()
        .for_each(|delta| machine.apply(delta));
    let as_before = |bytes: &[u8]| {
        let today = String::from_utf8(bytes.to_vec()).unwrap();
        let text = format!("\"digest\":\"{}\"", "07".repeat(32));
        assert!(today.contains(&text), "{today}");
        let numbers = serde_json::to_string(&[7; 32]).unwrap();
        let before = today.replace(&text, &format!("\"digest\":{numbers}"));
        before.replace("\"schema\":3", "\"schema\":1").into_bytes()
    };
    let (whole, deltas) = (
        as_before(&snapshot::encode(&machine)),
        as_before(&snapshot::encode_deltas(&decision.deltas)),
    );
    assert_eq!(snapshot::decode(&whole).unwrap(), machine);
    let deltas: Arc<[u8]> = deltas.into();
    let start = snapshot::encode(&start);
    assert!(!snapshot::is_old(&start, &[]));
    assert!(snapshot::is_old(&start, std::slice::from_ref(&deltas)));
    assert_eq!(snapshot::fold(&start, &[deltas]).unwrap(), machine);
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let bytes = br#"{"schema": 4, "anything": ["else"]}"#;
    assert_eq!(
        snapshot::decode(bytes).unwrap_err(),
        crate::store::StoreError::NewerSchema(4)
    );
    assert_eq!(
        snapshot::decode_deltas(bytes).unwrap_err(),
        crate::store::StoreError::NewerSchema(4)
    );
}

/// The input being worked on at an interruption is skipped from then on; an input cleared before is not.
#[test]
fn the_input_of_an_interrupted_attempt_is_skipped_in_the_next() {
    let mut machine = machine();
    let request = RequestId::from_u128(1);
    let [first, second] = [1, 2].map(|n| InputKey([n; 32]));
    let call = Requested {
        tool: "t".into(),
        idempotent: true,
        arguments: Arc::new(json!({})),
        bytes: 2,
        key: None,
        pin: None,
        trace: None,
    };
    let cut_off = || Event::Recovered {
        live: std::collections::BTreeSet::new(),
        at_ms: 2,
    };
    let note = |at_work| Event::InputNoted { request, at_work };
    let suspects = |machine: &Machine| match &machine.calls[&request].state {
        CallState::Executing {
            attempt, suspects, ..
        } => (*attempt, suspects.left_out.clone(), suspects.at_work),
        other @ (CallState::ToolSelected | CallState::ParametersSet { .. }) => panic!("{other:?}"),
    };
    run(
        &mut machine,
        Event::CallRequested {
            request,
            call,
            at_ms: 1,
        },
    )
    .unwrap();
    run(&mut machine, cut_off()).unwrap();
    assert_eq!(suspects(&machine), (2, vec![], None));
    run(&mut machine, note(Some(first))).unwrap();
    run(&mut machine, note(Some(second))).unwrap();
    assert_eq!(suspects(&machine), (2, vec![], Some(second)));
    let mut cleared = machine.clone();
    run(&mut cleared, note(None)).unwrap();
    run(&mut cleared, cut_off()).unwrap();
    assert_eq!(suspects(&cleared), (3, vec![], None));
    run(&mut machine, cut_off()).unwrap();
    assert_eq!(suspects(&machine), (3, vec![second], None));
    assert_eq!(
        run(
            &mut machine,
            Event::InputNoted {
                request: RequestId::from_u128(2),
                at_work: None
            }
        ),
        Err(Rejected::NotRunning)
    );
}
