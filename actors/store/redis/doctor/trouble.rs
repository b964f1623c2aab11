//! Explains errors of Redis to an operator. The explanations never contain a password.

use redis::{ConnectionAddr, ErrorKind, RedisError as Refused};

use super::Outcome;

fn away(what: String, advice: impl Into<String>) -> Outcome {
    Outcome::Away {
        what,
        advice: advice.into(),
    }
}

pub(super) fn of_address(error: &str) -> Outcome {
    Outcome::Misfit {
        what: format!("the address cannot be used: {error}"),
        advice: "write --redis-url as redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS, or unix:///PATH".to_owned(),
    }
}

/// The connection opened or was being retried, but no answer came.
pub(super) fn silent(address: &ConnectionAddr) -> Outcome {
    let what = format!("nothing answers at {}", shown(address));
    away(what, hint_of_silence(address))
}

fn hint_of_silence(address: &ConnectionAddr) -> &'static str {
    match address {
        ConnectionAddr::Tcp(..) => {
            "check that a firewall lets it through, that Redis listens on that address (`bind`), and that it does not \
             expect TLS there (rediss://)"
        }
        ConnectionAddr::TcpTls { .. } => {
            "check that a firewall lets it through, and that Redis expects TLS on that port (`tls-port`); without TLS \
             write redis://"
        }
        ConnectionAddr::Unix(_) | _ => {
            "check that Redis is running, and not stopped or stuck (its log says so)"
        }
    }
}

pub(super) fn of_connection(refused: &Refused, address: &ConnectionAddr) -> Outcome {
    let place = shown(address);
    let text = words(refused);
    let socket = matches!(address, ConnectionAddr::Unix(_));
    let tls = matches!(address, ConnectionAddr::TcpTls { .. });
    if refused.is_timeout() {
        return silent(address);
    }
    if text.contains("lookup address") || text.contains("resolve") {
        return away(
            format!("the name of {place} cannot be resolved: {text}"),
            "correct the host in --redis-url, or the name server of this machine",
        );
    }
    if tls && looks_like_tls(&text) {
        return of_tls(&place, &text);
    }
    if text.contains("Permission denied") {
        return away(
            format!("this user may not use {place}"),
            "set `unixsocketperm` (770, and the group), or run as a user of that group",
        );
    }
    if refused.is_connection_refusal() {
        return not_listening(&place, socket);
    }
    if tls {
        return of_tls(&place, &text);
    }
    if refused.is_connection_dropped() {
        return away(
            format!("{place} hangs up: {text}"),
            "if it expects TLS, write rediss://; if it is `protected-mode`, set a password or `bind` it; if `maxclients` \
             is reached, raise it",
        );
    }
    of_answer(refused, "the connection")
}

fn not_listening(place: &str, socket: bool) -> Outcome {
    if socket {
        return away(
            format!("nothing listens on the socket {place}"),
            "start Redis with `unixsocket` set to that path, or correct --redis-url",
        );
    }
    away(
        format!("nothing listens on {place}"),
        "start Redis there, or set --redis-url to a running one",
    )
}

fn looks_like_tls(text: &str) -> bool {
    ["certificate", "tls", "handshake", "corrupt message"]
        .iter()
        .any(|word| text.to_lowercase().contains(word))
}

fn of_tls(place: &str, text: &str) -> Outcome {
    let advice = if text.contains("UnknownIssuer") || text.contains("unknown issuer") {
        "set --redis-ca FILE to the certificate of its issuer"
    } else if text.contains("NotValidForName") || text.contains("not valid for name") {
        "use the name of its certificate in --redis-url"
    } else if text.contains("xpired") {
        "renew its certificate, or set the clock of this machine"
    } else if text.contains("CertificateRequired") || text.contains("certificate required") {
        "it asks for a certificate of the client: set `tls-auth-clients no`, and use a password"
    } else {
        "check that it expects TLS on that port (`tls-port`); without TLS write redis://"
    };
    away(format!("no TLS with {place}: {text}"), advice)
}

/// An error about user and password.
pub(super) fn of_credentials(refused: &Refused, address: &ConnectionAddr) -> Outcome {
    let text = words(refused);
    let place = shown(address);
    if text.contains("without any password") {
        return away(
            format!("{place} has no password for the default user"),
            "remove the password from --redis-url, or set `requirepass` or an ACL user there",
        );
    }
    if refused.code() == Some("WRONGPASS") || text.contains("WRONGPASS") {
        return away(
            format!("{place} rejects this user or this password (WRONGPASS)"),
            "correct --redis-url (special characters are written as %XX), or see ACL LIST; a user must be `on`",
        );
    }
    of_first_answer(refused, address)
}

/// An error of the first command on a new connection, where connection problems also show.
pub(super) fn of_first_answer(refused: &Refused, address: &ConnectionAddr) -> Outcome {
    if refused.is_timeout() {
        return silent(address);
    }
    if refused.is_connection_dropped() {
        return of_connection(refused, address);
    }
    of_answer(refused, "PING")
}

/// An error of one command.
pub(super) fn of_answer(refused: &Refused, command: &str) -> Outcome {
    let text = words(refused);
    match refused.code() {
        Some("NOAUTH") => away(
            "it requires a password, and none was given (NOAUTH)".to_owned(),
            "write it into the address: redis://USER:PASSWORD@HOST, best in MCA_REDIS_URL or the configuration file",
        ),
        Some("NOPERM") => Outcome::Misfit {
            what: format!("this user may not use {command} (NOPERM)"),
            advice: format!("ACL SETUSER … +{}", command.to_lowercase()),
        },
        Some("LOADING") => away(
            "it is still loading its data (LOADING)".to_owned(),
            "wait: nodes connect by themselves when it is ready",
        ),
        Some("DENIED") => away(
            "it is in protected mode, and refuses remote connections (DENIED)".to_owned(),
            "set a password (`requirepass`) or an ACL user there",
        ),
        Some("MISCONF") => away(
            "it cannot write its data to disk, and accepts no writes (MISCONF)".to_owned(),
            "check its disk: it may be full, read-only or broken; its log says which",
        ),
        Some("OOM") => away(
            "its memory is full (OOM)".to_owned(),
            "raise `maxmemory`, or delete unneeded keys",
        ),
        Some("READONLY" | "MASTERDOWN") => Outcome::Misfit {
            what: "it is a replica, and accepts no writes".to_owned(),
            advice: "set --redis-url to the primary".to_owned(),
        },
        _ if refused.kind() == ErrorKind::Parse => away(
            format!("the server is not a Redis: {text}"),
            "correct the port in --redis-url",
        ),
        _ => away(
            format!("{command} was refused: {text}"),
            "the log of Redis may say more",
        ),
    }
}

/// The error on one line, because an answer may contain anything.
fn words(refused: &Refused) -> String {
    let text = refused.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shown(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
        ConnectionAddr::TcpTls { host, port, .. } => format!("{host}:{port} (TLS)"),
        ConnectionAddr::Unix(path) => path.display().to_string(),
        // A foreign enum that may grow.
        _ => "that address".to_owned(),
    }
}
