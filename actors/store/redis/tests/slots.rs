//! The scripts work on a Cluster: all keys of a script are in one slot, and no script uses a key that it does not
//! declare.

use super::*;
use crate::ids::ConnectionId;

#[tokio::test]
async fn the_keys_of_a_script_lie_in_one_slot() {
    // Only a cluster server reports slots.
    let Some(server) = server::with(&["--cluster-enabled", "yes"]) else {
        return;
    };
    let mut connection = server.connection();
    let mut slot = |key: &str| -> u64 {
        let mut tag = key;
        if let Some((_, rest)) = key.split_once('{')
            && let Some((inner, _)) = rest.split_once('}')
            && !inner.is_empty()
        {
            tag = inner;
        }
        let whole: u64 = ::redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(key)
            .query(&mut connection)
            .unwrap();
        let by_tag: u64 = ::redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(tag)
            .query(&mut connection)
            .unwrap();
        assert_eq!(whole, by_tag, "{key}");
        whole
    };
    let keys = Keys::new("mca");
    for _ in 0..50 {
        let session = keys.session(SessionId::random());
        let slots: Vec<_> = session.all().map(&mut slot).to_vec();
        assert!(slots.iter().all(|other| *other == slots[0]));
        let connection = keys.connection(ConnectionId::random());
        let slots: Vec<_> = connection.all().map(&mut slot).to_vec();
        assert!(slots.iter().all(|other| *other == slots[0]));
    }
    let cache = keys.cache();
    let slots: Vec<_> = cache.all().into_iter().map(&mut slot).collect();
    assert!(slots.iter().all(|other| *other == slots[0]));
    for partition in 0..keys::PARTITIONS {
        let index = keys.index(partition);
        let slots = index.all().map(&mut slot);
        assert!(slots.iter().all(|other| *other == slots[0]));
    }
}

/// The commands that scripts may use. The first argument is a key, and the only one. TIME and INFO take no key, and DEL
/// and UNLINK take only keys.
const COMMANDS: [&str; 22] = [
    "DEL",
    "HDEL",
    "HGET",
    "HGETALL",
    "HMGET",
    "HSET",
    "HSTRLEN",
    "INFO",
    "LLEN",
    "LRANGE",
    "PEXPIRE",
    "PEXPIREAT",
    "RPUSH",
    "TIME",
    "TYPE",
    "UNLINK",
    "ZADD",
    "ZLEXCOUNT",
    "ZRANGEBYSCORE",
    "ZREM",
    "ZREMRANGEBYSCORE",
    "ZSCORE",
];

/// The places where the prelude iterates over the keys or takes one as an argument. `declared` occurs nowhere else.
const DECLARED: [&str; 5] = [
    "for _, declared in ipairs(KEYS) do redis.call('PEXPIREAT', declared,",
    "function kind_of(declared)",
    "redis.call('TYPE', declared)",
    "function wrong_kind(declared, wanted)",
    "kind_of(declared)",
];

/// Words with which a script could reach other keys than through a plain `redis.call`.
const FOREIGN: [&str; 6] = [
    "declared",
    "loadstring",
    "load(",
    "_G",
    "getfenv",
    "require",
];

/// `KEYS[n]`: a key that the script was given, by its number or by a variable that holds the number.
fn is_given(word: &str) -> bool {
    let number = word
        .strip_prefix("KEYS[")
        .and_then(|rest| rest.strip_suffix(']'));
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase());
    number.is_some_and(|number| number.parse::<u8>().is_ok() || is_name(number))
}

/// The first violation in a script.
fn forbidden(script: &str) -> Option<String> {
    let code = script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let code = code.collect::<Vec<_>>().join("\n");
    let code = DECLARED
        .iter()
        .fold(code, |code, known| code.replace(known, ""));
    if let Some(found) = FOREIGN.iter().find(|name| code.contains(**name)) {
        return Some((*found).to_owned());
    }
    if code.matches("redis").count() != code.matches("redis.call('").count() {
        return Some("an alias of `redis`".to_owned());
    }
    let calls = code.split("redis.call('").skip(1);
    let calls = calls.map(|rest| rest.split_once('\'').unwrap_or((rest, "")));
    let helpers = ["kind_of(", "wrong_kind("];
    let helped = helpers.iter().flat_map(|name| code.split(name).skip(1));
    for (command, rest) in calls.chain(helped.map(|rest| ("TYPE", rest))) {
        let arguments = &rest[..rest.find([')', '\n']).unwrap_or(rest.len())];
        let mut words = arguments.trim_start_matches(',').split(',').map(str::trim);
        let allowed = match command {
            "TIME" => words.all(str::is_empty),
            "INFO" => words.all(|word| word == "'memory'"),
            "DEL" | "UNLINK" => words.all(is_given),
            _ => COMMANDS.contains(&command) && words.next().is_some_and(is_given),
        };
        if !allowed {
            return Some(format!("{command}{arguments}"));
        }
    }
    None
}

#[test]
fn no_script_uses_an_undeclared_key() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("store/redis/lua");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(forbidden(&text), None, "{}", path.display());
        seen += 1;
    }
    // Three of them are prepended to others.
    assert_eq!(seen, script::ALL.len() + 3);
}

#[test]
fn undeclared_keys_are_detected() {
    for broken in [
        "redis.call('HGET', 'mca:other', 'x')",
        "local key = redis.call('HGET', KEYS[1], 'key')\nredis.call('DEL', key)",
        "redis.call('DEL', KEYS[1], ARGV[2])",
        "redis.call('UNLINK', KEYS[1], ARGV[2])",
        "redis.call('INFO', 'everything')",
        "redis.call('HSET', KEYS[1] .. ':x', 'a', 'b')",
        "redis.call('HGET', KEYS[ARGV[1]], 'x')",
        "redis.call('KEYS', '*')",
        "redis.call('SCAN', 0)",
        "redis.call('RENAME', KEYS[1], KEYS[2])",
        "redis.call(ARGV[1], KEYS[1])",
        "redis.call(\"HGET\", 'x', 'y')",
        "redis.pcall('HGET', KEYS[1], 'x')",
        "local r = redis\nr.call('HGET', 'x', 'y')",
        "local declared = 'x'\nkind_of(declared)",
        "kind_of(ARGV[1])",
        "wrong_kind(found.key, 'list')",
    ] {
        assert!(forbidden(broken).is_some(), "{broken}");
    }
    let well = "-- redis\nredis.call('TIME')\nredis.call('DEL', KEYS[1], KEYS[2])\nwrong_kind(KEYS[2], 'list')";
    assert_eq!(forbidden(well), None);
}
