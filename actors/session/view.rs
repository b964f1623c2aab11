//! A session as its owner sees it: committed state only.

use std::collections::HashSet;
use std::sync::Arc;

use super::journal::Journal;
use super::machine::{End, Ended, Machine};
use crate::ids::{ResultId, SessionId};
use crate::options::{Limits, Options};
use crate::sessions::{CallView, Durability, HistoryView, Kept, SessionStatus, SessionView};
use crate::store::Reached;

/// Ended calls shown in addition to the running ones.
const ENDED_CALLS_SHOWN: usize = 16;

pub(crate) fn of(
    id: SessionId,
    journal: &Journal,
    options: &Options,
    replayed: bool,
) -> SessionView {
    let machine = journal.committed();
    SessionView {
        id,
        status: if machine.closed {
            SessionStatus::Closed
        } else {
            SessionStatus::Open
        },
        label: machine.label.as_deref().map(str::to_owned),
        roots: machine.roots.to_vec(),
        created_ms: machine.created_ms,
        expires_ms: journal.expires_ms().unwrap_or(machine.created_ms),
        ttl: std::time::Duration::from_millis(machine.ttl_ms),
        version: journal.version(),
        calls: calls(machine),
        history: history(machine),
        keys_remembered: machine.keys.len(),
        keys_limit: options.limits.keys,
        kept: kept(machine, &options.limits),
        notices: machine.notices.iter().map(ToString::to_string).collect(),
        replayed,
        durability: durability(journal),
    }
}

fn calls(machine: &Machine) -> Vec<CallView> {
    let running = machine.calls.iter().map(|(request, call)| CallView {
        request_id: *request,
        tool: Some(call.tool.to_string()),
        state: call.state.name().into(),
        attempt: call.state.attempt(),
        since_ms: call.since_ms,
    });
    let ended = machine
        .ended
        .iter()
        .rev()
        .take(ENDED_CALLS_SHOWN)
        .map(|ended| CallView {
            request_id: ended.request,
            tool: Some(ended.tool.to_string()),
            state: ended.end.name().into(),
            attempt: ended.attempt,
            since_ms: ended.at_ms,
        });
    running.chain(ended).collect()
}

fn kept(machine: &Machine, limits: &Limits) -> Kept {
    Kept {
        results: machine
            .results()
            .filter(|ended| ended.end.result().is_some())
            .count(),
        results_limit: limits.results,
        bytes: machine.wholes.iter().map(|(_, bytes)| bytes).sum(),
        bytes_limit: limits.whole_bytes,
        pinned: machine.pinned.len(),
        pinned_limit: limits.pinned,
    }
}

fn history(machine: &Machine) -> Vec<HistoryView> {
    let wholes: HashSet<ResultId> = machine.wholes.iter().map(|(id, _)| *id).collect();
    let row = |ended: &Arc<Ended>| {
        let row = row(ended)?;
        Some(HistoryView {
            stored: wholes.contains(&row.result_id),
            pinned: machine.pinned.contains(&row.result_id),
            ..row
        })
    };
    machine.results().filter_map(row).collect()
}

fn row(ended: &Ended) -> Option<HistoryView> {
    let End::Succeeded {
        result,
        summary,
        input_digest,
    } = &ended.end
    else {
        return None;
    };
    Some(HistoryView {
        result_id: *result,
        tool: ended.tool.to_string(),
        arguments: ended.arguments.as_ref().clone(),
        summary: summary.to_string(),
        input_digest: input_digest.to_string(),
        at_ms: ended.at_ms,
        stored: false,
        pinned: false,
    })
}

pub(super) fn durability(journal: &Journal) -> Durability {
    let Reached { level, durable, .. } = journal.reached();
    Durability {
        level,
        durable,
        version: journal.version(),
        epoch: journal.fence().map_or(0, |fence| fence.epoch),
    }
}
