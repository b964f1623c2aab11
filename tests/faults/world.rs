//! The setup of a scenario: a Redis, a link from each node to it, nodes, and the code that they analyse.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::load::Caller;
use crate::support::Project;
use crate::support::link::{Link, Way};
use crate::support::node::Node;
use crate::support::redis::Redis;

/// Longest wait: only a broken program exceeds it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long clients work before and after a fault.
const CALM: Duration = Duration::from_millis(700);
/// Files that the clients analyse in turn.
pub(crate) const FILES: usize = 8;
pub(crate) const PRINCIPALS: [&str; 2] = ["ann", "ben"];

#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) nodes: usize,
    /// Arguments of `serve`, other than the store.
    pub(crate) serve: &'static [&'static str],
    /// Arguments of `redis-server`.
    pub(crate) redis: &'static [&'static str],
}

const GOOD: &[&str] = &[
    "--appendonly",
    "yes",
    "--maxmemory",
    "256mb",
    "--maxmemory-policy",
    "noeviction",
    "--enable-debug-command",
    "local",
];

impl Setup {
    pub(crate) const ONE: Self = Self {
        nodes: 1,
        serve: &[],
        redis: GOOD,
    };
    pub(crate) const TWO: Self = Self {
        nodes: 2,
        ..Self::ONE
    };
    pub(crate) const THREE: Self = Self {
        nodes: 3,
        ..Self::ONE
    };

    pub(crate) const fn serving(mut self, arguments: &'static [&'static str]) -> Self {
        self.serve = arguments;
        self
    }

    pub(crate) const fn redis(mut self, arguments: &'static [&'static str]) -> Self {
        self.redis = arguments;
        self
    }
}

/// The current addresses of the nodes; a restarted node has a new one.
pub(crate) type Addresses = Arc<Mutex<Vec<SocketAddr>>>;

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) addresses: Addresses,
    pub(crate) links: Vec<Link>,
    pub(crate) redis: Redis,
    pub(crate) project: Project,
    /// Tokens of the principals.
    folder: tempfile::TempDir,
    setup: Setup,
}

impl World {
    /// `None` if Redis is not installed.
    pub(crate) fn start(setup: Setup) -> Option<Self> {
        let redis = Redis::with(setup.redis)?;
        let folder = tempfile::tempdir().expect("a folder");
        let mut tokens = String::new();
        for name in PRINCIPALS {
            writeln!(tokens, "{name}: {}", crate::support::sha256(&token(name))).expect("written");
        }
        std::fs::write(folder.path().join("tokens"), tokens).expect("written");
        let mut world = Self {
            nodes: Vec::new(),
            addresses: Addresses::default(),
            links: Vec::new(),
            redis,
            project: project(),
            folder,
            setup,
        };
        for nth in 0..setup.nodes {
            world.links.push(Link::to(world.redis.port));
            let node = world.node(nth);
            world.addresses.lock().expect("addresses").push(node.http);
            world.nodes.push(node);
        }
        Some(world)
    }

    fn node(&self, nth: usize) -> Node {
        let url = self.links[nth].url();
        let tokens = self.folder.path().join("tokens");
        let tokens = tokens.to_string_lossy();
        let arguments = [
            "--store",
            "redis",
            "--redis-url",
            &url,
            "--admin",
            "127.0.0.1:0",
            "--chaos",
            "--auth-tokens",
            &tokens,
            // The checker reads more than one client may.
            "--principal-rate",
            "100000",
        ];
        Node::start(
            self.project.path(),
            &[&arguments, self.setup.serve].concat(),
        )
    }

    /// Replaces a node that has ended.
    pub(crate) fn start_again(&mut self, nth: usize) {
        let node = self.node(nth);
        self.addresses.lock().expect("addresses")[nth] = node.http;
        self.nodes[nth] = node;
    }

    pub(crate) fn calm(&self) {
        thread::sleep(CALM);
    }

    pub(crate) fn hold(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Switches all links for this long.
    pub(crate) fn all_links(&self, way: Way, time: Duration) {
        for link in &self.links {
            link.set(way);
        }
        self.hold(time);
        for link in &self.links {
            link.set(Way::Pass);
        }
    }

    pub(crate) fn one_link(&self, nth: usize, way: Way, time: Duration) {
        self.links[nth].set(way);
        self.hold(time);
        self.links[nth].set(Way::Pass);
    }

    /// A call in its own session, and readiness, both report that answers are not durable.
    pub(crate) fn nothing_is_durable(&self) {
        let mut caller = Caller::new(PRINCIPALS[0], &self.addresses, 0);
        let over = AtomicBool::new(false);
        let made = caller.until_answered("create_session", &json!({}), &over);
        let made = made.expect("an answer");
        assert_eq!(made["context"]["durability"]["durable"], false, "{made}");
        let notice = made["context"]["notices"][0].as_str().unwrap_or_default();
        assert!(notice.contains("maxmemory-policy"), "{made}");
        for node in &self.nodes {
            let (code, ready) = node.ask_admin("/readyz");
            assert_eq!(code, 200, "{ready}");
            assert_eq!(ready["degraded"][0]["reason"], "store_evicts", "{ready}");
            let (_, store) = node.ask_admin("/admin/store");
            assert_eq!(store["breaker"], "closed", "{store}");
        }
    }

    /// The answers of all nodes, `null` for a node that is down.
    pub(crate) fn status_of_stores(&self) -> Vec<serde_json::Value> {
        self.nodes
            .iter()
            .filter_map(|node| Some(node.ask_admin("/admin/store").1).filter(|it| it.is_object()))
            .collect()
    }
}

pub(crate) fn token(principal: &str) -> String {
    format!("{principal}-token")
}

fn project() -> Project {
    let project = Project::empty();
    for file in 0..FILES {
        write_module(&project, file);
    }
    project
}

pub(crate) fn write_module(project: &Project, file: usize) {
    let functions: String = (0..40)
        .map(|n| {
            format!("def f{file}_{n}(a, b):\n    if a and b:\n        return a\n    return b\n\n\n")
        })
        .collect();
    project.write(&format!("pkg/m{file}.py"), functions.as_bytes());
}
