//! `doctor` with every kind of Redis: it names each problem, with advice.

use std::net::TcpListener;

use serde_json::json;

use crate::support::redis::{Redis, free_port};
use crate::support::{Ended, Project};

const PASSWORD: &str = "s3cret-w0rd";

fn doctor(url: &str, more: &[&str]) -> Ended {
    let project = Project::empty();
    super::command(
        &project,
        url,
        &[&["doctor", "--store", "redis"], more].concat(),
    )
}

fn finds(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    for part in parts {
        assert!(
            ended.stdout.contains(part),
            "{part} is missing in\n{}",
            ended.stdout
        );
    }
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!said.contains(PASSWORD), "{said}");
}

#[test]
fn doctor_accepts_the_recommended_redis() {
    let Some(redis) = Redis::good() else { return };
    let ended = doctor(&redis.url(), &[]);
    finds(
        &ended,
        0,
        &[
            "ok    redis connection",
            "ok    redis version: Redis ",
            "ok    redis role: primary",
            "ok    redis append-only file: on",
            "ok    redis fsync",
            "ok    redis memory",
            "ok    redis clock",
            "ok    redis permissions",
            "ok    nodes: no node is running",
            "ok    sessions: started; redis store",
        ],
    );
    assert!(!ended.stdout.contains("warn"), "{}", ended.stdout);
    let left = redis.cli(&["KEYS", "*doctor*"]);
    assert_eq!(left, "", "it leaves nothing behind");
    let again = doctor(&redis.url(), &[]);
    finds(&again, 0, &["ok    nodes: no node is running"]);
    assert_eq!(
        redis.cli(&["KEYS", "*nodes*"]),
        "",
        "it announced itself as a node"
    );
}

