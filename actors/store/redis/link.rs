//! One long-lived connection shared by many callers. It is opened at first use and again after it breaks.
//!
//! A connection is dropped on an I/O error, on a late answer (a later one could be taken for the answer to another
//! request), and on answers that show that the server's role has changed: READONLY, MASTERDOWN, LOADING. If one
//! connection breaks, the others to the same server are usually broken too, so they are reopened as well. Otherwise
//! callers would find them one by one and take the server for down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisResult,
    ServerErrorKind, Value, pipe,
};
use tokio::sync::Mutex;

use super::Shared;
use super::measured::RoundTrip;
use super::reply::{is_whole, strange};
use super::script::{ALL, Invocation};
use super::server::{self, Server};
use crate::store::StoreError;

/// On loopback or within a data centre, connecting takes milliseconds.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Scripts take a tenth of a millisecond; a server that is silent for this long hangs or is down.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// After a failed attempt, other callers get the same error for this long, so that not all of them connect at once.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// A peer that vanished is detected within 5 s + 3 × 2 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_TRIES: u32 = 3;
/// Data that the peer's kernel does not acknowledge for this long breaks the connection.
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// TCP_NODELAY, and keepalive on both ends.
pub(super) fn tuned(info: &ConnectionInfo) -> ConnectionInfo {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(USER_TIMEOUT);
    info.clone().set_tcp_settings(settings)
}

pub(super) fn connection_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN))
}

pub(super) struct Lane {
    client: Client,
    /// True for connections that load the session scripts. False for the shared cache, where any server will do.
    for_sessions: bool,
    shared: Arc<Shared>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    connection: Option<(Opened, MultiplexedConnection)>,
    /// When the attempt began.
    since: Option<Instant>,
    /// Counts connections: a caller that finds one broken must not close a later one.
    generation: u64,
    failed: Option<(Instant, StoreError)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opened {
    generation: u64,
    /// The run of the server that it is connected to.
    run: u64,
}

/// Counters of all lanes together.
#[derive(Debug)]
pub(super) struct Counts {
    /// Numbers the requests.
    asked: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) made_anew: AtomicU64,
    /// Keys that the server evicted while this node was watching.
    pub(super) evicted_keys: AtomicU64,
    /// Unexpired sessions among them that this node found; no other node counts these.
    pub(super) evicted_sessions: AtomicU64,
    /// Sessions that were missing after the server evicted keys, and that this node had in memory and stored again.
    pub(super) stored_again: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            asked: AtomicU64::new(random()),
            open: AtomicU64::default(),
            made_anew: AtomicU64::default(),
            evicted_keys: AtomicU64::default(),
            evicted_sessions: AtomicU64::default(),
            stored_again: AtomicU64::default(),
        }
    }
}

/// Behind a proxy that mixes up connections, an answer may be meant for another process. From a random start, no two
/// processes send the same numbers.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the numbers of this process still differ from each other.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The answers of one round trip.
pub(super) enum Answers {
    InStep(Vec<RedisResult<Value>>),
    /// They belong to other requests.
    OutOfStep,
}

/// Sends requests, and a last one whose answer is unique, so that answers that are out of step are detected.
pub(super) async fn round_trip(
    counts: &Counts,
    connection: &mut impl ConnectionLike,
    all: &mut Pipeline,
) -> RedisResult<Answers> {
    let nonce = counts.asked.fetch_add(1, Ordering::Relaxed);
    let nonce = format!("{nonce:016x}");
    all.ignore_errors().cmd("PING").arg(&nonce);
    let mut answers: Vec<RedisResult<Value>> = all.query_async(connection).await?;
    let in_step = match answers.pop() {
        Some(Ok(said)) => said == Value::BulkString(nonce.into_bytes()),
        // A server that refuses everything refuses this too.
        Some(Err(_)) => answers.iter().all(Result::is_err),
        None => false,
    };
    Ok(match in_step {
        true => Answers::InStep(answers),
        false => Answers::OutOfStep,
    })
}

impl Lane {
    pub(super) fn new(client: Client, shared: Arc<Shared>) -> Self {
        Self {
            client,
            for_sessions: true,
            shared,
            open: Mutex::default(),
        }
    }

