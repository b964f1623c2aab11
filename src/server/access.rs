//! Who may come in: asked of every request on every route, before anything else looks at it. First whether it was meant
//! for this server and by a page that may call it, then who calls. It holds nothing but what the operator said, so a
//! crash costs it nothing.

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

/// Says whose request it is, by its headers alone. What OAuth will be one more of.
pub trait Authenticator: Send + Sync + 'static {
    /// # Errors
    /// Nobody, or nobody who is known.
    fn admit(&self, headers: &HeaderMap) -> Result<Admitted, Refused>;

    /// Looks again at what it knows principals by. What cannot be read leaves everything as it was.
    fn reload(&self) {}
}

/// Who may come in, and for how long.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub principal: Principal,
    /// Cancelled when whatever let this one in does so no more. What runs goes on; what is still said is not heard.
    pub withdrawn: CancellationToken,
}

/// Whoever reaches the server is `local`.
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

/// Guards one port. Cheap to clone.
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
    /// Tokens that cannot be read.
    pub fn of_http(http: &Http) -> Result<Self, tokens::Error> {
        Self::of(http.address, &http.names, http.tokens.as_deref())
    }

    /// # Errors
    /// Tokens that cannot be read.
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

    /// Every route of it, and what is none, is behind the guard; each request that passes carries its [`Principal`] as
    /// an extension, and no token any more.
    pub fn protect(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), guard))
    }

    /// The same names and pages, for whoever it is: for what tells nothing that matters.
    pub fn for_anybody(&self) -> Self {
        Self::new(self.0.allowed.clone(), Anonymous)
    }

    /// After SIGHUP.
    pub fn reload(&self) {
        self.0.who.reload();
    }

    /// # Errors
    /// Why the request is not let in.
    fn admit(&self, request: &Request) -> Result<Admitted, Denied> {
        let refused = match self.0.who.admit(request.headers()) {
            Ok(admitted) => return Ok(admitted),
            Err(refused) => refused,
        };
        // A right token comes in whatever its neighbours behind the same proxy send.
        if refused == Refused::Unknown {
            let from = request.extensions().get::<Peer>().map(|peer| peer.0);
            let counted = self.0.guesses.wrong(from, Instant::now());
            counted.map_err(Denied::TooManyGuesses)?;
        }
        Err(refused.into())
    }
}

/// Reads tokens again whenever the operator asks for it. Never ends.
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
            Err(error) => tracing::warn!(%error, "SIGHUP is not heard: tokens are not read again"),
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
    // A browser asks before it sends the token.
    if origin.is_some() && request.method() == Method::OPTIONS {
        return browser::allow(browser::preflight(), origin.as_ref());
    }
    let answer = match access.admit(&request) {
        Err(denied) => denied.into_response(),
        Ok(admitted) => {
            // Nobody further in has a use for it, and what is not there is not logged.
            request.headers_mut().remove(AUTHORIZATION);
            request.extensions_mut().insert(admitted.principal);
            ending_with(admitted.withdrawn, next.run(request).await)
        }
    };
    browser::allow(answer, origin.as_ref())
}

/// An answer without a known end may go on for long after its token was taken away. Others are as good as said.
fn ending_with(withdrawn: CancellationToken, answer: Response) -> Response {
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    let until = withdrawn.cancelled_owned();
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(until)))
}

#[cfg(test)]
mod tests;
