use std::fs;
use std::path::Path;
use std::time::Duration;

use super::store::{Durability, WhenAway};
use super::units::{Bytes, Period};
use super::*;

fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> + use<> {
    pairs
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect::<Vec<_>>()
        .into_iter()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), text).expect("written");
    file
}

#[test]
fn flag_beats_variable_beats_file_beats_default() {
    let file = file("session_ttl = '1h'\ncall_deadline = '1m'\nworkers = 2\n");
    let flags = Layer {
        config: Some(file.path().to_owned()),
        session_ttl: Some(Period(Duration::from_secs(3))),
        ..Layer::default()
    };
    let variables = environment(&[
        ("MCA_SESSION_TTL", "2s"),
        ("MCA_CALL_DEADLINE", "2s"),
        ("PATH", "/bin"),
    ]);
    let config = Config::resolve(flags, variables).expect("all known");
    assert_eq!(config.limits.session_ttl, Some(Duration::from_secs(3)));
    assert_eq!(config.limits.call_deadline, Some(Duration::from_secs(2)));
    assert_eq!(config.limits.workers, Some(2));
    assert_eq!(config.limits.cache_bytes, None);
    assert_eq!(config.roots, [PathBuf::from(".")]);
}

#[test]
fn a_variable_names_the_file_and_roots_are_relative_to_it() {
    let file = file("root = ['a', '/b']\n");
    let folder = file.path().parent().expect("has a folder").to_owned();
    let variables = environment(&[("MCA_CONFIG", &file.path().to_string_lossy())]);
    let config = Config::resolve(Layer::default(), variables).expect("all known");
    assert_eq!(config.roots, [folder.join("a"), PathBuf::from("/b")]);
}

