//! The span and the metric of each round trip. A command that serves no call has only the metric.

use std::time::Instant;

use redis::{Arg, Cmd, ConnectionAddr, Pipeline, RedisResult, Value};
use telemetry::list::attribute::{
    DB_BATCH_SIZE, DB_OPERATION, DB_PROCEDURE, DB_STATUS, DB_SYSTEM, SERVER_ADDRESS, SERVER_PORT,
};
use telemetry::list::metric::RedisDuration;
use telemetry::list::span::REDIS;
use telemetry::{Parent, Span};

use super::link::Answers;
use super::script;

const SYSTEM: &str = "redis";
/// The commands that this crate sends: labels of metrics come from the program's text.
const COMMANDS: [&str; 28] = [
    "BLPOP",
    "CLUSTER",
    "CONFIG",
    "EVALSHA",
    "GET",
    "HGET",
    "HKEYS",
    "HMGET",
    "HSET",
    "HSTRLEN",
    "INFO",
    "KEYS",
    "LPOP",
    "MEMORY",
    "PEXPIRE",
    "PTTL",
    "RPUSH",
    "SCAN",
    "SET",
    "TIME",
    "TYPE",
    "WAIT",
    "WAITAOF",
    "ZADD",
    "ZLEXCOUNT",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZREM",
];
const OTHER: &str = "_OTHER";
/// The `error.type` of a command without a connection, or whose connection broke.
const NOT_CONNECTED: &str = "connection";
const SCRIPTED: &str = "EVALSHA";
/// Waits for messages of other nodes: its time says nothing about Redis.
const BLOCKING: &str = "BLPOP";

/// The address of a server.
#[derive(Debug, Default)]
pub(super) struct Place {
    host: String,
    port: Option<u16>,
}

impl From<&ConnectionAddr> for Place {
    fn from(address: &ConnectionAddr) -> Self {
        match address {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => Self {
                host: host.clone(),
                port: Some(*port),
            },
            other @ (ConnectionAddr::Unix(_) | _) => Self {
                host: other.to_string(),
                port: None,
            },
        }
    }
}

/// What a round trip does: named by its first command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    operation: &'static str,
    /// The script; empty without one.
    procedure: &'static str,
    /// The command, with its script.
    name: &'static str,
    commands: usize,
}

impl Asked {
    fn of(all: &Pipeline) -> Self {
        let mut words = all
            .cmd_iter()
            .next()
            .map(Cmd::args_iter)
            .into_iter()
            .flatten();
        let operation = words.next().and_then(simple).map_or(OTHER, |word| {
            let known = COMMANDS.iter().find(|known| known.as_bytes() == word);
            known.copied().unwrap_or(OTHER)
        });
        let script = (operation == SCRIPTED).then(|| words.next().and_then(simple));
        let script = script.flatten().and_then(script::with_hash);
        Self {
            operation,
            procedure: script.map_or("", |script| script.name),
            name: script.map_or(operation, |script| script.command),
            commands: all.len(),
        }
    }
}

fn simple(word: Arg<&[u8]>) -> Option<&[u8]> {
    match word {
        Arg::Simple(word) => Some(word),
        Arg::Cursor | _ => None,
    }
}

/// A round trip, until it ends.
pub(super) struct RoundTrip {
    asked: Asked,
    span: Span,
    begun: Instant,
}

impl RoundTrip {
    pub(super) fn begin(all: &Pipeline, to: &Place) -> Self {
        let asked = Asked::of(all);
        let mut span = Span::NONE;
        if telemetry::current().is_some() {
            span = Span::of(&REDIS, asked.name, Parent::Current, &[]);
        }
        if let Some(context) = span.context() {
            telemetry::followers(context);
        }
        if span.is_recorded() {
            span.set(DB_SYSTEM, SYSTEM);
            span.set(DB_OPERATION, asked.operation);
            if !asked.procedure.is_empty() {
                span.set(DB_PROCEDURE, asked.procedure);
            }
            if asked.commands > 1 {
                span.set(DB_BATCH_SIZE, asked.commands);
            }
            span.set(SERVER_ADDRESS, to.host.clone());
            if let Some(port) = to.port {
                span.set(SERVER_PORT, port);
            }
        }
        Self {
            asked,
            span,
            begun: Instant::now(),
        }
    }

    /// There is no connection.
    pub(super) fn unsent(self) {
        self.over(NOT_CONNECTED);
    }

    pub(super) fn end(mut self, result: &RedisResult<Answers>) {
        let error = match result {
            Ok(Answers::InStep(answers)) => match answers.iter().find_map(refusal) {
                None => "",
                Some(code) => {
                    self.span.set(DB_STATUS, code);
                    "refused"
                }
            },
            Ok(Answers::OutOfStep) => "out_of_step",
            Err(error) if error.is_timeout() => "timeout",
            Err(_) => NOT_CONNECTED,
        };
        self.over(error);
    }

    fn over(mut self, error: &'static str) {
        if !error.is_empty() {
            self.span.fail(error);
        }
        std::mem::take(&mut self.span).end();
        if self.asked.operation != BLOCKING {
            RedisDuration {
                system: SYSTEM,
                operation: self.asked.operation,
                procedure: self.asked.procedure,
                error,
            }
            .record(self.begun.elapsed().as_secs_f64());
        }
    }
}

fn refusal(answer: &RedisResult<Value>) -> Option<String> {
    let error = answer.as_ref().err()?;
    Some(error.code().unwrap_or("ERR").to_owned())
}

#[cfg(test)]
mod tests {
    use redis::pipe;

    use super::*;
    use crate::store::redis::script::COMMIT;

    #[test]
    fn a_round_trip_is_named_by_its_first_command_and_its_script() {
        let mut get = pipe();
        get.cmd("GET").arg("secret").cmd("TIME");
        let asked = Asked::of(&get);
        assert_eq!(
            (asked.operation, asked.procedure, asked.commands),
            ("GET", "", 2)
        );
        let mut commit = pipe();
        commit.add_command(COMMIT.on(&["key"]).command);
        let asked = Asked::of(&commit);
        assert_eq!(
            (asked.operation, asked.procedure, asked.name),
            ("EVALSHA", "commit", "EVALSHA commit")
        );
        let mut foreign = pipe();
        foreign.cmd("FLUSHALL");
        assert_eq!(Asked::of(&foreign).operation, OTHER);
        assert_eq!(Asked::of(&pipe()).operation, OTHER);
    }
}
