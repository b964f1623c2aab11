//! Requests without a valid token are refused in every form.

use super::{ADMIN_ROUTES, ALICE, BOB, HOME, MCP_ROUTES, OPERATOR, Team, ask, bearer, refused};

#[test]
fn invalid_tokens_are_refused_on_every_route() {
    let team = Team::start(&[]);
    let (alice, bob, operator) = (bearer(ALICE), bearer(BOB), bearer(OPERATOR));
    let long = format!("Bearer {}", "a".repeat(20_000));
    let digest = ALICE.1.trim().rsplit(' ').next().expect("a digest");
    let digest = format!("Bearer {digest}");
    let wrong = [
        ("", 401),
        ("Bearer", 400),
        ("Bearer ", 400),
        ("Bearer \t", 400),
        ("Bearer wrong", 401),
        ("Bearer alice", 401),
        ("Basic YWxpY2U6YWxpY2Utb3BlbnMtc2VzYW1l", 401),
        ("alice-opens-sesame", 401),
        ("Bearer=alice-opens-sesame", 401),
        ("Bearer alice-opens-sesame x", 400),
        ("Bearer alice-opens-sesame, Bearer wrong", 400),
        ("Bearer \"alice-opens-sesame\"", 400),
        ("Bearer alice-opens-sesam\u{e9}", 400),
        ("Bearer alice-opens-sesamE", 401),
        ("Bearer alice-opens-sesam", 401),
        (&long, 400),
        // The digest in the operator's file is not a token.
        (&digest, 401),
    ];
    let ports = [
        (team.node.http, &MCP_ROUTES[..], operator.as_str()),
        (team.admin(), &ADMIN_ROUTES[..], alice.as_str()),
    ];
    let mut limited = 0;
    for (to, routes, of_the_other_port) in ports {
        for route in routes {
            refused(&ask(to, *route, &[HOME]), 401, "no token");
            for (value, status) in wrong.iter().chain(&[(of_the_other_port, 401)]) {
                let reply = ask(to, *route, &[HOME, ("authorization", value)]);
                let what = format!("{route:?} {value:?}");
                // This sends more wrong tokens from one address than a minute allows.
                if reply.status == 429 {
                    assert_eq!(*status, 401, "{what}");
                    assert!(reply.header("retry-after").is_some(), "{what}: {reply:?}");
                    limited += 1;
                    continue;
                }
                refused(&reply, *status, &what);
                let challenge = reply.header("www-authenticate").expect("a challenge");
                assert!(challenge.starts_with("Bearer realm="), "{challenge}");
                assert!(!format!("{reply:?}").contains("sesame"), "{reply:?}");
            }
            // Whichever of the two headers were used, the request must fail.
            for [first, second] in [
                [alice.as_str(), "Bearer wrong"],
                ["Bearer wrong", &alice],
                [&alice, &bob],
                [&operator, &operator],
            ] {
                let two = [HOME, ("authorization", first), ("Authorization", second)];
                refused(&ask(to, *route, &two), 400, &format!("two on {route:?}"));
            }
        }
    }
    assert!(limited > 0, "no request was limited");
    team.still_serves();
}

#[test]
fn a_token_in_another_place_is_ignored() {
    let team = Team::start(&[]);
    let token = ALICE.0;
    for (method, path) in MCP_ROUTES {
        let joined = if path.contains('?') { '&' } else { '?' };
        for query in ["access_token", "token", "authorization", "api_key"] {
            let target = format!("{path}{joined}{query}={token}");
            let reply = ask(team.node.http, (method, &target), &[HOME]);
            refused(&reply, 401, &target);
        }
        for (name, value) in [
            ("proxy-authorization", bearer(ALICE)),
            ("x-api-key", token.to_owned()),
            ("cookie", format!("token={token}")),
            ("x-forwarded-authorization", bearer(ALICE)),
            ("x-forwarded-user", "alice".to_owned()),
        ] {
            let reply = ask(team.node.http, (method, path), &[HOME, (name, &value)]);
            refused(&reply, 401, name);
        }
    }
    let by_user = format!("http://alice:{token}@localhost/mcp");
    let reply = ask(team.node.http, ("POST", &by_user), &[HOME]);
    assert!([400, 401].contains(&reply.status), "{reply:?}");
}
