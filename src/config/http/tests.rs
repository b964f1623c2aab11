use std::fs;

use super::*;
use crate::config::principals::{self, BURST_SECONDS};
use crate::config::units::{Amount, Bytes, Switch};
use crate::config::{Config, Error};

const ON: Option<Switch> = Some(Switch(true));

fn at(text: &str) -> Option<Address> {
    Some(text.parse().expect("an address"))
}

fn resolve(change: impl FnOnce(&mut Layer)) -> Result<Config, Error> {
    let mut layer = Layer::default();
    change(&mut layer);
    Config::resolve(layer, std::iter::empty())
}

fn refused(change: impl FnOnce(&mut Layer)) -> Misfit {
    match resolve(change) {
        Err(Error::Http(misfit)) => misfit,
        other => panic!("another error than one of HTTP: {other:?}"),
    }
}

#[test]
fn without_an_address_only_stdio_is_served() {
    let config = resolve(|_| {}).expect("defaults");
    assert!(config.stdio && config.http.is_none() && config.admin.is_none());
}

#[test]
fn an_address_replaces_stdio_unless_both_are_configured() {
    let config = resolve(|layer| layer.http = at("127.0.0.1:8642")).expect("loopback");
    assert!(!config.stdio);
    let http = config.http.expect("asked for");
    assert_eq!(http.drain_timeout, DRAIN_TIMEOUT);
    assert!(http.tls.is_none() && http.tokens.is_none() && !http.no_auth && !http.is_public());
    let both = resolve(|layer| {
        layer.http = at("[::1]:0");
        layer.stdio = ON;
    });
    let both = both.expect("both");
    assert!(both.stdio && both.http.is_some());
    let beside = resolve(|layer| layer.admin = at("localhost:8643")).expect("loopback");
    assert!(beside.stdio && beside.admin.is_some());
    let none = refused(|layer| layer.stdio = Some(Switch(false)));
    assert_eq!(none, Misfit::Nothing);
}

#[test]
fn a_public_port_requires_tokens_unless_configured_otherwise() {
    for address in [
        "10.0.0.1:8642",
        "[2001:db8::1]:8642",
        "[::ffff:10.0.0.1]:8642",
    ] {
        let misfit = refused(|layer| layer.http = at(address));
        assert_eq!(misfit, Misfit::Open(address.parse().expect("an address")));
        let said = misfit.to_string();
        assert!(
            said.contains("--auth-tokens") && said.contains("--insecure-no-auth"),
            "{said}"
        );
        let with_tokens = resolve(|layer| {
            layer.http = at(address);
            layer.auth_tokens = Some("tokens".into());
        });
        assert!(
            with_tokens
                .expect("asks")
                .http
                .expect("asked for")
                .is_public()
        );
        let open = resolve(|layer| {
            layer.http = at(address);
            layer.insecure_no_auth = ON;
        });
        assert!(open.expect("said so").http.expect("asked for").no_auth);
    }
    let mapped = resolve(|layer| layer.http = at("[::ffff:127.0.0.1]:8642"));
    assert!(!mapped.expect("loopback").http.expect("asked").is_public());
    let both = refused(|layer| {
        layer.http = at("10.0.0.1:8642");
        layer.insecure_no_auth = ON;
        layer.auth_tokens = Some("tokens".into());
    });
    assert_eq!(both, Misfit::Contradiction);
}

#[test]
fn a_wildcard_address_requires_allowed_hosts() {
    for (http, admin, setting) in [
        (at("0.0.0.0:8642"), None, "--http"),
        (None, at("[::]:8643"), "--admin"),
    ] {
        let layer = |layer: &mut Layer| {
            (layer.http, layer.admin) = (http, admin);
            layer.auth_tokens = http.map(|_| "tokens".into());
            layer.admin_token_file = admin.map(|_| "tokens".into());
        };
        assert_eq!(refused(layer), Misfit::Nameless { setting });
        let named = resolve(|named| {
            layer(named);
            named.allowed_host = Some(vec!["mca.example.com".parse().expect("a name")]);
        });
        named.expect("named");
    }
}