    /// Loads each script at first use, and accepts a server that evicts.
    pub(super) fn for_values(client: Client, shared: Arc<Shared>) -> Self {
        Self {
            client,
            for_sessions: false,
            shared,
            open: Mutex::default(),
        }
    }

    /// Sends all requests in one round trip; returns one answer each, independently. Scripts that the server does not
    /// have are loaded, and their requests repeated.
    pub(super) async fn run(
        &self,
        invocations: Vec<Invocation>,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        self.run_in(None, invocations).await
    }

    /// The same. If the server is not in `run`, nothing is sent.
    pub(super) async fn run_in(
        &self,
        run: Option<u64>,
        invocations: Vec<Invocation>,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let mut all = pipe();
        all.ignore_errors();
        for invocation in &invocations {
            all.add_command(invocation.command.clone());
        }
        let mut answers = self.ask_in(run, &mut all).await?;
        let forgotten: Vec<usize> = (0..answers.len())
            .filter(|index| answers[*index].as_ref().is_err_and(is_forgotten))
            .collect();
        if forgotten.is_empty() {
            return self.trusted(answers).await;
        }
        let mut again = pipe();
        again.ignore_errors();
        for &index in &forgotten {
            again.add_command(invocations[index].operation.load());
            again.add_command(invocations[index].command.clone());
        }
        let repeated = self.ask_in(run, &mut again).await?;
        let repeated = repeated.into_iter().skip(1).step_by(2);
        for (index, answer) in forgotten.into_iter().zip(repeated) {
            answers[index] = answer;
        }
        self.trusted(answers).await
    }

    /// An answer that no script gives was damaged on the way, and the connection's next answers may belong to other
    /// requests. All connections are reopened, and callers ask again.
    async fn trusted(
        &self,
        answers: Vec<RedisResult<Value>>,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        if answers.iter().all(is_whole) {
            return Ok(answers);
        }
        self.shared.broke();
        Err(strange())
    }

    /// Sends all requests in one round trip; returns one answer each.
    pub(super) async fn ask(
        &self,
        all: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        self.ask_in(None, all).await
    }

    async fn ask_in(
        &self,
        run: Option<u64>,
        all: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        // Waiting for a connection is part of it.
        let measured = RoundTrip::begin(all, &self.shared.place);
        let (opened, mut connection) = match self.connection().await {
            Ok(connected) => connected,
            Err(error) => {
                measured.unsent();
                return Err(error);
            }
        };
        if run.is_some_and(|run| run != opened.run) {
            measured.unsent();
            if opened.run != self.shared.run() {
                // To a server that was replaced since.
                self.drop_connection(opened).await;
            }
            return Err(StoreError::Unavailable(
                "its server restarted or was replaced".to_owned(),
            ));
        }
        let answered = round_trip(&self.shared.counts, &mut connection, all).await;
        measured.end(&answered);
        match answered {
            Ok(Answers::OutOfStep) => {
                self.shared.broke();
                Err(strange())
            }
            Ok(Answers::InStep(answers)) => {
                let broken = answers
                    .iter()
                    .filter_map(|answer| answer.as_ref().err())
                    .find(|error| breaks(error));
                if let Some(error) = broken {
                    let error = unavailable(error);
                    self.drop_connection(opened).await;
                    return Err(error);
                }
                Ok(answers)
            }
            Err(error) => {
                self.drop_connection(opened).await;
                // One late answer says nothing about the other connections.
                if !error.is_timeout() {
                    self.shared.broke();
                }
                Err(unavailable(&error))
            }
        }
    }

