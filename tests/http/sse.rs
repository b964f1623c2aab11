//! HTTP+SSE of revision 2024-11-05.

use serde_json::{Value, json};

use crate::support::Project;
use crate::support::node::{Client, Event, Node};

/// A client with its stream open.
pub(super) struct Stream {
    pub(super) client: Client,
    /// The address to post to, as the server sent it.
    path: String,
    events: Box<dyn Iterator<Item = Event>>,
}

impl Stream {
    fn open(client: Client) -> Self {
        let answer = client.get("/sse");
        assert_eq!(answer.status, 200);
        let mut events = Box::new(answer.events());
        let endpoint = events.next().expect("an endpoint");
        assert_eq!(endpoint.name.as_deref(), Some("endpoint"), "{endpoint:?}");
        let path = endpoint.data;
        Self {
            client,
            path,
            events,
        }
    }

    pub(super) fn initialized(client: Client) -> Self {
        let mut stream = Self::open(client);
        let params = json!({
            "protocolVersion": "2024-11-05", "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        });
        let opened = stream.request("initialize", params);
        assert_eq!(
            opened["result"]["protocolVersion"], "2024-11-05",
            "{opened}"
        );
        stream.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        stream
    }

    fn send(&self, message: &Value) {
        let sent = self
            .client
            .post_to(&self.path, message.to_string().as_bytes());
        sent.of_status(202);
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.try_request(method, params).expect("an answer")
    }

    /// `None`: the stream or its node has ended.
    pub(super) fn try_request(&mut self, method: &str, params: Value) -> Option<Value> {
        let message = self.client.message(method, params);
        let sent = self
            .client
            .post_to(&self.path, message.to_string().as_bytes());
        if sent.status != 202 {
            assert!([404, 503].contains(&sent.status), "{}", sent.status);
            return None;
        }
        self.answer(&message["id"])
    }

    /// Sends a request without waiting, and returns its id.
    pub(super) fn ask(&mut self, method: &str, params: Value) -> Value {
        let message = self.client.message(method, params);
        self.send(&message);
        message["id"].clone()
    }

    /// `None`: the stream has ended.
    pub(super) fn answer(&mut self, id: &Value) -> Option<Value> {
        loop {
            let event = self.events.next()?;
            assert_eq!(event.name.as_deref(), Some("message"), "{event:?}");
            let said = event.json();
            if said["id"] == *id {
                return Some(said);
            }
        }
    }

    pub(super) fn good(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        answer["result"]["structuredContent"].clone()
    }
}

#[test]
fn a_stream_carries_every_answer() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let mut stream = Stream::initialized(node.client());
    let tools = stream.request("tools/list", json!({}));
    assert_eq!(tools["result"]["tools"].as_array().map(Vec::len), Some(11));
    let first = stream.good("analyze_complexity", json!({}));
    let second = stream.good("analyze_dependencies", json!({}));
    assert!(first["context"]["session_id"].is_string(), "{first}");
    assert_eq!(
        first["context"]["session_id"],
        second["context"]["session_id"]
    );
}

#[test]
fn messages_that_cannot_be_forwarded_are_refused() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let stream = Stream::open(node.client());
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let post = |path: &str, body: &[u8]| stream.client.post_to(path, body).status;
    assert_eq!(post("/messages", ping), 400);
    assert_eq!(post("/messages?sessionId=nonsense", ping), 404);
    assert_eq!(
        post(
            "/messages?sessionId=con_00000000000000000000000000000000",
            ping
        ),
        404
    );
    assert_eq!(post(&stream.path, b"{"), 400);
    let text = stream.client.clone().with("content-type", "text/plain");
    assert_eq!(text.post_to(&stream.path, ping).status, 415);
    // A connection of Streamable HTTP has no such stream.
    let other = node.client().connected("2025-03-26");
    let (_, id) = &other.headers[0];
    assert_eq!(post(&format!("/messages?sessionId={id}"), ping), 404);
}

#[test]
fn a_client_that_leaves_is_forgotten() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    let Stream {
        client,
        path,
        events,
    } = Stream::initialized(node.client());
    drop(events);
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let started = std::time::Instant::now();
    // The server notices at its next write, or sooner.
    while client.post_to(&path, ping).status != 404 {
        assert!(
            started.elapsed() < crate::support::PATIENCE,
            "it is still known"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
