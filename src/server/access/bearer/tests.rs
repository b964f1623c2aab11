use std::fs;

use proptest::prelude::*;

use super::*;

fn line(name: &str, token: &str) -> String {
    let digits: String = Sha256::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name}: {digits}\n")
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), text).expect("written");
    file
}

fn asks(bearer: &Bearer, values: &[&str]) -> Result<Principal, Refused> {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
        headers.append(AUTHORIZATION, value);
    }
    Ok(bearer.admit(&headers)?.principal)
}

fn named(name: &str) -> Result<Principal, Refused> {
    Ok(Principal::named(name))
}

#[test]
fn a_token_identifies_its_principal() {
    let file = file(&(line("alice", "a-1") + &line("alice", "a-2") + &line("bob", "b+/=")));
    let bearer = Bearer::open(file.path()).expect("tokens");
    for (value, name) in [
        ("Bearer a-1", "alice"),
        ("bearer a-2", "alice"),
        ("BEARER   b+/=", "bob"),
    ] {
        assert_eq!(asks(&bearer, &[value]), named(name), "{value}");
    }
    for unknown in [
        "Bearer a-3",
        "Bearer a-",
        "Bearer A-1",
        "Bearer alice",
        "Bearer a-1=",
    ] {
        assert_eq!(
            asks(&bearer, &[unknown]),
            Err(Refused::Unknown),
            "{unknown}"
        );
    }
    // A digest is not accepted as a token, so the file alone grants no access.
    let digest = line("", "a-1").trim_start_matches(": ").trim().to_owned();
    assert_eq!(
        asks(&bearer, &[&format!("Bearer {digest}")]),
        Err(Refused::Unknown)
    );
}

#[test]
fn anything_but_one_bearer_token_is_refused() {
    let file = file(&line("alice", "a-1"));
    let bearer = Bearer::open(file.path()).expect("tokens");
    assert_eq!(asks(&bearer, &[]), Err(Refused::Missing));
    for other in [
        "",
        "Basic YTpi",
        "a-1",
        "Bearera-1",
        "Token a-1",
        "Bear\u{e9}r a-1",
    ] {
        assert_eq!(asks(&bearer, &[other]), Err(Refused::Missing), "{other}");
    }
    let long = format!("Bearer {}", "a".repeat(2000));
    for unreadable in [
        "Bearer",
        "Bearer ",
        "Bearer a-1 a-1",
        "Bearer a-1,",
        "Bearer \u{e9}",
        &long,
    ] {
        assert_eq!(
            asks(&bearer, &[unreadable]),
            Err(Refused::Unreadable),
            "{unreadable}"
        );
    }
    let twice = asks(&bearer, &["Bearer a-1", "Bearer a-1"]);
    assert_eq!(twice, Err(Refused::Unreadable));
}

#[test]
fn a_reload_adds_and_removes_tokens() {
    let file = file(&line("alice", "a-1"));
    let bearer = Bearer::open(file.path()).expect("tokens");
    fs::write(file.path(), line("bob", "b-1")).expect("written");
    assert_eq!(asks(&bearer, &["Bearer a-1"]), named("alice"));
    bearer.reload();
    assert_eq!(asks(&bearer, &["Bearer a-1"]), Err(Refused::Unknown));
    assert_eq!(asks(&bearer, &["Bearer b-1"]), named("bob"));
}

#[test]
fn removing_the_last_token_refuses_every_caller() {
    let file = file(&line("alice", "a-1"));
    let bearer = Bearer::open(file.path()).expect("tokens");
    for empty in ["", "# no tokens\n"] {
        fs::write(file.path(), empty).expect("written");
        bearer.reload();
        assert_eq!(asks(&bearer, &["Bearer a-1"]), Err(Refused::Unknown));
    }
    fs::write(file.path(), line("alice", "a-1")).expect("written");
    bearer.reload();
    assert_eq!(asks(&bearer, &["Bearer a-1"]), named("alice"));
}

#[test]
fn removing_a_token_disconnects_only_its_callers() {
    let file = file(&(line("alice", "a-1") + &line("alice", "a-2")));
    let bearer = Bearer::open(file.path()).expect("tokens");
    let withdrawn = |token: &str| {
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {token}").parse().expect("a header");
        headers.insert(AUTHORIZATION, value);
        bearer.admit(&headers).expect("known").withdrawn
    };
    let (first, second) = (withdrawn("a-1"), withdrawn("a-2"));
    // The digest now belongs to another principal: callers authenticated as alice lose access.
    fs::write(file.path(), line("alice", "a-2") + &line("bob", "a-1")).expect("written");
    bearer.reload();
    assert!(first.is_cancelled() && !second.is_cancelled());
    bearer.reload();
    assert!(!second.is_cancelled() && !withdrawn("a-1").is_cancelled());
}

#[test]
fn an_invalid_file_changes_nothing() {
    let file = file(&line("alice", "a-1"));
    let bearer = Bearer::open(file.path()).expect("tokens");
    for broken in ["alice", &(line("bob", "b-1") + "eve: x\n")] {
        fs::write(file.path(), broken).expect("written");
        bearer.reload();
        assert_eq!(asks(&bearer, &["Bearer a-1"]), named("alice"));
        assert_eq!(asks(&bearer, &["Bearer b-1"]), Err(Refused::Unknown));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_digest_is_found_at_any_position(
        tokens in proptest::collection::btree_set("[a-zA-Z0-9._~-]{1,20}", 1..20),
        asked in "[a-zA-Z0-9._~-]{1,20}",
    ) {
        let known: Vec<Known> = tokens.iter().enumerate().map(|(n, token)| Known::new(Token {
            name: format!("p{n}").parse().expect("a name"),
            digest: Sha256::digest(token).into(),
        })).collect();
        for (n, token) in tokens.iter().enumerate() {
            let found = find(&known, token.as_bytes()).map(|known| known.token.name.to_string());
            prop_assert_eq!(found, Some(format!("p{n}")));
        }
        let found = find(&known, asked.as_bytes());
        prop_assert_eq!(found.is_some(), tokens.contains(&asked));
    }
}
