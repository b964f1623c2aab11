//! Which settings a command uses. Variables and files are written for `serve`; settings that another command does not
//! use must not stop it.

use super::Layer;

/// The command that asks for the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All settings, and they must fit together.
    Serve,
    /// All settings; those without effect are reported, not refused.
    Doctor,
    /// The limits of one run.
    Analyze,
    /// The location of the sessions.
    Sessions,
}

const OF_ANALYZE: [&str; 8] = [
    "config",
    "call_deadline",
    "cache_bytes",
    "memory",
    "max_file_bytes",
    "workers",
    "log",
    "log_format",
];
/// Includes `cache_redis_url`, because the certificates may be for that Redis only.
const OF_SESSIONS: [&str; 9] = [
    "config",
    "store",
    "redis_url",
    "redis_prefix",
    "redis_ca",
    "cache_redis_url",
    "durability",
    "log",
    "log_format",
];

impl Scope {
    pub(super) fn uses(self, key: &str) -> bool {
        match self {
            Self::Serve | Self::Doctor => true,
            Self::Analyze => OF_ANALYZE.contains(&key),
            Self::Sessions => OF_SESSIONS.contains(&key),
        }
    }
}

impl Layer {
    /// Keeps only the settings that the scope uses.
    pub(super) fn within(self, scope: Scope) -> Self {
        match scope {
            Scope::Serve | Scope::Doctor => self,
            Scope::Analyze => Self {
                config: self.config,
                call_deadline: self.call_deadline,
                cache_bytes: self.cache_bytes,
                memory: self.memory,
                max_file_bytes: self.max_file_bytes,
                workers: self.workers,
                log: self.log,
                log_format: self.log_format,
                ..Self::default()
            },
            Scope::Sessions => Self {
                config: self.config,
                store: self.store,
                redis_url: self.redis_url,
                redis_prefix: self.redis_prefix,
                redis_ca: self.redis_ca,
                cache_redis_url: self.cache_redis_url,
                durability: self.durability,
                log: self.log,
                log_format: self.log_format,
                ..Self::default()
            },
        }
    }

    /// Removes settings that have no effect together with `flags`, and returns their names: settings of HTTP without
    /// `--http`, of the admin port without `--admin`. Flags stay, and are refused if they have no effect.
    pub(super) fn without_idle(mut self, flags: &Self) -> (Self, Vec<&'static str>) {
        let has_http = self.http.is_some() || flags.http.is_some();
        let has_admin = self.admin.is_some() || flags.admin.is_some();
        let mut idle = Vec::new();
        let mut take = |name: &'static str, is_set: bool| {
            if is_set {
                idle.push(name);
            }
        };
        if !has_http {
            take("auth_tokens", self.auth_tokens.take().is_some());
            let no_auth = self.insecure_no_auth.take();
            take("insecure_no_auth", no_auth.is_some_and(|on| on.0));
            take("tls_cert", self.tls_cert.take().is_some());
            take("tls_key", self.tls_key.take().is_some());
            take("drain_timeout", self.drain_timeout.take().is_some());
            let own = [
                ("principal_sessions", &mut self.principal_sessions),
                ("principal_calls", &mut self.principal_calls),
                ("principal_rate", &mut self.principal_rate),
            ];
            for (name, amount) in own {
                take(name, amount.take().is_some());
            }
            take("principal_bytes", self.principal_bytes.take().is_some());
        }
        if !has_admin {
            take("admin_token_file", self.admin_token_file.take().is_some());
            let chaos = self.chaos.take();
            take("chaos", chaos.is_some_and(|on| on.0));
        }
        if !has_http && !has_admin {
            take("allowed_host", self.allowed_host.take().is_some());
            take("allowed_origin", self.allowed_origin.take().is_some());
        }
        (self, idle)
    }
}
