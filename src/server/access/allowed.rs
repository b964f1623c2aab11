//! Checks that a request was meant for this server, and which page sent it. In a DNS rebinding attack, a page makes its
//! own name resolve to this server: the request then has that name as `Host`, and the page's address as `Origin`. Pure.

use std::net::SocketAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::Denied;
use crate::config::authority::{Host, Origin};
use crate::config::http::{Names, is_loopback};

/// The names of a port, and the pages that may call it.
#[derive(Debug, Clone)]
pub struct Allowed {
    hosts: Vec<Host>,
    origins: Vec<Origin>,
    /// The port listens on a loopback address, so names and pages of this machine are allowed.
    loopback: bool,
}

impl Allowed {
    /// The port's own address counts as a name: no page can make a browser use it for another server.
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
    /// The `Host` is missing, repeated or wrong.
    pub fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        // The request line may name the server too (always in HTTP/2). If both are present, both must be right.
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

    /// The origin of the calling page, as its browser wrote it; `None`: the caller is no browser.
    ///
    /// # Errors
    /// The page is not allowed.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a HeaderValue>, Denied> {
        let Some(value) = single(headers, &ORIGIN)? else {
            return Ok(None);
        };
        // Browsers send `null` for pages without an origin; it is never allowed.
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

/// Refuses repeated headers: a proxy might use the first, and this server the last.
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
