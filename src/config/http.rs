//! The network settings of the service: addresses and access. Settings that would open the service to the wrong callers
//! are refused here, with advice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::Layer;
use super::authority::{Host, Origin};

/// Longer than nearly every call, and shorter than the 30 s after which service managers kill.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// MCP over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    pub address: SocketAddr,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// The token file; `None`: every caller who reaches the address is the principal `local`.
    pub tokens: Option<PathBuf>,
    /// The operator confirmed that callers from other machines need no token.
    pub no_auth: bool,
    pub names: Names,
    /// How long running calls may take to finish after a stop signal.
    pub drain_timeout: Duration,
}

/// The server's names, and the web pages that may call it; the same for both ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Names in addition to those that the address implies.
    pub hosts: Vec<Host>,
    pub origins: Vec<Origin>,
}

/// Certificates and key (PEM files).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificates: PathBuf,
    pub key: PathBuf,
}

/// The operator's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub address: SocketAddr,
    /// The token file; `None`: every caller on this machine.
    pub tokens: Option<PathBuf>,
    pub names: Names,
    /// Callers can kill and stall actors.
    pub chaos: bool,
}

/// An address to listen on: an IP address or `localhost`, and a port. Port 0 means any free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not an address to listen at: write IP:PORT, as in 127.0.0.1:8642 or [::1]:8642")]
pub struct NoAddress(String);

/// Settings that are invalid, alone or together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misfit {
    #[error(
        "{setting} is set, but nothing is served over HTTP: add --http 127.0.0.1:8642, or remove it"
    )]
    WithoutHttp { setting: &'static str },
    #[error(
        "{setting} is set, but there is no admin port: add --admin 127.0.0.1:8643, or remove it"
    )]
    WithoutAdmin { setting: &'static str },
    #[error(
        "{setting} is set, but no port listens for requests: add --http 127.0.0.1:8642, or remove it"
    )]
    WithoutAny { setting: &'static str },
    #[error("nothing would be served: add --http 127.0.0.1:8642, or remove --stdio=false")]
    Nothing,
    #[error(
        "--http {0} can be reached from other machines, and callers would need no token: set --auth-tokens FILE, \
         listen at 127.0.0.1, or set --insecure-no-auth to let every caller read the files below the roots"
    )]
    Open(SocketAddr),
    #[error("--insecure-no-auth and --auth-tokens exclude each other: remove one of them")]
    Contradiction,
    #[error(
        "--admin {0} can be reached from other machines: set --admin-token-file FILE, or listen at 127.0.0.1"
    )]
    AdminOpen(SocketAddr),
    #[error(
        "--chaos lets the admin port kill and stall actors, and --admin {0} can be reached from other machines: listen \
         at 127.0.0.1, or remove --chaos"
    )]
    ChaosInPublic(SocketAddr),
    #[error("--http and --admin are both {0}: give each its own port")]
    SamePort(SocketAddr),
    #[error(
        "{setting} listens at every address of this machine, and requests must name the server: set its names with \
         --allowed-host NAME, or listen at one address"
    )]
    Nameless { setting: &'static str },
    #[error("--tls-cert and --tls-key belong together: give both, or neither")]
    HalfTls,
}

impl Http {
    /// # Errors
    /// Settings that do not fit together.
    pub(super) fn of(layer: &Layer) -> Result<Option<Self>, Misfit> {
        let names = Names::of(layer)?;
        let Some(Address(address)) = layer.http else {
            return match layer.only_for_http() {
                Some(setting) => Err(Misfit::WithoutHttp { setting }),
                None => Ok(None),
            };
        };
        let http = Self {
            address,
            tls: Tls::of(layer)?,
            tokens: layer.auth_tokens.clone(),
            no_auth: layer.insecure_no_auth.is_some_and(|on| on.0),
            names,
            drain_timeout: layer
                .drain_timeout
                .map_or(DRAIN_TIMEOUT, |timeout| timeout.0),
        };
        if http.no_auth && http.tokens.is_some() {
            return Err(Misfit::Contradiction);
        }
        if http.is_public() && http.tokens.is_none() && !http.no_auth {
            return Err(Misfit::Open(address));
        }
        http.names.check("--http", address)?;
        Ok(Some(http))
    }

