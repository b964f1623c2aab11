//! The protocol's official inspector, through its command line: one process per request.

use std::collections::HashMap;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::{node, packages};
use crate::support::node::Node;
use crate::support::{Project, foreign, skip};

const PLAN: &str = include_str!("plan.json");
const LAUNCHER: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// Its folder, and the Node that runs it.
struct Inspector {
    home: TempDir,
    node: std::path::PathBuf,
}

impl Inspector {
    /// `None` if it is not installed.
    fn new() -> Option<Self> {
        let installed = packages().join(LAUNCHER).exists();
        let Some(node) = node().filter(|_| installed) else {
            skip("the inspector `@modelcontextprotocol/inspector`");
            return None;
        };
        let home = TempDir::new().expect("a folder");
        Some(Self { home, node })
    }

    fn run(&self, target: &[&str], arguments: &[&str]) -> Output {
        let mut inspector = Command::new(&self.node);
        inspector
            .arg(packages().join(LAUNCHER))
            .arg("--cli")
            .args(target)
            .args(arguments)
            .env("HOME", self.home.path());
        foreign(&mut inspector)
    }

    fn json(&self, target: &[&str], arguments: &[&str]) -> Value {
        let output = self.run(target, arguments);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaints}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["tools"].as_array().expect("tools");
    tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

/// Arguments of the plan, with ids from earlier answers.
fn filled(arguments: &Value, kept: &HashMap<String, Value>) -> Value {
    let filled = arguments.as_object().expect("arguments").iter();
    filled
        .map(|(name, value)| {
            let given = value.as_str().and_then(|value| kept.get(value));
            (name.clone(), given.unwrap_or(value).clone())
        })
        .collect()
}

#[test]
fn the_inspector_accepts_the_schemas_and_calls_every_tool() {
    let Some(inspector) = Inspector::new() else {
        return;
    };
    let project = Project::small();
    let server = Node::start(project.path(), &[]);
    let url = format!("http://{}/mcp", server.http);
    let strict = ["--method", "tools/list", "--strict"];
    let listed = inspector.json(&[&url], &strict);
    let plan: Vec<Value> = serde_json::from_str(PLAN).expect("a plan");
    let (mut called, mut kept) = (Vec::new(), HashMap::new());
    for step in &plan {
        let tool = step["tool"].as_str().expect("a tool");
        let arguments = filled(&step["arguments"], &kept).to_string();
        // Every transport finds the session again.
        let era = ["legacy", "modern"][called.len() % 2];
        let call = [
            "--method",
            "tools/call",
            "--tool-name",
            tool,
            "--tool-args-json",
        ];
        let call = [&call[..], &[&arguments, "--protocol-era", era]].concat();
        let answer = inspector.json(&[&url], &call);
        assert_eq!(answer["isError"], false, "{tool}: {answer}");
        for (name, path) in step["keep"].as_object().into_iter().flatten() {
            let path = path.as_array().expect("a path").iter();
            let value = path.fold(&answer["structuredContent"], |value, part| {
                &value[part.as_str().expect("a name")]
            });
            assert!(value.is_string(), "{tool} gave no {name}: {answer}");
            kept.insert(name.clone(), value.clone());
        }
        called.push(tool);
    }
    let mut wanted = names(&listed);
    wanted.sort_unstable();
    called.sort_unstable();
    assert_eq!(called, wanted);
}

#[test]
fn the_inspector_reads_the_same_list_over_every_transport() {
    let Some(inspector) = Inspector::new() else {
        return;
    };
    let project = Project::small();
    let server = Node::start(project.path(), &[]);
    let list = ["--method", "tools/list"];
    let http = inspector.json(&[&format!("http://{}/mcp", server.http)], &list);
    let sse = inspector.json(&[&format!("http://{}/sse", server.http)], &list);
    assert_eq!(names(&http).len(), 11);
    assert_eq!(http, sse);
    let root = project.path().to_str().expect("a plain name");
    let stdio = inspector.json(&[super::SERVER, "serve", "--root", root], &list);
    assert_eq!(http, stdio);
}
