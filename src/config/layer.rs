//! The settings of one source. Flags, environment and file share this type, so each setting is listed once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::authority::{Host, Origin};
use super::http::{Address, Admin, Http};
use super::principals::{Name, Override, Principals};
use super::store::{Durability, Store, StoreKind, Url, WhenAway};
use super::telemetry::LogFormat;
use super::units::{self, Amount, Bytes, Count, Period, Switch};
use super::{Config, Error, Limits};

/// The settings of one source. A missing setting is taken from the next source.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// Read settings from this TOML file [env: MCA_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A directory that the server may read; repeat it for several [default: the current directory]
    #[arg(long, value_name = "DIR")]
    #[serde(deserialize_with = "units::roots")]
    pub root: Option<Vec<PathBuf>>,
    /// Where sessions are stored: memory or redis [default: memory]
    #[arg(help_heading = "Sessions", long, value_name = "STORE")]
    pub store: Option<StoreKind>,
    /// URL of the Redis that stores the sessions: redis://, rediss:// (TLS) or unix:// [default: redis://127.0.0.1:6379]
    #[arg(help_heading = "Sessions", long, value_name = "URL")]
    pub redis_url: Option<Url>,
    /// Prefix of every key in Redis [default: mca]
    #[arg(help_heading = "Sessions", long, value_name = "PREFIX")]
    pub redis_prefix: Option<String>,
    /// URL of the Redis that stores the shared cache [default: that of --redis-url]
    #[arg(help_heading = "Shared cache", long, value_name = "URL")]
    pub cache_redis_url: Option<Url>,
    /// Size limit of the shared cache in Redis, for all nodes together [default: a quarter of its maxmemory, or 256MiB]
    #[arg(help_heading = "Shared cache", long, value_name = "SIZE")]
    pub shared_cache_bytes: Option<Bytes>,
    /// When a result counts as durable: stored in redis, after fsync, or on N replicas (replicated:N) [default: redis]
    #[arg(help_heading = "Sessions", long, value_name = "LEVEL")]
    pub durability: Option<Durability>,
    /// While Redis is down: degrade answers calls from memory and says that they are not durable, refuse fails them [default: degrade]
    #[arg(help_heading = "Sessions", long, value_name = "WHAT")]
    pub when_redis_is_away: Option<WhenAway>,
    /// No other node uses this Redis: keep sessions writable for as long as Redis is down
    #[arg(help_heading = "Sessions", long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub single_node: Option<Switch>,
    /// CA certificates (PEM) that Redis's certificate is checked against [default: those of the system]
    #[arg(help_heading = "Sessions", long, value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// Time after its last call until a session expires [default: 24h]
    #[arg(help_heading = "Sessions", long, value_name = "TIME")]
    pub session_ttl: Option<Period>,
    /// Time limit of one call [default: 5m; analyze: 1h]
    #[arg(help_heading = "Limits", long, value_name = "TIME")]
    pub call_deadline: Option<Period>,
    /// Number of tools that run at the same time [default: one per core]
    #[arg(help_heading = "Limits", long, value_name = "N")]
    pub workers: Option<Count>,
    /// Size of the in-memory cache of analyses [default: 256MiB]
    #[arg(help_heading = "Limits", long, value_name = "SIZE")]
    pub cache_bytes: Option<Bytes>,
    /// Memory limit of all running analyses together [default: 2GiB]
    #[arg(help_heading = "Limits", long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
    /// Files larger than this are skipped, and the answer counts them [default: 10MiB]
    #[arg(help_heading = "Limits", long, value_name = "SIZE")]
    pub max_file_bytes: Option<Bytes>,
    /// Log filter for stderr, such as `debug` or `info,actors=trace`
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// How log lines look: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Record the arguments of calls in traces; they may contain paths of your projects
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub trace_arguments: Option<Switch>,
    /// Write the process id to this file, for example for `kill -HUP "$(cat FILE)"`
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Serve over stdin and stdout (the default without --http)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub stdio: Option<Switch>,
    /// Serve over HTTP at this address, for example 127.0.0.1:8642
    #[arg(help_heading = "HTTP", long, value_name = "ADDRESS")]
    pub http: Option<Address>,
    /// Serve health, state and control for operators at this address, for example 127.0.0.1:8643
    #[arg(help_heading = "Admin port", long, value_name = "ADDRESS")]
    pub admin: Option<Address>,
    /// Tokens that are accepted over HTTP: a file with `name: sha256` lines, reloaded on SIGHUP
    #[arg(help_heading = "HTTP", long, value_name = "FILE")]
    pub auth_tokens: Option<PathBuf>,
    /// Tokens that are accepted on the admin port: a file of the same form
    #[arg(help_heading = "Admin port", long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// Serve HTTP without tokens on an address that other machines can reach
    #[arg(help_heading = "HTTP", long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure_no_auth: Option<Switch>,
    /// Let the admin port kill and stall actors, for tests of this program only
    #[arg(help_heading = "Admin port", long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub chaos: Option<Switch>,
    /// Certificate chain (PEM) for HTTPS
    #[arg(help_heading = "HTTP", long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of --tls-cert
    #[arg(help_heading = "HTTP", long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Host name that clients use for this server, in addition to those of this machine; repeat it for several
    #[arg(
        help_heading = "HTTP",
        long,
        value_name = "HOST",
        value_delimiter = ','
    )]
    #[serde(deserialize_with = "units::list")]
    pub allowed_host: Option<Vec<Host>>,
    /// Origin of web pages that may call, for example `https://app.example.com`; repeat it for several
    #[arg(
        help_heading = "HTTP",
        long,
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    #[serde(deserialize_with = "units::list")]
    pub allowed_origin: Option<Vec<Origin>>,
    /// Time for running calls to finish after SIGTERM [default: 20s]
    #[arg(help_heading = "HTTP", long, value_name = "TIME")]
    pub drain_timeout: Option<Period>,
    /// Sessions of one principal [default: 10000]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "N"
    )]
    pub principal_sessions: Option<Amount>,
    /// Running calls of one principal [default: 256]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "N"
    )]
    pub principal_calls: Option<Amount>,
    /// Requests per second of one principal, with bursts of twice as many [default: 200]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "N"
    )]
    pub principal_rate: Option<Amount>,
    /// Stored bytes of all sessions of one principal [default: 256MiB]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "SIZE"
    )]
    pub principal_bytes: Option<Bytes>,
    /// Limits and roots per principal: `[principals.NAME]` in a file.
    #[arg(skip)]
    pub principals: Option<BTreeMap<Name, Override>>,
}

