//! Reads the standard `OTEL_*` variables: which signals are exported, over which protocol, with which certificates.
//! Endpoints, headers, time limits, samplers and the sizes of batches are read by the libraries.

use std::fs;

use thiserror::Error;

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// One signal's receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receiver {
    pub(crate) protocol: Protocol,
    pub(crate) tls: Tls,
}

/// Certificates, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// `None`: the roots that browsers trust.
    pub(crate) authority: Option<Vec<u8>>,
    /// A certificate of our own, and its key.
    pub(crate) own: Option<(Vec<u8>, Vec<u8>)>,
}

/// What the variables ask for; `None`: the signal is not exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) traces: Option<Receiver>,
    pub(crate) metrics: Option<Receiver>,
    pub(crate) logs: Option<Receiver>,
}

/// A variable that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("{variable}={value}: expected {expected}")]
    Value {
        variable: String,
        value: String,
        expected: &'static str,
    },
    #[error("{variable}: cannot read {path}: {cause}")]
    File {
        variable: String,
        path: String,
        cause: String,
    },
    #[error("{0} needs {1}, and the other way round")]
    Pair(String, String),
}

const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl Signal {
    /// The part of a variable's name.
    const fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }
}

impl Settings {
    /// # Errors
    /// A variable has a value that cannot be used.
    pub(crate) fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Self::default());
        }
        let read = |signal| receiver(signal, &get);
        let settings = Self {
            traces: read(Signal::Traces)?,
            metrics: read(Signal::Metrics)?,
            logs: read(Signal::Logs)?,
        };
        if let (Some(_), Some(value)) = (&settings.traces, get("OTEL_TRACES_SAMPLER"))
            && !SAMPLERS.contains(&value.as_str())
        {
            return Err(Error::Value {
                variable: "OTEL_TRACES_SAMPLER".to_owned(),
                value,
                expected: "always_on, always_off, traceidratio, or one of these after parentbased_",
            });
        }
        Ok(settings)
    }

    pub(crate) fn uses(&self, protocol: Protocol) -> bool {
        [&self.traces, &self.metrics, &self.logs]
            .into_iter()
            .flatten()
            .any(|receiver| receiver.protocol == protocol)
    }
}

/// Whether a trace whose parent is not sampled is not sampled either.
pub(crate) fn follows_parents(get: &dyn Fn(&str) -> Option<String>) -> bool {
    get("OTEL_TRACES_SAMPLER").is_none_or(|sampler| sampler.starts_with("parentbased"))
}

fn receiver(
    signal: Signal,
    get: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Receiver>, Error> {
    let part = signal.name();
    let exporter = format!("OTEL_{part}_EXPORTER");
    let asked = match get(&exporter).as_deref() {
        None => None,
        Some("none") => return Ok(None),
        Some("otlp") => Some(()),
        Some(value) => {
            return Err(Error::Value {
                variable: exporter,
                value: value.to_owned(),
                expected: "otlp or none",
            });
        }
    };
    let own = get(&format!("OTEL_EXPORTER_OTLP_{part}_ENDPOINT")).is_some();
    let general = get("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
    let named = match signal {
        Signal::Traces | Signal::Metrics => own || general,
        // Logs go to stderr; a copy over OTLP must be asked for.
        Signal::Logs => own || (general && asked.is_some()),
    };
    if !named {
        return Ok(None);
    }
    let of = |what: &str| either(part, what, get);
    let protocol = match of("PROTOCOL") {
        None => Protocol::HttpProtobuf,
        Some((_, value)) if value == "http/protobuf" => Protocol::HttpProtobuf,
        Some((_, value)) if value == "grpc" => Protocol::Grpc,
        Some((variable, value)) => {
            return Err(Error::Value {
                variable,
                value,
                expected: "grpc or http/protobuf",
            });
        }
    };
    let tls = Tls {
        authority: file(of("CERTIFICATE"))?,
        own: match (file(of("CLIENT_CERTIFICATE"))?, file(of("CLIENT_KEY"))?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                return Err(Error::Pair(
                    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE".to_owned(),
                    "OTEL_EXPORTER_OTLP_CLIENT_KEY".to_owned(),
                ));
            }
        },
    };
    Ok(Some(Receiver { protocol, tls }))
}

/// The signal's own variable, else the general one; with its name.
fn either(
    part: &str,
    what: &str,
    get: &dyn Fn(&str) -> Option<String>,
) -> Option<(String, String)> {
    [
        format!("OTEL_EXPORTER_OTLP_{part}_{what}"),
        format!("OTEL_EXPORTER_OTLP_{what}"),
    ]
    .into_iter()
    .find_map(|name| get(&name).map(|value| (name, value)))
}

fn file(named: Option<(String, String)>) -> Result<Option<Vec<u8>>, Error> {
    let Some((variable, path)) = named else {
        return Ok(None);
    };
    fs::read(&path).map(Some).map_err(|cause| Error::File {
        variable,
        path,
        cause: cause.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::read(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn nothing_is_exported_without_an_endpoint() {
        assert_eq!(read(&[]), Ok(Settings::default()));
        assert_eq!(
            read(&[("OTEL_TRACES_EXPORTER", "otlp")]),
            Ok(Settings::default())
        );
        assert_eq!(
            read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]),
            Ok(Settings::default())
        );
        assert_eq!(
            read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]),
            Ok(Settings::default())
        );
    }

    #[test]
    fn an_endpoint_turns_traces_and_metrics_on_and_logs_on_request() {
        let settings = read(&[ENDPOINT]).expect("valid");
        assert!(settings.traces.is_some() && settings.metrics.is_some());
        assert_eq!(settings.logs, None);
        let all = read(&[ENDPOINT, ("OTEL_LOGS_EXPORTER", "otlp")]).expect("valid");
        assert!(all.logs.is_some());
        let fewer = read(&[ENDPOINT, ("OTEL_METRICS_EXPORTER", "none")]).expect("valid");
        assert!(fewer.metrics.is_none() && fewer.traces.is_some());
    }

    #[test]
    fn each_signal_may_have_its_own_protocol() {
        let settings = read(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ])
        .expect("valid");
        let protocol = |receiver: Option<Receiver>| receiver.map(|receiver| receiver.protocol);
        assert_eq!(protocol(settings.traces.clone()), Some(Protocol::Grpc));
        assert_eq!(
            protocol(settings.metrics.clone()),
            Some(Protocol::HttpProtobuf)
        );
        assert!(settings.uses(Protocol::Grpc));
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        for (variable, value, expected) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "grpc or"),
            ("OTEL_TRACES_EXPORTER", "jaeger", "otlp or none"),
            ("OTEL_TRACES_SAMPLER", "sometimes", "always_on"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such.pem", "such.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/key.pem", "key.pem"),
        ] {
            let error = read(&[ENDPOINT, (variable, value)]).expect_err(variable);
            let text = error.to_string();
            assert!(text.contains(variable) && text.contains(expected), "{text}");
        }
    }
}
