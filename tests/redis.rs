//! Sessions in Redis: the real program against a real Redis for each test.

use serde_json::Value;

use crate::support::redis::Redis;
use crate::support::server::NEWEST_WITH_INITIALIZE;
use crate::support::{Ended, Project, Server, program};

mod away;
mod crowded;
mod cut;
mod damaged;
mod doctor;
mod equal;
mod fatal;
mod gone_back;
mod many;
mod mended;
mod older;
mod serving;
mod sessions;
mod shapes;
mod taken_over;

/// An initialised server over `project`, with its sessions in that Redis.
fn serve(project: &Project, url: &str, more: &[&str]) -> Server {
    let mut server = start(project, url, more);
    server.initialize(NEWEST_WITH_INITIALIZE);
    server
}

fn start(project: &Project, url: &str, more: &[&str]) -> Server {
    let folder = project.path().to_string_lossy().into_owned();
    let arguments = ["serve", "--root", &folder, "--store", "redis"];
    let environment = [("MCA_REDIS_URL".to_owned(), url.to_owned())];
    Server::start_in(&[&arguments, more].concat(), &environment)
}

/// Runs a command with the address in its environment, which is where a password belongs.
fn command(project: &Project, url: &str, arguments: &[&str]) -> Ended {
    let output = program()
        .args(arguments)
        .env("MCA_REDIS_URL", url)
        .current_dir(project.path())
        .stdin(std::process::Stdio::null())
        .output();
    Ended::from(output.expect("the program starts"))
}

fn sessions(project: &Project, redis: &Redis, arguments: &[&str]) -> Ended {
    command(project, &redis.url(), &[&["sessions"], arguments].concat())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn is_durable(answer: &Value, level: &str) {
    let durability = &answer["context"]["durability"];
    assert_eq!(durability["level"], level, "{answer}");
    assert_eq!(durability["durable"], true, "{answer}");
}
