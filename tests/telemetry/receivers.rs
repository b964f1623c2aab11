//! Receivers of OTLP from a package index: `oteltap` shows what arrives, `trace-view` stores spans in SQLite, `rotel` speaks
//! gRPC. Each listens on a port of its own, and ends with the test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{PATIENCE, clients_folder, program, skip};
use crate::tidy::root as root_folder;

/// How often a receiver is started that loses its port.
const TRIES: usize = 5;
/// A trace is whole when nothing has arrived for so long.
const SETTLED_AFTER: Duration = Duration::from_millis(700);
/// How soon batches are sent: the standard's default is seconds.
const SENT_AFTER_MS: &str = "50";

/// The variables that make the program export to that port of this machine.
pub(super) fn variables(port: u16, protocol: &str) -> Vec<(String, String)> {
    let scheme_and_port = format!("http://127.0.0.1:{port}");
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", scheme_and_port.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_BSP_SCHEDULE_DELAY", SENT_AFTER_MS),
        ("OTEL_BLRP_SCHEDULE_DELAY", SENT_AFTER_MS),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The program with these variables.
pub(super) fn exporting(variables: &[(String, String)]) -> Command {
    let mut command = program();
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn tool(name: &str) -> Option<PathBuf> {
    let path = clients_folder().join("venv/bin").join(name);
    if !path.exists() {
        skip(name);
        return None;
    }
    Some(path)
}

/// A child that is ended with its owner.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listens(port: u16) {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < PATIENCE, "nothing listens on {port}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Shows each span, metric and log record as a line of JSON.
pub(super) struct Tap {
    pub(super) port: u16,
    lines: Arc<Mutex<Vec<Value>>>,
    _child: Ended,
}

/// A span as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    /// Empty at a root.
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) events: Vec<String>,
    /// Ids of spans.
    pub(super) links: Vec<String>,
    /// SERVER is 2, CLIENT 3.
    pub(super) kind: u64,
    pub(super) is_error: bool,
}

impl Tap {
    pub(super) fn start() -> Option<Self> {
        let port = free_port();
        let mut child = Command::new(tool("oteltap")?)
            .args(["--port", &port.to_string()])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("oteltap starts");
        let stdout = child.stdout.take().expect("piped");
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line) {
                    kept.lock().expect("lines").push(value);
                }
            }
        });
        listens(port);
        Some(Self {
            port,
            lines,
            _child: Ended(child),
        })
    }

    pub(super) fn variables(&self) -> Vec<(String, String)> {
        variables(self.port, "http/protobuf")
    }

    fn all(&self) -> Vec<Value> {
        self.lines.lock().expect("lines").clone()
    }

    /// Everything that is a span.
    pub(super) fn spans(&self) -> Vec<Span> {
        self.all().iter().filter_map(span).collect()
    }

    /// Names of the metrics that arrived.
    pub(super) fn metrics(&self) -> BTreeSet<String> {
        let is_metric = |line: &&Value| {
            ["histogram", "sum", "gauge"]
                .iter()
                .any(|kind| line.get(kind).is_some())
        };
        let all = self.all();
        let metrics = all.iter().filter(is_metric);
        metrics
            .filter_map(|line| Some(line["name"].as_str()?.to_owned()))
            .collect()
    }

    /// Log records: body, and the trace.
    pub(super) fn logs(&self) -> Vec<(String, String)> {
        let all = self.all();
        let records = all.iter().filter(|line| line.get("body").is_some());
        records
            .map(|line| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&line["body"]["stringValue"]), text(&line["traceId"]))
            })
            .collect()
    }

    /// Waits until the spans satisfy `enough`, and returns them.
    pub(super) fn until(&self, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let started = Instant::now();
        loop {
            let spans = self.spans();
            if enough(&spans) {
                return spans;
            }
            assert!(started.elapsed() < PATIENCE, "{}", drawn(&spans));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The whole trace whose root has arrived, with that name.
    pub(super) fn trace_of(&self, root: &str) -> Vec<Span> {
        let of = |spans: &[Span]| {
            let root = spans.iter().find(|span| span.name == root)?;
            Some(root.trace.clone())
        };
        let spans = self.until(|spans| of(spans).is_some());
        let trace = of(&spans).expect("just seen");
        // The receiver handles batches at the same time, so a child may be printed after its parent.
        let mut spans = self.spans();
        loop {
            thread::sleep(SETTLED_AFTER);
            let now = self.spans();
            if std::mem::replace(&mut spans, now).len() == spans.len() {
                break;
            }
        }
        spans.retain(|span| span.trace == trace);
        spans
    }
}

fn span(line: &Value) -> Option<Span> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = line.get("spanId")?;
    line.get("startTimeUnixNano")?;
    let list = |name: &str| line[name].as_array().cloned().unwrap_or_default();
    let attributes = list("attributes").into_iter().map(|pair| {
        let value = pair["value"]
            .as_object()
            .and_then(|value| value.values().next());
        let value = value.map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        (text(&pair["key"]), value.unwrap_or_default())
    });
    Some(Span {
        trace: text(&line["traceId"]),
        id: text(id),
        parent: text(&line["parentSpanId"]),
        name: text(&line["name"]),
        attributes: attributes.collect(),
        events: list("events")
            .iter()
            .map(|event| text(&event["name"]))
            .collect(),
        links: list("links")
            .iter()
            .map(|link| text(&link["spanId"]))
            .collect(),
        kind: line["kind"].as_u64().unwrap_or_default(),
        is_error: line["status"]["code"] == 2,
    })
}