    /// Whether other machines can connect.
    pub fn is_public(&self) -> bool {
        !is_loopback(self.address)
    }
}

impl Admin {
    /// # Errors
    /// Settings that do not fit together.
    pub(super) fn of(layer: &Layer) -> Result<Option<Self>, Misfit> {
        let Some(Address(address)) = layer.admin else {
            return match layer.only_for_admin() {
                Some(setting) => Err(Misfit::WithoutAdmin { setting }),
                None => Ok(None),
            };
        };
        let admin = Self {
            address,
            tokens: layer.admin_token_file.clone(),
            names: Names::of(layer)?,
            chaos: layer.chaos.is_some_and(|on| on.0),
        };
        if admin.chaos && !is_loopback(address) {
            return Err(Misfit::ChaosInPublic(address));
        }
        if admin.tokens.is_none() && !is_loopback(address) {
            return Err(Misfit::AdminOpen(address));
        }
        if address.port() != 0 && layer.http == Some(Address(address)) {
            return Err(Misfit::SamePort(address));
        }
        admin.names.check("--admin", address)?;
        Ok(Some(admin))
    }
}

impl Names {
    fn of(layer: &Layer) -> Result<Self, Misfit> {
        let names = Self {
            hosts: layer.allowed_host.clone().unwrap_or_default(),
            origins: layer.allowed_origin.clone().unwrap_or_default(),
        };
        let setting = match (names.hosts.is_empty(), names.origins.is_empty()) {
            (false, _) => "--allowed-host",
            (true, false) => "--allowed-origin",
            (true, true) => return Ok(names),
        };
        if layer.http.is_none() && layer.admin.is_none() {
            return Err(Misfit::WithoutAny { setting });
        }
        Ok(names)
    }

    fn check(&self, setting: &'static str, address: SocketAddr) -> Result<(), Misfit> {
        if address.ip().is_unspecified() && self.hosts.is_empty() {
            return Err(Misfit::Nameless { setting });
        }
        Ok(())
    }
}

impl Tls {
    fn of(layer: &Layer) -> Result<Option<Self>, Misfit> {
        match (&layer.tls_cert, &layer.tls_key) {
            (Some(certificates), Some(key)) => Ok(Some(Self {
                certificates: certificates.clone(),
                key: key.clone(),
            })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(Misfit::HalfTls),
        }
    }
}

impl Layer {
    /// stdin and stdout are used if no port is configured.
    pub(super) fn speaks_stdio(&self) -> Result<bool, Misfit> {
        match self.stdio {
            Some(said) if !said.0 && self.http.is_none() => Err(Misfit::Nothing),
            Some(said) => Ok(said.0),
            None => Ok(self.http.is_none()),
        }
    }

    /// The first setting that needs HTTP.
    fn only_for_http(&self) -> Option<&'static str> {
        let no_auth = self.insecure_no_auth.is_some_and(|on| on.0);
        [
            ("--auth-tokens", self.auth_tokens.is_some()),
            ("--insecure-no-auth", no_auth),
            ("--tls-cert", self.tls_cert.is_some()),
            ("--tls-key", self.tls_key.is_some()),
            ("--drain-timeout", self.drain_timeout.is_some()),
            ("--principal-sessions", self.principal_sessions.is_some()),
            ("--principal-calls", self.principal_calls.is_some()),
            ("--principal-rate", self.principal_rate.is_some()),
            ("--principal-bytes", self.principal_bytes.is_some()),
        ]
        .into_iter()
        .find_map(|(setting, is_set)| is_set.then_some(setting))
    }

    fn only_for_admin(&self) -> Option<&'static str> {
        let chaos = self.chaos.is_some_and(|on| on.0);
        [
            ("--admin-token-file", self.admin_token_file.is_some()),
            ("--chaos", chaos),
        ]
        .into_iter()
        .find_map(|(setting, is_set)| is_set.then_some(setting))
    }
}

/// Also handles IPv4 addresses in IPv6 form.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        // Names are not looked up: the result may not be the address that the operator means.
        if let Some(port) = text.strip_prefix("localhost:").map(str::parse) {
            let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
            return port
                .map(|port| Self(SocketAddr::new(localhost, port)))
                .map_err(|_| NoAddress(text.to_owned()));
        }
        text.parse()
            .map(Self)
            .map_err(|_| NoAddress(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
