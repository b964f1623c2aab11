//! The parts of docker-compose.yml fit together, and to the configuration files that they mount.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use saphyr::Yaml;
use serde_json::Value;

use super::{field, text};
use crate::operations::{keys, strings, yaml};
use crate::support::node::Node;
use crate::support::redis::installed;
use crate::support::{Project, foreign, program, sha256};
use crate::tidy::root;

/// Images that hold nothing but their program, so that no health check can run in them.
const WITHOUT_CHECK: [&str; 2] = ["collector", "tempo"];
/// Started by a client for as long as it needs it.
const STDIO: &str = "mcp-code-analysis";
/// Ports that programs use if nothing else is said.
const USUAL: [(&str, u16); 3] = [("redis", 6379), ("prometheus", 9090), ("grafana", 3000)];

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

fn services() -> Vec<(String, Yaml<'static>)> {
    let composed = yaml("docker-compose.yml");
    let services = &composed["services"];
    let services: Vec<_> = keys(services)
        .into_iter()
        .map(|name| {
            let service = services[name.as_str()].clone();
            (name, service)
        })
        .collect();
    assert!(services.len() > 5, "{services:?}");
    services
}

/// A list of a service.
fn listed(service: &Yaml<'static>, name: &str) -> Vec<String> {
    field(service, name).map(strings).unwrap_or_default()
}

#[test]
fn every_service_is_limited_checked_and_of_one_version() {
    for (name, service) in services() {
        let image = field(&service, "image")
            .and_then(Yaml::as_str)
            .expect("an image");
        let ours = image == "mcp-code-analysis";
        let version = image.rsplit_once(':').map(|(_, tag)| tag);
        let pinned = version.is_some_and(|tag| tag.contains('.') && tag != "latest");
        assert_eq!(pinned, !ours, "{image}");
        assert_eq!(field(&service, "build").is_some(), ours, "{name}");
        assert_eq!(listed(&service, "cap_drop"), ["ALL"], "{name}");
        let log = &field(&service, "logging").expect("a log")["options"];
        assert!(
            log["max-size"].as_str().is_some(),
            "{name}: its log has no limit"
        );
        for port in listed(&service, "ports") {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        if name == STDIO {
            continue;
        }
        let limits = field(&service, "deploy").map(|deploy| &deploy["resources"]["limits"]);
        assert!(
            limits.is_some_and(|limits| !limits["memory"].is_badvalue()),
            "{name}"
        );
        let checked = field(&service, "healthcheck").is_some();
        assert_eq!(checked, !WITHOUT_CHECK.contains(&name.as_str()), "{name}");
        let restart = field(&service, "restart").and_then(Yaml::as_str);
        assert_eq!(restart, Some("unless-stopped"), "{name}");
    }
}

#[test]
fn everything_that_is_mounted_exists() {
    let composed = yaml("docker-compose.yml");
    let made = secrets();
    for (name, service) in services() {
        for volume in listed(&service, "volumes") {
            let source = volume.split(":/").next().unwrap_or_default();
            match source.strip_prefix("./") {
                Some(path) => {
                    assert!(root().join(path).exists(), "{name}: no {path}");
                    assert!(volume.ends_with(":ro"), "{name}: {volume}");
                }
                None if source.starts_with("${CODE") => assert!(volume.ends_with(":ro")),
                None => {
                    let known = keys(&composed["volumes"]);
                    assert!(known.iter().any(|one| one == source), "{name}: {volume}");
                }
            }
        }
        for network in listed(&service, "networks") {
            assert!(
                keys(&composed["networks"]).contains(&network),
                "{name}: {network}"
            );
        }
        for secret in listed(&service, "secrets") {
            let file = composed["secrets"][secret.as_str()]["file"].as_str();
            let file = file
                .expect("a file")
                .strip_prefix(".secrets/")
                .expect("there");
            assert!(
                made.path().join(".secrets").join(file).exists(),
                "{name}: {secret}"
            );
        }
        let needs = field(&service, "depends_on").map(keys).unwrap_or_default();
        for needed in needs {
            assert!(
                services().iter().any(|(other, _)| *other == needed),
                "{name}: {needed}"
            );
        }
    }
}

/// A folder in which the script has run.
fn secrets() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("otel")).expect("a folder");
    let script = folder.path().join("otel/secrets");
    fs::copy(root().join("otel/secrets"), &script).expect("copied");
    if installed("openssl") {
        let output = foreign(&mut Command::new(&script));
        assert!(output.status.success(), "{output:?}");
    }
    folder
}

