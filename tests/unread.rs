//! Nothing reads stderr: its pipe is full, and only the log is affected.

use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Project, program};

/// The smallest possible pipe.
const PIPE: usize = 4096;
/// Each call logs some kilobytes at `trace`.
const CALLS: u64 = 50;

struct Unread {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Value>,
    log: PipeReader,
    admin: SocketAddr,
}

impl Unread {
    fn start(project: &Project) -> Self {
        let (log, stderr) = std::io::pipe().expect("a pipe");
        rustix::pipe::fcntl_setpipe_size(&stderr, PIPE).expect("a small pipe");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let admin = free.local_addr().expect("an address");
        drop(free);
        let mut child = program()
            .args(["serve", "--stdio", "--log", "trace", "--root"])
            .arg(project.path())
            .args(["--admin", &admin.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take().expect("piped");
        let answers = read(child.stdout.take().expect("piped"));
        Self {
            child,
            stdin,
            answers,
            log,
            admin,
        }
    }

    fn status(&mut self, id: u64) -> Value {
        let params = json!({
            "name": "get_server_status",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        });
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        writeln!(self.stdin, "{request}").expect("the server reads");
        let answer = self.answers.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"]["structuredContent"]["data"]["server"].clone()
    }

    fn healthz(&self) -> String {
        let mut stream = TcpStream::connect(self.admin).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let request = format!(
            "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.admin
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Ends it by closing stdin, as a client does.
    fn end(self) -> (Duration, Option<i32>, PipeReader) {
        let Self {
            mut child,
            stdin,
            log,
            ..
        } = self;
        drop(stdin);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                return (begun.elapsed(), status.code(), log);
            }
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().expect("a child of ours");
        panic!("it did not end");
    }
}

fn read(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, answers) = sync_channel(100);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let message = serde_json::from_str(&line).expect("of the protocol");
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    answers
}

#[test]
fn an_unread_stderr_stops_nothing() {
    let project = Project::small();
    let mut server = Unread::start(&project);
    for id in 0..CALLS {
        server.status(id);
    }
    assert!(server.healthz().starts_with("HTTP/1.1 200"));
    let (took, code, mut log) = server.end();
    assert_eq!(code, Some(0));
    // The grace periods of the connection and of the log, but not forever.
    assert!(took < PATIENCE / 2, "{took:?}");
    let mut text = String::new();
    log.read_to_string(&mut text).expect("text");
    assert!((1..=PIPE).contains(&text.len()), "{}", text.len());
}

#[test]
fn dropped_messages_are_reported_once_stderr_is_read_again() {
    let project = Project::small();
    let mut server = Unread::start(&project);
    let mut dropped = 0;
    let mut id = 0;
    let begun = Instant::now();
    while dropped == 0 {
        assert!(begun.elapsed() < 4 * PATIENCE, "nothing was dropped");
        id += 1;
        dropped = server.status(id)["log_messages_dropped"]
            .as_u64()
            .expect("a number");
    }
    let (told, notice) = sync_channel(1);
    let log = server.log.try_clone().expect("the same pipe");
    let reading = thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.ends_with("log messages were dropped here: stderr was not read") {
                let _ = told.try_send(line);
            }
        }
    });
    let notice = notice.recv_timeout(PATIENCE).expect("the notice");
    let count: u64 = notice
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect(&notice);
    assert!(count >= dropped, "{notice}: {dropped}");
    let (_, code, log) = server.end();
    assert_eq!(code, Some(0));
    drop(log);
    reading.join().expect("read to its end");
}
