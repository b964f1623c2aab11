//! What a request hears that is not let in: a status, the challenge of RFC 6750 where a token is asked for, and words
//! for whoever set the client up. Nothing that the request brought is repeated.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

/// Of JSON-RPC: clients of MCP read the body of a refusal as one of its errors.
const INVALID_REQUEST: i32 = -32600;

/// Who calls could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No token at all.
    Missing,
    /// Two of them, or something that is none.
    Unreadable,
    /// Nobody's.
    Unknown,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    HostMissing,
    HostUnreadable,
    HostForeign,
    OriginForeign,
    /// A header that may stand there once.
    Twice(HeaderName),
    Who(Refused),
    /// Too many wrong tokens came from this address; for so long.
    TooManyGuesses(Duration),
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self::Who(refused)
    }
}

impl Denied {
    /// A foreign host is 403, not 421: a browser would repeat that request over a connection of its own.
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
            Self::HostMissing => "the request does not say which server it is for: send the header Host",
            Self::HostUnreadable => "the header Host is none: send a name or an address, and a port",
            Self::HostForeign => {
                "this server is not known by that name: use one that it knows, or have its operator add it with \
                 --allowed-host"
            }
            Self::OriginForeign => {
                "pages of that origin may not call this server: its operator may allow them with --allowed-origin"
            }
            Self::Twice(name) => return format!("the header {name} may be sent once"),
            Self::TooManyGuesses(_) => {
                "too many wrong tokens came from this address: correct the token, which is let in at once, or wait as long \
                 as Retry-After says"
            }
            Self::Who(Refused::Missing) => {
                "who calls? Send the header `Authorization: Bearer TOKEN`; a token anywhere else is not looked at"
            }
            Self::Who(Refused::Unreadable) => {
                "send one header `Authorization: Bearer TOKEN`, its token of letters, digits and -._~+/ alone"
            }
            Self::Who(Refused::Unknown) => {
                "nobody has this token: ask the operator for one. The server's file holds the SHA-256 of tokens without \
                 a line break, as `printf %s \"$TOKEN\" | sha256sum` prints it, and is read again on SIGHUP"
            }
        }
        .to_owned()
    }

    /// RFC 6750, section 3: without an error where no token was sent.
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
        tracing::debug!(reason = self.reason(), "a request was not let in");
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
