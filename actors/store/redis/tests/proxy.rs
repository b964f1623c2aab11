//! A TCP proxy that breaks connections as networks do, switchable at run time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    Pass,
    /// Answers are delayed by `delay_ms`.
    Delay,
    /// Nothing gets through in either direction.
    Blackhole,
    /// Requests get through; answers do not.
    Mute,
    /// Closes a connection as soon as data goes over it.
    Cut,
    /// As `Cut`, with a TCP reset.
    Reset,
    /// Every answer is the one before it.
    Stale,
    /// As `Stale`, except for answers of up to `SHORT` bytes: a pool finds its connections in order.
    StaleLong,
    /// One answer in `garble_one_in` has a wrong or missing byte.
    Garble,
}

/// Longer than the answer to a PING.
const SHORT: usize = 64;

impl Way {
    const ALL: [Self; 9] = [
        Self::Pass,
        Self::Delay,
        Self::Blackhole,
        Self::Mute,
        Self::Cut,
        Self::Reset,
        Self::Stale,
        Self::StaleLong,
        Self::Garble,
    ];
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    control: Arc<Control>,
    accepting: JoinHandle<()>,
}

struct Control {
    way: AtomicU8,
    delay_ms: AtomicU64,
    garble_one_in: AtomicU64,
    random: AtomicU64,
    connections: AtomicU64,
    broken: AtomicU64,
}

impl Control {
    fn way(&self) -> Way {
        Way::ALL[usize::from(self.way.load(Ordering::SeqCst))]
    }

    /// xorshift: the same numbers from the same seed.
    fn random(&self) -> u64 {
        let next = |mut x: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^ (x << 17)
        };
        let update = |x| Some(next(x));
        let before = self
            .random
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
        next(before.unwrap_or(1))
    }

    fn garble(&self, bytes: &mut Vec<u8>) {
        let one_in = self.garble_one_in.load(Ordering::SeqCst);
        if bytes.is_empty() || !self.random().is_multiple_of(one_in) {
            return;
        }
        self.broken.fetch_add(1, Ordering::SeqCst);
        let at = usize::try_from(self.random() % bytes.len() as u64).unwrap_or(0);
        if self.random().is_multiple_of(4) {
            bytes.remove(at);
        } else {
            bytes[at] ^= 1 << (self.random() % 8);
        }
    }
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let control = Arc::new(Control {
            way: AtomicU8::new(Way::Pass as u8),
            delay_ms: AtomicU64::new(0),
            garble_one_in: AtomicU64::new(1),
            random: AtomicU64::new(1),
            connections: AtomicU64::new(0),
            broken: AtomicU64::new(0),
        });
        let shared = Arc::clone(&control);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, port, Arc::clone(&shared)));
            }
        });
        Self {
            port: own,
            control,
            accepting,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, way: Way) {
        self.control.way.store(way as u8, Ordering::SeqCst);
    }

    #[allow(
        dead_code,
        reason = "used by some of the targets that include this file"
    )]
    pub(crate) fn delay(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap();
        self.control.delay_ms.store(ms, Ordering::SeqCst);
        self.set(Way::Delay);
    }

    #[allow(
        dead_code,
        reason = "used by some of the targets that include this file"
    )]
    pub(crate) fn garble(&self, one_in: u64, seed: u64) {
        self.control.garble_one_in.store(one_in, Ordering::SeqCst);
        self.control.random.store(seed | 1, Ordering::SeqCst);
        self.set(Way::Garble);
    }

    pub(crate) fn connections(&self) -> u64 {
        self.control.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn broken(&self) -> u64 {
        self.control.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Forwards until one end closes or is closed. No network drops a part of a stream and delivers the rest, so after a
/// gap nothing more is forwarded.
async fn carry(mut client: TcpStream, port: u16, control: Arc<Control>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let (mut torn, mut before) = (false, Vec::new());
    loop {
        let (read, from_client) = tokio::select! {
            read = client.read(&mut asked) => (read, true),
            read = server.read(&mut answered) => (read, false),
        };
        let Ok(read @ 1..) = read else { return };
        let way = control.way();
        let carries = matches!(
            way,
            Way::Pass | Way::Delay | Way::Stale | Way::StaleLong | Way::Garble
        );
        if !carries {
            control.broken.fetch_add(1, Ordering::SeqCst);
        }
        match way {
            _ if carries && torn => return,
            Way::Pass | Way::Stale | Way::StaleLong | Way::Garble => {}
            Way::Delay if from_client => {}
            Way::Delay => {
                let ms = control.delay_ms.load(Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            Way::Mute if from_client && !torn => {}
            Way::Blackhole | Way::Mute => {
                torn = true;
                continue;
            }
            Way::Cut => return,
            Way::Reset => {
                let _ = client.set_zero_linger();
                return;
            }
        }
        let sent = if from_client {
            server.write_all(&asked[..read]).await
        } else {
            let mut answer = answered[..read].to_vec();
            if way == Way::Garble {
                control.garble(&mut answer);
            }
            let this = answer.clone();
            let short = way == Way::StaleLong && read <= SHORT;
            if matches!(way, Way::Stale | Way::StaleLong) && !short {
                control.broken.fetch_add(1, Ordering::SeqCst);
                answer.clone_from(&before);
            }
            if !short {
                before = this;
            }
            client.write_all(&answer).await
        };
        if sent.is_err() {
            return;
        }
    }
}
