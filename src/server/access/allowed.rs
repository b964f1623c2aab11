//! Whether a request was meant for this server, and by whom: a web page that has its own name lead here (DNS rebinding)
//! sends that name as `Host`, and its own address as `Origin`. Pure.

use std::net::SocketAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::Denied;
use crate::config::authority::{Host, Origin};
use crate::config::http::{Names, is_loopback};

/// What a port is called by, and which pages may call it.
#[derive(Debug, Clone)]
pub struct Allowed {
    hosts: Vec<Host>,
    origins: Vec<Origin>,
    /// It can be reached from this machine alone: by its names for itself, and by whatever page it serves.
    loopback: bool,
}

impl Allowed {
    /// An address of its own is a name of its own: no page can make a browser send it for something else.
    pub fn new(address: SocketAddr, names: &Names) -> Self {
        let mut hosts = names.hosts.clone();
        if !address.ip().is_unspecified() {
            hosts.push(Host::of(address.ip()));
        }
        Self {
            hosts,
            origins: names.origins.clone(),
            loopback: is_loopback(address),
        }
    }

    /// # Errors
    /// A request that says nothing, too much or something else of whom it is for.
    pub fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        // A request line may name the server as well (HTTP/2 does): what is said twice must be right twice.
        let line = uri.authority().map(|authority| authority.as_str());
        let header = match single(headers, &HOST)? {
            Some(value) => Some(text(value).ok_or(Denied::HostUnreadable)?),
            None => None,
        };
        if line.is_none() && header.is_none() {
            return Err(Denied::HostMissing);
        }
        for said in [line, header].into_iter().flatten() {
            let host = said.parse().map_err(|_| Denied::HostUnreadable)?;
            if !self.is_ours(&host) {
                return Err(Denied::HostForeign);
            }
        }
        Ok(())
    }

    /// The page that calls, as its browser wrote it; `None`: no browser calls.
    ///
    /// # Errors
    /// A page that may not.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a HeaderValue>, Denied> {
        let Some(value) = single(headers, &ORIGIN)? else {
            return Ok(None);
        };
        // `null` is what a page says that would rather not say: it is no origin.
        let origin = text(value).and_then(|text| text.parse::<Origin>().ok());
        let may_call = |origin: Origin| {
            let at_home = self.loopback && origin.is_loopback();
            at_home || self.origins.contains(&origin)
        };
        if origin.is_some_and(may_call) {
            return Ok(Some(value));
        }
        Err(Denied::OriginForeign)
    }

    fn is_ours(&self, host: &Host) -> bool {
        let at_home = self.loopback && host.is_loopback();
        at_home || self.hosts.iter().any(|ours| ours.matches(host))
    }
}

/// Of two, one part of the way may see the first, and another the last.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Denied> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Denied::Twice(name.clone()));
    }
    Ok(first)
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

#[cfg(test)]
mod tests;
