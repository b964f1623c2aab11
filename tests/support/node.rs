//! The program as a server on its own ports, and HTTP clients for it. Stopped with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::redis::Redis;
use super::{PATIENCE, program};

/// One `serve --http`.
pub(crate) struct Node {
    child: Child,
    log: Arc<Mutex<String>>,
    pub(crate) http: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
}

/// Arguments that let a test inject faults into actors.
pub(crate) const STRUCK: [&str; 3] = ["--admin", "127.0.0.1:0", "--chaos"];

impl Node {
    pub(crate) fn start(root: &Path, arguments: &[&str]) -> Self {
        Self::of(program(), root, arguments)
    }

    /// Starts a node with its sessions in that Redis.
    pub(crate) fn on(redis: &Redis, root: &Path, arguments: &[&str]) -> Self {
        let url = redis.url();
        let store = ["--store", "redis", "--redis-url", &url];
        Self::start(root, &[&store, arguments].concat())
    }

    /// Starts a node with a command that ends by running the program.
    pub(crate) fn of(mut program: Command, root: &Path, arguments: &[&str]) -> Self {
        let wants_admin = arguments.contains(&"--admin");
        let mut child = program
            .args(["serve", "--http", "127.0.0.1:0", "--root"])
            .arg(root)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::<Mutex<String>>::default();
        let stderr = child.stderr.take().expect("piped");
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().expect("a log");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut node = Self {
            child,
            log,
            http: SocketAddr::from(([0, 0, 0, 0], 0)),
            admin: None,
        };
        node.http = node.address("MCP over HTTP is served");
        node.admin = wants_admin.then(|| node.address("the admin port is served"));
        node
    }

    fn address(&mut self, what: &str) -> SocketAddr {
        let started = Instant::now();
        loop {
            let log = self.log();
            let line = log.lines().find(|line| line.contains(what));
            let found = line.and_then(|line| line.split("address=").nth(1));
            if let Some(address) = found {
                let address = address.split_whitespace().next().expect("an address");
                return address.parse().expect("an address");
            }
            let ended = self.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "it ended: {log}");
            assert!(started.elapsed() < PATIENCE, "it does not listen: {log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&format!("http://{}", self.http))
    }

    /// Sends a `GET` to the admin port.
    pub(crate) fn ask_admin(&self, path: &str) -> (u16, Value) {
        let address = self.admin.expect("an admin port");
        let answer = agent().get(format!("http://{address}{path}")).call();
        let mut answer = answer.expect("it answers");
        let body = answer.body_mut().read_to_string().expect("text");
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (answer.status().as_u16(), body)
    }

    /// Sends a `POST` to the admin port and returns the status.
    pub(crate) fn post_admin(&self, path: &str, body: &Value) -> u16 {
        post_admin(self.admin.expect("an admin port"), path, body)
    }

    /// Memory in bytes, current and peak, as Linux reports it.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            number.expect("a number of KiB") << 10
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        super::signal(self.child.id(), signal);
    }

    /// Like `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the process to end by itself.
    pub(crate) fn over(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "it did not end: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build();
    ureq::Agent::new_with_config(config)
}

/// A Streamable HTTP client that builds every message itself, so that a test sees the bytes on the wire.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    pub(crate) base: String,
    /// Sent with each request.
    pub(crate) headers: Vec<(String, String)>,
    next_id: u64,
}

/// A response: status, the headers that tests check, and the body as a stream.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    body: ureq::Body,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

/// Sends a `POST` to an admin port and returns the status.
pub(crate) fn post_admin(address: SocketAddr, path: &str, body: &Value) -> u16 {
    let request = agent().post(format!("http://{address}{path}"));
    let request = request.header("content-type", "application/json");
    let answer = request.send(body.to_string()).expect("it answers");
    answer.status().as_u16()
}