#[test]
fn doctor_distinguishes_connection_errors() {
    let closed = format!("redis://:{PASSWORD}@127.0.0.1:{}", free_port());
    finds(
        &doctor(&closed, &[]),
        69,
        &[
            "nothing listens on",
            "start Redis there",
            "warn  sessions: started, but the redis store is down",
        ],
    );
    let name = format!("redis://:{PASSWORD}@no-such-host.invalid");
    finds(
        &doctor(&name, &[]),
        69,
        &["cannot be resolved", "--redis-url"],
    );
    let socket = "unix:///no/such/redis.sock";
    finds(
        &doctor(socket, &[]),
        69,
        &["nothing listens on the socket", "unixsocket"],
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    // The kernel accepts connections, but nothing answers.
    let silent = format!("redis://127.0.0.1:{port}");
    finds(
        &doctor(&silent, &[]),
        69,
        &["nothing answers at", "firewall"],
    );
}

#[test]
fn doctor_distinguishes_wrong_and_missing_passwords() {
    let Some(redis) = Redis::good() else { return };
    let port = redis.port;
    let given = format!("redis://:{PASSWORD}@127.0.0.1:{port}");
    finds(
        &doctor(&given, &[]),
        69,
        &["has no password", "remove the password"],
    );
    redis.cli(&["CONFIG", "SET", "requirepass", PASSWORD]);
    finds(&doctor(&redis.url(), &[]), 69, &["NOAUTH", "MCA_REDIS_URL"]);
    let wrong = format!("redis://:{PASSWORD}x@127.0.0.1:{port}");
    finds(&doctor(&wrong, &[]), 69, &["WRONGPASS", "ACL LIST"]);
    finds(&doctor(&given, &[]), 0, &["ok    redis permissions"]);
}

#[test]
fn doctor_names_missing_permissions() {
    let Some(redis) = Redis::good() else { return };
    let rule = [
        "ACL",
        "SETUSER",
        "mca",
        "on",
        ">s3cret-w0rd",
        "resetkeys",
        "~mca:*",
        "+@all",
    ];
    redis.cli(&[rule.as_slice(), &["-time", "-evalsha", "-hset"]].concat());
    let url = format!("redis://mca:{PASSWORD}@127.0.0.1:{}", redis.port);
    finds(
        &doctor(&url, &[]),
        78,
        &["hset, evalsha, time (NOPERM)", "+hset +evalsha +time"],
    );
    redis.cli(&rule);
    let elsewhere = doctor(&url, &["--redis-prefix", "other"]);
    finds(&elsewhere, 78, &["keys that start with other:", "~other:*"]);
    redis.cli(&[rule.as_slice(), &["-config"]].concat());
    finds(&doctor(&url, &[]), 0, &["warn  redis fsync", "+config|get"]);
}

#[test]
fn doctor_reports_settings_that_lose_sessions() {
    let Some(redis) = Redis::with(&["--appendonly", "no", "--maxmemory-policy", "volatile-lru"])
    else {
        return;
    };
    finds(
        &doctor(&redis.url(), &[]),
        78,
        &[
            "warn  redis append-only file: it is off",
            "appendonly yes",
            "FAIL  redis memory",
            "volatile-lru",
            "maxmemory-policy noeviction",
        ],
    );
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    finds(
        &doctor(&redis.url(), &[]),
        0,
        &["warn  redis memory", "without a limit"],
    );
    let fsync = doctor(&redis.url(), &["--durability", "fsync"]);
    finds(
        &fsync,
        78,
        &[
            "FAIL  redis append-only file",
            "FAIL  redis fsync",
            "appendfsync always",
        ],
    );
    let replicated = doctor(&redis.url(), &["--durability", "replicated:1"]);
    finds(
        &replicated,
        78,
        &[
            "0 replicas are connected, and 1 are required",
            "--durability",
        ],
    );
}

#[test]
fn doctor_names_the_primary_of_a_replica() {
    let Some(primary) = Redis::good() else { return };
    let port = primary.port.to_string();
    let Some(replica) = Redis::with(&["--replicaof", "127.0.0.1", &port]) else {
        return;
    };
    let named = format!("--redis-url redis://127.0.0.1:{port}");
    finds(
        &doctor(&replica.url(), &[]),
        78,
        &["it is a replica of", &named],
    );
}

#[test]
fn tls_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    if !crate::support::certificates::make(folder.path()) {
        return;
    }
    let Some(redis) = super::shapes::with_tls(folder.path()) else {
        return;
    };
    let ca = folder.path().join("ca.pem");
    let ca = ca.to_str().expect("a path");
    let url = format!("rediss://127.0.0.1:{}", redis.port);
    finds(
        &doctor(&url, &["--redis-ca", ca]),
        0,
        &["ok    redis connection"],
    );
    finds(&doctor(&url, &[]), 69, &["no TLS with", "--redis-ca"]);
    finds(&doctor(&redis.url(), &[]), 69, &["rediss://"]);
    let missing = doctor(&url, &["--redis-ca", "no/such/file.pem"]);
    finds(&missing, 78, &["no/such/file.pem", "certificates"]);
    let Some(plain) = Redis::good() else { return };
    let url = format!("rediss://127.0.0.1:{}", plain.port);
    finds(&doctor(&url, &["--redis-ca", ca]), 69, &["redis://"]);
}

/// It hides sessions from lists, but they can still be created and used.
#[test]
fn doctor_names_keys_of_a_wrong_type_and_sessions_still_work() {
    let Some(redis) = Redis::good() else { return };
    let project = Project::small();
    for partition in 0..64 {
        redis.cli(&["SET", &format!("mca:{{ix:{partition:02}}}:l"), "text"]);
    }
    redis.cli(&["SET", "mca:nodes", "text"]);
    let mut server = super::serve(&project, &redis.url(), &[]);
    let made = server.good("create_session", json!({}));
    super::is_durable(&made, "redis");
    let id = made["data"]["session_id"].clone();
    for _ in 0..4 {
        let refused = server.call("list_sessions", json!({}));
        let status = &refused["structuredContent"]["status"];
        assert_eq!(status["reason"], "store_unavailable", "{status}");
        assert!(status.to_string().contains("doctor --repair"), "{status}");
    }
    let answer = server.good("analyze_complexity", json!({"session_id": id}));
    super::is_durable(&answer, "redis");
    finds(
        &doctor(&redis.url(), &[]),
        78,
        &[
            "mca:nodes is a string, not a zset",
            "and 57 more",
            "doctor --repair",
        ],
    );
}