    async fn connection(&self) -> Result<(Opened, MultiplexedConnection), StoreError> {
        let mut open = self.open.lock().await;
        if let Some(made) = &open.connection {
            if open.since >= self.shared.broken() {
                return Ok(made.clone());
            }
            open.connection = None;
            self.shared.counts.open.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some((at, error)) = &open.failed
            && at.elapsed() < CONNECT_AGAIN_AFTER
        {
            return Err(error.clone());
        }
        let since = Instant::now();
        match self.connect().await {
            Ok((run, connection)) => {
                open.generation += 1;
                open.since = Some(since);
                open.failed = None;
                let generation = open.generation;
                let made = (Opened { generation, run }, connection);
                open.connection = Some(made.clone());
                self.shared.counts.open.fetch_add(1, Ordering::Relaxed);
                if open.generation > 1 {
                    self.shared.counts.made_anew.fetch_add(1, Ordering::Relaxed);
                }
                Ok(made)
            }
            Err(error) => {
                open.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Connects, and checks that the server is a usable master and has the scripts. Returns the server's run, too.
    async fn connect(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
        let config = connection_config();
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await.map_err(|error| {
            // No server is listening. A server that only refuses one more connection keeps the existing ones.
            if error.is_connection_refusal() || error.is_timeout() {
                self.shared.broke();
            }
            unavailable(&error)
        })?;
        let asked = Instant::now();
        let answers = server::questions().query_async(&mut connection).await;
        let server = answers
            .and_then(Server::read)
            .map_err(|error| unavailable(&error))?;
        let took = asked.elapsed();
        let fits = server.serves();
        let unusable = server.unusable().filter(|_| self.for_sessions);
        let run = self.shared.saw(server, took);
        fits.map_err(StoreError::Unavailable)?;
        // A server below the configured durability is used: its answers report that, and without it the node could
        // promise nothing at all.
        if let Some(unusable) = unusable {
            return Err(StoreError::Unavailable(unusable));
        }
        if !self.for_sessions {
            return Ok((run, connection));
        }
        let mut load = pipe();
        load.ignore_errors();
        for operation in ALL {
            load.add_command(operation.load());
        }
        let loaded = load.query_async::<Vec<RedisResult<Value>>>(&mut connection);
        let loaded = loaded.await.map_err(|error| unavailable(&error))?;
        // If one script may not be loaded, none may: report the first error.
        match loaded.iter().find_map(|answer| answer.as_ref().err()) {
            Some(error) => Err(unavailable(error)),
            None => Ok((run, connection)),
        }
    }

    async fn drop_connection(&self, broken: Opened) {
        let mut open = self.open.lock().await;
        if open
            .connection
            .as_ref()
            .is_some_and(|(opened, _)| *opened == broken)
        {
            open.connection = None;
            self.shared.counts.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

pub(super) fn is_forgotten(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// The server's role has changed since the connection was opened.
pub(super) fn breaks(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
        )
    ) || error.is_unrecoverable_error()
}

/// Contains no secret: the client's errors name addresses, never passwords.
pub(super) fn unavailable(error: &RedisError) -> StoreError {
    let what = if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else {
        error.to_string()
    };
    StoreError::Unavailable(what)
}

#[cfg(test)]
mod tests {
    use redis::{Cmd, RedisFuture, parse_redis_value};

    use super::*;

    /// Answers every pipeline with the same values.
    struct Answering<'t>(&'t [&'static str]);

    impl ConnectionLike for Answering<'_> {
        fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
            Box::pin(async { Ok(Value::Nil) })
        }
        fn req_packed_commands<'a>(
            &'a mut self,
            _: &'a Pipeline,
            _: usize,
            _: usize,
        ) -> RedisFuture<'a, Vec<Value>> {
            let values = self.0.iter().map(|said| parse_redis_value(said.as_bytes()));
            Box::pin(async { values.collect() })
        }
        fn get_db(&self) -> i64 {
            0
        }
    }

    #[tokio::test]
    async fn answers_are_accepted_only_if_the_last_one_matches() {
        const TEXT: &str = "$4\r\ntext\r\n";
        const REFUSED: &str = "-NOAUTH Authentication required.\r\n";
        let counts = Counts::default();
        for (said, in_step) in [
            ([TEXT, TEXT].as_slice(), false),
            (&[TEXT, REFUSED], false),
            (&[TEXT], false),
            (&[], false),
            // A server that refuses everything.
            (&[REFUSED, REFUSED], true),
        ] {
            let mut one = pipe();
            one.cmd("GET").arg("key");
            let asked = round_trip(&counts, &mut Answering(said), &mut one).await;
            let believed = matches!(asked, Ok(Answers::InStep(_)));
            assert_eq!(believed, in_step, "{said:?}");
        }
    }

    #[test]
    fn no_two_processes_number_their_requests_alike() {
        let starts = [(); 2].map(|()| Counts::default().asked.into_inner());
        assert_ne!(starts[0], starts[1]);
    }
}