/// For the messages of assertions.
pub(super) fn drawn(spans: &[Span]) -> String {
    fn below(spans: &[Span], parent: &str, depth: usize, text: &mut String) {
        for span in spans.iter().filter(|span| span.parent == parent) {
            *text += &format!(
                "{}{} {:?}\n",
                "  ".repeat(depth),
                span.name,
                span.attributes
            );
            below(spans, &span.id, depth + 1, text);
        }
    }
    let mut text = String::new();
    let ids: BTreeSet<_> = spans.iter().map(|span| span.id.as_str()).collect();
    let tops: BTreeSet<_> = spans
        .iter()
        .map(|span| span.parent.as_str())
        .filter(|parent| !ids.contains(parent))
        .collect();
    for top in tops {
        text += &format!("below {top:?}:\n");
        below(spans, top, 1, &mut text);
    }
    text
}

/// The only span without a parent among `spans`. Every other one has its parent there too.
pub(super) fn root(spans: &[Span]) -> &Span {
    let ids: BTreeSet<_> = spans.iter().map(|span| span.id.as_str()).collect();
    let roots: Vec<_> = spans
        .iter()
        .filter(|span| !ids.contains(span.parent.as_str()))
        .collect();
    assert_eq!(roots.len(), 1, "{}", drawn(spans));
    roots[0]
}

/// The spans with that name, in order of arrival.
pub(super) fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The one span with that name.
pub(super) fn only<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found = named(spans, name);
    assert_eq!(found.len(), 1, "{name}:\n{}", drawn(spans));
    found[0]
}

/// The names from the root down to `span`.
pub(super) fn path(spans: &[Span], span: &Span) -> Vec<String> {
    let mut names = vec![span.name.clone()];
    let mut at = span;
    while let Some(parent) = spans.iter().find(|other| other.id == at.parent) {
        names.push(parent.name.clone());
        at = parent;
    }
    names.reverse();
    names
}

/// Keeps spans in SQLite.
pub(super) struct Store {
    pub(super) port: u16,
    folder: tempfile::TempDir,
    _child: Ended,
}

impl Store {
    pub(super) fn start() -> Option<Self> {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let child = Command::new(tool("tv")?)
            .args(["--port", &port.to_string(), "--db"])
            .arg(folder.path().join("spans.db"))
            .arg("serve")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("trace-view starts");
        listens(port);
        Some(Self {
            port,
            folder,
            _child: Ended(child),
        })
    }

    /// The number that a query returns.
    pub(super) fn count(&self, query: &str) -> u64 {
        let script = "import sqlite3, sys\nprint(sqlite3.connect(sys.argv[1], timeout=30).execute(sys.argv[2]).fetchone()[0])";
        let output = Command::new(clients_folder().join("venv/bin/python"))
            .args(["-c", script])
            .arg(self.folder.path().join("spans.db"))
            .arg(query)
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let number = said.trim().parse();
        number.unwrap_or_else(|_| panic!("{query}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Speaks gRPC, and prints the spans that it takes.
pub(super) struct Rotel {
    pub(super) port: u16,
    log: Arc<Mutex<String>>,
    _folder: tempfile::TempDir,
    _child: Ended,
}

impl Rotel {
    pub(super) fn start() -> Option<Self> {
        tool("python")?;
        let script =
            "import rotel, pathlib\nprint(pathlib.Path(rotel.__file__).parent / 'rotel-agent')";
        let output = Command::new(clients_folder().join("venv/bin/python"))
            .args(["-c", script])
            .output()
            .expect("Python runs");
        if !output.status.success() {
            skip("rotel");
            return None;
        }
        let agent = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        // Another process may take a port before it does.
        let started = (0..TRIES).find_map(|_| Self::try_start(&agent));
        Some(started.expect("rotel starts"))
    }

    fn try_start(agent: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (port, http) = (free_port(), free_port());
        let mut child = Command::new(agent)
            .args(["start", "--exporter", "blackhole"])
            .args(["--debug-log", "traces"])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{port}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .arg("--pid-file")
            .arg(folder.path().join("pid"))
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("rotel starts");
        let stdout = child.stdout.take().expect("piped");
        let mut child = Ended(child);
        let log = Arc::<Mutex<String>>::default();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let mut kept = kept.lock().expect("a log");
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.0.try_wait().expect("a child of ours").is_some();
            if ended || begun.elapsed() > PATIENCE {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            port,
            log,
            _folder: folder,
            _child: child,
        })
    }

    /// Waits until it has printed that.
    pub(super) fn until(&self, text: &str) {
        let started = Instant::now();
        while !self.log.lock().expect("a log").contains(text) {
            let log = self.log.lock().expect("a log").clone();
            assert!(started.elapsed() < PATIENCE, "no {text:?} in {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends TLS before a receiver that does not speak it.
pub(super) struct Terminator {
    pub(super) port: u16,
    _child: Ended,
}

impl Terminator {
    /// With the certificate in `folder`.
    pub(super) fn before(to: u16, folder: &Path) -> Option<Self> {
        let port = free_port();
        let script = root_folder().join("tests/telemetry/terminator.py");
        let child = Command::new(tool("python")?)
            .arg(script)
            .args([port.to_string(), to.to_string()])
            .args([folder.join("server.pem"), folder.join("server.key")])
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        listens(port);
        Some(Self {
            port,
            _child: Ended(child),
        })
    }
}
