//! Reads request bodies with limits on size and time. All bodies being read fit into memory: small ones always, large
//! ones a few at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::refusal::{not_now, refuse};

/// Far larger than any call: the arguments of a batch are limited to 1 MiB.
pub(crate) const BODY_BYTES: usize = 4 << 20;
/// Longest wait for a whole body.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// Almost every body is smaller. On all connections together these take 256 MiB.
const SMALL_BYTES: usize = 64 << 10;
/// Larger bodies read at once: 128 MiB.
const LARGE_MAX: usize = 32;
/// Longest wait for the rest of a large body: 4 MiB at 4 Mbit/s.
const LARGE_WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for a free place: all earlier large bodies have been read or have timed out by then.
const ROOM_WITHIN: Duration = Duration::from_secs(15);
/// How much of a refused body is still read, and for how long. A client that reads only after it has sent everything
/// would otherwise see a broken connection instead of the error.
const UNREAD_BYTES: usize = 16 << 20;
const UNREAD_WITHIN: Duration = Duration::from_secs(5);

/// Limits the number of large bodies read at once.
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_MAX)))
    }
}

/// A body, and its place among the large ones, which is freed on drop.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// # Errors
/// The response that reports the problem.
pub(crate) async fn read(body: Body, room: &Room) -> Result<Whole, Response> {
    // Refuse a body with a too large `Content-Length` before it is sent.
    let is_announced = body.size_hint().lower() > BODY_BYTES as u64;
    let mut rest = body.into_data_stream();
    if is_announced {
        return Err(too_long(rest));
    }
    match tokio::time::timeout(BODY_WITHIN, collect(&mut rest, room)).await {
        Ok(Ok(whole)) => Ok(whole),
        Ok(Err(Unread::Long)) => Err(too_long(rest)),
        Ok(Err(Unread::Cut)) => Err(refuse(
            StatusCode::BAD_REQUEST,
            "the body ended early".to_owned(),
        )),
        Ok(Err(Unread::Full)) => Err(not_now(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{LARGE_MAX} bodies larger than {SMALL_BYTES} bytes are already being read"),
            ROOM_WITHIN,
        )),
        Ok(Err(Unread::Slow)) => Err(too_slow(LARGE_WITHIN)),
        Err(_) => Err(too_slow(BODY_WITHIN)),
    }
}

enum Unread {
    Long,
    Cut,
    Full,
    Slow,
}

async fn collect(rest: &mut BodyDataStream, room: &Room) -> Result<Whole, Unread> {
    let (mut bytes, mut permit) = (Vec::new(), None);
    let mut until = None;
    while let Some(chunk) = next(rest, until).await? {
        let chunk = chunk.map_err(|_| Unread::Cut)?;
        let length = bytes.len() + chunk.len();
        if length > BODY_BYTES {
            return Err(Unread::Long);
        }
        if length > SMALL_BYTES && permit.is_none() {
            let free = tokio::time::timeout(ROOM_WITHIN, Arc::clone(&room.0).acquire_owned());
            // The semaphore is never closed.
            permit = Some(free.await.ok().and_then(Result::ok).ok_or(Unread::Full)?);
            until = Some(Instant::now() + LARGE_WITHIN);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Whole {
        bytes: bytes.into(),
        _room: permit,
    })
}

async fn next(
    rest: &mut BodyDataStream,
    until: Option<Instant>,
) -> Result<Option<Result<Bytes, axum::Error>>, Unread> {
    match until {
        None => Ok(rest.next().await),
        Some(until) => tokio::time::timeout_at(until, rest.next())
            .await
            .map_err(|_| Unread::Slow),
    }
}

fn too_slow(within: Duration) -> Response {
    refuse(
        StatusCode::REQUEST_TIMEOUT,
        format!("the body did not arrive within {} s", within.as_secs()),
    )
}

fn too_long(rest: BodyDataStream) -> Response {
    tokio::spawn(tokio::time::timeout(UNREAD_WITHIN, pass_over(rest)));
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is longer than {BODY_BYTES} bytes"),
    )
}

async fn pass_over(mut rest: BodyDataStream) {
    let mut passed = 0;
    while let Some(Ok(chunk)) = rest.next().await {
        passed += chunk.len();
        if passed > UNREAD_BYTES {
            return;
        }
    }
}
