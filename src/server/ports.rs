//! The listening ports. They are bound before anything else starts, so that an address in use is reported at once, and
//! served until the process drains. The admin port stays open until the end, to show the drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::access::{Access, reload_on_hangup};
use super::event_loops::EventLoops;
use super::http::Edge;
use super::http::listener::{self, Drain, Limits};
use super::lifecycle::Lifecycle;
use super::{Handler, admin};
use crate::config::http::{Admin, Tls};
use crate::config::store::{Store, WhenAway};
use crate::config::{self, Config};
use crate::service::Service;

/// Answers of the admin port are short, so no client needs longer to read one.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// Why a port cannot be opened.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot listen at {address}: {cause}")]
    Bind {
        address: SocketAddr,
        #[source]
        cause: std::io::Error,
    },
    #[error("TLS with {what}: {cause}")]
    Tls { what: String, cause: String },
    #[error(transparent)]
    Tokens(#[from] config::tokens::Error),
}

/// Bound ports that are not served yet.
#[derive(Default)]
pub struct Ports {
    http: Option<(TcpListener, Option<TlsAcceptor>, Access, Duration)>,
    admin: Option<(TcpListener, Access, admin::Options)>,
}

impl Ports {
    /// # Errors
    /// An address is in use or not on this machine, or certificates or tokens cannot be read.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let mut ports = Self::default();
        if let Some(http) = &config.http {
            let tls = http.tls.as_ref().map(acceptor).transpose()?;
            let listener = bind(http.address).await?;
            let access = Access::of_http(http)?;
            ports.http = Some((listener, tls, access, http.drain_timeout));
        }
        if let Some(admin) = &config.admin {
            let options = admin_options(admin, config);
            ports.admin = Some((
                bind(admin.address).await?,
                Access::of_admin(admin)?,
                options,
            ));
        }
        Ok(ports)
    }

    /// The address of the MCP port.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref()?.0.local_addr().ok()
    }

    /// Serves until the process has drained. Logs the addresses, because port 0 means any free port.
    pub async fn serve(self, service: Service, loops: &EventLoops, lifecycle: Lifecycle) {
        let http = self.http.as_ref().map(|(_, _, access, _)| access);
        let admin = self.admin.as_ref().map(|(_, access, _)| access);
        let guards = http.into_iter().chain(admin).cloned().collect();
        let http = async {
            if let Some((listener, tls, access, drain_within)) = self.http {
                let edge = Edge::new(service.clone(), lifecycle.clone(), {
                    let service = service.clone();
                    move || Handler::new(service.clone())
                });
                let router = access.protect(edge.router());
                let router = router.layer(axum::middleware::from_fn(super::http::traced::request));
                if let Ok(address) = listener.local_addr() {
                    tracing::info!(%address, "MCP over HTTP is served");
                }
                let (limits, closing) = (Limits::default(), lifecycle.draining());
                let sessions = service.sessions.clone();
                let drain = Drain::within(drain_within).then(move || sessions.leave());
                listener::serve(listener, tls, router, loops, limits, closing, drain).await;
            } else {
                lifecycle.draining().await;
            }
            lifecycle.stop();
        };
        let admin = async {
            if let Some((listener, access, options)) = self.admin {
                let state = admin::State::new(service.clone(), lifecycle.clone(), options);
                let router = admin::router(state, &access);
                if let Ok(address) = listener.local_addr() {
                    tracing::info!(%address, "the admin port is served");
                }
                let (limits, closing) = (Limits::default(), lifecycle.stopped());
                let drain = Drain::within(ADMIN_DRAIN);
                listener::serve(listener, None, router, loops, limits, closing, drain).await;
            }
        };
        lifecycle.ready();
        tokio::select! {
            ((), ()) = futures_util::future::join(http, admin) => {}
            () = reload_on_hangup(guards) => {}
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|cause| Error::Bind { address, cause })
}

fn admin_options(admin: &Admin, config: &Config) -> admin::Options {
    let needs_store = match &config.store {
        Store::Memory => false,
        Store::Redis(redis) => redis.when_away == WhenAway::Refuse,
    };
    admin::Options {
        chaos: admin.chaos,
        needs_store,
    }
}

fn acceptor(files: &Tls) -> Result<TlsAcceptor, Error> {
    let Tls { certificates, key } = files;
    let wrong = |path: &std::path::Path, cause: &dyn std::fmt::Display| Error::Tls {
        what: path.display().to_string(),
        cause: cause.to_string(),
    };
    let chain = config::certificates(certificates).map_err(|cause| wrong(certificates, &cause))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|cause| wrong(certificates, &cause))?;
    let secret = config::private_key(key).map_err(|cause| wrong(key, &cause))?;
    let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|cause| wrong(key, &cause))?;
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| wrong(key, &cause))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|cause| wrong(certificates, &cause))?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}
