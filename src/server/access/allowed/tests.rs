use proptest::prelude::*;

use super::*;

fn allowed(address: &str, hosts: &[&str], origins: &[&str]) -> Allowed {
    let names = Names {
        hosts: hosts
            .iter()
            .map(|text| text.parse().expect("a host"))
            .collect(),
        origins: origins
            .iter()
            .map(|text| text.parse().expect("an origin"))
            .collect(),
    };
    Allowed::new(address.parse().expect("an address"), &names)
}

fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
        headers.append(name.clone(), value);
    }
    headers
}

fn host(allowed: &Allowed, uri: &str, values: &[&str]) -> Result<(), Denied> {
    allowed.host(&uri.parse().expect("an address"), &headers(HOST, values))
}

fn origin(allowed: &Allowed, values: &[&str]) -> Result<bool, Denied> {
    let headers = headers(ORIGIN, values);
    allowed.origin(&headers).map(|origin| origin.is_some())
}

#[test]
fn a_loopback_port_accepts_the_names_of_this_machine() {
    let here = allowed("127.0.0.1:8642", &[], &[]);
    for ours in [
        "localhost",
        "LocalHost:8642",
        "127.0.0.1:1",
        "[::1]:8642",
        "localhost.",
    ] {
        assert_eq!(host(&here, "/mcp", &[ours]), Ok(()), "{ours}");
    }
    for foreign in [
        "evil.example",
        "evil.example:8642",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "0.0.0.0:8642",
        "[::]:8642",
        "[::ffff:127.0.0.1]",
        "mca.example.com",
    ] {
        assert_eq!(
            host(&here, "/mcp", &[foreign]),
            Err(Denied::HostForeign),
            "{foreign}"
        );
    }
}

#[test]
fn a_public_port_accepts_its_address_and_its_allowed_hosts() {
    let there = allowed(
        "10.0.0.1:8642",
        &["mca.example.com", "other.example:8642"],
        &[],
    );
    for ours in [
        "10.0.0.1:8642",
        "mca.example.com",
        "MCA.example.com.:443",
        "other.example:8642",
    ] {
        assert_eq!(host(&there, "/mcp", &[ours]), Ok(()), "{ours}");
    }
    for foreign in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "other.example",
        "10.0.0.2",
        "com",
    ] {
        assert_eq!(
            host(&there, "/mcp", &[foreign]),
            Err(Denied::HostForeign),
            "{foreign}"
        );
    }
    let everywhere = allowed("0.0.0.0:8642", &["mca.example.com"], &[]);
    assert_eq!(
        host(&everywhere, "/mcp", &["0.0.0.0"]),
        Err(Denied::HostForeign)
    );
    assert_eq!(host(&everywhere, "/mcp", &["mca.example.com"]), Ok(()));
}

#[test]
fn a_missing_repeated_or_invalid_host_is_refused() {
    let here = allowed("127.0.0.1:8642", &[], &[]);
    assert_eq!(host(&here, "/mcp", &[]), Err(Denied::HostMissing));
    for twice in [["localhost", "localhost"], ["localhost", "evil.example"]] {
        assert_eq!(host(&here, "/mcp", &twice), Err(Denied::Twice(HOST)));
    }
    for unreadable in [
        "",
        "user@localhost",
        "localhost, evil.example",
        "localhost:x",
        "lo\u{e9}",
    ] {
        assert_eq!(
            host(&here, "/mcp", &[unreadable]),
            Err(Denied::HostUnreadable),
            "{unreadable}"
        );
    }
}

#[test]
fn the_host_of_the_request_line_is_checked_too() {
    let here = allowed("127.0.0.1:8642", &[], &[]);
    assert_eq!(host(&here, "http://localhost/mcp", &[]), Ok(()));
    assert_eq!(host(&here, "http://localhost/mcp", &["localhost"]), Ok(()));
    let foreign = Err(Denied::HostForeign);
    assert_eq!(
        host(&here, "http://evil.example/mcp", &["localhost"]),
        foreign
    );
    assert_eq!(
        host(&here, "http://localhost/mcp", &["evil.example"]),
        foreign
    );
    let user = host(&here, "http://evil@localhost/mcp", &["localhost"]);
    assert_eq!(user, Err(Denied::HostUnreadable));
}

#[test]
fn a_loopback_port_accepts_pages_of_this_machine_only() {
    let here = allowed(
        "[::1]:8642",
        &[],
        &["https://app.example.com", "vscode-webview://panel"],
    );
    assert_eq!(origin(&here, &[]), Ok(false));
    for ours in [
        "http://localhost",
        "http://localhost:6274",
        "https://127.0.0.1:1",
        "http://[::1]:8642",
        "https://app.example.com",
        "https://APP.example.com:443",
        "vscode-webview://panel",
    ] {
        assert_eq!(origin(&here, &[ours]), Ok(true), "{ours}");
    }
    for foreign in [
        "null",
        "",
        "*",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.example",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://evil.example#http://localhost",
        "ftp://localhost",
        "file://",
        "chrome-extension://panel",
        "http://localhost http://evil.example",
        "\u{e9}",
    ] {
        assert_eq!(
            origin(&here, &[foreign]),
            Err(Denied::OriginForeign),
            "{foreign}"
        );
    }
    let twice = origin(&here, &["http://localhost", "http://localhost"]);
    assert_eq!(twice, Err(Denied::Twice(ORIGIN)));
}

#[test]
fn a_public_port_refuses_pages_of_this_machine() {
    let there = allowed("10.0.0.1:8642", &[], &["https://app.example.com"]);
    let local = origin(&there, &["http://localhost:6274"]);
    assert_eq!(local, Err(Denied::OriginForeign));
    assert_eq!(origin(&there, &["https://app.example.com"]), Ok(true));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_allowed_names_pass(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let (here, mut headers) = (allowed("127.0.0.1:1", &["mca.example"], &[]), HeaderMap::new());
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            headers.insert(HOST, value.clone());
            headers.insert(ORIGIN, value);
            let named = str::from_utf8(&bytes).ok().and_then(|text| text.parse::<Host>().ok());
            let ours = named.is_some_and(|host| host.is_loopback() || host.name == "mca.example");
            prop_assert_eq!(here.host(&Uri::from_static("/mcp"), &headers).is_ok(), ours);
            prop_assert!(here.origin(&headers).is_err(), "an origin needs a scheme");
        }
    }

    #[test]
    fn a_name_that_contains_an_allowed_one_is_refused(before in "[a-z0-9.-]{0,9}", after in "[a-z0-9.-]{0,9}") {
        let here = allowed("127.0.0.1:1", &["mca.example"], &["https://mca.example"]);
        let name = format!("{before}mca.example{after}");
        let is_it = before.is_empty() && (after.is_empty() || after == ".");
        prop_assert_eq!(host(&here, "/", &[&name]).is_ok(), is_it, "{}", name);
        prop_assert_eq!(origin(&here, &[&format!("https://{name}")]).is_ok(), is_it, "{}", name);
    }
}