impl Layer {
    /// Takes each missing setting from `lower`.
    pub(super) fn over(self, lower: Self) -> Self {
        Self {
            config: self.config.or(lower.config),
            root: self.root.or(lower.root),
            store: self.store.or(lower.store),
            redis_url: self.redis_url.or(lower.redis_url),
            redis_prefix: self.redis_prefix.or(lower.redis_prefix),
            cache_redis_url: self.cache_redis_url.or(lower.cache_redis_url),
            shared_cache_bytes: self.shared_cache_bytes.or(lower.shared_cache_bytes),
            durability: self.durability.or(lower.durability),
            when_redis_is_away: self.when_redis_is_away.or(lower.when_redis_is_away),
            single_node: self.single_node.or(lower.single_node),
            redis_ca: self.redis_ca.or(lower.redis_ca),
            session_ttl: self.session_ttl.or(lower.session_ttl),
            call_deadline: self.call_deadline.or(lower.call_deadline),
            workers: self.workers.or(lower.workers),
            cache_bytes: self.cache_bytes.or(lower.cache_bytes),
            memory: self.memory.or(lower.memory),
            max_file_bytes: self.max_file_bytes.or(lower.max_file_bytes),
            log: self.log.or(lower.log),
            log_format: self.log_format.or(lower.log_format),
            trace_arguments: self.trace_arguments.or(lower.trace_arguments),
            pid_file: self.pid_file.or(lower.pid_file),
            stdio: self.stdio.or(lower.stdio),
            http: self.http.or(lower.http),
            admin: self.admin.or(lower.admin),
            auth_tokens: self.auth_tokens.or(lower.auth_tokens),
            admin_token_file: self.admin_token_file.or(lower.admin_token_file),
            insecure_no_auth: self.insecure_no_auth.or(lower.insecure_no_auth),
            chaos: self.chaos.or(lower.chaos),
            tls_cert: self.tls_cert.or(lower.tls_cert),
            tls_key: self.tls_key.or(lower.tls_key),
            allowed_host: self.allowed_host.or(lower.allowed_host),
            allowed_origin: self.allowed_origin.or(lower.allowed_origin),
            drain_timeout: self.drain_timeout.or(lower.drain_timeout),
            principal_sessions: self.principal_sessions.or(lower.principal_sessions),
            principal_calls: self.principal_calls.or(lower.principal_calls),
            principal_rate: self.principal_rate.or(lower.principal_rate),
            principal_bytes: self.principal_bytes.or(lower.principal_bytes),
            principals: self.principals.or(lower.principals),
        }
    }

    pub(super) fn into_config(self) -> Result<Config, Error> {
        let store = Store::of(&self)?;
        let (http, admin) = (Http::of(&self)?, Admin::of(&self)?);
        let stdio = self.speaks_stdio()?;
        let principals = Principals::of(&self, http.as_ref());
        let roots = self.root.unwrap_or_default();
        Ok(Config {
            roots: if roots.is_empty() {
                vec![PathBuf::from(".")]
            } else {
                roots
            },
            store,
            stdio,
            http,
            admin,
            principals,
            log: self.log,
            log_format: self.log_format.unwrap_or_default(),
            trace_arguments: self.trace_arguments.is_some_and(|on| on.0),
            pid_file: self.pid_file,
            idle: Vec::new(),
            limits: Limits {
                session_ttl: self.session_ttl.map(|ttl| ttl.0),
                call_deadline: self.call_deadline.map(|deadline| deadline.0),
                workers: self.workers.map(|workers| workers.0),
                cache_bytes: self.cache_bytes.map(|size| size.0),
                memory: self.memory.map(|size| size.0),
                max_file_bytes: self.max_file_bytes.map(|size| size.0 as u64),
            },
        })
    }
}
