//! What exporting costs a call: the same program with and without a receiver, in turns.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::redis::Server;
use crate::stats::{Pair, in_turns, report_starts};
use crate::stdio::Client;

const ROUNDS: usize = 300;
/// Pairs of processes for each case.
const STARTS: usize = 5;
/// What a call may cost with one trace of ten kept, and with all.
const SAMPLED_MARK: f64 = 1.05;
const WHOLE_MARK: f64 = 1.15;
/// How long the slow receiver takes for a batch.
const SLOW: Duration = Duration::from_secs(2);

const STATUS: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_server_status","arguments":{}}}"#;
/// A session of the connection holds it, so it is committed twice.
const DURABLE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"analyze_structure","arguments":{"path":"src/main.rs"}}}"#;

/// What the receiver does with a batch.
#[derive(Clone, Copy)]
enum Receiver {
    Fast,
    Slow,
    Refusing,
    Away,
}

pub(crate) fn run() {
    let Some(redis) = Server::start() else {
        return println!("  no redis-server");
    };
    let cases = [
        ("sampled 10 %, fast", Receiver::Fast, "0.1", SAMPLED_MARK),
        ("sampled 10 %, slow", Receiver::Slow, "0.1", SAMPLED_MARK),
        ("sampled 10 %, away", Receiver::Away, "0.1", SAMPLED_MARK),
        (
            "sampled 10 %, refusing",
            Receiver::Refusing,
            "0.1",
            SAMPLED_MARK,
        ),
        ("everything, fast", Receiver::Fast, "1.0", WHOLE_MARK),
        ("everything, slow", Receiver::Slow, "1.0", WHOLE_MARK),
        ("everything, away", Receiver::Away, "1.0", WHOLE_MARK),
        (
            "everything, refusing",
            Receiver::Refusing,
            "1.0",
            WHOLE_MARK,
        ),
    ];
    for (name, receiver, share, mark) in cases {
        let port = listen(receiver);
        let pairs = |store: &[&str], call: &str| -> Vec<Pair> {
            (0..STARTS)
                .map(|_| pair(port, share, store, call))
                .collect()
        };
        let url = redis.url();
        let status = pairs(&[], STATUS);
        report_starts(&format!("get_server_status, {name}"), &status, "off", mark);
        let durable = pairs(&["--store", "redis", "--redis-url", &url], DURABLE);
        report_starts(&format!("durable call, {name}"), &durable, "off", mark);
    }
}

fn pair(port: u16, share: &str, store: &[&str], call: &str) -> Pair {
    let start = || {
        // On a core of its own, without the receiver; run the benchmark itself on another one.
        let mut command = Command::new("taskset");
        command.args(["-c", "0", env!("CARGO_BIN_EXE_mcp-code-analysis")]);
        command
            .args(["serve", "--root", env!("CARGO_MANIFEST_DIR")])
            .args(store);
        command
    };
    let mut on = Client::start(start().envs([
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://127.0.0.1:{port}").as_str(),
        ),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", share),
    ]));
    let mut off = Client::start(&mut start());
    let pair = in_turns(ROUNDS, || on.timed(call), || off.timed(call));
    on.end();
    off.end();
    pair
}

/// The port of a receiver that lives as long as this process.
fn listen(receiver: Receiver) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (status, pause) = match receiver {
        Receiver::Away => return port,
        Receiver::Fast => ("200 OK", Duration::ZERO),
        Receiver::Slow => ("200 OK", SLOW),
        Receiver::Refusing => ("400 Bad Request", Duration::ZERO),
    };
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                take(&mut stream);
                thread::sleep(pause);
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                // The program may have ended.
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    port
}

/// Reads one request, whole.
fn take(stream: &mut TcpStream) {
    let (mut request, mut wanted) = (Vec::new(), usize::MAX);
    let mut part = [0; 1 << 16];
    while request.len() < wanted {
        let Ok(read @ 1..) = stream.read(&mut part) else {
            return;
        };
        request.extend_from_slice(&part[..read]);
        if let Some(head) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
            let length = text.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
            wanted = head + 4 + length.unwrap_or(0);
        }
    }
}
