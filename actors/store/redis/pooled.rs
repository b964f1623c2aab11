//! Round trips over the pool: for requests that block, or whose answers are large.

use redis::{Pipeline, RedisResult, Value, pipe};

use super::RedisStore;
use super::link::{Answers, breaks, is_forgotten, round_trip, unavailable};
use super::measured::RoundTrip;
use super::reply::{Reply, is_whole, strange};
use super::script::Invocation;
use crate::store::StoreError;

impl RedisStore {
    /// Runs one script. A script that the server does not have is loaded, and the request repeated.
    pub(super) async fn run_apart(&self, invocation: Invocation) -> Result<Reply, StoreError> {
        let mut one = pipe();
        one.add_command(invocation.command.clone());
        let mut answer = last(self.ask_apart(&mut one).await?);
        if answer.as_ref().is_err_and(is_forgotten) {
            let mut again = pipe();
            again.add_command(invocation.operation.load());
            again.add_command(invocation.command);
            answer = last(self.ask_apart(&mut again).await?);
        }
        if !is_whole(&answer) {
            self.distrust();
            return Err(strange());
        }
        Reply::read(answer)
    }

    /// Sends all requests in one round trip; returns one answer each.
    pub(super) async fn ask_apart(
        &self,
        all: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let shared = &self.0.shared;
        // Waiting for a connection is part of it.
        let measured = RoundTrip::begin(all, &shared.place);
        let mut connection = match self.0.pool.get().await {
            Ok(connection) => connection,
            Err(error) => {
                measured.unsent();
                return Err(StoreError::Unavailable(error.to_string()));
            }
        };
        let asked = round_trip(&shared.counts, &mut connection, all).await;
        measured.end(&asked);
        let broken = match asked {
            Ok(Answers::OutOfStep) => {
                drop(deadpool_redis::Connection::take(connection));
                self.distrust();
                return Err(strange());
            }
            Ok(Answers::InStep(answers)) => {
                let errors = answers.iter().filter_map(|answer| answer.as_ref().err());
                match errors.filter(|error| breaks(error)).map(unavailable).next() {
                    Some(error) => error,
                    None => return Ok(answers),
                }
            }
            Err(error) => unavailable(&error),
        };
        // Its next user must not read a late answer, nor ask a server whose role has changed.
        drop(deadpool_redis::Connection::take(connection));
        Err(broken)
    }
}

fn last(mut answers: Vec<RedisResult<Value>>) -> RedisResult<Value> {
    answers.pop().unwrap_or(Ok(Value::Nil))
}
