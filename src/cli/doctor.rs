//! `doctor`: checks everything that a server needs, and gives advice.

use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use actors::ids::NodeId;
use actors::store::NodeRecord;
use actors::store::redis::doctor::{Finding, Outcome, examine, repair};
use clap::Args;
use serde_json::Value;

use super::{Exit, print, printable, sessions};
use crate::analysis::{self, Language};
use crate::config::store::Store;
use crate::config::{self, Config, Layer};
use crate::server::ports::{self, Ports};
use crate::startup;
use crate::workspace::Workspace;

/// The sessions were only started as a check, so no call runs in them.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct Doctor {
    /// Rename keys of a wrong type in Redis, and rebuild the list of sessions
    #[arg(long)]
    pub repair: bool,
    #[command(flatten)]
    pub settings: Layer,
}

/// The result of one check.
struct Check {
    name: String,
    /// What was found; or what failed, with advice.
    outcome: Result<Found, Failure>,
}

struct Found {
    what: String,
    /// A recommendation, if there is one.
    advice: Option<String>,
}

struct Failure {
    what: String,
    advice: String,
    exit: Exit,
}

/// Runs all checks, prints the results, and returns the exit code of the first failure.
pub async fn run(config: Result<Config, config::Error>, mends: bool) -> Exit {
    let mut checks = vec![languages()];
    match config {
        Ok(config) => {
            checks.push(Check::good("configuration", describe(&config)));
            checks.extend(idle(&config));
            checks.extend(config.roots.iter().map(|root| check_root(root)));
            let redis = redis(&config, mends).await;
            let is_up = redis.iter().all(|check| check.outcome.is_ok());
            checks.extend(redis);
            checks.extend(ports(&config).await);
            checks.push(start(&config, is_up).await);
        }
        Err(error) => checks.push(Check::bad(
            "configuration",
            error.to_string(),
            "correct the setting; `serve --help` lists all settings",
            Exit::Config,
        )),
    }
    let printed = print(&report(&checks));
    let failed = checks
        .iter()
        .find_map(|check| check.outcome.as_ref().err().map(|failure| failure.exit));
    failed.unwrap_or(printed)
}

impl Check {
    fn good(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Ok(Found {
                what: found.into(),
                advice: None,
            }),
        }
    }

    fn bad(name: impl Into<String>, what: String, advice: impl Into<String>, exit: Exit) -> Self {
        let advice = advice.into();
        Self {
            name: name.into(),
            outcome: Err(Failure { what, advice, exit }),
        }
    }
}

impl From<Finding> for Check {
    fn from(finding: Finding) -> Self {
        let name = format!("redis {}", finding.name);
        match finding.outcome {
            Outcome::Good(what) => Self::good(name, what),
            Outcome::Warning { what, advice } => Self {
                name,
                outcome: Ok(Found {
                    what,
                    advice: Some(advice),
                }),
            },
            Outcome::Misfit { what, advice } => Self::bad(name, what, advice, Exit::Config),
            Outcome::Away { what, advice } => Self::bad(name, what, advice, Exit::Unavailable),
        }
    }
}

fn describe(config: &Config) -> String {
    let roots: Vec<_> = config
        .roots
        .iter()
        .map(|root| root.display().to_string())
        .collect();
    let store = match &config.store {
        Store::Memory => "in memory".to_owned(),
        Store::Redis(redis) => format!("in {}", redis.url),
    };
    format!("understood; sessions {store}; roots: {}", roots.join(", "))
}

/// Settings from variables or the file that have no effect here.
fn idle(config: &Config) -> Option<Check> {
    if config.idle.is_empty() {
        return None;
    }
    Some(Check {
        name: "settings without effect".to_owned(),
        outcome: Ok(Found {
            what: format!("{} (from the environment or the file)", config.idle.join(", ")),
            advice: Some("these settings of `serve` need --http or --admin; check them with `doctor --http 127.0.0.1:8642 …`".into()),
        }),
    })
}