#[test]
fn roots_in_a_variable_are_joined_as_in_path() {
    let config = Config::resolve(Layer::default(), environment(&[("MCA_ROOT", "/a:/b")]));
    assert_eq!(
        config.expect("known").roots,
        [PathBuf::from("/a"), PathBuf::from("/b")]
    );
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_name() {
    let unknown = Config::resolve(Layer::default(), environment(&[("MCA_SESION_TTL", "2s")]))
        .expect_err("no such setting");
    assert_eq!(
        unknown.to_string(),
        "environment variable MCA_SESION_TTL is not a setting; did you mean MCA_SESSION_TTL?"
    );
    let file = file("sesion_ttl = '1h'\n");
    let flags = Layer {
        config: Some(file.path().to_owned()),
        ..Layer::default()
    };
    let unknown = Config::resolve(flags, environment(&[])).expect_err("no such key");
    assert!(unknown.to_string().contains("sesion_ttl"), "{unknown}");
}

#[test]
fn an_invalid_value_is_refused_with_its_source() {
    for (name, value) in [
        ("MCA_SESSION_TTL", "soon"),
        ("MCA_SESSION_TTL", "0s"),
        ("MCA_SESSION_TTL", "99999999999999999d"),
        ("MCA_CACHE_BYTES", "-1"),
        ("MCA_CACHE_BYTES", "18446744073709551615GiB"),
        ("MCA_WORKERS", "0"),
        ("MCA_STORE", "paper"),
    ] {
        let error = Config::resolve(Layer::default(), environment(&[(name, value)]))
            .expect_err("refused")
            .to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn a_config_file_cannot_name_another_and_must_exist() {
    let file = file("config = 'other.toml'\n");
    for path in [file.path(), Path::new("/nowhere/mca.toml")] {
        let flags = Layer {
            config: Some(path.to_owned()),
            ..Layer::default()
        };
        let error = Config::resolve(flags, environment(&[])).expect_err("refused");
        assert!(
            error.to_string().contains(&*path.to_string_lossy()),
            "{error}"
        );
    }
}

#[test]
fn times_and_sizes_read_as_people_write_them() {
    let period = |text: &str| text.parse::<Period>().map(|period| period.0.as_millis());
    assert_eq!(period("500ms"), Ok(500));
    assert_eq!(period("24h"), Ok(86_400_000));
    assert_eq!(period(" 7 d "), Ok(604_800_000));
    let bytes = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
    assert_eq!(bytes("65536"), Ok(65_536));
    assert_eq!(bytes("256MiB"), Ok(268_435_456));
    for bad in ["", "m", "1.5h", "5 minutes", "1MB", "ten"] {
        assert!(period(bad).is_err(), "{bad} was taken for a time");
        assert!(bytes(bad).is_err(), "{bad} was taken for a size");
    }
}

#[test]
fn errors_in_a_file_never_quote_a_password() {
    for text in [
        "store = 'redis'\nredis_url = 'redis://:s3cret@h\n",
        "store = 'redis'\nredis_url = ['redis://:s3cret@h']\n",
    ] {
        let file = file(text);
        let flags = Layer {
            config: Some(file.path().to_owned()),
            ..Layer::default()
        };
        let error = Config::resolve(flags, environment(&[])).expect_err("refused");
        let error = error.to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn every_setting_of_redis_may_come_from_the_environment_or_a_file() {
    let expected = |config: Config| {
        let Store::Redis(redis) = config.store else {
            panic!("asked for Redis");
        };
        assert_eq!(redis.url.secret(), "rediss://u:p@h:1");
        assert_eq!(redis.prefix, "x");
        assert!(redis.cache_url.is_some() && redis.single_node);
        assert_eq!(redis.shared_cache_bytes, Some(64 << 20));
        assert_eq!(redis.durability, Durability::Replicated(2));
        assert_eq!(redis.when_away, WhenAway::Degrade);
        redis.ca.expect("a file")
    };
    let variables = environment(&[
        ("MCA_STORE", "redis"),
        ("MCA_REDIS_URL", "rediss://u:p@h:1"),
        ("MCA_REDIS_PREFIX", "x"),
        ("MCA_CACHE_REDIS_URL", "redis://cache"),
        ("MCA_SHARED_CACHE_BYTES", "64MiB"),
        ("MCA_DURABILITY", "replicated:2"),
        ("MCA_WHEN_REDIS_IS_AWAY", "degrade"),
        ("MCA_SINGLE_NODE", "true"),
        ("MCA_REDIS_CA", "ca.pem"),
    ]);
    let ca = expected(Config::resolve(Layer::default(), variables).expect("all known"));
    assert_eq!(ca, Path::new("ca.pem"));
    let file = file(
        "store = 'redis'\nredis_url = 'rediss://u:p@h:1'\nredis_prefix = 'x'\ncache_redis_url = 'redis://cache'\n\
         shared_cache_bytes = '64MiB'\n\
         durability = 'replicated:2'\nwhen_redis_is_away = 'degrade'\nsingle_node = true\nredis_ca = 'ca.pem'\n",
    );
    let flags = Layer {
        config: Some(file.path().to_owned()),
        ..Layer::default()
    };
    let ca = expected(Config::resolve(flags, environment(&[])).expect("all known"));
    assert_eq!(ca, file.path().parent().expect("a folder").join("ca.pem"));
}

#[test]
fn the_readme_names_every_setting_and_no_other() {
    let readme = include_str!("../../README.md");
    let (_, table) = readme.split_once("## Settings").expect("a table");
    let (table, _) = table.split_once("\n## ").expect("an end");
    let told = |what: &str| table.contains(&format!("`{what}`"));
    let keys = Layer::keys();
    for key in &keys {
        let flag = format!("--{}", key.replace('_', "-"));
        let variable = format!("{ENV_PREFIX}{}", key.to_uppercase());
        assert!(told(&flag) && told(&variable), "{key}");
        assert!(told(key) || key == "config", "{key}");
    }
    for flag in table.split("`--").skip(1) {
        let name: String = flag
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        assert!(
            keys.contains(&name.replace('-', "_")),
            "--{name} is not a setting"
        );
    }
}
