//! docker-compose.yml works: it parses, and its commands, run here by hand, make a service with durable answers.

mod parts;

use std::fs;
use std::process::Command;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::json;

use crate::operations::get;
use crate::support::redis::Redis;
use crate::support::server::NEWEST_WITH_INITIALIZE;
use crate::support::{Project, Server};
use crate::tidy::root;

const PASSWORD: &str = "0123456789abcdef";

fn composed() -> Vec<Yaml<'static>> {
    let text = fs::read_to_string(root().join("docker-compose.yml")).expect("the file");
    Yaml::load_from_str(Box::leak(text.into_boxed_str())).expect("YAML")
}

/// A field of a service: its own, or one that it merges (`<<`).
fn field<'a>(service: &'a Yaml<'static>, name: &str) -> Option<&'a Yaml<'static>> {
    if let Some(own) = get(service, name) {
        return Some(own);
    }
    let merged = get(service, "<<")?;
    match merged.as_sequence() {
        Some(several) => several.iter().find_map(|one| field(one, name)),
        None => field(merged, name),
    }
}

/// The words of a command as compose reads them, with the password inserted.
fn words(list: &Yaml<'_>) -> Vec<String> {
    let words = list.as_sequence().expect("a list").iter();
    words.map(text).collect()
}

fn text(word: &Yaml<'_>) -> String {
    let word = word.as_str().expect("a text");
    let word = word.replace("${REDIS_PASSWORD:?write one into .env}", PASSWORD);
    assert!(!word.contains("${REDIS"), "not filled in: {word}");
    word
}

#[test]
fn the_composed_service_reads_only_one_folder() {
    let documents = composed();
    let service = &documents[0]["services"]["mcp-code-analysis"];
    let mounted = service["volumes"][0].as_str().expect("a volume");
    assert!(mounted.ends_with(":/code:ro"), "{mounted}");
    assert_eq!(service["tty"].as_bool(), Some(false));
    assert_eq!(service["stdin_open"].as_bool(), Some(true));
    assert_eq!(service["networks"][0].as_str(), Some("store"));
    assert_eq!(
        documents[0]["networks"]["store"]["internal"].as_bool(),
        Some(true)
    );
    let build = field(service, "build").expect("a recipe");
    let recipe = build["dockerfile_inline"].as_str().expect("a recipe");
    assert!(recipe.contains("cargo build --release --locked --bin mcp-code-analysis"));
    let condition = &service["depends_on"]["redis"]["condition"];
    assert_eq!(condition.as_str(), Some("service_healthy"));
    let kept = documents[0]["services"]["redis"]["volumes"][0].as_str();
    assert_eq!(
        kept,
        Some("redis:/data"),
        "what Redis keeps outlives its container"
    );
    assert!(!documents[0]["volumes"]["redis"].is_badvalue());
}

#[test]
fn the_composed_processes_give_durable_answers() {
    let documents = composed();
    let services = &documents[0]["services"];
    let command = words(&services["redis"]["command"]);
    assert_eq!(command[0], "redis-server");
    let arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
    let entry = |_| {
        ["-a", PASSWORD, "--no-auth-warning"]
            .map(str::to_owned)
            .into()
    };
    let Some(redis) = Redis::entered(&arguments, entry) else {
        return;
    };
    let check = services["redis"]["healthcheck"]["test"][1]
        .as_str()
        .expect("a command");
    let check = check
        .replace("$$", "$")
        .replace("redis-cli", &format!("redis-cli -p {}", redis.port));
    let healthy = Command::new("sh")
        .args(["-c", &check])
        .env("REDIS_PASSWORD", PASSWORD)
        .status();
    assert!(healthy.expect("a shell").success(), "{check}");
    let healthy = Command::new("sh")
        .args(["-c", &check])
        .env("REDIS_PASSWORD", "wrong")
        .status();
    assert!(!healthy.expect("a shell").success(), "{check}");

    let service = &services["mcp-code-analysis"];
    let project = Project::small();
    let folder = project.path().to_string_lossy().into_owned();
    let here: Vec<String> = words(&service["command"])
        .into_iter()
        .map(|word| {
            if word == "/code" {
                folder.clone()
            } else {
                word
            }
        })
        .collect();
    let environment: Vec<(String, String)> = service["environment"]
        .as_mapping()
        .expect("a mapping")
        .iter()
        .map(|(name, value)| {
            let place = format!("@127.0.0.1:{}", redis.port);
            (text(name), text(value).replace("@redis:6379", &place))
        })
        .collect();
    let here: Vec<&str> = here.iter().map(String::as_str).collect();
    let mut server = Server::start_in(&here, &environment);
    server.initialize(NEWEST_WITH_INITIALIZE);
    let answer = server.good("analyze_complexity", json!({}));
    let durability = &answer["context"]["durability"];
    assert_eq!(durability["level"], "redis", "{answer}");
    assert_eq!(durability["durable"], true, "{answer}");
    let over = server.close();
    assert_eq!(over.status.code(), Some(0), "{}", over.stderr);
}
