//! Server names as clients write them, in the `Host` of a request and the `Origin` of a web page. The operator's
//! settings and the requests are parsed by the same code, so that they can be compared for equality.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// The longest DNS name, with a port.
const MAX_LEN: usize = 253 + ":65535".len();

/// A name or an address in lower case without a trailing dot, and a port if one was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    pub name: String,
    pub port: Option<u16>,
}

/// The origin of a web page: `https://app.example.com`, `http://localhost:6274`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    pub scheme: String,
    pub host: Host,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a host: write a name or an address, and :PORT if it matters, as in mca.example.com or [::1]:8642"
)]
pub struct NoHost(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not an origin: write scheme, host and port as a browser sends them, as in https://app.example.com"
)]
pub struct NoOrigin(String);

impl Host {
    /// Whether the name refers to the local machine.
    pub fn is_loopback(&self) -> bool {
        ["localhost", "127.0.0.1", "::1"].contains(&self.name.as_str())
    }

    pub fn of(address: IpAddr) -> Self {
        Self {
            name: address.to_string(),
            port: None,
        }
    }

    /// Whether a request for `asked` is for this name. Without a port, any port matches.
    pub fn matches(&self, asked: &Self) -> bool {
        self.name == asked.name && (self.port.is_none() || self.port == asked.port)
    }

    /// `None`: malformed. Strict: text that other parsers could read differently is refused.
    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_LEN {
            return None;
        }
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (address.parse::<Ipv6Addr>().ok()?.to_string(), port)
            }
            None => {
                let colon = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at(colon);
                (read_name(name)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(read_port(digits)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self { name, port })
    }
}

/// Letters, digits and `-` between dots; a trailing dot is ignored. A name of numbers only must be an IP address.
fn read_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(allowed)
    };
    if !name.split('.').all(is_label) {
        return None;
    }
    let last = name.rsplit('.').next()?;
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return (name == text).then(|| Some(name.parse::<Ipv4Addr>().ok()?.to_string()))?;
    }
    Some(name.to_ascii_lowercase())
}

fn read_port(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?.filter(|port| *port > 0)
}

impl Origin {
    /// HTTP or HTTPS from the local machine.
    pub fn is_loopback(&self) -> bool {
        ["http", "https"].contains(&self.scheme.as_str()) && self.host.is_loopback()
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, host) = text.split_once("://")?;
        let mut bytes = scheme.bytes();
        let starts_well = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !starts_well || scheme.len() > MAX_LEN || !bytes.all(goes_on) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let mut host = Host::read(host)?;
        // A browser omits the default port of the scheme.
        host.port = host.port.or(match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        Some(Self { scheme, host })
    }
}

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        Self::read(text).ok_or_else(|| NoHost(shortened(text)))
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        Self::read(text).ok_or_else(|| NoOrigin(shortened(text)))
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

#[cfg(test)]
mod tests;
