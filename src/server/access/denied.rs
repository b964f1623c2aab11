//! The answer to a refused request: a status, the challenge of RFC 6750 if a token is required, and a message for the
//! person who set up the client. It never repeats any content of the request.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

/// A JSON-RPC error code, because MCP clients parse the body of a refusal as a JSON-RPC error.
const INVALID_REQUEST: i32 = -32600;

/// Why the caller could not be identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No token was sent.
    Missing,
    /// Two tokens, or a malformed one.
    Unreadable,
    /// The token is not in the list.
    Unknown,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    HostMissing,
    HostUnreadable,
    HostForeign,
    OriginForeign,
    /// A header that may occur only once was repeated.
    Twice(HeaderName),
    Who(Refused),
    /// Too many wrong tokens came from this address; it is blocked for this long.
    TooManyGuesses(Duration),
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self::Who(refused)
    }
}

impl Denied {
    /// A foreign host gets 403, not 421: after 421 a browser would retry over another connection.
    fn status(&self) -> StatusCode {
        match self {
            Self::HostMissing | Self::HostUnreadable | Self::Twice(_) => StatusCode::BAD_REQUEST,
            Self::Who(Refused::Unreadable) => StatusCode::BAD_REQUEST,
            Self::HostForeign | Self::OriginForeign => StatusCode::FORBIDDEN,
            Self::TooManyGuesses(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Who(Refused::Missing | Refused::Unknown) => StatusCode::UNAUTHORIZED,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::HostMissing => "host_missing",
            Self::HostUnreadable => "host_unreadable",
            Self::HostForeign => "host_not_allowed",
            Self::OriginForeign => "origin_not_allowed",
            Self::Twice(_) => "repeated_header",
            Self::TooManyGuesses(_) => "too_many_wrong_tokens",
            Self::Who(Refused::Missing) => "token_missing",
            Self::Who(Refused::Unreadable) => "token_unreadable",
            Self::Who(Refused::Unknown) => "token_unknown",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::HostMissing => "the header Host is missing",
            Self::HostUnreadable => "the header Host is invalid: send a name or an address, and a port",
            Self::HostForeign => {
                "the header Host names another server: use a name of this server, or have its operator add this one \
                 with --allowed-host"
            }
            Self::OriginForeign => {
                "pages of that origin may not call this server: its operator may allow them with --allowed-origin"
            }
            Self::Twice(name) => return format!("the header {name} may be sent once"),
            Self::TooManyGuesses(_) => {
                "too many wrong tokens came from this address: send a valid token, which is accepted at once, or wait \
                 as long as Retry-After says"
            }
            Self::Who(Refused::Missing) => {
                "a token is required: send the header `Authorization: Bearer TOKEN`; tokens elsewhere are ignored"
            }
            Self::Who(Refused::Unreadable) => {
                "send one header `Authorization: Bearer TOKEN`, with a token of letters, digits and -._~+/ only"
            }
            Self::Who(Refused::Unknown) => {
                "this token is unknown: ask the operator for one. The server's file holds the SHA-256 of tokens without \
                 a line break, as `printf %s \"$TOKEN\" | sha256sum` prints it, and is read again on SIGHUP"
            }
        }
        .to_owned()
    }

    /// RFC 6750, section 3: no error code if no token was sent.
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Who(Refused::Missing) => Some("Bearer realm=\"mcp-code-analysis\""),
            Self::Who(Refused::Unreadable) => {
                Some("Bearer realm=\"mcp-code-analysis\", error=\"invalid_request\"")
            }
            Self::Who(Refused::Unknown) => {
                Some("Bearer realm=\"mcp-code-analysis\", error=\"invalid_token\"")
            }
            Self::HostMissing
            | Self::HostUnreadable
            | Self::HostForeign
            | Self::OriginForeign
            | Self::Twice(_)
            | Self::TooManyGuesses(_) => None,
        }
    }

    pub(super) fn into_response(self) -> Response {
        tracing::debug!(reason = self.reason(), "a request was refused");
        let error = json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": {
                "code": INVALID_REQUEST,
                "message": self.message(),
                "data": {"reason": self.reason()},
            },
        });
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Self::TooManyGuesses(wait) = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
