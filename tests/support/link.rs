//! A TCP link between a node and its Redis that fails as networks do, switchable while it carries traffic.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often a silent connection checks whether the link has changed.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Delay of each reply in [`Way::Slow`].
const SLOW: Duration = Duration::from_millis(60);
/// Longest delay in [`Way::Jitter`].
const JITTER_MS: u64 = 150;
/// In [`Way::Garble`] one reply out of this many is damaged.
const GARBLED_EACH: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    Pass,
    /// Every reply is late.
    Slow,
    /// Replies are late by different times.
    Jitter,
    /// Replies arrive one byte at a time.
    Trickle,
    /// Nothing arrives on either side, and no connection ends.
    Blackhole,
    /// Requests arrive and are executed; replies do not arrive.
    Mute,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections are reset, new ones too.
    Reset,
    /// Some replies have a byte changed.
    Garble,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::Pass,
        Self::Slow,
        Self::Jitter,
        Self::Trickle,
        Self::Blackhole,
        Self::Mute,
        Self::Cut,
        Self::Reset,
        Self::Garble,
    ];
}

/// A listener that forwards connections to one port.
pub(crate) struct Link {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: AtomicU16,
    way: AtomicU8,
    over: AtomicBool,
    /// Counts replies, and seeds the random choices.
    replies: AtomicU64,
    connections: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// One side has closed, or bytes were withheld: a network never delivers later bytes after a gap.
    torn: AtomicBool,
    ended: AtomicBool,
}

impl Shared {
    fn way(&self) -> Way {
        Way::ALL[usize::from(self.way.load(Ordering::SeqCst))]
    }
}

impl Link {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            to: AtomicU16::new(port),
            way: AtomicU8::new(Way::Pass as u8),
            over: AtomicBool::new(false),
            replies: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                accept(client, &serving);
            }
        });
        Self { port: own, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, way: Way) {
        self.shared.way.store(way as u8, Ordering::SeqCst);
    }

    /// Forwards new connections to this port; open ones keep their server.
    pub(crate) fn lead_to(&self, port: u16) {
        self.shared.to.store(port, Ordering::SeqCst);
    }

    /// Closes all connections; new ones are forwarded.
    pub(crate) fn drop_all(&self) {
        for connection in self.shared.connections.lock().expect("a list").drain(..) {
            connection.end();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.drop_all();
        // A last connection makes the listener notice.
        let _ = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port)));
    }
}

impl Connection {
    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn accept(client: TcpStream, shared: &Arc<Shared>) {
    let to = SocketAddr::from(([127, 0, 0, 1], shared.to.load(Ordering::SeqCst)));
    // If Redis is down, close the connection.
    let Ok(server) = TcpStream::connect(to) else {
        return;
    };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(LOOK_EVERY));
    }
    let connection = Arc::new(Connection {
        client,
        server,
        torn: AtomicBool::new(false),
        ended: AtomicBool::new(false),
    });
    let mut connections = shared.connections.lock().expect("a list");
    connections.retain(|connection| !connection.ended.load(Ordering::SeqCst));
    connections.push(Arc::clone(&connection));
    drop(connections);
    for replies in [false, true] {
        let (connection, shared) = (Arc::clone(&connection), Arc::clone(shared));
        thread::spawn(move || {
            carry(&connection, &shared, replies);
            connection.ended.store(true, Ordering::SeqCst);
        });
    }
}

/// Forwards one direction of a connection until either side closes.
fn carry(connection: &Connection, shared: &Shared, replies: bool) {
    let (mut from, to) = if replies {
        (&connection.server, &connection.client)
    } else {
        (&connection.client, &connection.server)
    };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let way = shared.way();
        if connection.ended.load(Ordering::SeqCst) || way == Way::Cut {
            return connection.end();
        }
        // Peek before reading: closing a socket with unread bytes resets the connection.
        match from.peek(&mut buffer[..1]) {
            Ok(0) => return connection.end(),
            Ok(_) if way == Way::Reset => {
                connection.ended.store(true, Ordering::SeqCst);
                return;
            }
            Ok(_) => {}
            Err(error) if is_silence(error.kind()) => continue,
            Err(_) => return connection.end(),
        }
        let Ok(read @ 1..) = from.read(&mut buffer) else {
            return connection.end();
        };
        let bytes = &mut buffer[..read];
        let torn = connection.torn.load(Ordering::SeqCst);
        match way {
            Way::Blackhole => {
                connection.torn.store(true, Ordering::SeqCst);
                continue;
            }
            Way::Mute if replies => {
                connection.torn.store(true, Ordering::SeqCst);
                continue;
            }
            Way::Mute => {}
            Way::Pass
            | Way::Slow
            | Way::Jitter
            | Way::Trickle
            | Way::Cut
            | Way::Reset
            | Way::Garble => {
                if torn {
                    return connection.end();
                }
            }
        }
        if deliver(to, bytes, way, shared, replies).is_err() {
            return connection.end();
        }
    }
}

fn deliver(
    mut to: &TcpStream,
    bytes: &mut [u8],
    way: Way,
    shared: &Shared,
    replies: bool,
) -> std::io::Result<()> {
    if !replies {
        return to.write_all(bytes);
    }
    let nth = shared.replies.fetch_add(1, Ordering::SeqCst);
    let random = scatter(nth);
    match way {
        Way::Slow => thread::sleep(SLOW),
        Way::Jitter => thread::sleep(Duration::from_millis(random % JITTER_MS)),
        Way::Trickle => {
            for byte in bytes.chunks(1) {
                to.write_all(byte)?;
                thread::sleep(Duration::from_micros(200));
            }
            return Ok(());
        }
        Way::Garble if nth.is_multiple_of(GARBLED_EACH) => {
            let at = usize::try_from(random).unwrap_or_default() % bytes.len();
            bytes[at] = bytes[at].wrapping_add(1) & 0x7f;
        }
        Way::Pass | Way::Blackhole | Way::Mute | Way::Cut | Way::Reset | Way::Garble => {}
    }
    to.write_all(bytes)
}

fn is_silence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// SplitMix64: the same numbers in every run.
fn scatter(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
