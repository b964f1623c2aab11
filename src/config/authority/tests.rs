use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;

fn host(text: &str) -> Option<Host> {
    text.parse().ok()
}

fn origin(text: &str) -> Option<Origin> {
    text.parse().ok()
}

#[test]
fn a_host_is_a_name_or_an_address_with_an_optional_port() {
    for (text, name, port) in [
        ("localhost", "localhost", None),
        ("LOCALHOST:80", "localhost", Some(80)),
        ("mca.Example.com.", "mca.example.com", None),
        ("mca.example.com.:8642", "mca.example.com", Some(8642)),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("[::1]", "::1", None),
        ("[0:0:0:0:0:0:0:1]:65535", "::1", Some(65535)),
        ("a_b-c", "a_b-c", None),
    ] {
        let port_is = host(text).map(|host| (host.name, host.port));
        assert_eq!(port_is, Some((name.to_owned(), port)), "{text}");
    }
}

#[test]
fn ambiguous_hosts_are_refused() {
    for text in [
        "",
        ".",
        "..",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:+80",
        "a:80:80",
        "a..b",
        "localhost..",
        "user@localhost",
        "user:password@localhost",
        "localhost:80@evil.example",
        "localhost/",
        "localhost/path",
        "localhost?query",
        "localhost#part",
        "localhost\\evil.example",
        " localhost",
        "localhost ",
        "local\thost",
        "localhost,evil.example",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1%eth0]",
        "[127.0.0.1]",
        "[localhost]",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0177.0.0.1",
        "localho\u{17f}t",
        "xn--",
        "%6cocalhost",
    ] {
        if text == "xn--" {
            // A valid name, but not an allowed one.
            assert!(host(text).is_some_and(|host| !host.is_loopback()));
            continue;
        }
        assert_eq!(host(text), None, "{text:?}");
    }
    assert_eq!(host(&"a.".repeat(200)), None);
}

#[test]
fn an_origin_has_a_scheme_and_the_port_that_it_implies() {
    assert_eq!(origin("https://a"), origin("HTTPS://A:443"));
    assert_eq!(origin("http://a"), origin("http://a:80"));
    assert_ne!(origin("http://a"), origin("https://a"));
    assert!(origin("http://[::1]:6274").is_some_and(|origin| origin.is_loopback()));
    assert!(origin("ftp://localhost").is_some_and(|origin| !origin.is_loopback()));
    for text in [
        "null",
        "",
        "*",
        "https://",
        "://a",
        "a",
        "//a",
        "http:a",
        "http://a/",
        "http://a/path",
        "http://u@a",
        "http://a b",
        "ht tp://a",
        "1http://a",
        "http://a, http://b",
        "file://",
    ] {
        assert_eq!(origin(text), None, "{text:?}");
    }
}

#[test]
fn without_a_port_only_the_name_must_match() {
    let matches = |allowed: &str, asked: &str| {
        let (allowed, asked) = (host(allowed).expect("one"), host(asked).expect("one"));
        allowed.matches(&asked)
    };
    assert!(matches("a.example", "A.example.:1"));
    assert!(matches("a.example:1", "a.example:1"));
    assert!(!matches("a.example:1", "a.example"));
    assert!(!matches("a.example:1", "a.example:2"));
    assert!(!matches("a.example", "b.a.example"));
    assert!(!matches("a.example", "a.example.evil"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsed_text_displays_as_itself(text in "\\PC{0,40}") {
        if let Some(read) = host(&text) {
            prop_assert_eq!(host(&read.to_string()), Some(read));
        }
        if let Some(read) = origin(&text) {
            prop_assert_eq!(origin(&read.to_string()), Some(read));
        }
    }

    #[test]
    fn spelling_changes_nothing(
        name in "[a-z][a-z0-9-]{0,8}(\\.[a-z][a-z0-9-]{0,8}){0,3}",
        port in proptest::option::of(1u16..),
        dot: bool,
        upper: bool,
    ) {
        let written = if upper { name.to_uppercase() } else { name.clone() };
        let dot = if dot { "." } else { "" };
        let suffix = port.map(|port| format!(":{port}")).unwrap_or_default();
        let read = host(&format!("{written}{dot}{suffix}"));
        prop_assert_eq!(read, Some(Host { name, port }));
    }

    #[test]
    fn all_spellings_of_an_address_are_equal(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        let [a, b, c, d, e, f, g, h] = address.segments();
        let long = format!("[{a:04X}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}:{g:x}:{h:x}]");
        prop_assert_eq!(host(&long), host(&format!("[{address}]")));
    }

    #[test]
    fn a_user_before_the_host_is_refused(user in "\\PC{0,20}", name in "[a-z.]{1,10}") {
        let text = format!("{user}@{name}");
        prop_assert_eq!(host(&text), None);
        prop_assert_eq!(origin(&format!("http://{text}")), None);
    }
}
