//! The round trip of `get_server_status` over stdio, beside a bare server, and how soon a cancelled call stops working.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::bare;
use crate::stats::{Pair, in_turns, quantile, report, report_starts, timed};

const ROUNDS: usize = 400;
/// Pairs of processes.
const STARTS: usize = 15;
/// Servers of which a call is cancelled: what was analysed until then is at hand in the next one.
const CANCELLED: usize = 20;
/// What the sessions, the envelope and the validation may cost on top of the protocol.
const MARK: f64 = 1.5;

pub(crate) struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: String,
}

pub(crate) fn run() {
    let starts: Vec<_> = (0..STARTS).map(|_| start()).collect();
    report_starts("get_server_status", &starts, "bare", MARK);
    let freed: Vec<_> = (0..CANCELLED).map(|_| cancelled().as_secs_f64()).collect();
    report("cancelled, to a free worker", &freed);
    println!("  mark 100 ms, most {:.1} ms", quantile(&freed, 1.0) * 1e3);
}

/// From the cancellation of a call that keeps the only worker busy to the answer of the next call.
fn cancelled() -> Duration {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut client = Client::start(Command::new(env!("CARGO_BIN_EXE_mcp-code-analysis")).args([
        "serve",
        "--workers",
        "1",
        "--root",
        root,
    ]));
    client.write(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"analyze_complexity","arguments":{},"_meta":{"progressToken":1}}}"#);
    // Files are being analysed, of a known total.
    while !client.line.contains("\"total\"") {
        client.read();
        assert!(
            !client.line.contains("\"result\""),
            "it was faster than its progress"
        );
    }
    client
        .write(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    let freed = timed(|| {
        client.write(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"analyze_structure","arguments":{"path":"src/main.rs"}}}"#);
        while !client.line.contains("\"id\":2") {
            client.read();
        }
    });
    client.end();
    freed
}

fn start() -> Pair {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut ours = Client::start(
        Command::new(env!("CARGO_BIN_EXE_mcp-code-analysis")).args(["serve", "--root", root]),
    );
    let this = std::env::current_exe().unwrap();
    let mut theirs = Client::start(Command::new(this).arg(bare::MODE));
    let pair = in_turns(ROUNDS, || ours.call(), || theirs.call());
    ours.end();
    theirs.end();
    pair
}

impl Client {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut client = Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            line: String::new(),
        };
        client.exchange(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#);
        client.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        client
    }

    fn call(&mut self) -> Duration {
        timed(|| {
            self.exchange(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_server_status","arguments":{}}}"#);
        })
    }

    /// How long the answer takes.
    pub(crate) fn timed(&mut self, request: &str) -> Duration {
        timed(|| self.exchange(request))
    }

    fn exchange(&mut self, request: &str) {
        self.write(request);
        self.read();
        assert!(self.line.contains("\"result\""), "{}", self.line);
    }

    fn read(&mut self) {
        self.line.clear();
        self.stdout.read_line(&mut self.line).unwrap();
    }

    fn write(&mut self, line: &str) {
        self.stdin
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    pub(crate) fn end(self) {
        let Self {
            mut child, stdin, ..
        } = self;
        drop(stdin);
        child.wait().unwrap();
    }
}
