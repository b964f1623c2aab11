//! Exit codes: those of `sysexits.h`, where it has a suitable one.

use std::process::ExitCode;

use serde_json::Value;

use crate::server::ports;
use crate::startup;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// A condition of `--fail-on` is true.
    Finding,
    /// The command line, or an argument of a tool, is wrong.
    Usage,
    /// The input does not exist, or cannot be read.
    NoInput,
    /// A required service is down.
    Unavailable,
    /// A bug of this program.
    Internal,
    /// The configuration is wrong.
    Config,
    /// Ctrl-C, with the code that shells expect.
    Interrupted,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Finding => 1,
            Self::Usage => 64,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }

    pub(super) fn of_startup(error: &startup::Error) -> Self {
        match error {
            startup::Error::Roots(_) => Self::NoInput,
            startup::Error::Sessions(_) => Self::Internal,
            startup::Error::Certificates { .. }
            | startup::Error::Misfit { .. }
            | startup::Error::Narrowed { .. } => Self::Config,
            startup::Error::Away { .. } => Self::Unavailable,
        }
    }

    pub(super) fn of_ports(error: &ports::Error) -> Self {
        match error {
            ports::Error::Bind { .. } | ports::Error::Tls { .. } | ports::Error::Tokens(_) => {
                Self::Config
            }
        }
    }

    /// The exit code of a failed answer.
    pub(super) fn of_failure(envelope: &Value) -> Self {
        match envelope["status"]["code"].as_str() {
            Some("INVALID_ARGUMENT" | "OUT_OF_RANGE" | "FAILED_PRECONDITION") => Self::Usage,
            Some("NOT_FOUND" | "PERMISSION_DENIED") => Self::NoInput,
            Some("UNAVAILABLE") => Self::Unavailable,
            // A limit of the command line: --memory, --call-deadline, or the number of files.
            Some("RESOURCE_EXHAUSTED" | "DEADLINE_EXCEEDED") => Self::Usage,
            Some("CANCELLED") => Self::Interrupted,
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
