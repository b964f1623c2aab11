//! Access control for every request on every route, before any other code sees it. It first checks that the request was
//! meant for this server and comes from an allowed web page, then who the caller is. Its only state is the operator's
//! configuration, so a crash loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actors::ids::Principal;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::config::http::{Admin, Http, Names};
use crate::config::tokens;

use guesses::Guesses;

mod allowed;
mod bearer;
mod browser;
mod denied;
mod guesses;

pub use allowed::Allowed;
pub use bearer::Bearer;
pub use denied::{Denied, Refused};
pub use guesses::Peer;

/// Identifies the caller of a request by its headers alone. OAuth would be another implementation.
pub trait Authenticator: Send + Sync + 'static {
    /// # Errors
    /// The request names no caller, or an unknown one.
    fn admit(&self, headers: &HeaderMap) -> Result<Admitted, Refused>;

    /// Reads the list of principals again. If it cannot be read, the old list stays valid.
    fn reload(&self) {}
}

/// An authenticated caller, and the lifetime of its access.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub principal: Principal,
    /// Cancelled when the caller's access is revoked. Running calls continue, but their output no longer reaches the
    /// caller.
    pub withdrawn: CancellationToken,
}

/// Without authentication: every caller is `local`.
#[derive(Debug, Clone, Copy)]
pub struct Anonymous;

impl Authenticator for Anonymous {
    fn admit(&self, _headers: &HeaderMap) -> Result<Admitted, Refused> {
        Ok(Admitted {
            principal: Principal::local(),
            withdrawn: CancellationToken::new(),
        })
    }
}

/// Access control of one port. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Guard>);

struct Guard {
    allowed: Allowed,
    who: Box<dyn Authenticator>,
    guesses: Guesses,
}

impl Access {
    pub fn new(allowed: Allowed, who: impl Authenticator) -> Self {
        let who = Box::new(who);
        Self(Arc::new(Guard {
            allowed,
            who,
            guesses: Guesses::default(),
        }))
    }

    /// # Errors
    /// The tokens cannot be read.
    pub fn of_http(http: &Http) -> Result<Self, tokens::Error> {
        Self::of(http.address, &http.names, http.tokens.as_deref())
    }

    /// # Errors
    /// The tokens cannot be read.
    pub fn of_admin(admin: &Admin) -> Result<Self, tokens::Error> {
        Self::of(admin.address, &admin.names, admin.tokens.as_deref())
    }

    fn of(
        address: SocketAddr,
        names: &Names,
        file: Option<&std::path::Path>,
    ) -> Result<Self, tokens::Error> {
        let allowed = Allowed::new(address, names);
        Ok(match file {
            Some(file) => Self::new(allowed, Bearer::open(file)?),
            None => Self::new(allowed, Anonymous),
        })
    }

    /// Puts every route and the fallback behind this guard. Each request that passes carries its [`Principal`] as an
    /// extension, and its token is removed.
    pub fn protect(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), guard))
    }

    /// The same hosts and origins, without authentication: for routes that reveal nothing sensitive.
    pub fn without_authentication(&self) -> Self {
        Self::new(self.0.allowed.clone(), Anonymous)
    }

    /// Reads the tokens again, after SIGHUP.
    pub fn reload(&self) {
        self.0.who.reload();
    }

    /// # Errors
    /// Why the request is refused.
    fn admit(&self, request: &Request) -> Result<Admitted, Denied> {
        let refused = match self.0.who.admit(request.headers()) {
            Ok(admitted) => return Ok(admitted),
            Err(refused) => refused,
        };
        // A valid token is accepted even if other clients behind the same proxy send wrong ones.
        if refused == Refused::Unknown {
            let from = request.extensions().get::<Peer>().map(|peer| peer.0);
            let counted = self.0.guesses.wrong(from, Instant::now());
            counted.map_err(Denied::TooManyGuesses)?;
        }
        Err(refused.into())
    }
}

/// Reads the tokens again on every SIGHUP. Never returns.
pub async fn reload_on_hangup(ports: Vec<Access>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::hangup()) {
            Ok(mut hangups) => {
                while hangups.recv().await.is_some() {
                    ports.iter().for_each(Access::reload);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen for SIGHUP: new tokens are valid after a restart only")
            }
        }
    }
    drop(ports);
    std::future::pending().await
}

async fn guard(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let guard = &access.0;
    if let Err(denied) = guard.allowed.host(request.uri(), request.headers()) {
        return denied.into_response();
    }
    let origin = match guard.allowed.origin(request.headers()) {
        Ok(origin) => origin.cloned(),
        Err(denied) => return denied.into_response(),
    };
    // A browser sends a preflight request, without the token, before the actual request.
    if origin.is_some() && request.method() == Method::OPTIONS {
        return browser::allow(browser::preflight(), origin.as_ref());
    }
    let answer = match access.admit(&request) {
        Err(denied) => denied.into_response(),
        Ok(admitted) => {
            // Remove the token: no later code needs it, and it cannot be logged by accident.
            request.headers_mut().remove(AUTHORIZATION);
            request.extensions_mut().insert(admitted.principal);
            ending_with(admitted.withdrawn, next.run(request).await)
        }
    };
    browser::allow(answer, origin.as_ref())
}

/// Ends a streaming answer when its token is revoked, because the stream can be long. Other answers are complete.
fn ending_with(withdrawn: CancellationToken, answer: Response) -> Response {
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    let until = withdrawn.cancelled_owned();
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(until)))
}

#[cfg(test)]
mod tests;
