//! Raw bytes on a socket, for requests that a client library would not send. Every wait has a time limit.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A server silent for this long sends nothing more; longer than a loaded machine needs for any answer here.
const SILENCE: Duration = Duration::from_secs(20);
/// Longer than any answer here.
const ANSWER_BYTES: u64 = 16 << 20;

/// One connection.
pub(crate) struct Wire(pub(crate) TcpStream);

/// The response until the connection ended. Header names in lower case, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(SILENCE)).expect("a socket");
        stream.set_write_timeout(Some(SILENCE)).expect("a socket");
        Self(stream)
    }

    /// Returns false if the other end has closed the connection.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Reads until `enough`, or until the connection ends. Nothing can be sent afterwards.
    pub(crate) fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
        while !enough(&read) {
            match self.0.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => read.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&read)),
            }
        }
        read
    }

    /// Reads until the other end closes.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        self.read_until(|read| read.len() as u64 > ANSWER_BYTES)
    }
}

/// Sends all bytes and reads the response. `None`: the connection ended without one.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut wire = Wire::to(address);
    wire.send(bytes);
    Reply::read(&wire.rest())
}

/// As [`exchange`], but closes the sending side afterwards.
pub(crate) fn exchange_and_end(address: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut wire = Wire::to(address);
    wire.send(bytes);
    let ended: io::Result<()> = wire.0.shutdown(Shutdown::Write);
    // It may have hung up first.
    drop(ended);
    Reply::read(&wire.rest())
}

/// A request with `connection: close`. Headers are sent unchanged.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Reply {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        if text.is_empty() {
            return None;
        }
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head: {text:?}"));
        let (line, fields) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut headers: Vec<_> = fields
            .lines()
            .filter_map(|field| field.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        headers.sort();
        Some(Self {
            status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
            headers,
            body: body.to_owned(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Without the `date`, the only header in which two equal answers may differ.
    pub(crate) fn timeless(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "date");
        self
    }
}
