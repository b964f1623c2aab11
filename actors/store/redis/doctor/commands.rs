//! Whether this user may do what the store does: each command once, on scratch keys under the prefix.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};

use super::{Outcome, refusal, trouble};
use crate::ids::NodeId;

/// Everything that the store, its scripts, the relay and the shared cache use. `%` stands for the stem of the scratch
/// keys.
const COMMANDS: [&[&str]; 33] = [
    &["HSET", "%:h", "f", "1"],
    &["HGET", "%:h", "f"],
    &["HMGET", "%:h", "f"],
    &["HGETALL", "%:h"],
    &["HINCRBY", "%:h", "f", "1"],
    &["HDEL", "%:h", "g"],
    &["RPUSH", "%:l", "a"],
    &["LRANGE", "%:l", "0", "0"],
    &["LLEN", "%:l"],
    &["LPOP", "%:l"],
    &["ZADD", "%:z", "0", "a"],
    &["ZREM", "%:z", "b"],
    &["ZCARD", "%:z"],
    &["ZSCORE", "%:z", "a"],
    &["ZLEXCOUNT", "%:z", "-", "+"],
    &["ZRANGEBYLEX", "%:z", "-", "+", "LIMIT", "0", "1"],
    &["ZRANGEBYSCORE", "%:z", "0", "0", "LIMIT", "0", "1"],
    &["ZREMRANGEBYSCORE", "%:z", "1", "1"],
    &["SET", "%:s", "a", "PX", "60000"],
    &["GET", "%:s"],
    &["MGET", "%:s"],
    &["EXISTS", "%:s"],
    &["PEXPIRE", "%:h", "60000"],
    &["PTTL", "%:h"],
    &["EVAL", "return redis.call('EXISTS', KEYS[1])", "1", "%:s"],
    &[
        "EVALSHA",
        "0000000000000000000000000000000000000000",
        "1",
        "%:s",
    ],
    &["SCRIPT", "LOAD", "return 1"],
    &["BLPOP", "%:none", "0.001"],
    &["TIME"],
    &["INFO", "server"],
    &["WAIT", "0", "1"],
    &["ROLE"],
    &["DEL", "%:h", "%:l", "%:z", "%:s"],
];

pub(super) async fn check(connection: &mut MultiplexedConnection, prefix: &str) -> Outcome {
    let stem = format!("{prefix}:{{doctor-{}}}", NodeId::random());
    let mut denied = Vec::new();
    for words in COMMANDS {
        let Some(refused) = refusal(connection, &command(words, &stem)).await else {
            continue;
        };
        match refused.code() {
            Some("NOPERM") => denied.push((words[0], refused.to_string())),
            // What it says of the arguments is not asked here.
            Some("ERR" | "WRONGTYPE" | "NOSCRIPT") => {}
            _ => return trouble::of_answer(&refused, words[0]),
        }
    }
    let Some((_, first)) = denied.first() else {
        return Outcome::Good(format!(
            "all {} commands are allowed on {prefix}:*",
            COMMANDS.len()
        ));
    };
    if first.contains("key") {
        return Outcome::Misfit {
            what: format!("this user may not use keys that start with {prefix}: ({first})"),
            advice: format!(
                "ACL SETUSER … ~{prefix}:*, or name the prefix that it may use with --redis-prefix"
            ),
        };
    }
    let names: Vec<_> = denied.iter().map(|(name, _)| name.to_lowercase()).collect();
    Outcome::Misfit {
        what: format!("this user may not use {} (NOPERM)", names.join(", ")),
        advice: format!("ACL SETUSER … +{}", names.join(" +")),
    }
}

fn command(words: &[&str], stem: &str) -> Cmd {
    let mut command = cmd(words[0]);
    for word in &words[1..] {
        command.arg(word.replacen('%', stem, 1));
    }
    command
}
