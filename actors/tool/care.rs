//! How a call that was cut off finds the input that ended its node: from the second attempt on its tool notes what it
//! works on, one input after another, before it begins. The session lays each note down in the store. Where this attempt
//! is cut off too, the next one leaves out what was noted.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::{ToolContext, ToolError};

/// How often a tool that waits looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Pause before a note is sent again that a session took with it as it ended.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Stands for a part of what a tool reads, by its content. Opaque here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputKey(pub [u8; 32]);

type Note = dyn Fn(Option<InputKey>, SyncSender<()>) + Send + Sync;

/// What a tool has to mind in an attempt after the first. Cheap to clone.
#[derive(Clone)]
pub struct Care {
    left_out: Arc<[InputKey]>,
    note: Arc<Note>,
}

impl Care {
    /// `note` passes a note on, and has the sender told once the store has it.
    pub fn new(
        left_out: impl Into<Arc<[InputKey]>>,
        note: impl Fn(Option<InputKey>, SyncSender<()>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            left_out: left_out.into(),
            note: Arc::new(note),
        }
    }

    /// An earlier attempt was cut off while its tool worked on it.
    pub fn leaves_out(&self, input: InputKey) -> bool {
        self.left_out.contains(&input)
    }

    /// Blocks until the store knows that the tool works on `at_work`, or on nothing that may end the node. The note
    /// before it is cleared. Fails where the call should stop.
    pub fn note(&self, ctx: &ToolContext, at_work: Option<InputKey>) -> Result<(), ToolError> {
        loop {
            let (tell, told) = sync_channel(1);
            (self.note)(at_work, tell);
            loop {
                match told.recv_timeout(LOOK_EVERY) {
                    Ok(()) => return Ok(()),
                    Err(RecvTimeoutError::Timeout) => stop_of(ctx)?,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            stop_of(ctx)?;
            std::thread::sleep(AGAIN_AFTER);
        }
    }
}

fn stop_of(ctx: &ToolContext) -> Result<(), ToolError> {
    ctx.stop_reason().map_or(Ok(()), Err)
}
