//! One session, as an operator sees it.

use super::*;
use crate::options::Options;
use crate::session::journal::Journal;
use crate::session::{snapshot, view};
use crate::sessions::SessionView;

/// A session in full, read without acquiring it.
#[derive(Debug)]
pub struct Shown {
    pub row: Row,
    /// `None` if a part of it cannot be read.
    pub stored: Option<Stored>,
    /// The session's content, or the reason why it cannot be read.
    pub view: Result<SessionView, StoreError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub version: u64,
    pub epoch: u64,
    /// Remaining lease of the node in `row`.
    pub left_ms: u64,
    /// Number of stored results, and their bytes.
    pub results: u64,
    pub result_bytes: u64,
}

impl Operator {
    pub async fn show(&self, id: SessionId) -> Result<Shown, OperatorError> {
        let image = match self.read(id).await {
            Ok(image) => image,
            // The row in the session list may still be readable.
            Err(OperatorError::Unreadable { cause, .. }) => {
                let row = self.row(id).await?.ok_or(OperatorError::Unknown(id))?;
                return Ok(Shown {
                    row,
                    stored: None,
                    view: Err(cause),
                });
            }
            Err(error) => return Err(error),
        };
        let view = snapshot::fold(&image.snapshot, &image.deltas).map(|machine| {
            let options = Options::default();
            SessionView {
                version: image.version,
                expires_ms: image.row.expires_ms,
                ..view::of(id, &Journal::throwaway(machine), &options, false)
            }
        });
        let bytes = image.results.iter().map(|blob| blob.bytes.len() as u64);
        let stored = Stored {
            version: image.version,
            epoch: image.epoch,
            left_ms: image.left_ms,
            results: image.results.len() as u64,
            result_bytes: bytes.sum(),
        };
        Ok(Shown {
            row: image.row,
            stored: Some(stored),
            view,
        })
    }
}
