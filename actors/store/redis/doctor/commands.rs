//! Checks that the Redis user may run every command that the store uses: each once, on scratch keys under the prefix.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};

use super::{Outcome, refusal, trouble};
use crate::ids::NodeId;

/// Every command that the store, its scripts, the relay, the shared cache and this check use. `%` stands for the prefix
/// of the scratch keys.
const COMMANDS: [&[&str]; 32] = [
    &["PING"],
    &["HSET", "%:h", "f", "1"],
    &["HGET", "%:h", "f"],
    &["HMGET", "%:h", "f"],
    &["HGETALL", "%:h"],
    &["HSTRLEN", "%:h", "a"],
    &["HDEL", "%:h", "g"],
    &["RPUSH", "%:l", "a"],
    &["LRANGE", "%:l", "0", "0"],
    &["LLEN", "%:l"],
    &["LPOP", "%:l"],
    &["BLPOP", "%:none", "0.001"],
    &["ZADD", "%:z", "0", "a"],
    &["ZREM", "%:z", "b"],
    &["ZSCORE", "%:z", "a"],
    &["ZLEXCOUNT", "%:z", "-", "+"],
    &["ZRANGEBYLEX", "%:z", "-", "+", "LIMIT", "0", "1"],
    &["ZRANGEBYSCORE", "%:z", "0", "0", "LIMIT", "0", "1"],
    &["ZREMRANGEBYSCORE", "%:z", "1", "1"],
    &["SET", "%:s", "a", "PX", "60000"],
    &["GET", "%:s"],
    &["TYPE", "%:s"],
    &["PEXPIRE", "%:h", "60000"],
    &["PEXPIREAT", "%:z", "1"],
    &[
        "EVALSHA",
        "0000000000000000000000000000000000000000",
        "1",
        "%:s",
    ],
    &["SCRIPT|LOAD", "return 1"],
    &["TIME"],
    &["INFO", "server"],
    &["WAIT", "0", "1"],
    &["CONFIG|GET", "appendfsync"],
    &["UNLINK", "%:n"],
    &["DEL", "%:h", "%:l", "%:z", "%:s", "%:n"],
];

/// Without it the configuration cannot be checked, which is reported elsewhere.
const DISPENSABLE: &str = "CONFIG|GET";

pub(super) async fn check(connection: &mut MultiplexedConnection, prefix: &str) -> Outcome {
    let stem = format!("{prefix}:{{doctor-{}}}", NodeId::random());
    let mut denied = Vec::new();
    for words in COMMANDS {
        let Some(refused) = refusal(connection, &command(words, &stem)).await else {
            continue;
        };
        match refused.code() {
            Some("NOPERM") if words[0] == DISPENSABLE => {}
            Some("NOPERM") => denied.push((words[0], refused.to_string())),
            // Errors about the arguments do not matter here.
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
    let mut names = words[0].split('|');
    let mut command = cmd(names.next().unwrap_or_default());
    names.for_each(|name| {
        command.arg(name);
    });
    for word in &words[1..] {
        command.arg(word.replacen('%', stem, 1));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented ACL rule lists exactly the commands that are used.
    #[test]
    fn the_documented_rule_allows_these_commands_and_no_others() {
        let page = include_str!("../../../../docs/redis.md");
        let rule = page.lines().find(|line| line.starts_with("ACL SETUSER"));
        let documented = rule.expect("the rule").split(" -@all").nth(1);
        let mut documented: Vec<_> = documented
            .expect("commands")
            .split_whitespace()
            .map(|word| word.trim_start_matches('+').to_uppercase())
            .collect();
        // Sent when the connection is opened.
        let mut used: Vec<String> = ["AUTH", "SELECT"].map(str::to_owned).into();
        used.extend(COMMANDS.map(|words| words[0].to_owned()));
        documented.sort();
        used.sort();
        assert_eq!(documented, used);
    }
}
