//! The server as a child process on stdio. Every line of its stdout must be a protocol message; every wait has a time
//! limit; the process never outlives its test.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PATIENCE, program};

pub(crate) const NEWEST_WITH_INITIALIZE: &str = "2025-11-25";
pub(crate) const STATELESS: &str = "2026-07-28";

/// Messages that the test has not read yet.
const BACKLOG: usize = 10_000;

pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    stderr: Option<JoinHandle<String>>,
    /// Answers that arrived while the test waited for another one.
    early: HashMap<String, Value>,
    notifications: Vec<Value>,
    next_id: u64,
}

/// A server that has exited.
pub(crate) struct Over {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    pub(crate) stderr: String,
    /// Messages that the test had not read.
    pub(crate) rest: Vec<Value>,
}

impl Server {
    /// Starts the server without initialising it.
    pub(crate) fn start(root: &Path) -> Self {
        Self::start_with(&["serve", "--root", &root.to_string_lossy()])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// With these environment variables.
    pub(crate) fn start_in(arguments: &[&str], environment: &[(String, String)]) -> Self {
        let mut command = program();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        // In its own process group, so that a test can find processes it leaves behind.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        let (sender, lines) = mpsc::sync_channel(BACKLOG);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let line = line.expect("stdout is text");
                let message: Value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not of the protocol: {error}: {line}"));
                assert_eq!(message["jsonrpc"], "2.0", "{line}");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).expect("stderr is read");
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            child,
            stdin,
            lines,
            stderr: Some(stderr),
            early: HashMap::new(),
            notifications: Vec::new(),
            next_id: 0,
        }
    }

    /// Starts the server and initialises it as clients of 2025 do.
    pub(crate) fn initialized(root: &Path) -> Self {
        let mut server = Self::start(root);
        let answer = server.initialize(NEWEST_WITH_INITIALIZE);
        assert_eq!(answer["result"]["protocolVersion"], NEWEST_WITH_INITIALIZE);
        server
    }

    pub(crate) fn initialize(&mut self, version: &str) -> Value {
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        });
        let answer = self.request("initialize", params);
        self.notify("notifications/initialized", json!({}));
        answer
    }

    // === out ===

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_raw(format!("{message}\n").as_bytes());
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("not closed yet");
        stdin.write_all(bytes).expect("the server reads");
        stdin.flush().expect("the server reads");
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request and returns its id without waiting.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    // === in ===

    /// Sends a request and returns the whole answer, with `result` or `error`.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(&json!(id))
    }

    /// Calls an existing tool and returns the result; the call itself may have failed.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer["error"].is_null(), "{tool}: {answer}");
        answer["result"].clone()
    }

    /// Calls a tool and returns the envelope; the call must succeed.
    pub(crate) fn good(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_ne!(
            result["isError"], true,
            "{tool}: {}",
            result["content"][0]["text"]
        );
        result["structuredContent"].clone()
    }

    pub(crate) fn answer(&mut self, id: &Value) -> Value {
        if let Some(answer) = self.early.remove(&id.to_string()) {
            return answer;
        }
        loop {
            let message = self
                .next(PATIENCE)
                .unwrap_or_else(|| panic!("no answer to {id}"));
            if message["id"] == *id && message.get("method").is_none() {
                return message;
            }
            self.keep(message);
        }
    }

    /// The next message; `None` if none arrives in time or the server has exited.
    pub(crate) fn next(&mut self, patience: Duration) -> Option<Value> {
        self.lines.recv_timeout(patience).ok()
    }

    fn keep(&mut self, message: Value) {
        if message.get("id").is_some() {
            self.early.insert(message["id"].to_string(), message);
        } else {
            self.notifications.push(message);
        }
    }

    /// Notifications received so far.
    pub(crate) fn notifications(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.notifications)
    }

    // === the end ===

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes stdin and waits.
    pub(crate) fn close(mut self) -> Over {
        drop(self.stdin.take());
        self.over()
    }

    /// Waits for the server to exit by itself.
    pub(crate) fn over(&mut self) -> Over {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "the server did not end");
            thread::sleep(Duration::from_millis(5));
        };
        let took = started.elapsed();
        let stderr = self
            .stderr
            .take()
            .map(|reader| reader.join().expect("read"));
        Over {
            status,
            took,
            stderr: stderr.unwrap_or_default(),
            rest: self.lines.iter().collect(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the server has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
