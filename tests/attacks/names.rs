//! DNS rebinding: a page makes its own name resolve to this machine, and sends its visitor's token.

use std::net::SocketAddr;

use super::{ADMIN_ROUTES, ALICE, HOME, MCP_ROUTES, OPERATOR, PROBES, Team, ask, bearer, refused};
use crate::support::wire;

/// Both ports, each with a valid token.
fn everywhere(team: &Team, attack: impl Fn(SocketAddr, (&str, &str), (&str, &str))) {
    let (alice, operator) = (bearer(ALICE), bearer(OPERATOR));
    for route in MCP_ROUTES {
        attack(team.node.http, route, ("authorization", &alice));
    }
    for route in ADMIN_ROUTES.into_iter().chain(PROBES) {
        attack(team.admin(), route, ("authorization", &operator));
    }
}

#[test]
fn a_foreign_or_missing_name_is_refused_on_every_route() {
    let team = Team::start(&[]);
    everywhere(&team, |to, route, token| {
        for host in [
            "evil.example",
            "evil.example:8642",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2.nip.io",
            "[::ffff:8.8.8.8]",
            "2130706433.evil.example",
        ] {
            let reply = ask(to, route, &[("host", host), token]);
            let said = refused(&reply, 403, &format!("{route:?} {host}"));
            assert!(said.is_empty() || said.contains("--allowed-host"), "{said}");
            assert!(
                !reply.body.contains("evil"),
                "the answer repeats the request"
            );
        }
        for host in [
            "",
            " ",
            "a b",
            "user@localhost",
            "localhost:http",
            "localhost:99999",
            "localhost,evil.example",
        ] {
            let reply = ask(to, route, &[("host", host), token]);
            let refused = [400, 403].contains(&reply.status);
            assert!(refused, "{route:?} {host:?}: {reply:?}");
        }
        refused(&ask(to, route, &[token]), 400, "no host");
        let two = [HOME, ("host", "evil.example"), token];
        refused(&ask(to, route, &two), 400, "two hosts");
        refused(&ask(to, route, &[HOME, HOME, token]), 400, "twice the same");
    });
    team.still_serves();
}

#[test]
fn the_name_in_the_request_line_is_checked_too() {
    let team = Team::start(&[]);
    everywhere(&team, |to, (method, path), token| {
        for (target, host) in [
            (format!("http://evil.example{path}"), "localhost"),
            (format!("http://localhost{path}"), "evil.example"),
            (format!("http://localhost@evil.example{path}"), "localhost"),
            (format!("http://evil.example#@localhost{path}"), "localhost"),
            (format!("//evil.example{path}"), "evil.example"),
        ] {
            let reply = ask(to, (method, &target), &[("host", host), token]);
            let refused = [400, 403].contains(&reply.status);
            assert!(refused, "{target} {host}: {reply:?}");
        }
    });
    let alice = bearer(ALICE);
    let token = ("authorization", alice.as_str());
    let at_home = ("GET", "http://localhost/nothing");
    let reply = ask(team.node.http, at_home, &[HOME, token]);
    assert_eq!(reply.status, 404, "{reply:?}");
    // The server is not a proxy.
    for to in [team.node.http, team.admin()] {
        let reply = ask(to, ("CONNECT", "evil.example:443"), &[HOME, token]);
        assert!([400, 403].contains(&reply.status), "{reply:?}");
    }
}

#[test]
fn every_route_refuses_a_foreign_page_with_and_without_preflight() {
    let team = Team::start(&[]);
    everywhere(&team, |to, route, token| {
        for origin in [
            "https://evil.example",
            "http://evil.example:8642",
            "null",
            "",
            "file://",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "http://localhost, https://evil.example",
            "chrome-extension://abcdef",
        ] {
            let page = ("origin", origin);
            let what = format!("{route:?} {origin:?}");
            let said = refused(&ask(to, route, &[HOME, page, token]), 403, &what);
            assert!(
                said.is_empty() || said.contains("--allowed-origin"),
                "{said}"
            );
            let asks = [
                HOME,
                page,
                ("access-control-request-method", route.0),
                ("access-control-request-headers", "authorization"),
            ];
            refused(&ask(to, ("OPTIONS", route.1), &asks), 403, &what);
        }
        let two = [
            HOME,
            ("origin", "http://localhost"),
            ("origin", "https://evil.example"),
            token,
        ];
        refused(&ask(to, route, &two), 400, "two origins");
    });
    team.still_serves();
}

#[test]
fn probes_need_no_token_and_pages_of_this_machine_may_call_them() {
    let team = Team::start(&[]);
    let page = ("origin", "http://localhost:3000");
    for route in PROBES {
        let reply = ask(team.admin(), route, &[HOME]);
        assert_eq!(reply.status, 200, "{reply:?}");
        let reply = ask(team.admin(), route, &[HOME, page]);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(page.1));
        let preflight = ask(team.admin(), ("OPTIONS", route.1), &[HOME, page]);
        assert_eq!(preflight.status, 204, "{preflight:?}");
    }
    let nameless = wire::exchange(team.admin(), b"GET /readyz HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.expect("an answer").status, 400);
}