/// Loads every grammar once, to detect one that was built for another version of the parser.
fn languages() -> Check {
    for language in Language::ALL {
        if analysis::analyze(language, "", &|| false).is_err() {
            return Check::bad(
                "languages",
                format!("{} cannot be parsed", language.name()),
                "the program was built incorrectly: install it again",
                Exit::Internal,
            );
        }
    }
    let names: Vec<_> = Language::ALL.map(Language::name).to_vec();
    Check::good("languages", names.join(", "))
}

fn check_root(root: &Path) -> Check {
    let name = format!("root {}", root.display());
    match Workspace::open(&[root.to_owned()]) {
        Ok(_) => Check::good(name, "readable"),
        Err(error) => Check::bad(
            name,
            error.to_string(),
            "set --root to a folder that exists and that this user may list",
            Exit::NoInput,
        ),
    }
}

/// Checks the Redis of the sessions, the Redis of the cache, and the nodes that share them.
async fn redis(config: &Config, mends: bool) -> Vec<Check> {
    let Store::Redis(redis) = &config.store else {
        return Vec::from_iter(mends.then(|| {
            let what = "sessions are kept in memory: there is nothing to repair".to_owned();
            Check::bad(
                "repair",
                what,
                "give the URL of their Redis: --store redis --redis-url …",
                Exit::Usage,
            )
        }));
    };
    let options = match startup::redis_options(redis, NodeId::random()) {
        Ok(options) => options,
        Err(error) => {
            let exit = Exit::of_startup(&error);
            let advice = "give a file of certificates (PEM) that this user may read";
            return vec![Check::bad(
                "redis certificates",
                error.to_string(),
                advice,
                exit,
            )];
        }
    };
    let mut found = Vec::new();
    if mends {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        found.extend(repair(&options, &stamp.to_string()).await);
    }
    found.extend(examine(&options).await);
    let mut checks: Vec<Check> = found.into_iter().map(Check::from).collect();
    if checks.iter().all(|check| check.outcome.is_ok()) {
        checks.push(nodes(config).await);
    }
    checks
}

/// Checks ports, certificates and tokens: binds the ports for a moment, as `serve` does.
async fn ports(config: &Config) -> Option<Check> {
    let http = config.http.as_ref().map(|http| ("MCP", http.address));
    let admin = config.admin.as_ref().map(|admin| ("admin", admin.address));
    let wanted: Vec<_> = (http.into_iter().chain(admin))
        .map(|(what, address)| format!("{what} at {address}"))
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let name = "ports";
    let error = match Ports::open(config).await {
        Ok(_) => return Some(Check::good(name, format!("free: {}", wanted.join(", ")))),
        Err(error) => error,
    };
    let (what, exit) = (error.to_string(), Exit::of_ports(&error));
    Some(match error {
        ports::Error::Bind { cause, .. } if cause.kind() == ErrorKind::AddrInUse => Check {
            name: name.to_owned(),
            outcome: Ok(Found {
                what,
                advice: Some("if that is not your server, choose another port".into()),
            }),
        },
        ports::Error::Bind { .. } => {
            let advice = "choose an address of this machine, and a port that this user may open";
            Check::bad(name, what, advice, exit)
        }
        ports::Error::Tls { .. } => {
            let advice = "give a certificate and its key (PEM) that this user may read";
            Check::bad(name, what, advice, exit)
        }
        ports::Error::Tokens(_) => {
            let advice = "correct the file: `serve` does not start with it, and a running server keeps the tokens from before";
            Check::bad(name, what, advice, exit)
        }
    })
}