#[test]
fn a_public_admin_port_requires_a_token_and_refuses_chaos() {
    let open = refused(|layer| layer.admin = at("10.0.0.1:8643"));
    assert!(matches!(open, Misfit::AdminOpen(_)), "{open}");
    // `--insecure-no-auth` does not open the admin port.
    let open = refused(|layer| {
        layer.http = at("10.0.0.1:8642");
        layer.insecure_no_auth = ON;
        layer.admin = at("10.0.0.1:8643");
    });
    assert!(matches!(open, Misfit::AdminOpen(_)), "{open}");
    let chaos = refused(|layer| {
        layer.admin = at("10.0.0.1:8643");
        layer.admin_token_file = Some("tokens".into());
        layer.chaos = ON;
    });
    assert!(matches!(chaos, Misfit::ChaosInPublic(_)), "{chaos}");
    let here = resolve(|layer| {
        layer.admin = at("127.0.0.1:8643");
        layer.chaos = ON;
    });
    assert!(here.expect("loopback").admin.expect("asked for").chaos);
    let same = refused(|layer| {
        layer.http = at("127.0.0.1:8642");
        layer.admin = at("127.0.0.1:8642");
    });
    assert!(matches!(same, Misfit::SamePort(_)), "{same}");
}

#[test]
fn settings_of_http_are_refused_without_http() {
    type Change = fn(&mut Layer);
    let cases: [(&str, Change); 12] = [
        ("--auth-tokens", |l| l.auth_tokens = Some("t".into())),
        ("--insecure-no-auth", |l| l.insecure_no_auth = ON),
        ("--tls-cert", |l| l.tls_cert = Some("c".into())),
        ("--tls-key", |l| l.tls_key = Some("k".into())),
        ("--drain-timeout", |l| l.drain_timeout = "1s".parse().ok()),
        ("--principal-sessions", |l| {
            l.principal_sessions = Some(Amount(1))
        }),
        ("--principal-calls", |l| l.principal_calls = Some(Amount(1))),
        ("--principal-rate", |l| l.principal_rate = Some(Amount(1))),
        ("--principal-bytes", |l| l.principal_bytes = Some(Bytes(1))),
        ("--allowed-host", |l| {
            l.allowed_host = Some(vec!["a".parse().expect("a name")])
        }),
        ("--admin-token-file", |l| {
            l.admin_token_file = Some("t".into())
        }),
        ("--chaos", |l| l.chaos = ON),
    ];
    for (setting, change) in cases {
        let said = refused(change).to_string();
        assert!(said.starts_with(setting), "{said}");
        assert!(said.contains("remove it"), "{said}");
    }
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    let half = refused(|layer| {
        layer.http = at("127.0.0.1:8642");
        layer.tls_key = Some("key.pem".into());
    });
    assert_eq!(half, Misfit::HalfTls);
}

#[test]
fn no_name_is_looked_up_to_listen() {
    for bad in [
        "",
        "8642",
        ":8642",
        "127.0.0.1",
        "example.com:8642",
        "localhost:",
        "::1:80",
    ] {
        let said = bad.parse::<Address>().expect_err(bad).to_string();
        assert!(said.contains("127.0.0.1:8642"), "{said}");
    }
}

