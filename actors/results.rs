//! The stored form of results, and how a tool reads earlier results of its session.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::ids::{ResultId, SessionId};
use crate::persistence::patiently;
use crate::store::{Part, Store, StoreError};
use crate::tool::{StoredResult, ToolError, ToolOutput};

/// The stored form of an answer.
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

/// The call's record, in the same object as the result: the answer is dropped before its whole result is.
const CALL: &str = "_call";

/// The call that produced a whole result.
#[derive(Serialize, Deserialize)]
struct StoredCall<'a> {
    tool: Cow<'a, str>,
    arguments: Cow<'a, Value>,
    input_digest: Cow<'a, str>,
    created_ms: u64,
}

/// The stored form of a whole result, with its call if the result is an object.
pub(crate) fn encode_whole(
    tool: &str,
    arguments: &Value,
    whole: &Value,
    input_digest: &str,
    created_ms: u64,
) -> Arc<[u8]> {
    use Cow::Borrowed;
    let call = StoredCall {
        tool: Borrowed(tool),
        arguments: Borrowed(arguments),
        input_digest: Borrowed(input_digest),
        created_ms,
    };
    /// Serialises as one object, without copying large values.
    struct Whole<'a>(&'a StoredCall<'a>, &'a serde_json::Map<String, Value>);
    impl Serialize for Whole<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.1.len() + 1))?;
            map.serialize_entry(CALL, self.0)?;
            for (name, value) in self.1 {
                map.serialize_entry(name, value)?;
            }
            map.end()
        }
    }
    match whole.as_object() {
        Some(found) if !found.contains_key(CALL) => to_bytes(&Whole(&call, found)),
        Some(_) | None => to_bytes(whole),
    }
}

/// The result, and its call if that is stored with it; earlier versions did not store it.
fn decode_whole(bytes: &[u8]) -> Result<(Value, Option<StoredCall<'static>>), StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    let mut whole: Value = serde_json::from_slice(bytes).map_err(corrupt)?;
    let call = whole.as_object_mut().and_then(|found| found.remove(CALL));
    let call = call
        .map(serde_json::from_value)
        .transpose()
        .map_err(corrupt)?;
    Ok((whole, call))
}

fn to_bytes<T: Serialize>(value: &T) -> Arc<[u8]> {
    #[expect(clippy::expect_used, reason = "JSON values are always JSON")]
    serde_json::to_vec(value)
        .expect("a JSON value can be written")
        .into()
}

/// Reads a result. `Ok(Err(false))`: unknown; `Ok(Err(true))`: known, but its whole part is not kept. Of an older
/// result only the whole part is kept, which includes its call.
pub(crate) async fn read(
    store: &dyn Store,
    session: SessionId,
    id: ResultId,
) -> Result<Result<StoredResult, bool>, StoreError> {
    let Some(whole) = patiently(|| store.result(session, id, Part::Whole)).await? else {
        let answer = patiently(|| store.result(session, id, Part::Answer)).await?;
        return Ok(Err(answer.is_some()));
    };
    let (whole, call) = decode_whole(&whole)?;
    let (tool, arguments, input_digest, created_ms) = match call {
        Some(call) => (
            call.tool.into_owned(),
            call.arguments.into_owned(),
            call.input_digest.into_owned(),
            call.created_ms,
        ),
        None => {
            let Some(answer) = patiently(|| store.result(session, id, Part::Answer)).await? else {
                return Ok(Err(true));
            };
            let read = decode_answer(&answer)?;
            (
                read.tool,
                read.arguments,
                read.output.input_digest,
                read.created_ms,
            )
        }
    };
    Ok(Ok(StoredResult {
        id,
        tool,
        arguments,
        whole: Arc::new(whole),
        input_digest,
        created_ms,
    }))
}

/// A blocking reader for tools on the pool. Cheap to clone; bound to one session.
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
                "this call does not run in a session that keeps results",
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
                format!("no result {id} is kept in this session"),
            )),
            Ok(Ok(Err(true))) => Err(ToolError::new(
                "result_not_stored",
                format!("result {id} was too large to keep, or was dropped for newer ones"),
            )),
            Ok(Ok(Ok(result))) => Ok(result),
        }
    }
}