async fn nodes(config: &Config) -> Check {
    let name = "nodes";
    let operator = match startup::operator(config).await {
        Ok(operator) => operator,
        Err(error) => {
            let exit = Exit::of_startup(&error);
            return Check::bad(name, error.to_string(), "correct the setting", exit);
        }
    };
    let nodes = match operator.nodes().await {
        Ok(nodes) => nodes,
        Err(error) => {
            let advice = "run doctor again: the checks above found no error";
            return Check::bad(name, error.to_string(), advice, Exit::Unavailable);
        }
    };
    if nodes.is_empty() {
        return Check::good(name, "no node is running");
    }
    let listed: Vec<_> = nodes
        .iter()
        .map(|node| told(&sessions::node(node)))
        .collect();
    let listed = listed.join("; ");
    let is_single = |node: &NodeRecord| node.features.iter().any(|it| it == startup::SINGLE_NODE);
    let live = nodes.iter().filter(|node| !node.draining);
    if live.clone().count() > 1 && (startup::is_single(config) || live.clone().any(is_single)) {
        return Check::bad(
            name,
            format!(
                "several nodes were running in the last 30 s, but --single-node allows only one: {listed}"
            ),
            "remove --single-node, stop the other nodes, or give one of them its own --redis-prefix; a killed node is \
             forgotten within 30 s",
            Exit::Config,
        );
    }
    let evicted: u64 = nodes.iter().map(|node| node.evicted_sessions).sum();
    if evicted > 0 {
        let what = format!(
            "{listed}; sessions that Redis evicted before they expired, as counted by these nodes: {evicted}"
        );
        let advice = "set `maxmemory-policy noeviction` in redis.conf, and CONFIG SET maxmemory-policy noeviction now; \
                      an evicted session that is in no node's memory is lost";
        let advice = Some(advice.to_owned());
        let outcome = Ok(Found { what, advice });
        return Check {
            name: name.to_owned(),
            outcome,
        };
    }
    Check::good(name, listed)
}

fn told(node: &Value) -> String {
    let text = |key: &str| printable(node[key].as_str().unwrap_or_default());
    let going = if node["draining"] == true {
        ", draining"
    } else {
        ""
    };
    format!(
        "{} ({}) at {}, {} sessions, {} calls{going}",
        text("node"),
        text("version"),
        text("address"),
        node["sessions"],
        node["calls_in_flight"],
    )
}

/// `is_up`: the checks of the store found no error.
async fn start(config: &Config, is_up: bool) -> Check {
    let name = "sessions";
    let service = match startup::start_unannounced(config).await {
        Ok(service) => service,
        Err(startup::Error::Roots(error)) => {
            return Check::bad(
                name,
                format!("not started: {error}"),
                "correct the roots first",
                Exit::NoInput,
            );
        }
        Err(error) => {
            let exit = Exit::of_startup(&error);
            let advice = if exit == Exit::Internal {
                "report this as a bug"
            } else {
                "correct the errors above first"
            };
            return Check::bad(name, error.to_string(), advice, exit);
        }
    };
    let status = service.sessions.status().await;
    service.sessions.shutdown(SHUTDOWN_GRACE).await;
    if !status.store.available {
        let detail = status.store.detail.unwrap_or_default();
        return Check::bad(
            name,
            format!("the {} store is down: {detail}", status.store.kind),
            "start it, or choose another store with --store",
            Exit::Unavailable,
        );
    }
    let workers = status.pool.workers;
    if !is_up {
        let what = format!(
            "started, but the {} store is down; {workers} workers",
            status.store.kind
        );
        let advice = "answers are not durable until the store is back".into();
        return Check {
            name: name.to_owned(),
            outcome: Ok(Found {
                what,
                advice: Some(advice),
            }),
        };
    }
    let what = format!("started; {} store; {workers} workers", status.store.kind);
    Check::good(name, what)
}

fn report(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let name = printable(&check.name);
        // Writing to a string cannot fail.
        let _ = match &check.outcome {
            Ok(Found { what, advice: None }) => {
                writeln!(text, "ok    {name}: {}", printable(what))
            }
            Ok(Found {
                what,
                advice: Some(advice),
            }) => writeln!(text, "warn  {name}: {}\n      {advice}", printable(what)),
            Err(failure) => writeln!(
                text,
                "FAIL  {name}: {}\n      {}",
                printable(&failure.what),
                failure.advice
            ),
        };
    }
    text
}
