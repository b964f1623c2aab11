//! Resources, prompts and completions over HTTP: ownership, with and without connections.

use serde_json::{Value, json};

use super::principals::{bearing, serve};
use super::streamable::WITH_CONNECTIONS;
use crate::support::Project;
use crate::support::node::{Client, Node};

fn uri(context: &Value) -> String {
    let id = |name: &str| context[name].as_str().expect("kept").to_owned();
    format!(
        "analysis://sessions/{}/results/{}",
        id("session_id"),
        id("result_id")
    )
}

fn read(client: &mut Client, uri: &str) -> Value {
    client.request("resources/read", json!({"uri": uri}))
}

fn read_stateless(client: &Client, uri: &str) -> Value {
    let mut client = client.clone().with("mcp-name", uri);
    client
        .stateless("resources/read", json!({"uri": uri}))
        .message()
}

fn session_ids(client: &mut Client) -> Value {
    let params = json!({
        "ref": {"type": "ref/resource", "uri": "analysis://sessions/{session_id}"},
        "argument": {"name": "session_id", "value": "ses_"},
    });
    client.request("completion/complete", params)["result"]["completion"]["values"].clone()
}

#[test]
fn every_revision_lists_and_reads_its_results() {
    let project = Project::small();
    let node = Node::start(project.path(), &[]);
    for revision in WITH_CONNECTIONS {
        let mut client = node.client().connected(revision);
        let answer = client.good("analyze_complexity", json!({}));
        let wanted = uri(&answer["context"]);
        let listed = client.request("resources/list", json!({}));
        let result = &listed["result"];
        assert_eq!(result["resources"][0]["uri"], wanted, "{listed}");
        assert_eq!(
            result["ttlMs"],
            Value::Null,
            "{revision} knows no such field"
        );
        let text = read(&mut client, &wanted);
        let text = text["result"]["contents"][0]["text"]
            .as_str()
            .expect("text");
        assert!(text.contains("\"analyze_complexity\""), "{text}");
        let gone = read(&mut client, &format!("{wanted}0"));
        assert_eq!(gone["error"]["code"], -32002, "{gone}");
        // The same for a stateless client.
        let bare = read_stateless(&node.client(), &wanted);
        assert_eq!(bare["result"]["contents"][0]["text"], text, "{bare}");
        assert_eq!(bare["result"]["cacheScope"], "private");
        let gone = read_stateless(&node.client(), &format!("{wanted}0"));
        assert_eq!(gone["error"]["code"], -32602, "{gone}");
    }
    let listed = node.client().stateless("resources/list", json!({}));
    let listed = listed.message();
    assert_eq!(
        listed["result"]["resources"].as_array().map(Vec::len),
        Some(WITH_CONNECTIONS.len())
    );
    let params = json!({"notifications": {"toolsListChanged": true}});
    let refused = node.client().stateless("subscriptions/listen", params);
    assert_eq!(refused.message()["error"]["code"], -32601);
}

#[test]
fn data_of_others_is_not_listed_read_or_completed() {
    let project = Project::small();
    let (node, _folder) = serve(&project, "");
    let mut ann = bearing(&node, "ann").connected("2025-11-25");
    let mut ben = bearing(&node, "ben").connected("2025-11-25");
    let context = ann.good("analyze_complexity", json!({}))["context"].clone();
    let hers = uri(&context);
    assert!(read(&mut ann, &hers)["error"].is_null());
    assert_eq!(session_ids(&mut ann), json!([context["session_id"]]));

    assert_eq!(session_ids(&mut ben), json!([]));
    let listed = ben.request("resources/list", json!({}));
    assert_eq!(listed["result"]["resources"], json!([]), "{listed}");
    // Exactly the answer for a session that never existed.
    let session = context["session_id"].as_str().expect("kept");
    let missing = format!("ses_{}", "0".repeat(32));
    for wanted in [hers.clone(), format!("analysis://sessions/{session}")] {
        let refused = read(&mut ben, &wanted)["error"].clone();
        let unknown = read(&mut ben, &wanted.replace(session, &missing))["error"].clone();
        assert_eq!(refused["code"], -32002, "{refused}");
        let refused = refused.to_string().replace(session, &missing);
        assert_eq!(refused, unknown.to_string());
        let bare = read_stateless(&bearing(&node, "ben"), &wanted);
        assert_eq!(bare["error"]["code"], -32602, "{bare}");
    }
    let params = json!({
        "ref": {"type": "ref/prompt", "name": "review_change"},
        "argument": {"name": "baseline", "value": ""},
        "context": {"arguments": {"session_id": session}},
    });
    let found = ben.request("completion/complete", params);
    assert_eq!(found["result"]["completion"]["values"], json!([]));
}

#[test]
fn paths_are_completed_within_the_principals_own_roots() {
    let project = Project::small();
    let root = project.path().join("app");
    let config = format!("[principals.ann]\nroots = ['{}']\n", root.display());
    let (node, _folder) = serve(&project, &config);
    let complete = |name: &str, begun: &str| {
        let params = json!({
            "ref": {"type": "ref/prompt", "name": "find_hotspots"},
            "argument": {"name": "path", "value": begun},
        });
        let mut client = bearing(&node, name).connected("2025-11-25");
        client.request("completion/complete", params)["result"]["completion"]["values"].clone()
    };
    assert_eq!(complete("ann", "m"), json!(["main.py"]));
    assert_eq!(complete("ben", "app/m"), json!(["app/main.py"]));
    let absolute = format!("{}/", project.path().display());
    assert_eq!(
        complete("ann", &absolute),
        json!([]),
        "it is above her root"
    );
    assert_ne!(complete("ben", &absolute), json!([]));
}

#[test]
fn too_many_requests_get_a_retry_time() {
    let project = Project::small();
    let (node, _folder) = serve(&project, "[principals.ben]\nrate = 1\n");
    let mut ben = bearing(&node, "ben").connected("2025-11-25");
    let refused = (0..50)
        .map(|_| ben.request("resources/list", json!({})))
        .find(|answer| answer["error"].is_object());
    let error = refused.expect("a refusal")["error"].clone();
    assert_eq!(error["data"]["reason"], "rate_limited", "{error}");
    assert!(
        error["data"]["retry_after_ms"].as_u64() > Some(0),
        "{error}"
    );
}
