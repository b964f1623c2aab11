//! Finds the input that makes a node crash. From the second attempt of an interrupted call on, the tool notes each
//! input before it begins to work on it, and the session commits each note to the store. If this attempt is interrupted
//! too, the next one skips the noted input.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::{ToolContext, ToolError};

/// How often a waiting tool checks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Pause before a note is sent again because the session ended before it was stored.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Identifies an input of a tool by its content. Opaque to this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputKey(pub [u8; 32]);

type Note = dyn Fn(Option<InputKey>, SyncSender<()>) + Send + Sync;

/// The inputs to skip, and the way to note inputs, in every attempt after the first. Cheap to clone.
#[derive(Clone)]
pub struct Care {
    left_out: Arc<[InputKey]>,
    note: Arc<Note>,
}

impl Care {
    /// `note` sends a note to the session and signals the sender once the store has it.
    pub fn new(
        left_out: impl Into<Arc<[InputKey]>>,
        note: impl Fn(Option<InputKey>, SyncSender<()>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            left_out: left_out.into(),
            note: Arc::new(note),
        }
    }

    /// True if an earlier attempt was interrupted while it worked on this input.
    pub fn leaves_out(&self, input: InputKey) -> bool {
        self.left_out.contains(&input)
    }

    /// Blocks until the store holds the note that the tool works on `at_work`; `None` clears the note. Replaces the
    /// note before it. Fails if the call should stop.
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
