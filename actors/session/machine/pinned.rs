//! Results that are dropped last, because a client is likely to return to them at the end of a long task.

use super::{Decision, Delta, Machine};
use crate::ids::ResultId;
use crate::options::Limits;

impl Machine {
    /// Pins a result that was used as a baseline. An unknown one is ignored.
    pub(super) fn decide_pin(&self, result: ResultId, limits: &Limits, decision: &mut Decision) {
        if self.pinned.back() == Some(&result) || self.find_result(result).is_none() {
            return;
        }
        let others = || self.pinned.iter().filter(|pinned| **pinned != result);
        let (mut count, mut bytes) = (
            others().count() + 1,
            self.whole_bytes(result) + others().map(|id| self.whole_bytes(*id)).sum::<u64>(),
        );
        let mut released = Vec::new();
        for pinned in others() {
            if count <= limits.pinned && bytes <= limits.whole_bytes / 2 {
                break;
            }
            count -= 1;
            bytes -= self.whole_bytes(*pinned);
            released.push(*pinned);
        }
        if limits.pinned > 0 {
            decision.deltas.push(Delta::Pinned { result, released });
        }
    }

    /// Whether a new result is one of the first of a session with a label. A label suggests a longer task, and these
    /// are its starting point.
    pub(super) fn pins_new(&self, whole_bytes: u64, limits: &Limits) -> bool {
        let taken: u64 = self.pinned.iter().map(|id| self.whole_bytes(*id)).sum();
        self.label.is_some()
            && self.pinned.len() < limits.pinned / 2
            && taken + whole_bytes <= limits.whole_bytes / 2
    }

    pub(super) fn unpin_unknown(&mut self) {
        if self.pinned.is_empty() {
            return;
        }
        let mut pinned = std::mem::take(&mut self.pinned);
        pinned.retain(|id| self.find_result(*id).is_some());
        self.pinned = pinned;
    }

    fn whole_bytes(&self, result: ResultId) -> u64 {
        let kept = self.wholes.iter().find(|(id, _)| *id == result);
        kept.map_or(0, |(_, bytes)| *bytes)
    }
}

#[cfg(test)]
mod tests;