#[test]
fn every_setting_may_come_from_the_environment() {
    let variables = [
        ("MCA_STDIO", "true"),
        ("MCA_HTTP", "127.0.0.1:1"),
        ("MCA_ADMIN", "127.0.0.1:2"),
        ("MCA_AUTH_TOKENS", "tokens"),
        ("MCA_ADMIN_TOKEN_FILE", "admins"),
        ("MCA_CHAOS", "1"),
        ("MCA_TLS_CERT", "cert.pem"),
        ("MCA_TLS_KEY", "key.pem"),
        (
            "MCA_ALLOWED_HOST",
            "mca.example.com, Other.example.com:8642",
        ),
        ("MCA_ALLOWED_ORIGIN", "https://app.example.com"),
        ("MCA_DRAIN_TIMEOUT", "5s"),
        ("MCA_PRINCIPAL_SESSIONS", "1"),
        ("MCA_PRINCIPAL_CALLS", "2"),
        ("MCA_PRINCIPAL_RATE", "3"),
        ("MCA_PRINCIPAL_BYTES", "4KiB"),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = Config::resolve(Layer::default(), variables.into_iter()).expect("all known");
    assert!(config.stdio);
    let http = config.http.expect("asked for");
    assert_eq!(http.tokens, Some("tokens".into()));
    assert_eq!(http.drain_timeout, Duration::from_secs(5));
    let hosts: Vec<_> = http.names.hosts.iter().map(Host::to_string).collect();
    assert_eq!(hosts, ["mca.example.com", "other.example.com:8642"]);
    assert_eq!(
        http.names.origins[0].to_string(),
        "https://app.example.com:443"
    );
    let tls = http.tls.expect("given");
    assert_eq!(
        (tls.certificates, tls.key),
        ("cert.pem".into(), "key.pem".into())
    );
    let admin = config.admin.expect("asked for");
    assert!(admin.chaos && admin.tokens == Some("admins".into()));
    let limits = principals::Limits {
        sessions: Some(1),
        calls: Some(2),
        rate: Some(3),
        bytes: Some(4096),
    };
    assert_eq!(config.principals.limits("another"), limits);
    assert_eq!(
        config.principals.limits("local"),
        principals::Limits::default()
    );
}

#[test]
fn a_file_configures_principals_with_paths_relative_to_it() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let text = "http = '10.0.0.1:1'\nauth_tokens = 'tokens'\ntls_cert = 'c'\ntls_key = '/k'\nprincipal_calls = 7\n\
                [principals.alice]\nroots = ['a', '/b']\nrate = 9\n[principals.'ci@example.com']\nsessions = 3\n";
    fs::write(file.path(), text).expect("written");
    let folder = file.path().parent().expect("a folder").to_owned();
    let config = resolve(|layer| layer.config = Some(file.path().to_owned())).expect("known");
    let http = config.http.expect("asked for");
    assert_eq!(http.tokens, Some(folder.join("tokens")));
    let tls = http.tls.expect("given");
    assert_eq!((tls.certificates, tls.key), (folder.join("c"), "/k".into()));
    let (alice, ci) = (
        config.principals.limits("alice"),
        config.principals.limits("ci@example.com"),
    );
    assert_eq!((alice.rate, alice.calls), (Some(9), Some(7)));
    assert_eq!((ci.rate, ci.sessions), (Some(principals::RATE), Some(3)));
    let named = config.principals.named;
    let roots: Vec<_> = named.values().map(|own| own.roots.clone()).collect();
    assert_eq!(roots, [Some(vec![folder.join("a"), "/b".into()]), None]);
}

#[test]
fn invalid_principals_in_a_file_are_refused() {
    for text in [
        "[principals.'a b']\nrate = 1\n",
        "[principals.'']\nrate = 1\n",
        "[principals.a]\nspeed = 1\n",
        "[principals.a]\nroots = []\n",
        "[principals.a]\nrate = 0\n",
    ] {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), text).expect("written");
        let error = resolve(|layer| layer.config = Some(file.path().to_owned()));
        let error = error.expect_err(text).to_string();
        assert!(error.contains("line "), "{error}");
    }
}

#[test]
fn a_public_port_without_tokens_limits_local_like_everyone() {
    let open = resolve(|layer| {
        layer.http = at("10.0.0.1:8642");
        layer.insecure_no_auth = ON;
    });
    let principals = open.expect("said so").principals;
    assert_eq!(principals.local, principals.everybody);
    assert_eq!(principals.limits("local").rate, Some(principals::RATE));
    const { assert!(BURST_SECONDS > 0) };
}