impl Client {
    pub(crate) fn of(base: &str) -> Self {
        Self {
            agent: agent(),
            base: base.to_owned(),
            headers: Vec::new(),
            next_id: 0,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Opens a connection of that revision; all later requests use it.
    pub(crate) fn connected(mut self, revision: &str) -> Self {
        let params = json!({
            "protocolVersion": revision,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        });
        let message = self.message("initialize", params);
        let answer = self.post(&message).of_status(200);
        let connection = answer.header("mcp-session-id").expect("a connection");
        let opened = answer.message();
        assert_eq!(opened["result"]["protocolVersion"], revision, "{opened}");
        let mut client = self.with("mcp-session-id", &connection);
        if revision >= "2025-06-18" {
            client = client.with("mcp-protocol-version", revision);
        }
        let said = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(client.post(&said).status, 202);
        client
    }

    pub(crate) fn message(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
    }

    pub(crate) fn post(&self, message: &Value) -> Answer {
        self.post_to("/mcp", message.to_string().as_bytes())
    }

    pub(crate) fn post_to(&self, path: &str, body: &[u8]) -> Answer {
        self.try_post_to(path, body).expect("it answers")
    }

    /// `None`: the connection ended before the response began.
    pub(crate) fn try_post_to(&self, path: &str, body: &[u8]) -> Option<Answer> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let usual = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let said = |name: &str| {
            self.headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let usual = usual.into_iter().filter(|(name, _)| !said(name));
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let request = usual.chain(own).fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.send(body).ok().map(Answer::from)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_as(path, "text/event-stream")
    }

    pub(crate) fn get_as(&self, path: &str, accept: &str) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.base));
        let request = self.headers.iter().fold(
            request.header("accept", accept),
            |request, (name, value)| request.header(name.as_str(), value.as_str()),
        );
        Answer::from(request.call().expect("it answers"))
    }

    pub(crate) fn delete(&self, path: &str) -> u16 {
        let request = self.agent.delete(format!("{}{path}", self.base));
        let request = self.headers.iter().fold(request, |request, (name, value)| {
            request.header(name.as_str(), value.as_str())
        });
        request.call().expect("it answers").status().as_u16()
    }

    /// Sends a request on this connection and returns the whole answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let message = self.message(method, params);
        self.post(&message).of_status(200).message()
    }

    /// Sends a request as a client of 2026-07-28, without a connection.
    pub(crate) fn stateless(&mut self, method: &str, params: Value) -> Answer {
        let (message, client) = self.stateless_message(method, params);
        client.post(&message)
    }

    pub(crate) fn stateless_message(&mut self, method: &str, mut params: Value) -> (Value, Self) {
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "0"});
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let mut client = self
            .clone()
            .with("mcp-protocol-version", "2026-07-28")
            .with("mcp-method", method);
        // The revision requires the target's name in a header.
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            client = client.with("mcp-name", name);
        }
        (self.message(method, params), client)
    }

    /// Calls a tool and returns the envelope; the call must succeed.
    pub(crate) fn good(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        good(tool, &answer)
    }

    pub(crate) fn good_stateless(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.stateless("tools/call", json!({"name": tool, "arguments": arguments}));
        good(tool, &answer.of_status(200).message())
    }
}

fn good(tool: &str, answer: &Value) -> Value {
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{tool}: {answer}");
    result["structuredContent"].clone()
}

impl From<ureq::http::Response<ureq::Body>> for Answer {
    fn from(response: ureq::http::Response<ureq::Body>) -> Self {
        let (parts, body) = response.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        Self {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body,
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    pub(crate) fn of_status(self, wanted: u16) -> Self {
        if self.status == wanted {
            return self;
        }
        let status = self.status;
        panic!("{status} instead of {wanted}: {}", self.text());
    }

    pub(crate) fn text(mut self) -> String {
        let mut text = String::new();
        let read = self
            .body
            .as_reader()
            .take(64 << 20)
            .read_to_string(&mut text);
        read.expect("the body is text");
        text
    }

    /// The answer, or `None` if the response broke off.
    pub(crate) fn try_message(self) -> Option<Value> {
        let streamed = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streamed {
            let last = self
                .events()
                .filter(|event| !event.data.is_empty())
                .last()?;
            return serde_json::from_str(&last.data).ok();
        }
        let mut text = String::new();
        let mut body = self.body;
        let read = body.as_reader().take(64 << 20).read_to_string(&mut text);
        read.ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The answer, from a JSON body or an event stream.
    pub(crate) fn message(self) -> Value {
        self.messages().pop().expect("an answer")
    }

    /// All messages in order.
    pub(crate) fn messages(self) -> Vec<Value> {
        let kind = self.header("content-type").unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            let events = self.events().filter(|event| !event.data.is_empty());
            return events.map(|event| event.json()).collect();
        }
        let text = self.text();
        vec![serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))]
    }

    /// The events as they arrive, until the stream ends.
    pub(crate) fn events(self) -> impl Iterator<Item = Event> {
        let mut lines = BufReader::new(self.body.into_reader()).lines();
        std::iter::from_fn(move || {
            let (mut event, mut begun) = (
                Event {
                    id: None,
                    name: None,
                    data: String::new(),
                },
                false,
            );
            for line in lines.by_ref().map_while(Result::ok) {
                if line.is_empty() && begun {
                    return Some(event);
                }
                let (field, value) = line.split_once(':').unwrap_or((&line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
                begun |= matches!(field, "id" | "event" | "data");
                match field {
                    "id" => event.id = Some(value),
                    "event" => event.name = Some(value),
                    "data" => event.data.push_str(&value),
                    _ => {}
                }
            }
            None
        })
    }
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}
