//! Every way to run Redis: each gives durable answers, and its password is never shown.

use std::path::Path;

use serde_json::json;

use super::{command, is_durable, serve};
use crate::support::Project;
use crate::support::redis::Redis;
use crate::tidy::root;

const PASSWORD: &str = "s3cret-w0rd";

/// The recommended settings, plus those of the variant.
fn shaped(more: &[&str], entry: &[&str]) -> Option<Redis> {
    let good = [
        "--appendonly",
        "yes",
        "--maxmemory",
        "256mb",
        "--maxmemory-policy",
        "noeviction",
    ];
    Redis::entered(&[&good, more].concat(), |_| {
        entry.iter().map(|word| (*word).to_owned()).collect()
    })
}

/// A Redis with TLS only.
pub(super) fn with_tls(certificates: &Path) -> Option<Redis> {
    let path = |name: &str| certificates.join(name).to_string_lossy().into_owned();
    let (ca, certificate, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
    Redis::tls(
        &[
            "--appendonly",
            "yes",
            "--maxmemory",
            "256mb",
            "--maxmemory-policy",
            "noeviction",
            "--tls-ca-cert-file",
            &ca,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
        ],
        &["--tls", "--cacert", &ca],
    )
}

/// Serves calls with durable answers, lists its session, and passes `doctor`.
fn serves(url: &str, more: &[&str]) {
    let project = Project::small();
    let mut server = serve(&project, url, more);
    let made = server.good("create_session", json!({"label": "shape"}));
    is_durable(&made, "redis");
    let id = made["data"]["session_id"].clone();
    let answer = server.good("analyze_complexity", json!({"session_id": id}));
    is_durable(&answer, "redis");
    let status = server.good("get_server_status", json!({}));
    let link = &status["data"]["store"]["link"];
    assert_eq!(link["role"], "master", "{status}");
    let over = server.close();
    assert_eq!(over.status.code(), Some(0), "{}", over.stderr);
    let listed = command(&project, url, &[&["sessions", "list"], more].concat());
    let found = doctor(&project, url, more);
    for said in [
        &status.to_string(),
        &over.stderr,
        &listed.stdout,
        &listed.stderr,
        &found,
    ] {
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let listed = listed.ok();
    assert!(listed.contains("shape"), "{listed}");
}

fn doctor(project: &Project, url: &str, more: &[&str]) -> String {
    command(
        project,
        url,
        &[&["doctor", "--store", "redis"], more].concat(),
    )
    .ok()
}

#[test]
fn a_server_with_a_password() {
    let entry = ["-a", PASSWORD, "--no-auth-warning"];
    let Some(redis) = shaped(&["--requirepass", PASSWORD], &entry) else {
        return;
    };
    serves(
        &format!("redis://:{PASSWORD}@127.0.0.1:{}", redis.port),
        &[],
    );
}

#[test]
fn a_user_with_only_the_documented_permissions() {
    let Some(redis) = shaped(&[], &[]) else {
        return;
    };
    let page = std::fs::read_to_string(root().join("docs/redis.md")).expect("the page");
    let rule = page.lines().find(|line| line.starts_with("ACL SETUSER"));
    let rule = rule.expect("the rule").replace("PASSWORD", PASSWORD);
    let words: Vec<&str> = rule.split_whitespace().collect();
    assert_eq!(redis.cli(&words), "OK", "{rule}");
    serves(
        &format!("redis://mca:{PASSWORD}@127.0.0.1:{}", redis.port),
        &[],
    );
    let log = redis.cli(&["ACL", "LOG"]);
    let words: Vec<_> = log.lines().collect();
    let denied = words.windows(2).filter(|pair| pair[0] == "object");
    let denied: Vec<_> = denied.map(|pair| pair[1]).collect();
    // `doctor` checks all keys that it may read, and continues after those that it may not.
    assert_eq!(denied, ["scan"], "an undocumented permission was needed");
}

#[test]
fn a_unix_socket() {
    let Some(redis) = shaped(
        &["--unixsocket", "%/redis.sock", "--unixsocketperm", "700"],
        &[],
    ) else {
        return;
    };
    serves(&format!("unix://{}", redis.socket().display()), &[]);
}

#[test]
fn tls_with_a_private_ca() {
    let folder = tempfile::tempdir().expect("a folder");
    if !crate::support::certificates::make(folder.path()) {
        return;
    }
    let Some(redis) = with_tls(folder.path()) else {
        return;
    };
    let ca = folder.path().join("ca.pem");
    let more = ["--redis-ca", ca.to_str().expect("a path")];
    serves(&format!("rediss://127.0.0.1:{}", redis.port), &more);
}
