//! One run of the command line: its own service over one root, its calls, its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::ids::Principal;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::progress::Line;
use super::{Exit, complain, complain_at_length, printable};
use crate::answer::Answer;
use crate::config::Config;
use crate::config::store::Store;
use crate::service::{Caller, Service};
use crate::startup;

/// A person sees the progress and can press Ctrl-C; a script has a limit of its own. This one only ends what hangs.
const CALL_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// After the last answer nothing runs any more: actors stop at once.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Calls tools in throwaway sessions, until it is ended.
pub(super) struct Run {
    service: Service,
    cancel: CancellationToken,
    /// Not even the answer of what was cancelled is waited for.
    abandon: CancellationToken,
    /// The `path` argument: empty for a folder, which is the root itself.
    pub(super) path: String,
    /// What is analysed, as a person calls it.
    pub(super) target: String,
}

impl Run {
    /// Starts a service whose one root is `target`, or the folder around it where it is a file.
    pub(super) async fn start(mut config: Config, target: &Path) -> Result<Self, Exit> {
        let (root, path) = split(target)?;
        config.roots = vec![root];
        // Throwaway sessions are kept nowhere.
        config.store = Store::Memory;
        config.limits.call_deadline.get_or_insert(CALL_DEADLINE);
        let service = startup::start(&config).await.map_err(|error| {
            complain(&error.to_string());
            Exit::of_startup(&error)
        })?;
        let service = service.unlimited();
        let cancel = CancellationToken::new();
        let abandon = CancellationToken::new();
        tokio::spawn(cancel_on_interrupt(cancel.clone(), abandon.clone()));
        Ok(Self {
            service,
            cancel,
            abandon,
            path,
            target: printable(&target.to_string_lossy()),
        })
    }

    /// The whole envelope of a call that succeeded. A failure has been told to the person.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<Answer, Exit> {
        let caller = Caller {
            principal: Principal::local(),
            default_session: None,
            request: None,
        };
        let line = Line::new();
        let call = self.service.call(
            &caller,
            tool,
            Value::Object(arguments),
            self.cancel.clone(),
            line.sink(),
        );
        let answer = tokio::select! {
            answer = call => answer,
            () = self.abandon.cancelled() => return Err(Exit::Interrupted),
            cause = self.service.sessions.failed() => {
                complain(&format!("the sessions gave up: {cause}"));
                return Err(Exit::Internal);
            }
        };
        drop(line);
        let answer = answer.map_err(|unknown| {
            complain(&unknown.to_string());
            Exit::Internal
        })?;
        if answer.is_error {
            let text = answer.text.trim_end();
            let (first, below) = text.split_once('\n').unwrap_or((text, ""));
            complain_at_length(first, below);
            return Err(Exit::of_failure(&answer.structured));
        }
        Ok(answer)
    }

    pub(super) async fn end(self) {
        self.service.sessions.shutdown(SHUTDOWN_GRACE).await;
    }
}

/// The first Ctrl-C cancels what runs, and the program ends by itself; who presses it again does not want to wait.
async fn cancel_on_interrupt(cancel: CancellationToken, abandon: CancellationToken) {
    for token in [cancel, abandon] {
        if tokio::signal::ctrl_c().await.is_ok() {
            token.cancel();
        }
    }
}

/// The root of the run, and the path below it.
fn split(target: &Path) -> Result<(PathBuf, String), Exit> {
    let kind = target.metadata().map_err(|error| {
        complain(&format!("cannot read {}: {error}", target.display()));
        Exit::NoInput
    })?;
    if kind.is_dir() {
        return Ok((target.to_owned(), String::new()));
    }
    let name = target.file_name().and_then(|name| name.to_str());
    let (true, Some(name)) = (kind.is_file(), name) else {
        complain(&format!(
            "{} is neither a folder nor a plain file with a readable name",
            target.display()
        ));
        return Err(Exit::NoInput);
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((folder, name.to_owned()))
}
