//! Reads the body of a request: within a size, and within a time, however its bytes trickle in.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::refusal::refuse;

/// Far beyond any call: the arguments of a batch end at 1 MiB.
pub(crate) const BODY_BYTES: usize = 4 << 20;
/// Longest wait for a whole body.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// # Errors
/// The response that says what is wrong.
pub(crate) async fn read(body: Body) -> Result<Bytes, Response> {
    let collected = tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {BODY_BYTES} bytes"),
        )),
        Ok(Err(_)) => Err(refuse(
            StatusCode::BAD_REQUEST,
            "the body ended before its time".to_owned(),
        )),
        Err(_) => Err(refuse(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body was not there within {} s", BODY_WITHIN.as_secs()),
        )),
    }
}
