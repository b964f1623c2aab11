//! `doctor`: is everything here that a server needs, and if not, what to do.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::{Exit, print};
use crate::analysis::{self, Language};
use crate::config::{self, Config, Layer};
use crate::startup;
use crate::workspace::Workspace;

/// Nothing runs in a session that was only started to see whether it starts.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub settings: Layer,
}

/// One thing that was looked at.
struct Check {
    name: String,
    /// What was found, or what failed and what to do.
    outcome: Result<String, Failure>,
}

struct Failure {
    what: String,
    advice: &'static str,
    exit: Exit,
}

/// Looks at everything, prints it, and ends as the first failure does.
pub async fn run(config: Result<Config, config::Error>) -> Exit {
    let mut checks = vec![languages()];
    match config {
        Ok(config) => {
            checks.push(Check::good("configuration", describe(&config)));
            checks.extend(config.roots.iter().map(|root| check_root(root)));
            checks.push(sessions(&config).await);
        }
        Err(error) => checks.push(Check::bad(
            "configuration",
            error.to_string(),
            "correct the setting; `serve --help` lists all",
            Exit::Config,
        )),
    }
    let printed = print(&report(&checks));
    let failed = checks
        .iter()
        .find_map(|check| check.outcome.as_ref().err().map(|failure| failure.exit));
    failed.unwrap_or(printed)
}

impl Check {
    fn good(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Ok(found.into()),
        }
    }

    fn bad(name: impl Into<String>, what: String, advice: &'static str, exit: Exit) -> Self {
        Self {
            name: name.into(),
            outcome: Err(Failure { what, advice, exit }),
        }
    }
}

fn describe(config: &Config) -> String {
    let roots: Vec<_> = config
        .roots
        .iter()
        .map(|root| root.display().to_string())
        .collect();
    format!("understood; roots: {}", roots.join(", "))
}

/// Every grammar is loaded once: one that was built for another version of the parser would show here.
fn languages() -> Check {
    for language in Language::ALL {
        if analysis::analyze(language, "", &|| false).is_err() {
            return Check::bad(
                "languages",
                format!("{} cannot be parsed", language.name()),
                "the program was built wrong: install it again",
                Exit::Internal,
            );
        }
    }
    let names: Vec<_> = Language::ALL.map(Language::name).to_vec();
    Check::good("languages", names.join(", "))
}

fn check_root(root: &Path) -> Check {
    let name = format!("root {}", root.display());
    match Workspace::open(&[root.to_owned()]) {
        Ok(_) => Check::good(name, "readable"),
        Err(error) => Check::bad(
            name,
            error.to_string(),
            "give a folder that exists and that this user may list, with --root",
            Exit::NoInput,
        ),
    }
}

async fn sessions(config: &Config) -> Check {
    let name = "sessions";
    let service = match startup::start(config).await {
        Ok(service) => service,
        Err(startup::Error::Roots(error)) => {
            return Check::bad(
                name,
                format!("not started: {error}"),
                "correct the roots first",
                Exit::NoInput,
            );
        }
        Err(startup::Error::Sessions(error)) => {
            return Check::bad(name, error, "report this as a fault", Exit::Internal);
        }
    };
    let status = service.sessions.status().await;
    service.sessions.shutdown(SHUTDOWN_GRACE).await;
    if !status.store.available {
        let detail = status.store.detail.unwrap_or_default();
        return Check::bad(
            name,
            format!("the {} store is away: {detail}", status.store.kind),
            "start it, or choose another with --store",
            Exit::Unavailable,
        );
    }
    Check::good(
        name,
        format!(
            "started; {} store; {} workers",
            status.store.kind, status.pool.workers
        ),
    )
}

fn report(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        // Writing to a text cannot fail.
        let _ = match &check.outcome {
            Ok(found) => writeln!(text, "ok    {}: {found}", check.name),
            Err(failure) => writeln!(
                text,
                "FAIL  {}: {}\n      {}",
                check.name, failure.what, failure.advice
            ),
        };
    }
    text
}
