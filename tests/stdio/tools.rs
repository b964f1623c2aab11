//! The catalogue in `tools/list`, and the answers of every tool.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{Project, Server};

const TOOLS: [&str; 11] = [
    "analyze_complexity",
    "analyze_dependencies",
    "analyze_structure",
    "compare_results",
    "run_batch",
    "create_session",
    "get_session",
    "list_sessions",
    "close_session",
    "find_tools",
    "get_server_status",
];
/// The part of the list that an agent pays for on every turn, in tokens of four bytes.
const TOKENS: usize = 2400;
/// The complete list, with output schemas and annotations.
const LIST_BYTES: usize = 24_000;

fn listed(server: &mut Server) -> Vec<Value> {
    let answer = server.request("tools/list", json!({}));
    answer["result"]["tools"].as_array().expect("tools").clone()
}

#[test]
fn the_list_is_the_same_for_everybody_and_small() {
    let project = Project::small();
    let tools = listed(&mut Server::initialized(project.path()));
    let names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("named"))
        .collect();
    assert_eq!(names, TOOLS);
    let again = listed(&mut Server::initialized(Project::empty().path()));
    assert_eq!(tools, again);
    let paid: Vec<_> = tools
        .iter()
        .map(|tool| {
            json!([
                tool["name"],
                tool["title"],
                tool["description"],
                tool["inputSchema"]
            ])
        })
        .collect();
    let tokens = json!(paid).to_string().len() / 4;
    assert!(tokens <= TOKENS, "{tokens} tokens");
    let bytes = json!(tools).to_string().len();
    assert!(bytes <= LIST_BYTES, "{bytes} bytes");
}

#[test]
fn every_tool_has_its_annotations() {
    let tools = listed(&mut Server::initialized(Project::empty().path()));
    for tool in tools {
        let name = &tool["name"];
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}");
            assert!(
                jsonschema::draft202012::meta::is_valid(&tool[schema]),
                "{name} {schema}"
            );
        }
        for hint in [
            "readOnlyHint",
            "idempotentHint",
            "destructiveHint",
            "openWorldHint",
        ] {
            assert!(tool["annotations"][hint].is_boolean(), "{name} {hint}");
        }
        for key in ["category", "tags", "stability", "version"] {
            assert!(
                tool["_meta"].get(key).is_some(),
                "{name} {key}: {}",
                tool["_meta"]
            );
        }
    }
}

/// A client that checks every answer of every tool against the schema that the tool publishes.
struct Checked {
    server: Server,
    schemas: Vec<(String, Validator)>,
}

impl Checked {
    fn new(project: &Project) -> Self {
        let mut server = Server::initialized(project.path());
        let schemas = listed(&mut server)
            .into_iter()
            .map(|tool| {
                let validator = jsonschema::draft202012::new(&tool["outputSchema"]);
                let name = tool["name"].as_str().expect("named").to_owned();
                (name, validator.expect("a schema"))
            })
            .collect();
        Self { server, schemas }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.server.call(tool, arguments.clone());
        let envelope = &result["structuredContent"];
        let (_, schema) = self
            .schemas
            .iter()
            .find(|(name, _)| name == tool)
            .expect("listed");
        let wrong: Vec<_> = schema
            .iter_errors(envelope)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{tool} {arguments}: {}", wrong.join("\n"));
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(!text.is_empty());
        assert_eq!(
            result["isError"] == true,
            envelope["status"]["success"] == false
        );
        let metadata = &result["_meta"]["metadata"];
        assert_eq!(metadata["tool"], tool);
        // Only a full answer has it in its structure.
        let is_full = arguments["detail"] == "full";
        assert_eq!(envelope.get("metadata").is_some(), is_full, "{envelope}");
        envelope.clone()
    }

    fn good(&mut self, tool: &str, arguments: Value) -> Value {
        let envelope = self.call(tool, arguments.clone());
        assert_eq!(
            envelope["status"]["success"], true,
            "{tool} {arguments}: {}",
            envelope["status"]
        );
        envelope
    }

    fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let envelope = self.call(tool, arguments.clone());
        assert_eq!(envelope["status"]["success"], false, "{tool} {arguments}");
        for key in ["code", "reason", "message", "recovery"] {
            assert!(
                envelope["status"][key].is_string(),
                "{tool} {arguments}: {key}"
            );
        }
        envelope["status"].clone()
    }
}

#[test]
fn every_answer_is_valid_under_its_schema() {
    let project = Project::small();
    let mut client = Checked::new(&project);
    let session =
        client.good("create_session", json!({"label": "test"}))["data"]["session_id"].clone();
    assert!(session.is_string());
    let in_session = json!({"session_id": session});
    for level in ["summary", "files", "functions"] {
        client.good(
            "analyze_complexity",
            json!({"session_id": session, "level": level}),
        );
    }
    let baseline =
        client.good("analyze_complexity", in_session.clone())["context"]["result_id"].clone();
    client.good("analyze_structure", in_session.clone());
    for granularity in ["file", "directory", "package"] {
        for format in ["json", "mermaid", "dot"] {
            client.good(
                "analyze_dependencies",
                json!({"session_id": session, "granularity": granularity, "format": format}),
            );
        }
    }
    project.write("app/main.py", b"def busy():\n    return 1\n");
    let compared = client.good(
        "compare_results",
        json!({"session_id": session, "baseline": baseline}),
    );
    assert!(!compared["data"].is_null());
    let batch = json!({"session_id": session, "calls": [
        {"tool": "analyze_complexity", "arguments": {}},
        {"tool": "analyze_structure", "arguments": {"path": "no/such/file"}},
    ]});
    client.good("run_batch", batch);
    for tool in [
        "analyze_complexity",
        "analyze_dependencies",
        "analyze_structure",
        "get_session",
    ] {
        client.good(tool, json!({"session_id": session, "detail": "full"}));
    }
    let compared = json!({"session_id": session, "baseline": baseline, "detail": "full"});
    client.good("compare_results", compared);
    for tool in ["get_server_status", "find_tools"] {
        client.good(tool, json!({"detail": "full"}));
    }
    client.refused(
        "analyze_complexity",
        json!({"detail": "full", "path": "no/such"}),
    );
    client.good("get_session", in_session.clone());
    client.good("list_sessions", json!({}));
    for arguments in [
        json!({}),
        json!({"query": "cycles"}),
        json!({"name": "run_batch"}),
    ] {
        client.good("find_tools", arguments);
    }
    client.good("get_server_status", json!({}));
    client.good("close_session", in_session);
}

