//! Faults of Redis itself.

use std::time::Duration;

use rustix::process::Signal;

use super::world::{Setup, World};
use super::{A_LEASE, Loss, SOON, Scenario};
use crate::support::redis::Redis;

const REFUSING: Setup = Setup::ONE.serving(&["--when-redis-is-away", "refuse"]);
const FSYNC: Setup = Setup::ONE.serving(&["--durability", "fsync"]).redis(&[
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--maxmemory-policy",
    "noeviction",
]);
/// Interval at which nodes query Redis's configuration.
const HEALTH_CHECK: Duration = Duration::from_secs(11);
/// Enough memory for the data of one scenario, and not much more.
const SMALL: Setup = Setup::ONE.redis(&[
    "--appendonly",
    "yes",
    "--maxmemory",
    "64mb",
    "--maxmemory-policy",
    "noeviction",
]);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("redis: killed, back at once", |world| world.redis.restart()).sampled(),
        Scenario::new("redis: killed, back at once, fsync", |world| {
            world.redis.restart();
        })
        .on(FSYNC),
        Scenario::new("redis: killed, back at once, refuse", |world| {
            world.redis.restart();
        })
        .on(REFUSING),
        Scenario::new("redis: killed, two nodes", |world| world.redis.restart()).on(Setup::TWO),
        Scenario::new("redis: killed, down for 3 s", |world| {
            world.redis.kill();
            world.hold(Duration::from_secs(3));
            world.redis.restart();
        }),
        Scenario::new("redis: killed five times", |world| {
            for _ in 0..5 {
                world.redis.restart();
                world.hold(Duration::from_millis(300));
            }
        }),
        Scenario::new("redis: shut down cleanly", |world| {
            world.redis.cli(&["SHUTDOWN"]);
            world.redis.restart();
        }),
        Scenario::new("redis: stopped for 2 s", |world| {
            world.redis.signal(Signal::STOP);
            world.hold(Duration::from_secs(2));
            world.redis.signal(Signal::CONT);
        }),
        Scenario::new("redis: stopped for 8 s", |world| {
            world.redis.signal(Signal::STOP);
            world.hold(Duration::from_secs(8));
            world.redis.signal(Signal::CONT);
        }),
        Scenario::new("redis: busy for 2 s", |world| {
            world.redis.cli(&["DEBUG", "SLEEP", "2"]);
        }),
        Scenario::new("redis: a script that does not end", |world| {
            world
                .redis
                .cli(&["CONFIG", "SET", "busy-reply-threshold", "200"]);
            let mut busy = world.redis.background(&["EVAL", "while true do end", "0"]);
            world.hold(Duration::from_secs(1));
            world.redis.cli(&["SCRIPT", "KILL"]);
            let _ = busy.wait();
        }),
        Scenario::new("redis: clients paused", |world| {
            world.redis.cli(&["CLIENT", "PAUSE", "2000", "ALL"]);
            world.hold(Duration::from_secs(2));
        }),
        Scenario::new("redis: writes paused", |world| {
            world.redis.cli(&["CLIENT", "PAUSE", "2000", "WRITE"]);
            world.hold(Duration::from_secs(2));
        }),
        Scenario::new("redis: clients killed", |world| {
            for _ in 0..10 {
                world.redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
                world.hold(Duration::from_millis(100));
            }
        }),
        Scenario::new("redis: scripts forgotten", |world| {
            for _ in 0..10 {
                world.redis.cli(&["SCRIPT", "FLUSH"]);
                world.hold(Duration::from_millis(100));
            }
        }),
        Scenario::new("redis: everything flushed", |world| {
            world.redis.cli(&["FLUSHALL"]);
        })
        .losing(Loss::Results),
        Scenario::new("redis: back by some calls", |world| back(world, 30))
            .losing(Loss::Results)
            .sampled(),
        Scenario::new("redis: back by many calls", |world| back(world, 200)).losing(Loss::Results),
        Scenario::new("redis: back by some calls, two nodes", |world| {
            back(world, 30)
        })
        .losing(Loss::Results)
        .on(Setup::TWO),
        Scenario::new("redis: back, and its node dead", |world| {
            let then = world.redis.copy();
            world.hold(Duration::from_secs(1));
            world.nodes[0].kill();
            world.redis.go_back(then.path());
            world.start_again(0);
        })
        .within(A_LEASE)
        .losing(Loss::Allowed),
        Scenario::new("redis: a replica that lags is promoted", promote).losing(Loss::Results),
        Scenario::new("redis: back to nothing", |world| {
            world.redis.kill();
            let empty = tempfile::tempdir().expect("a folder");
            world.redis.go_back(empty.path());
        })
        .losing(Loss::Results),
        Scenario::new("redis: out of memory for 2 s", |world| {
            world.redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]);
            world.hold(Duration::from_secs(2));
            world.redis.cli(&["CONFIG", "SET", "maxmemory", "64mb"]);
        })
        .on(SMALL),
        Scenario::new("redis: evicts, and is put right", |world| {
            world
                .redis
                .cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
            world.hold(HEALTH_CHECK);
            world.nothing_is_durable();
            world
                .redis
                .cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        })
        .within(Duration::from_secs(15)),
        Scenario::new("redis: cannot save, refuses writes", |world| {
            // A folder in place of the dump file makes saving fail. With a save rule configured, writes then fail too.
            world
                .redis
                .cli(&["CONFIG", "SET", "dbfilename", "appendonlydir"]);
            world.redis.cli(&["CONFIG", "SET", "save", "1 1"]);
            world.hold(Duration::from_secs(4));
            world.redis.cli(&["CONFIG", "SET", "save", ""]);
            world
                .redis
                .cli(&["CONFIG", "SET", "dbfilename", "dump.rdb"]);
            world.redis.cli(&["BGSAVE"]);
        }),
        Scenario::new("redis: made a replica for 2 s", |world| {
            let free = crate::support::redis::free_port().to_string();
            world.redis.cli(&["REPLICAOF", "127.0.0.1", &free]);
            world.hold(Duration::from_secs(2));
            world.redis.cli(&["REPLICAOF", "NO", "ONE"]);
        })
        .within(SOON),
        Scenario::new("redis: a right taken away for 2 s", |world| {
            world.redis.cli(&["ACL", "SETUSER", "default", "-hset"]);
            world.hold(Duration::from_secs(2));
            world.redis.cli(&["ACL", "SETUSER", "default", "+hset"]);
        }),
        Scenario::new("redis: a password out of nowhere", |world| {
            world.redis.cli(&["CONFIG", "SET", "requirepass", "secret"]);
            world
                .redis
                .cli(&["-a", "secret", "CLIENT", "KILL", "TYPE", "normal"]);
            world.hold(Duration::from_secs(2));
            world
                .redis
                .cli(&["-a", "secret", "CONFIG", "SET", "requirepass", ""]);
        }),
        Scenario::new("redis: no room for connections", |world| {
            world.redis.cli(&["CONFIG", "SET", "maxclients", "2"]);
            world.redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            world.hold(Duration::from_secs(2));
            // The nodes keep both processes running until told to stop.
            world.redis.restart();
        }),
        Scenario::new("redis: idle connections closed", |world| {
            world.redis.cli(&["CONFIG", "SET", "timeout", "1"]);
            world.hold(Duration::from_secs(4));
        }),
        Scenario::new("redis: the index is a string", |world| {
            for key in world.redis.cli(&["KEYS", "mca:ix*"]).lines() {
                world.redis.cli(&["DEL", key]);
                world.redis.cli(&["SET", key, "not an index"]);
            }
            world.hold(Duration::from_secs(2));
        }),
        Scenario::new("redis: the list of nodes is a string", |world| {
            world.redis.cli(&["DEL", "mca:nodes"]);
            world.redis.cli(&["SET", "mca:nodes", "no list"]);
            world.hold(Duration::from_secs(2));
        }),
    ]
}

/// Rolls Redis back to its data from before the clients' last calls: this many calls each.
fn back(world: &mut World, calls: u64) {
    let then = world.redis.copy();
    // About four calls of each client in 100 ms; there only have to be more than a few.
    world.hold(Duration::from_millis(25 * calls));
    world.redis.go_back(then.path());
}

/// The replica has the primary's data of a second before its crash.
fn promote(world: &mut World) {
    let mut replica = Redis::good().expect("Redis is installed");
    let primary = world.redis.port.to_string();
    replica.cli(&["REPLICAOF", "127.0.0.1", &primary]);
    while !replica
        .cli(&["INFO", "replication"])
        .contains("master_link_status:up")
    {
        world.hold(Duration::from_millis(20));
    }
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    world.hold(Duration::from_secs(1));
    std::mem::swap(&mut world.redis, &mut replica);
    replica.kill();
    for link in &world.links {
        link.lead_to(world.redis.port);
        link.drop_all();
    }
}
