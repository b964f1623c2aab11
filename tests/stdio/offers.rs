//! Resources, prompts and completions, as clients of every revision see them.

use std::path::Path;

use serde_json::{Value, json};

use super::REVISIONS;
use crate::support::server::STATELESS;
use crate::support::{Project, Server};

const RESULT: &str = "analysis://sessions/{session_id}/results/{result_id}";
const SESSION: &str = "analysis://sessions/{session_id}";

/// A client of one revision.
struct Client {
    server: Server,
    revision: &'static str,
}

impl Client {
    fn start(root: &Path, revision: &'static str) -> Self {
        let mut server = Server::start(root);
        if revision != STATELESS {
            server.initialize(revision);
        }
        Self { server, revision }
    }

    /// One client of each revision, each with its own process.
    fn of_each(root: &Path) -> impl Iterator<Item = Self> {
        let revisions = REVISIONS.into_iter().chain([STATELESS]);
        revisions.map(move |revision| Self::start(root, revision))
    }

    fn is_stateless(&self) -> bool {
        self.revision == STATELESS
    }

    fn ask(&mut self, method: &str, mut params: Value) -> Value {
        if self.is_stateless() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        self.server.request(method, params)
    }

    fn good(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(
            answer["error"].is_null(),
            "{} {method}: {answer}",
            self.revision
        );
        answer["result"].clone()
    }

    fn bad(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(
            answer["error"].is_object(),
            "{} {method}: {answer}",
            self.revision
        );
        answer["error"].clone()
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.good("tools/call", json!({"name": tool, "arguments": arguments}));
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].clone()
    }

    fn session(&mut self) -> Value {
        self.call("create_session", json!({}))["data"]["session_id"].clone()
    }

    /// `(session_id, result_id, data)` of a stored analysis.
    fn result(&mut self, session: &Value) -> (String, String, Value) {
        let arguments = json!({"session_id": session, "path": "app", "detail": "full"});
        let answer = self.call("analyze_structure", arguments);
        let id = |name: &str| answer["context"][name].as_str().expect("kept").to_owned();
        (id("session_id"), id("result_id"), answer["data"].clone())
    }

    fn complete(&mut self, reference: Value, name: &str, value: &str, context: Value) -> Value {
        let params = json!({
            "ref": reference,
            "argument": {"name": name, "value": value},
            "context": {"arguments": context},
        });
        self.good("completion/complete", params)["completion"].clone()
    }
}

fn uri(session: &str, result: &str) -> String {
    RESULT
        .replace("{session_id}", session)
        .replace("{result_id}", result)
}

fn prompt(name: &str) -> Value {
    json!({"type": "ref/prompt", "name": name})
}

fn template(uri: &str) -> Value {
    json!({"type": "ref/resource", "uri": uri})
}

/// The error code for a missing resource: invalid parameters since 2026-07-28, a separate code before.
fn not_found(client: &Client) -> i64 {
    if client.is_stateless() {
        -32602
    } else {
        -32002
    }
}

