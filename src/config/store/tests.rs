use std::ffi::OsString;

use super::*;
use crate::config::Config;
use crate::config::units::Switch;

const SECRET: &str = "s3cr@t:w0rd";

fn url(text: &str) -> Url {
    text.parse().expect("any text")
}

fn resolve(layer: Layer) -> Result<Config, crate::config::Error> {
    Config::resolve(layer, std::iter::empty())
}

fn redis(change: impl FnOnce(&mut Layer)) -> Result<Redis, String> {
    let mut layer = Layer {
        store: Some(StoreKind::Redis),
        ..Layer::default()
    };
    change(&mut layer);
    match resolve(layer).map_err(|error| error.to_string())?.store {
        Store::Redis(redis) => Ok(redis),
        Store::Memory => panic!("asked for Redis"),
    }
}

#[test]
fn the_default_redis_is_on_this_machine() {
    let redis = redis(|_| {}).expect("enough");
    assert_eq!(redis.url.secret(), "redis://127.0.0.1:6379");
    assert_eq!(redis.prefix, "mca");
    assert_eq!(redis.durability, Durability::Redis);
    assert_eq!(redis.when_away, WhenAway::Degrade);
    assert!(!redis.single_node && redis.cache_url.is_none() && redis.ca.is_none());
}

#[test]
fn settings_of_redis_are_refused_without_redis() {
    let cases: [(&str, Layer); 7] = [
        (
            "--shared-cache-bytes",
            Layer {
                shared_cache_bytes: Some(crate::config::units::Bytes(1 << 20)),
                ..Layer::default()
            },
        ),
        (
            "--redis-url",
            Layer {
                redis_url: Some(url("redis://a")),
                ..Layer::default()
            },
        ),
        (
            "--redis-prefix",
            Layer {
                redis_prefix: Some("x".to_owned()),
                ..Layer::default()
            },
        ),
        (
            "--durability",
            Layer {
                durability: Some(Durability::Fsync),
                ..Layer::default()
            },
        ),
        (
            "--when-redis-is-away",
            Layer {
                when_redis_is_away: Some(WhenAway::Refuse),
                ..Layer::default()
            },
        ),
        (
            "--single-node",
            Layer {
                single_node: Some(Switch(true)),
                ..Layer::default()
            },
        ),
        (
            "--redis-ca",
            Layer {
                redis_ca: Some("ca.pem".into()),
                ..Layer::default()
            },
        ),
    ];
    for (setting, layer) in cases {
        let error = resolve(layer).expect_err(setting).to_string();
        assert!(
            error.contains(setting) && error.contains("--store redis"),
            "{error}"
        );
    }
    let off = Layer {
        single_node: Some(Switch(false)),
        ..Layer::default()
    };
    assert_eq!(resolve(off).expect("says nothing").store, Store::Memory);
}

#[test]
fn conflicting_settings_are_refused_with_advice() {
    for (expected, change) in [
        (
            "rediss://",
            (|layer: &mut Layer| layer.redis_ca = Some("ca.pem".into())) as fn(&mut Layer),
        ),
        ("remove one of them", |layer| {
            layer.single_node = Some(Switch(true));
            layer.when_redis_is_away = Some(WhenAway::Refuse);
        }),
        ("name another", |layer| {
            layer.cache_redis_url = Some(url(DEFAULT_REDIS_URL))
        }),
        ("--redis-prefix", |layer| {
            layer.redis_prefix = Some("a{b}".to_owned())
        }),
        ("--redis-prefix", |layer| {
            layer.redis_prefix = Some(String::new())
        }),
        ("--redis-url", |layer| {
            layer.redis_url = Some(url("127.0.0.1:6379"))
        }),
        ("--redis-url", |layer| {
            layer.redis_url = Some(url("http://127.0.0.1"))
        }),
        ("--redis-url", |layer| {
            layer.redis_url = Some(url("redis://127.0.0.1:99999"))
        }),
        ("--redis-url", |layer| {
            layer.redis_url = Some(url("redis://:password@"))
        }),
        ("--redis-url", |layer| {
            layer.redis_url = Some(url("unix:relative"))
        }),
        ("--cache-redis-url", |layer| {
            layer.cache_redis_url = Some(url("redis://a b"))
        }),
    ] {
        let error = redis(change).expect_err(expected);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn no_password_is_ever_printed() {
    for (text, shown) in [
        (
            format!("redis://{SECRET}@redis.example:6380/2"),
            "redis://redis.example:6380/2",
        ),
        (
            format!("rediss://user:{SECRET}@[::1]:6380"),
            "rediss://[::1]:6380",
        ),
        (
            format!("redis://user:{SECRET}@h?protocol=resp3"),
            "redis://h",
        ),
        (
            format!("unix:///run/redis.sock?user=u&pass={SECRET}"),
            "unix:///run/redis.sock",
        ),
    ] {
        assert_eq!(url(&text).to_string(), shown);
        let redis = redis(|layer| layer.redis_url = Some(url(&text))).expect("an address");
        assert_eq!(redis.url.secret(), text);
        let debug = format!("{redis:?}");
        assert!(
            !debug.contains(SECRET) && !debug.contains("s3cr"),
            "{debug}"
        );
    }
    for wrong in [
        format!("redis://:{SECRET}@"),
        format!("redis:/:{SECRET}@host"),
        format!("{SECRET}@host"),
        format!("redis://:{SECRET} @host"),
    ] {
        let error = redis(|layer| layer.redis_url = Some(url(&wrong))).expect_err("refused");
        assert!(!error.contains("s3cr"), "{error}");
        assert!(!url(&wrong).to_string().contains("s3cr"), "{}", url(&wrong));
        let variables = [("MCA_REDIS_URL", wrong.as_str()), ("MCA_STORE", "redis")];
        let variables =
            variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let error = Config::resolve(Layer::default(), variables.into_iter()).expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("s3cr"), "{error}");
    }
}

#[test]
fn durability_levels_parse_as_they_display() {
    for text in ["redis", "fsync", "replicated:1", "replicated:16"] {
        let level: Durability = text.parse().expect(text);
        assert_eq!(level.to_string(), text);
    }
    for wrong in [
        "",
        "memory",
        "replicated",
        "replicated:0",
        "replicated:17",
        "replicated:x",
        "Fsync",
    ] {
        assert!(wrong.parse::<Durability>().is_err(), "{wrong}");
    }
}
