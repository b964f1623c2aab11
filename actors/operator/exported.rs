//! The export format of a session: one JSON object with everything that the store has of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::ids::{Principal, ResultId, SessionId};
use crate::results;
use crate::session::{invariants, snapshot};
use crate::store::archive::Image;
use crate::store::{Part, ResultBlob, StoreError};

/// The `format` field of every export line.
pub const FORMAT: &str = "mcp-code-analysis.session";
/// Version of [`ExportedSession`]. The state inside has its own schema version.
pub const SCHEMA: u32 = 1;

/// An exported session. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedSession {
    pub format: String,
    pub schema: u32,
    pub id: SessionId,
    pub principal: Principal,
    pub label: Option<String>,
    pub created_ms: u64,
    pub expires_ms: u64,
    pub ttl_ms: u64,
    pub version: u64,
    /// The reason of the quarantine, if the session is quarantined.
    pub quarantine: Option<String>,
    /// The state in its stored form, with all deltas folded in.
    pub state: Value,
    pub results: Vec<ExportedResult>,
}

/// One part of a stored result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedResult {
    pub id: ResultId,
    pub part: ExportedPart,
    /// The stored bytes, unchanged: JSON.
    pub content: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportedPart {
    /// The answer to the caller, with its metadata.
    Answer,
    /// The whole result.
    Whole,
}

/// Why a value is not a valid exported session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("it is {0:?}, not {FORMAT:?}")]
    Format(String),
    #[error("it was written by a newer version (schema {0})")]
    Newer(u32),
    #[error("its state: {0}")]
    State(StoreError),
    #[error("its state breaks a rule: {0}")]
    Broken(&'static str),
    #[error("{0} differs from its state")]
    Differs(&'static str),
    #[error("result {id}: {cause}")]
    Result { id: ResultId, cause: String },
}

impl ExportedSession {
    pub(super) fn of(image: &Image) -> Result<Self, StoreError> {
        let machine = snapshot::fold(&image.snapshot, &image.deltas)?;
        let state = serde_json::from_slice(&snapshot::encode(&machine))
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let results = image.results.iter().map(ExportedResult::of);
        Ok(Self {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            id: image.row.id,
            principal: image.row.principal.clone(),
            label: image.row.label.clone(),
            created_ms: image.row.created_ms,
            expires_ms: image.row.expires_ms,
            ttl_ms: image.ttl_ms,
            version: image.version,
            quarantine: image.row.quarantine.clone(),
            state,
            results: results.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn state_bytes(&self) -> Arc<[u8]> {
        self.state.to_string().into_bytes().into()
    }

    pub(super) fn blobs(&self) -> Vec<ResultBlob> {
        self.results
            .iter()
            .map(|result| ResultBlob {
                id: result.id,
                part: match result.part {
                    ExportedPart::Answer => Part::Answer,
                    ExportedPart::Whole => Part::Whole,
                },
                bytes: result.content.as_bytes().into(),
            })
            .collect()
    }
}

impl ExportedResult {
    fn of(blob: &ResultBlob) -> Result<Self, StoreError> {
        let content = String::from_utf8(blob.bytes.to_vec())
            .map_err(|_| StoreError::Corrupt(format!("result {} is not text", blob.id)))?;
        Ok(Self {
            id: blob.id,
            part: match blob.part {
                Part::Answer => ExportedPart::Answer,
                Part::Whole => ExportedPart::Whole,
            },
            content,
        })
    }
}

/// Checks that a session could run: rules that a JSON schema cannot express.
///
/// # Errors
/// The first problem found.
pub fn check(exported: &ExportedSession) -> Result<(), Unfit> {
    if exported.format != FORMAT {
        return Err(Unfit::Format(exported.format.clone()));
    }
    if exported.schema > SCHEMA {
        return Err(Unfit::Newer(exported.schema));
    }
    let machine = snapshot::decode(&exported.state_bytes()).map_err(Unfit::State)?;
    if let Some(rule) = invariants::broken(&machine) {
        return Err(Unfit::Broken(rule));
    }
    for (what, same) in [
        ("principal", machine.principal == exported.principal),
        (
            "label",
            machine.label.as_deref() == exported.label.as_deref(),
        ),
        ("ttl_ms", machine.ttl_ms == exported.ttl_ms),
    ] {
        if !same {
            return Err(Unfit::Differs(what));
        }
    }
    let mut seen = BTreeSet::new();
    for result in &exported.results {
        let unfit = |cause: String| Unfit::Result {
            id: result.id,
            cause,
        };
        if !seen.insert((result.id, result.part)) {
            return Err(unfit("it is listed twice".to_owned()));
        }
        if machine.find_result(result.id).is_none() {
            return Err(unfit("the state has no such result".to_owned()));
        }
        match result.part {
            ExportedPart::Answer => drop(
                results::decode_answer(result.content.as_bytes())
                    .map_err(|error| unfit(error.to_string()))?,
            ),
            ExportedPart::Whole => drop(
                serde_json::from_str::<Value>(&result.content)
                    .map_err(|error| unfit(error.to_string()))?,
            ),
        }
    }
    Ok(())
}