#[test]
fn a_stored_result_is_listed_and_read_unchanged() {
    let project = Project::small();
    for mut client in Client::of_each(project.path()) {
        let session = client.session();
        let (session_id, first, _) = client.result(&session);
        let (_, second, data) = client.result(&session);
        let listed = client.good("resources/list", json!({}));
        let resources = listed["resources"].as_array().expect("a list");
        let uris: Vec<_> = resources
            .iter()
            .map(|resource| resource["uri"].clone())
            .collect();
        assert_eq!(uris.len(), 2, "{listed}");
        assert!(uris.contains(&json!(uri(&session_id, &first))), "{uris:?}");
        assert!(uris.contains(&json!(uri(&session_id, &second))), "{uris:?}");
        assert_eq!(resources[0]["mimeType"], "application/json");
        assert_eq!(resources[0]["title"], "analyze_structure of app");

        let wanted = uri(&session_id, &second);
        let read = client.good("resources/read", json!({"uri": wanted}));
        let contents = &read["contents"][0];
        assert_eq!(
            (&contents["uri"], &contents["mimeType"]),
            (&json!(wanted), &json!("application/json"))
        );
        let whole: Value =
            serde_json::from_str(contents["text"].as_str().expect("text")).expect("JSON");
        assert_eq!(whole["result_id"], second);
        assert_eq!(whole["tool"], "analyze_structure");
        assert_eq!(whole["arguments"]["path"], "app");
        assert_eq!(whole["data"]["symbols"], data["symbols"]);
        assert!(
            data["symbols"]
                .as_array()
                .is_some_and(|symbols| symbols.len() == 3),
            "{data}"
        );

        let read = client.good(
            "resources/read",
            json!({"uri": SESSION.replace("{session_id}", &session_id)}),
        );
        let text = read["contents"][0]["text"].as_str().expect("text");
        let history: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(history["session_id"], session_id);
        assert_eq!(history["history"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn a_connection_lists_its_results_without_a_session_id() {
    let project = Project::small();
    let mut client = Client::start(project.path(), "2025-11-25");
    let context = client.call("analyze_complexity", json!({}))["context"].clone();
    let listed = client.good("resources/list", json!({}));
    let id = |name: &str| context[name].as_str().expect("kept");
    assert_eq!(
        listed["resources"][0]["uri"],
        uri(id("session_id"), id("result_id"))
    );
}

#[test]
fn pages_list_each_result_once_newest_first() {
    let project = Project::small();
    let mut client = Client::start(project.path(), "2025-11-25");
    let sessions = [client.session(), client.session()];
    let mut made = Vec::new();
    for at in 0..60 {
        let (session, result, _) = client.result(&sessions[at % 2]);
        made.push(uri(&session, &result));
    }
    let (mut seen, mut params) = (Vec::new(), json!({}));
    let mut pages = 0;
    loop {
        let page = client.good("resources/list", params);
        let rows = page["resources"].as_array().expect("a list");
        seen.extend(
            rows.iter()
                .map(|row| row["uri"].as_str().expect("text").to_owned()),
        );
        pages += 1;
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        if pages == 1 {
            // New results do not shift the pages.
            client.result(&sessions[0]);
        }
        params = json!({"cursor": cursor});
    }
    assert_eq!(pages, 2);
    let (mut all, mut listed) = (made.clone(), seen.clone());
    all.sort();
    listed.sort();
    assert_eq!(listed, all);
    assert!(
        seen[..10].iter().all(|uri| made[40..].contains(uri)),
        "newest first"
    );
    for cursor in ["x", "", "AAAA"] {
        let error = client.bad("resources/list", json!({"cursor": cursor}));
        assert_eq!(error["code"], -32602, "{error}");
        assert_eq!(error["data"]["reason"], "invalid_cursor");
    }
}

#[test]
fn missing_resources_are_not_found_with_advice() {
    let project = Project::small();
    let unknown = format!("res_{}", "0".repeat(32));
    let missing = format!("ses_{}", "0".repeat(32));
    for mut client in Client::of_each(project.path()) {
        let session = client.session();
        let (session, result, _) = client.result(&session);
        for (uri, reason) in [
            (uri(&session, &unknown), "unknown_result"),
            (uri(&missing, &result), "unknown_session"),
            (uri("x", &result), "invalid_session_id"),
            (uri(&session, "x"), "invalid_result_id"),
            (SESSION.replace("{session_id}", &missing), "unknown_session"),
            ("file:///etc/passwd".to_owned(), "unknown_resource"),
            (
                format!("{}/../../x", uri(&session, &result)),
                "unknown_resource",
            ),
        ] {
            let error = client.bad("resources/read", json!({"uri": uri}));
            assert_eq!(error["code"], not_found(&client), "{uri}: {error}");
            assert_eq!(error["data"]["reason"], reason, "{uri}: {error}");
            assert!(error["message"].as_str().expect("said").len() > 30);
        }
        client.call("close_session", json!({"session_id": session}));
        let error = client.bad("resources/read", json!({"uri": uri(&session, &result)}));
        assert_eq!(error["code"], not_found(&client));
        assert_eq!(client.bad("resources/read", json!({}))["code"], -32602);
    }
}

#[test]
fn the_readme_names_resources_and_prompts() {
    let project = Project::empty();
    let mut client = Client::start(project.path(), STATELESS);
    let readme = include_str!("../../README.md");
    let prompts = client.good("prompts/list", json!({}))["prompts"].clone();
    let templates = client.good("resources/templates/list", json!({}));
    let templates = templates["resourceTemplates"].as_array().expect("a list");
    let names = prompts
        .as_array()
        .expect("a list")
        .iter()
        .map(|prompt| &prompt["name"]);
    for name in names.chain(templates.iter().map(|template| &template["uriTemplate"])) {
        let quoted = format!("`{}`", name.as_str().expect("a text"));
        assert!(readme.contains(&quoted), "{quoted}");
    }
}

#[test]
fn prompts_are_listed_and_filled_in() {
    let project = Project::empty();
    for mut client in Client::of_each(project.path()) {
        let listed = client.good("prompts/list", json!({}));
        let prompts = listed["prompts"].as_array().expect("a list");
        let names: Vec<_> = prompts
            .iter()
            .map(|prompt| prompt["name"].clone())
            .collect();
        assert_eq!(names, ["find_hotspots", "review_change", "untangle_cycles"]);
        let params = json!({"name": "find_hotspots", "arguments": {"path": "src/my \"app\""}});
        let got = client.good("prompts/get", params);
        assert_eq!(got["messages"][0]["role"], "user");
        let text = got["messages"][0]["content"]["text"]
            .as_str()
            .expect("text");
        assert!(text.contains(r#"path="src/my \"app\"""#), "{text}");
        for (params, about) in [
            (json!({"name": "find_hotspot"}), "find_hotspots"),
            (
                json!({"name": "find_hotspots", "arguments": {"pat": "x"}}),
                "\"pat\"",
            ),
            (
                json!({"name": "review_change", "arguments": {}}),
                "\"session_id\"",
            ),
            (json!({}), "name"),
        ] {
            let error = client.bad("prompts/get", params);
            assert_eq!(error["code"], -32602, "{error}");
            assert!(
                error["message"].as_str().expect("said").contains(about),
                "{error}"
            );
        }
    }
}

#[test]
fn ids_and_paths_are_completed() {
    let project = Project::small();
    for mut client in Client::of_each(project.path()) {
        let session = client.session();
        let (session, result, _) = client.result(&session);
        let found = client.complete(template(RESULT), "session_id", &session[..8], json!({}));
        assert_eq!(
            found,
            json!({"values": [session], "total": 1, "hasMore": false})
        );
        let context = json!({"session_id": session});
        for (reference, name) in [
            (template(RESULT), "result_id"),
            (prompt("review_change"), "baseline"),
        ] {
            let found = client.complete(reference, name, "res_", context.clone());
            assert_eq!(
                found,
                json!({"values": [result], "total": 1, "hasMore": false})
            );
        }
        let found = client.complete(template(SESSION), "session_id", "ses_x", json!({}));
        assert_eq!(found, json!({"values": [], "total": 0, "hasMore": false}));
        let found = client.complete(prompt("find_hotspots"), "path", "a", json!({}));
        assert_eq!(
            found,
            json!({"values": ["app/"], "total": 1, "hasMore": false})
        );
        for outside in ["../", "/etc/", "app/../../"] {
            let found = client.complete(prompt("untangle_cycles"), "path", outside, json!({}));
            assert_eq!(found["values"], json!([]), "{outside}");
        }
        for (reference, name) in [
            (prompt("nothing"), "path"),
            (prompt("find_hotspots"), "nothing"),
            (template("file:///{path}"), "path"),
            (template(SESSION), "result_id"),
            (json!({"type": "ref/other"}), "path"),
        ] {
            let params = json!({"ref": reference, "argument": {"name": name, "value": ""}});
            let error = client.bad("completion/complete", params);
            assert_eq!(error["code"], -32602, "{error}");
        }
    }
}

#[test]
fn only_the_newest_revision_gets_caching_hints() {
    let project = Project::small();
    for mut client in Client::of_each(project.path()) {
        let session = client.session();
        let (session, result, _) = client.result(&session);
        for (method, params, scope, at_least) in [
            ("tools/list", json!({}), "public", 60_000),
            ("prompts/list", json!({}), "public", 60_000),
            ("resources/templates/list", json!({}), "public", 60_000),
            ("resources/list", json!({}), "private", 1),
            (
                "resources/read",
                json!({"uri": uri(&session, &result)}),
                "private",
                1,
            ),
        ] {
            let got = client.good(method, params);
            if client.is_stateless() {
                assert_eq!(got["cacheScope"], scope, "{method}");
                assert!(
                    got["ttlMs"].as_u64().expect("a number") >= at_least,
                    "{method}"
                );
                assert_eq!(got["resultType"], "complete");
            } else {
                let told = ["cacheScope", "ttlMs", "resultType"].map(|name| got[name].is_null());
                assert_eq!(told, [true; 3], "{} {method}: {got}", client.revision);
            }
        }
    }
    let mut client = Client::start(project.path(), STATELESS);
    let told = client.good("server/discover", json!({}));
    assert_eq!(told["cacheScope"], "public");
    assert_eq!(
        told["capabilities"],
        json!({"completions": {}, "prompts": {}, "resources": {}, "tools": {}})
    );
    let error = client.bad(
        "subscriptions/listen",
        json!({"notifications": {"toolsListChanged": true}}),
    );
    assert_eq!(error["code"], -32601, "there are no change notifications");
}
