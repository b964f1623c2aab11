//! Analyses the large files of a call that was interrupted before, perhaps by the crash of its node: one file at a
//! time. Each is recorded in the store before it is parsed. If the node crashes again, the next attempt leaves that
//! file out.

use actors::tool::{Care, InputKey, ToolContext, ToolError};

use super::Slots;

/// The skip reason of a file that was being analysed when the node of an earlier attempt ended.
pub(crate) const ENDED_NODE: &str = "analysis_ended_node";

/// Files of this size or more are recorded, which costs one commit each. 4 KiB of `a<a<a<` in Java took 41 MB, and
/// sixteen such files at once crash no node.
pub(super) const NOTED_FROM: u64 = 8 * 1024;

pub(super) struct Careful<'c> {
    ctx: &'c ToolContext,
    care: &'c Care,
    slots: &'c Slots,
}

impl<'c> Careful<'c> {
    /// `None` in a first attempt, which records nothing.
    pub(super) fn of(ctx: &'c ToolContext, slots: &'c Slots) -> Option<Self> {
        let care = ctx.care.as_ref()?;
        Some(Self { ctx, care, slots })
    }

    /// Works through `large` in order, one slot after another; calls `leave_out` for a slot that is left out, and
    /// `analyse` for any other.
    pub(super) fn work_through(
        &self,
        large: &[usize],
        leave_out: impl Fn(usize),
        analyse: impl Fn(usize),
    ) -> Result<(), ToolError> {
        for &slot in large {
            // A draining node stops its calls: the record of the last file is cleared below, and no other is written.
            if self.ctx.stop_reason().is_some() {
                break;
            }
            let input = InputKey(self.slots.keys[slot].0);
            if self.care.leaves_out(input) {
                leave_out(slot);
                continue;
            }
            self.care.note(self.ctx, Some(input))?;
            analyse(slot);
        }
        if large.is_empty() {
            return Ok(());
        }
        // A crash after this is not caused by these files.
        self.care.note(self.ctx, None)
    }
}

#[cfg(test)]
mod tests;
