//! Invariants of every session. Pure; checked by `debug_assert!` in `apply`, by property tests and by chaos tests.

use std::collections::BTreeSet;

use super::machine::{CallState, Machine};

/// Names the first broken invariant. `None`: all hold. (Limits depend on options: see [`over_limits`].)
pub(crate) fn broken(machine: &Machine) -> Option<&'static str> {
    let ended: BTreeSet<_> = machine.ended.iter().map(|ended| ended.request).collect();
    let rules = [
        (
            "a closed session runs nothing",
            !machine.closed || machine.calls.is_empty(),
        ),
        (
            "no request is both running and ended",
            machine.calls.keys().all(|request| !ended.contains(request)),
        ),
        (
            "no request is in the history twice",
            ended.len() == machine.ended.len(),
        ),
        (
            "attempts count from 1",
            machine
                .calls
                .values()
                .all(|call| !matches!(call.state, CallState::Executing { attempt: 0, .. })),
        ),
        (
            "no more inputs are skipped than attempts were interrupted",
            machine.calls.values().all(|call| match &call.state {
                CallState::Executing {
                    attempt, suspects, ..
                } => suspects.left_out.len() < *attempt as usize,
                CallState::ToolSelected | CallState::ParametersSet { .. } => true,
            }),
        ),
        (
            "every key refers to a running or ended call",
            machine.closed
                || machine
                    .keys
                    .iter()
                    .all(|key| key.ended.is_some() || machine.calls.contains_key(&key.request)),
        ),
        (
            "every older call has a result",
            machine.aged.iter().all(|aged| aged.result().is_some()),
        ),
        (
            "every pinned result exists, and is pinned once",
            pinned_are_known(machine),
        ),
        (
            "every kept whole result is referenced",
            wholes_are_known(machine),
        ),
    ];
    rules
        .into_iter()
        .find(|(_, holds)| !holds)
        .map(|(name, _)| name)
}

fn pinned_are_known(machine: &Machine) -> bool {
    let once: BTreeSet<_> = machine.pinned.iter().collect();
    let known = |id| machine.find_result(id).is_some();
    once.len() == machine.pinned.len() && machine.pinned.iter().all(|id| known(*id))
}

fn wholes_are_known(machine: &Machine) -> bool {
    let keyed = machine.keys.iter().filter_map(|key| key.ended.as_ref());
    let known: BTreeSet<_> = (machine.results().chain(keyed))
        .filter_map(|ended| ended.end.result())
        .collect();
    machine.wholes.iter().all(|(id, _)| known.contains(id))
}

/// Names the first exceeded limit.
pub(crate) fn over_limits(
    machine: &Machine,
    limits: &crate::options::Limits,
) -> Option<&'static str> {
    let whole_bytes: u64 = machine.wholes.iter().map(|(_, bytes)| bytes).sum();
    let pinned_bytes: u64 = (machine.wholes.iter())
        .filter(|(id, _)| machine.pinned.contains(id))
        .map(|(_, bytes)| bytes)
        .sum();
    let aged_bytes: usize = machine.aged.iter().map(|aged| aged.bytes).sum();
    // The newest pinned result may be larger than the limit by itself.
    let pins_fit = pinned_bytes <= limits.whole_bytes / 2 || machine.pinned.len() == 1;
    let rules = [
        (
            "results",
            machine.aged.len() <= limits.results.saturating_sub(limits.history),
        ),
        ("result_bytes", aged_bytes <= limits.result_bytes),
        ("pinned", machine.pinned.len() <= limits.pinned && pins_fit),
        ("calls", machine.calls.len() <= limits.calls),
        ("history", machine.ended.len() <= limits.history),
        ("keys", machine.keys.len() <= limits.keys),
        ("notices", machine.notices.len() <= limits.notices),
        ("whole_bytes", whole_bytes <= limits.whole_bytes),
        (
            "attempts",
            machine
                .calls
                .values()
                .all(|call| call.state.attempt() <= limits.attempts),
        ),
    ];
    rules
        .into_iter()
        .find(|(_, holds)| !holds)
        .map(|(name, _)| name)
}

/// The end of a call never changes, so a repeated request gets the same answer.
#[cfg(test)]
pub(crate) fn ends_are_final(before: &Machine, after: &Machine) -> bool {
    let end = |machine: &Machine, request| -> Option<super::machine::End> {
        machine.find_ended(request).map(|ended| ended.end.clone())
    };
    before
        .ended
        .iter()
        .all(|ended| end(after, ended.request).is_none_or(|now| now == ended.end))
}
