//! Results in their stored form, and how a tool reads earlier ones of its session.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ResultId, SessionId};
use crate::persistence::patiently;
use crate::store::{Part, Store, StoreError};
use crate::tool::{StoredResult, ToolError, ToolOutput};

/// What is stored of an answer.
#[derive(Serialize, Deserialize)]
struct StoredAnswer<'a> {
    schema: u32,
    tool: Cow<'a, str>,
    arguments: Cow<'a, Value>,
    answer: Cow<'a, Value>,
    summary: Cow<'a, str>,
    input_digest: Cow<'a, str>,
    created_ms: u64,
}

const SCHEMA: u32 = 1;

pub(crate) struct ReadAnswer {
    pub(crate) tool: String,
    pub(crate) arguments: Value,
    pub(crate) output: ToolOutput,
    pub(crate) created_ms: u64,
}

pub(crate) fn encode_answer(
    tool: &str,
    arguments: &Value,
    output: &ToolOutput,
    created_ms: u64,
) -> Arc<[u8]> {
    use Cow::Borrowed;
    let stored = StoredAnswer {
        schema: SCHEMA,
        tool: Borrowed(tool),
        arguments: Borrowed(arguments),
        answer: Borrowed(&output.answer),
        summary: Borrowed(&output.summary),
        input_digest: Borrowed(&output.input_digest),
        created_ms,
    };
    to_bytes(&stored)
}

pub(crate) fn decode_answer(bytes: &[u8]) -> Result<ReadAnswer, StoreError> {
    let stored: StoredAnswer<'_> =
        serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if stored.schema > SCHEMA {
        return Err(StoreError::NewerSchema(stored.schema));
    }
    Ok(ReadAnswer {
        created_ms: stored.created_ms,
        tool: stored.tool.into_owned(),
        arguments: stored.arguments.into_owned(),
        output: ToolOutput {
            answer: stored.answer.into_owned(),
            whole: None,
            summary: stored.summary.into_owned(),
            input_digest: stored.input_digest.into_owned(),
        },
    })
}

pub(crate) fn encode_whole(whole: &Value) -> Arc<[u8]> {
    to_bytes(whole)
}

fn to_bytes<T: Serialize>(value: &T) -> Arc<[u8]> {
    #[expect(clippy::expect_used, reason = "JSON values are always JSON")]
    serde_json::to_vec(value)
        .expect("a JSON value can be written")
        .into()
}

/// Reads both parts of a result. `Ok(Err(false))`: unknown; `Ok(Err(true))`: known, its whole part is not kept.
pub(crate) async fn read(
    store: &dyn Store,
    session: SessionId,
    id: ResultId,
) -> Result<Result<StoredResult, bool>, StoreError> {
    let Some(answer) = patiently(|| store.result(session, id, Part::Answer)).await? else {
        return Ok(Err(false));
    };
    let Some(whole) = patiently(|| store.result(session, id, Part::Whole)).await? else {
        return Ok(Err(true));
    };
    let read = decode_answer(&answer)?;
    let whole =
        serde_json::from_slice(&whole).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Ok(StoredResult {
        id,
        tool: read.tool,
        arguments: read.arguments,
        whole: Arc::new(whole),
        input_digest: read.output.input_digest,
        created_ms: read.created_ms,
    }))
}

/// Blocking reader for tools on the pool. Cheap to clone; knows one session.
#[derive(Clone, Default)]
pub struct ResultReader(Option<Source>);

#[derive(Clone)]
struct Source {
    runtime: tokio::runtime::Handle,
    store: Arc<dyn Store>,
    session: SessionId,
}

impl ResultReader {
    pub(crate) fn new(store: Arc<dyn Store>, session: SessionId) -> Self {
        Self(Some(Source {
            runtime: tokio::runtime::Handle::current(),
            store,
            session,
        }))
    }

    /// Fails with reason `session_required`, `unknown_result`, `result_not_stored`,
    /// `data_loss`, `session_newer` or `store_unavailable`.
    pub fn get(&self, id: ResultId, deadline: Instant) -> Result<StoredResult, ToolError> {
        let Some(source) = &self.0 else {
            return Err(ToolError::new(
                "session_required",
                "this call runs in no session that keeps results",
            ));
        };
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        let read = read(source.store.as_ref(), source.session, id);
        match source
            .runtime
            .block_on(async { tokio::time::timeout(left, read).await })
        {
            Err(_elapsed) => Err(ToolError::deadline_exceeded()),
            Ok(Err(StoreError::Corrupt(why))) => Err(ToolError::new(
                "data_loss",
                format!("the stored result {id} is damaged: {why}"),
            )),
            Ok(Err(error @ StoreError::NewerSchema(_))) => {
                Err(ToolError::new("session_newer", error.to_string()))
            }
            Ok(Err(error)) => Err(ToolError::new("store_unavailable", error.to_string())),
            Ok(Ok(Err(false))) => Err(ToolError::new(
                "unknown_result",
                format!("no result {id} is known in this session"),
            )),
            Ok(Ok(Err(true))) => Err(ToolError::new(
                "result_not_stored",
                format!("result {id} was too large to keep, or was dropped for newer ones"),
            )),
            Ok(Ok(Ok(result))) => Ok(result),
        }
    }
}
