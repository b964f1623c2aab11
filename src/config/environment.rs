//! Classifies environment variables that begin with `MCA_`: a setting, a misspelt setting, a name that a platform made,
//! or a variable of another program.

use std::ffi::{OsStr, OsString};

use super::{ENV_PREFIX, Layer};

/// A misspelt setting differs in at most one letter of five, but one letter is always allowed. `MCA_STOER` is a misspelt
/// `MCA_STORE`; `MCA_REDIS_PORT` is not a misspelt `MCA_REDIS_PREFIX`.
const LETTERS_PER_SLIP: usize = 5;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The key that it sets.
    Setting(String),
    /// Almost the name of a setting.
    Misspelt {
        nearest: String,
    },
    /// Kubernetes sets it in every container, for a Service called `mca` or `mca-…`.
    Platform,
    Foreign,
}

/// The name, if it begins with [`ENV_PREFIX`].
pub(super) fn ours(name: &OsStr) -> Option<&str> {
    name.to_str().filter(|name| name.starts_with(ENV_PREFIX))
}

pub(super) fn kind_of(name: &str, value: &OsStr) -> Kind {
    let key = name[ENV_PREFIX.len()..].to_lowercase();
    let keys = Layer::keys();
    if keys.contains(&key) {
        return Kind::Setting(key);
    }
    if is_of_kubernetes(&key, value) {
        return Kind::Platform;
    }
    let allowed = (key.chars().count() / LETTERS_PER_SLIP).max(1);
    let nearest = keys
        .into_iter()
        .map(|known| (strsim::osa_distance(&key, &known), known))
        .min();
    match nearest {
        Some((slips, known)) if slips <= allowed => Kind::Misspelt {
            nearest: format!("{ENV_PREFIX}{}", known.to_uppercase()),
        },
        Some(_) | None => Kind::Foreign,
    }
}

/// For a Service called `mca` or `mca-…`: `…SERVICE_HOST`, `…SERVICE_PORT`, `…SERVICE_PORT_NAME`, `…PORT` (an address
/// such as `tcp://10.0.0.1:80`) and `…PORT_80_TCP`, `…PORT_80_TCP_ADDR`, `…_PORT`, `…_PROTO`.
fn is_of_kubernetes(key: &str, value: &OsStr) -> bool {
    const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];
    if key == "port" || key.starts_with("port_") || key.starts_with("service_") {
        return true;
    }
    let is_of_service = ["_service_host", "_service_port"]
        .iter()
        .any(|ending| key.ends_with(ending))
        || key.contains("_service_port_");
    let is_address = || {
        let scheme = value.to_str().and_then(|value| value.split_once("://"));
        scheme.is_some_and(|(scheme, _)| PROTOCOLS.contains(&scheme))
    };
    let is_of_port = || {
        let Some((_, rest)) = key.rsplit_once("_port_") else {
            return false;
        };
        let (number, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = protocol.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok() && PROTOCOLS.contains(&protocol)
    };
    is_of_service || (key.ends_with("_port") && is_address()) || is_of_port()
}

/// Names that begin with [`ENV_PREFIX`] but are not settings. They are reported and otherwise ignored.
pub fn foreign(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let mut foreign: Vec<String> = variables
        .filter_map(|(name, value)| {
            let name = ours(&name)?;
            (kind_of(name, &value) == Kind::Foreign).then(|| name.to_owned())
        })
        .collect();
    foreign.sort_unstable();
    foreign
}

/// Finds the first misspelt setting among the variables, for commands that have no settings.
///
/// # Errors
/// The misspelt name, with the setting that was probably meant.
pub fn check(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), super::Error> {
    for (name, value) in variables {
        let Some(name) = ours(&name) else { continue };
        if let Kind::Misspelt { nearest } = kind_of(name, &value) {
            let name = name.to_owned();
            return Err(super::Error::UnknownVariable { name, nearest });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_variable_is_recognised() {
        let kind = |name: &str, value: &str| kind_of(name, OsStr::new(value));
        for name in ["MCA_STORE", "MCA_REDIS_URL", "MCA_HTTP"] {
            assert!(matches!(kind(name, "x"), Kind::Setting(_)), "{name}");
        }
        for (name, nearest) in [
            ("MCA_STOER", "MCA_STORE"),
            ("MCA_SESION_TTL", "MCA_SESSION_TTL"),
            ("MCA_REDIS_URI", "MCA_REDIS_URL"),
            ("MCA_WORKER", "MCA_WORKERS"),
            ("MCA_LOGS", "MCA_LOG"),
            ("MCA_AUTH_TOKEN", "MCA_AUTH_TOKENS"),
        ] {
            let nearest = nearest.to_owned();
            assert_eq!(kind(name, "x"), Kind::Misspelt { nearest }, "{name}");
        }
        for (name, value) in [
            ("MCA_PORT", "tcp://10.96.3.1:8642"),
            ("MCA_SERVICE_HOST", "10.96.3.1"),
            ("MCA_SERVICE_PORT", "8642"),
            ("MCA_SERVICE_PORT_HTTP", "8642"),
            ("MCA_PORT_8642_TCP", "tcp://10.96.3.1:8642"),
            ("MCA_PORT_8642_TCP_ADDR", "10.96.3.1"),
            ("MCA_PORT_8642_TCP_PORT", "8642"),
            ("MCA_PORT_8642_TCP_PROTO", "tcp"),
            ("MCA_REDIS_SERVICE_HOST", "10.96.3.2"),
            ("MCA_REDIS_SERVICE_PORT", "6379"),
            ("MCA_REDIS_PORT", "tcp://10.96.3.2:6379"),
            ("MCA_REDIS_PORT_6379_TCP", "tcp://10.96.3.2:6379"),
            ("MCA_REDIS_PORT_6379_TCP_ADDR", "10.96.3.2"),
            ("MCA_REDIS_PORT_6379_TCP_PORT", "6379"),
        ] {
            assert_eq!(kind(name, value), Kind::Platform, "{name}");
        }
        for name in ["MCA_REDIS_PORT", "MCA_LICENSE", "MCA_", "MCA_HOME_FOLDER"] {
            assert_eq!(kind(name, "6379"), Kind::Foreign, "{name}");
        }
    }

    #[test]
    fn no_setting_has_a_name_that_kubernetes_sets() {
        for key in Layer::keys() {
            assert!(!is_of_kubernetes(&key, OsStr::new("tcp://x")), "{key}");
        }
    }
}