#[test]
fn secrets_are_made_once_and_nodes_get_only_hashes() {
    if !installed("openssl") {
        return;
    }
    let folder = secrets();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
    let token = read(".secrets/token");
    assert_eq!(
        read(".secrets/tokens"),
        format!("you: {}\n", sha256(&token))
    );
    let scraping = sha256(&read(".secrets/prometheus-token"));
    assert_eq!(
        read(".secrets/admin-tokens"),
        format!("prometheus: {scraping}\n")
    );
    let before = read(".env");
    assert!(
        before.starts_with("REDIS_PASSWORD=") && before.len() > 40,
        "{before}"
    );
    let again = foreign(&mut Command::new(folder.path().join("otel/secrets")));
    assert!(again.status.success(), "{again:?}");
    assert_eq!((read(".env"), read(".secrets/token")), (before, token));
}

/// Ports of a service, from its own configuration.
fn ports(name: &str) -> BTreeSet<u16> {
    let after = |text: &str, mark: &str| -> BTreeSet<u16> {
        let found = text.split(mark).skip(1);
        let digits = found.map(|rest| rest.split(|char: char| !char.is_ascii_digit()).next());
        digits.filter_map(|port| port?.parse().ok()).collect()
    };
    let mut ports: BTreeSet<u16> = match name {
        "node-1" | "node-2" => {
            let environment = &yaml("docker-compose.yml")["x-node-environment"];
            let of = |name: &str| environment[name].as_str().expect("an address").to_owned();
            after(&(of("MCA_HTTP") + &of("MCA_ADMIN")), "0.0.0.0:")
        }
        "collector" => {
            let config = file("otel/collector.yaml");
            &after(&config, "endpoint: 0.0.0.0:") | &after(&config, "port: ")
        }
        "tempo" => {
            let config = file("otel/tempo.yaml");
            &after(&config, "endpoint: 0.0.0.0:") | &after(&config, "http_listen_port: ")
        }
        "proxy" => after(&file("otel/nginx.conf"), "listen "),
        _ => BTreeSet::new(),
    };
    ports.extend(
        USUAL
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, port)| port),
    );
    ports
}

/// Who reaches whom: the service whose configuration it is, and the addresses in it.
fn addresses() -> Vec<(&'static str, String)> {
    let found = |text: String, begins: &str| -> Vec<String> {
        let parts = text.split(begins).skip(1);
        let names = parts.map(|rest| {
            let ends = |char: char| !(char.is_ascii_alphanumeric() || "-:".contains(char));
            rest.split(ends).next().unwrap_or_default().to_owned()
        });
        names
            .filter(|name| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
            .collect()
    };
    let mut all = Vec::new();
    let mut add = |from: &'static str, addresses: Vec<String>| {
        assert!(!addresses.is_empty(), "{from} reaches nobody");
        all.extend(addresses.into_iter().map(|to| (from, to)));
    };
    add("proxy", found(file("otel/nginx.conf"), "\n    server "));
    let scraped = yaml("otel/prometheus.yaml");
    let jobs = scraped["scrape_configs"].as_sequence().expect("jobs");
    let targets = jobs
        .iter()
        .flat_map(|job| strings(&job["static_configs"][0]["targets"]));
    add(
        "prometheus",
        targets
            .filter(|target| target != "localhost:9090")
            .collect(),
    );
    let collector = file("otel/collector.yaml");
    add("collector", found(collector.clone(), "endpoint: http://"));
    add("collector", found(collector, "endpoint: "));
    add(
        "grafana",
        found(file("otel/datasources.yaml"), "url: http://"),
    );
    let composed = yaml("docker-compose.yml");
    let environment = &composed["x-node-environment"];
    for (name, begins) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
        ("MCA_REDIS_URL", "@"),
    ] {
        let value = environment[name].as_str().expect("an address").to_owned();
        add("node-1", found(value, begins));
    }
    all
}

