//! A first answer over a corpus beside parsing alone, and a second one beside the walk that finds nothing changed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use actors::ids::Principal;
use actors::tool::ProgressSink;
use mcp_code_analysis::config::{Config, Layer};
use mcp_code_analysis::service::{Caller, Service};
use mcp_code_analysis::startup;
use mcp_code_analysis::workspace::{File, Selection, Workspace};
use rayon::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::redis::Server;
use crate::stats::{in_turns, report, report_pair, timed};

const ROUNDS: usize = 10;
/// All metrics, outlines and imports, over one parse and one traversal.
const MARK_COLD: f64 = 1.25;
const MARK_WARM: f64 = 2.0;

pub(crate) fn run(corpus: &Path) {
    let corpus = std::fs::canonicalize(corpus).unwrap();
    let runtime = Runtime::new().unwrap();
    let workspace = Workspace::open(std::slice::from_ref(&corpus)).unwrap();
    let files = scan(&workspace);
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    println!(
        "{}: {} files, {:.1} MB",
        corpus.display(),
        files.len(),
        bytes as f64 / 1e6
    );
    let cold = in_turns(
        ROUNDS,
        || first_answer(&runtime, &corpus),
        || timed(|| parse_only(&workspace, &files)),
    );
    report_pair("first answer", &cold, "parse only", MARK_COLD);
    let service = start(&runtime, &corpus);
    answer(&runtime, &service);
    let warm = in_turns(
        ROUNDS,
        || timed(|| answer(&runtime, &service)),
        || timed(|| scan(&workspace)),
    );
    report_pair("second answer", &warm, "walk", MARK_WARM);
    let walked: Vec<_> = (0..ROUNDS)
        .map(|_| timed(|| bare_walk(&corpus)).as_secs_f64())
        .collect();
    report("bare walk, one thread", &walked);
    end(&runtime, service);
    one_folder(&runtime, &corpus, &workspace, &files);
}

/// The dependencies of one folder, one file and all: each is resolved in the world of the whole root.
fn one_folder(runtime: &Runtime, corpus: &Path, workspace: &Workspace, files: &[File]) {
    let folder = busiest_folder(files);
    println!("dependencies of {folder}");
    let arguments = json!({"path": folder, "limit": 10});
    let ask = |service: &Service| call(runtime, service, "analyze_dependencies", &arguments);
    let first = in_turns(
        ROUNDS,
        || {
            let service = start(runtime, corpus);
            let took = timed(|| ask(&service));
            end(runtime, service);
            took
        },
        || first_answer(runtime, corpus),
    );
    report_pair("first answer", &first, "measuring the whole root", 1.0);
    let in_it = |file: &&File| file.path.starts_with(&folder);
    let file = (files.iter().find(in_it)).map_or(".", |file| &file.path);
    for path in [&folder, file, "."] {
        let service = start(runtime, corpus);
        let arguments = json!({"path": path, "limit": 10});
        let ask = || call(runtime, &service, "analyze_dependencies", &arguments);
        ask();
        let second = in_turns(ROUNDS, || timed(ask), || timed(|| scan(workspace)));
        println!("{path}");
        report_pair("second answer", &second, "walk of the root", MARK_WARM);
        end(runtime, service);
    }
}

/// The folder with the most files directly in it.
fn busiest_folder(files: &[File]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let folder = file.path.rsplit_once('/').map_or(".", |(folder, _)| folder);
        *counts.entry(folder).or_default() += 1;
    }
    let busiest = counts.into_iter().max_by_key(|(_, count)| *count);
    busiest.map_or(".", |(folder, _)| folder).to_owned()
}

/// The first answer of a node whose neighbour has analysed the same tree, beside one that is alone.
pub(crate) fn run_shared(corpus: &Path) {
    let Some(server) = Server::start() else {
        println!("no redis-server is installed");
        return;
    };
    let corpus = std::fs::canonicalize(corpus).unwrap();
    let runtime = Runtime::new().unwrap();
    let environment = [
        ("MCA_STORE", "redis".to_owned()),
        ("MCA_REDIS_URL", server.url()),
    ];
    let neighbour = start_with(&runtime, &corpus, &environment);
    answer(&runtime, &neighbour);
    // What it found is written in the background.
    std::thread::sleep(Duration::from_secs(3));
    let pair = in_turns(
        ROUNDS,
        || {
            let service = start_with(&runtime, &corpus, &environment);
            let took = timed(|| answer(&runtime, &service));
            end(&runtime, service);
            took
        },
        || first_answer(&runtime, &corpus),
    );
    println!("{}", corpus.display());
    report_pair("first answer, shared cache", &pair, "alone", 1.0);
    end(&runtime, neighbour);
}

fn start(runtime: &Runtime, corpus: &Path) -> Service {
    start_with(runtime, corpus, &[])
}

fn start_with(runtime: &Runtime, corpus: &Path, environment: &[(&str, String)]) -> Service {
    let flags = Layer {
        root: Some(vec![corpus.to_owned()]),
        ..Layer::default()
    };
    let variables = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let config = Config::resolve(flags, variables).unwrap();
    runtime.block_on(startup::start(&config)).unwrap()
}

/// From nothing: the service's own start is not counted.
fn first_answer(runtime: &Runtime, corpus: &Path) -> Duration {
    let service = start(runtime, corpus);
    let took = timed(|| answer(runtime, &service));
    end(runtime, service);
    took
}

fn answer(runtime: &Runtime, service: &Service) {
    call(
        runtime,
        service,
        "analyze_complexity",
        &json!({"limit": 10}),
    );
}

fn call(runtime: &Runtime, service: &Service, tool: &str, arguments: &Value) {
    let caller = Caller {
        principal: Principal::local(),
        default_session: None,
        request: None,
    };
    let call = service.call(
        &caller,
        tool,
        arguments.clone(),
        CancellationToken::new(),
        ProgressSink::default(),
    );
    let answer = runtime.block_on(call).unwrap();
    assert!(!answer.is_error, "{}", answer.text);
}

fn end(runtime: &Runtime, service: Service) {
    runtime.block_on(service.sessions.shutdown(Duration::from_secs(1)));
}

fn scan(workspace: &Workspace) -> Vec<File> {
    let scan = workspace.scan(&Selection::default(), &|_| {}, &|| false);
    scan.unwrap().files
}

/// The least that a walk can be with the same library: every entry is looked at once.
fn bare_walk(corpus: &Path) -> usize {
    let entries = ignore::WalkBuilder::new(corpus).build();
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.metadata().is_ok_and(|facts| facts.is_file()))
        .count()
}

/// Reads, parses and visits every node once: what nobody can do without. The largest first, as the service does it.
fn parse_only(workspace: &Workspace, files: &[File]) -> usize {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    files
        .par_iter()
        .with_max_len(1)
        .map_init(tree_sitter::Parser::new, |parser, file| {
            let Ok(source) = workspace.read(file) else {
                return 0;
            };
            let grammar = (file.language.facts().grammar)();
            parser.set_language(&grammar).unwrap();
            let tree = parser.parse(&source.text, None).unwrap();
            visited(&tree)
        })
        .sum()
}

fn visited(tree: &tree_sitter::Tree) -> usize {
    let mut cursor = tree.walk();
    let mut nodes = 0;
    loop {
        nodes += 1;
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return nodes;
            }
        }
    }
}
