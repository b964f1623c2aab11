//! Calls over HTTP beside a bare server on the same library, in sequence and with many clients at once, and what
//! connections and streams weigh.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::bare;
use crate::stats::{Pair, in_turns, quantile, report_starts, timed};

const ROUNDS: usize = 400;
/// Pairs of processes.
const STARTS: usize = 7;
/// What sessions, envelope, validation and checks may cost on top of the protocol, at the median.
const SEQUENCE_MARK: f64 = 1.5;
const CLIENTS: usize = 16;
/// Of the bare server's rate.
const RATE_MARK: f64 = 0.6;
const WINDOW: Duration = Duration::from_secs(1);
const IDLE: usize = 1000;
const STREAMS: usize = 500;

const ERAS: [(&str, Era); 2] = [
    ("2026-07-28, JSON", Era::Stateless),
    ("2025-11-25, SSE", Era::Connected),
];

pub(crate) fn run() {
    let (mut pairs, mut rates) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..STARTS {
        let (ours, theirs) = start();
        for (at, (_, era)) in ERAS.into_iter().enumerate() {
            pairs[at].push(in_sequence(&ours, &theirs, era));
            rates[at].push(rate(ours.address, era) / rate(theirs.address, era));
        }
    }
    for (at, (name, _)) in ERAS.into_iter().enumerate() {
        report_starts(name, &pairs[at], "bare", SEQUENCE_MARK);
        let [lowest, median, highest] =
            [0.0, 0.5, 1.0].map(|share| 100.0 * quantile(&rates[at], share));
        println!(
            "{:<34} {median:>11.0} % of its rate (mark {:.0} %), {lowest:.0} to {highest:.0}",
            format!("{name}, {CLIENTS} clients"),
            100.0 * RATE_MARK
        );
    }
    weigh(&start().0);
}

fn start() -> (Server, Server) {
    let root = env!("CARGO_MANIFEST_DIR");
    let ours = Server::start(Command::new(env!("CARGO_BIN_EXE_mcp-code-analysis")).args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--root",
        root,
    ]));
    let this = std::env::current_exe().unwrap();
    let theirs = Server::start(Command::new(this).arg(bare::HTTP_MODE));
    (ours, theirs)
}

fn in_sequence(ours: &Server, theirs: &Server, era: Era) -> Pair {
    let (mut mine, mut other) = (
        Client::open(ours.address, era),
        Client::open(theirs.address, era),
    );
    in_turns(ROUNDS, || mine.call(), || other.call())
}

/// Calls a second.
#[expect(clippy::cast_precision_loss, reason = "thousands of calls")]
fn rate(address: SocketAddr, era: Era) -> f64 {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(address, era)).collect();
    std::thread::scope(|scope| {
        for client in &mut clients {
            let (done, over) = (&done, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    client.call();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(WINDOW);
        over.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / WINDOW.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
fn weigh(server: &Server) {
    let Some(empty) = server.resident_kib() else {
        println!("memory is not known on this system");
        return;
    };
    let clients: Vec<_> = (0..IDLE).map(|_| {
        let mut client = Client::open(server.address, Era::Connected);
        client.exchange("POST", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_session","arguments":{}}}"#);
        client
    }).collect();
    let with_sessions = server.resident_kib().unwrap();
    println!(
        "{IDLE} idle connections, each with its TCP connection and session: {:.1} KiB each",
        with_sessions.saturating_sub(empty) as f64 / IDLE as f64
    );
    let streams: Vec<_> = clients.iter().take(STREAMS).map(Client::listen).collect();
    let with_streams = server.resident_kib().unwrap();
    println!(
        "{STREAMS} open streams: {:.1} KiB each; {:.0} MiB in all",
        with_streams.saturating_sub(with_sessions) as f64 / STREAMS as f64,
        with_streams as f64 / 1024.0
    );
    drop(streams);
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines
            .find_map(|line| line.ok().filter(|line| line.contains("address=")))
            .unwrap();
        let address = line
            .split("address=")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        let address = address.parse().unwrap();
        // Read to its end, so that the server never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy)]
enum Era {
    Stateless,
    Connected,
}

/// One TCP connection that is kept, and the least of HTTP that both servers understand.
struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    headers: String,
    message: String,
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"0"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;

impl Client {
    fn open(address: SocketAddr, era: Era) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream: BufReader::new(stream),
            address,
            headers: String::new(),
            message: String::new(),
        };
        match era {
            Era::Stateless => {
                client.headers = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: get_server_status\r\n".to_owned();
                client.message = format!(
                    r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_server_status","arguments":{{}},{META}}}}}"#
                );
            }
            Era::Connected => {
                let head = client.exchange("POST", INITIALIZE);
                let id = head
                    .lines()
                    .find_map(|line| line.strip_prefix("mcp-session-id: "))
                    .unwrap();
                client.headers =
                    format!("mcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n");
                client.exchange(
                    "POST",
                    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                );
                client.message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_server_status","arguments":{}}}"#.to_owned();
            }
        }
        client
    }

    fn call(&mut self) -> Duration {
        let message = std::mem::take(&mut self.message);
        let took = timed(|| self.exchange("POST", &message));
        self.message = message;
        took
    }

    /// Gives the head of the answer, once its body has been read.
    fn exchange(&mut self, method: &str, body: &str) -> String {
        let headers = &self.headers;
        let length = body.len();
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 20"), "{head}");
        if head.contains("transfer-encoding: chunked") {
            while self.chunk() > 0 {}
            return head;
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body).unwrap();
        head
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).unwrap() > 0, "{head}");
        }
        head
    }

    fn chunk(&mut self) -> usize {
        let mut size = String::new();
        self.stream.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).unwrap();
        size
    }

    /// A stream of its own, open and silent.
    fn listen(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let headers = &self.headers;
        write!(
            stream,
            "GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{headers}\r\n"
        )
        .unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let started = Instant::now();
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("{error} after {:?}", started.elapsed()));
        stream
    }
}