#[test]
fn every_address_in_a_configuration_is_a_service_with_that_port() {
    let services = services();
    let find = |name: &str| {
        services
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, service)| service)
    };
    let mut reached = BTreeSet::new();
    for (from, to) in addresses() {
        // A scheme is no service.
        if to == "http:" {
            continue;
        }
        let (name, port) = to.split_once(':').unwrap_or_else(|| panic!("{from}: {to}"));
        let service = find(name).unwrap_or_else(|| panic!("{from}: no service {name}"));
        let port = port.parse().expect("a port");
        assert!(
            ports(name).contains(&port),
            "{from}: {name} has no port {port}"
        );
        let own = listed(find(from).expect("it"), "networks");
        let shared = listed(service, "networks")
            .iter()
            .any(|network| own.contains(network));
        assert!(shared, "{from} does not reach {name}");
        reached.insert(name.to_owned());
    }
    let all = [
        "collector",
        "node-1",
        "node-2",
        "prometheus",
        "redis",
        "tempo",
    ];
    assert_eq!(
        reached.iter().collect::<Vec<_>>(),
        all.iter().collect::<Vec<_>>()
    );
    let published = services.iter().flat_map(|(name, service)| {
        let ports = listed(service, "ports");
        ports
            .into_iter()
            .map(|port| (name.clone(), port))
            .collect::<Vec<_>>()
    });
    for (name, port) in published {
        let inside = port.rsplit(':').next().and_then(|port| port.parse().ok());
        assert!(
            ports(&name).contains(&inside.expect("a port")),
            "{name}: {port}"
        );
    }
}

/// The environment of a node, run here: the health check of its container accepts it, and Prometheus may read it.
#[test]
fn a_composed_node_is_healthy() {
    if !installed("openssl") {
        return;
    }
    let composed = yaml("docker-compose.yml");
    let (project, made) = (Project::small(), secrets());
    let environment = &composed["x-node-environment"];
    let mut command = program();
    for name in keys(environment) {
        let value = text(&environment[name.as_str()]);
        // The addresses are this machine's, and there is neither Redis nor a collector.
        if ![
            "MCA_HTTP",
            "MCA_ADMIN",
            "MCA_STORE",
            "MCA_REDIS_URL",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ]
        .contains(&name.as_str())
        {
            let secrets = format!("{}/.secrets", made.path().display());
            command.env(&name, value.replace("/run/secrets", &secrets));
        }
    }
    let mut node = Node::of(command, project.path(), &["--admin", "127.0.0.1:0"]);
    let admin = node.admin.expect("an admin port");
    let check = strings(&composed["x-node"]["healthcheck"]["test"]);
    assert_eq!(check[..3], ["CMD", "bash", "-c"]);
    let check = check[3]
        .replace("$$", "$")
        .replace("/8643", &format!("/{}", admin.port()));
    let healthy = || {
        foreign(Command::new("bash").args(["-c", &check]))
            .status
            .success()
    };
    assert!(healthy(), "{check}");

    let token = fs::read_to_string(made.path().join(".secrets/prometheus-token")).expect("a token");
    let mut client = crate::support::node::Client::of(&format!("http://{admin}"));
    assert_eq!(client.get("/admin/store").status, 401);
    client = client.with("authorization", &format!("Bearer {token}"));
    for host in ["node-1:8643", "node-2:8643"] {
        let answer = client
            .clone()
            .with("host", host)
            .get("/admin/store")
            .of_status(200);
        let told: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!(told["kind"], "memory");
    }
    node.kill();
    assert!(!healthy(), "{check}");
}
