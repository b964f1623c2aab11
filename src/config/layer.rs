//! The settings of one source. Flags, environment and file share this type, so each setting is listed once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::authority::{Host, Origin};
use super::http::{Address, Admin, Http};
use super::principals::{Name, Override, Principals};
use super::store::{Durability, Store, StoreKind, Url, WhenAway};
use super::units::{self, Amount, Bytes, Count, Period, Switch};
use super::{Config, Error, Limits};

/// The settings of one source. A missing setting is taken from the next source.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// Read settings from this TOML file [env: MCA_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory that may be read; may be given more than once [default: the current one]
    #[arg(long, value_name = "DIR")]
    #[serde(deserialize_with = "units::roots")]
    pub root: Option<Vec<PathBuf>>,
    /// Where sessions are kept [default: memory]
    #[arg(help_heading = "Sessions", long, value_name = "STORE")]
    pub store: Option<StoreKind>,
    /// Redis of the sessions: redis://, rediss:// (TLS) or unix:// [default: redis://127.0.0.1:6379]
    #[arg(help_heading = "Sessions", long, value_name = "URL")]
    pub redis_url: Option<Url>,
    /// Starts every key in Redis [default: mca]
    #[arg(help_heading = "Sessions", long, value_name = "PREFIX")]
    pub redis_prefix: Option<String>,
    /// Redis of the shared cache [default: that of the sessions]
    #[arg(help_heading = "Shared cache", long, value_name = "URL")]
    pub cache_redis_url: Option<Url>,
    /// What the shared cache may keep in its Redis, for all nodes [default: a quarter of its maxmemory, or 256MiB]
    #[arg(help_heading = "Shared cache", long, value_name = "SIZE")]
    pub shared_cache_bytes: Option<Bytes>,
    /// What an answer must have survived to be durable: redis, fsync or replicated:N [default: redis]
    #[arg(help_heading = "Sessions", long, value_name = "LEVEL")]
    pub durability: Option<Durability>,
    /// Whether calls are answered, and say that they are not durable, or refused [default: degrade]
    #[arg(help_heading = "Sessions", long, value_name = "WHAT")]
    pub when_redis_is_away: Option<WhenAway>,
    /// No other node uses this Redis: record for as long as it is away
    #[arg(help_heading = "Sessions", long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub single_node: Option<Switch>,
    /// Check Redis's certificate against those in this file (PEM) [default: the system's]
    #[arg(help_heading = "Sessions", long, value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// How long a session is kept after its last call [default: 24h]
    #[arg(help_heading = "Sessions", long, value_name = "TIME")]
    pub session_ttl: Option<Period>,
    /// How long one call may run [default: 5m; analyze: 1h]
    #[arg(help_heading = "Limits", long, value_name = "TIME")]
    pub call_deadline: Option<Period>,
    /// How many tools run at once [default: one for each core]
    #[arg(help_heading = "Limits", long, value_name = "N")]
    pub workers: Option<Count>,
    /// Memory for analyses that may be used again [default: 256MiB]
    #[arg(help_heading = "Limits", long, value_name = "SIZE")]
    pub cache_bytes: Option<Bytes>,
    /// Memory that analyses may take together [default: 2GiB]
    #[arg(help_heading = "Limits", long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
    /// Larger files are skipped, and counted [default: 10MiB]
    #[arg(help_heading = "Limits", long, value_name = "SIZE")]
    pub max_file_bytes: Option<Bytes>,
    /// What is logged to stderr, as in `debug` or `info,actors=trace`
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Write the id of the process into this file while it serves, as for `kill -HUP "$(cat FILE)"`
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Speak over stdin and stdout (the default where no --http is given)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub stdio: Option<Switch>,
    /// Speak over HTTP at this address, as in 127.0.0.1:8642
    #[arg(help_heading = "HTTP", long, value_name = "ADDRESS")]
    pub http: Option<Address>,
    /// Health, state and control at this address, as in 127.0.0.1:8643
    #[arg(help_heading = "Admin port", long, value_name = "ADDRESS")]
    pub admin: Option<Address>,
    /// Who may call over HTTP: a file of `name: sha256` lines; read again on SIGHUP
    #[arg(help_heading = "HTTP", long, value_name = "FILE")]
    pub auth_tokens: Option<PathBuf>,
    /// Who may use the admin port: a file of the same form
    #[arg(help_heading = "Admin port", long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// Let anybody who reaches the address of --http call, though others than this machine may reach it
    #[arg(help_heading = "HTTP", long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure_no_auth: Option<Switch>,
    /// Let the admin port kill and stall actors: for tests of this program alone
    #[arg(help_heading = "Admin port", long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub chaos: Option<Switch>,
    /// Certificates (PEM) to serve HTTPS with
    #[arg(help_heading = "HTTP", long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key (PEM) of --tls-cert
    #[arg(help_heading = "HTTP", long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// A name that clients call this server by, beside those of this machine; may be given more than once
    #[arg(
        help_heading = "HTTP",
        long,
        value_name = "HOST",
        value_delimiter = ','
    )]
    #[serde(deserialize_with = "units::list")]
    pub allowed_host: Option<Vec<Host>>,
    /// A web page's origin that may call, as in `https://app.example.com`; may be given more than once
    #[arg(
        help_heading = "HTTP",
        long,
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    #[serde(deserialize_with = "units::list")]
    pub allowed_origin: Option<Vec<Origin>>,
    /// How long running calls may take to finish once the server is told to stop [default: 20s]
    #[arg(help_heading = "HTTP", long, value_name = "TIME")]
    pub drain_timeout: Option<Period>,
    /// Sessions that one principal may have [default: 10000]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "N"
    )]
    pub principal_sessions: Option<Amount>,
    /// Calls that one principal may have under way [default: 256]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "N"
    )]
    pub principal_calls: Option<Amount>,
    /// Requests that one principal may make each second, twice as many at once [default: 200]
    #[arg(
        help_heading = "Limits of each principal (over HTTP)",
        long,
        value_name = "N"
    )]
    pub principal_rate: Option<Amount>,
    /// What the sessions of one principal may store, together [default: 256MiB]
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