/// The content of an answer, without the fields that differ between calls.
fn found(client: &mut Checked, tool: &str, arguments: Value) -> Value {
    client.good(tool, arguments)["data"].clone()
}

#[test]
fn arguments_are_accepted_in_all_forms_of_clients() {
    let project = Project::small();
    let mut client = Checked::new(&project);
    let plain = found(&mut client, "analyze_complexity", json!({}));
    let tools = listed(&mut Server::initialized(project.path()));
    for tool in &tools {
        // In strict modes every argument is required and nullable, and clients send all of them.
        let schema = &tool["inputSchema"];
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let names = schema["properties"].as_object().expect("arguments").keys();
        let filled: serde_json::Map<_, _> = names
            .filter(|name| !required.contains(&json!(name)))
            .map(|name| (name.clone(), Value::Null))
            .collect();
        if tool["name"] == "analyze_complexity" {
            let answer = found(&mut client, "analyze_complexity", filled.clone().into());
            assert_eq!(answer, plain);
            let calls = json!([{"tool": "analyze_complexity", "arguments": filled},
                {"tool": "analyze_complexity", "arguments": null}]);
            for calls in [json!(calls.to_string()), calls] {
                let batch = found(&mut client, "run_batch", json!({"calls": calls}));
                assert_eq!(batch["succeeded"], 2, "{batch}");
            }
        } else if required.is_empty() && tool["name"] != "close_session" {
            client.good(tool["name"].as_str().expect("a name"), filled.into());
        }
    }
    let python = found(
        &mut client,
        "analyze_complexity",
        json!({"languages": ["python"], "limit": 1}),
    );
    for languages in [json!("[\"python\"]"), json!("python")] {
        let sent = json!({"languages": languages, "limit": "1", "cursor": "", "session_id": ""});
        assert_eq!(found(&mut client, "analyze_complexity", sent), python);
    }
    for wrong in [
        json!({"limit": "many"}),
        json!({"languages": "python,go"}),
        json!({"no_such": null}),
    ] {
        client.refused("analyze_complexity", wrong);
    }
    let batch = json!({"calls": [{"tool": "close_session", "arguments": {"session_id": "ses_x"}}]});
    let batch = client.good("run_batch", batch);
    let refused = &batch["data"]["answers"][0]["status"]["reason"];
    assert_eq!(refused, "not_in_batch");
}

#[test]
fn a_refusal_is_a_result_with_advice() {
    let project = Project::small();
    let mut client = Checked::new(&project);
    for tool in TOOLS {
        let status = client.refused(tool, json!({"no_such_argument": 1}));
        assert_eq!(
            (&status["code"], &status["reason"]),
            (&json!("INVALID_ARGUMENT"), &json!("unknown_argument")),
            "{tool}"
        );
    }
    let status = client.refused("analyze_complexity", json!({"sort_bye": "cyclomatic"}));
    assert!(
        status["message"]
            .as_str()
            .expect("said")
            .contains("sort_by"),
        "{status}"
    );
    let status = client.refused("analyze_complexity", json!({"limit": 0}));
    assert_eq!(status["code"], "INVALID_ARGUMENT");
    let status = client.refused("analyze_complexity", json!("not an object"));
    assert_eq!(status["code"], "INVALID_ARGUMENT");
    for outside in ["../", "/etc/passwd", "app/../../x"] {
        let status = client.refused("analyze_structure", json!({"path": outside}));
        assert_eq!(status["code"], "PERMISSION_DENIED", "{outside}: {status}");
    }
    let unknown = "ses_00000000000000000000000000000000";
    for tool in ["get_session", "close_session", "analyze_complexity"] {
        let status = client.refused(tool, json!({"session_id": unknown}));
        assert_eq!(status["code"], "NOT_FOUND", "{tool}: {status}");
    }
}

#[test]
fn pages_join_up_to_the_whole() {
    let project = Project::small();
    let mut client = Checked::new(&project);
    let whole = client.good("analyze_structure", json!({"limit": 1000}));
    let names = |envelope: &Value| -> Vec<Value> {
        let files = envelope["data"]["files"].as_array().expect("files");
        let symbols = files.iter().flat_map(|file| {
            let symbols = file["symbols"].as_array().expect("symbols").iter();
            symbols
                .map(|symbol| json!([file["path"], symbol["qualified_name"], symbol["start_line"]]))
        });
        symbols.collect()
    };
    let mut joined = Vec::new();
    let mut arguments = json!({"limit": 3});
    loop {
        let page = client.good("analyze_structure", arguments.clone());
        assert!(names(&page).len() <= 3);
        joined.extend(names(&page));
        match page["page"]["next_cursor"].as_str() {
            Some(cursor) => arguments["cursor"] = json!(cursor),
            None => break,
        }
        assert!(joined.len() < 1000, "pages without end");
    }
    assert_eq!(joined, names(&whole));
    assert_eq!(whole["page"]["total"], json!(joined.len()));
}
