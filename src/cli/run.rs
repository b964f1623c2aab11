//! One run of the command line: a service over one root, its calls, and its shutdown.

use std::time::Duration;

use actors::ids::Principal;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::arguments::{Kind, Selection, page};
use super::progress::Line;
use super::signals::Interrupts;
use super::targets::Targets;
use super::{Exit, complain, wording};
use crate::answer::Answer;
use crate::config::Config;
use crate::config::store::Store;
use crate::service::{Caller, Service};
use crate::startup;

/// A person sees the progress and can press Ctrl-C, and a script sets its own limit. This default only ends a run that
/// hangs.
const CALL_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// After the last answer no call runs, so the actors stop at once.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Calls tools in throwaway sessions.
pub(super) struct Run {
    service: Service,
    cancel: CancellationToken,
    /// Set by a second Ctrl-C: do not wait for cancelled calls.
    abandon: CancellationToken,
    pub(super) targets: Targets,
}

impl Run {
    /// Starts a service with the root of the targets.
    pub(super) async fn start(mut config: Config, targets: Targets) -> Result<Self, Exit> {
        config.roots = vec![targets.root.clone()];
        // Throwaway sessions are not stored.
        config.store = Store::Memory;
        config.limits.call_deadline.get_or_insert(CALL_DEADLINE);
        let interrupts = Interrupts::listen().map_err(|error| {
            complain(&format!("cannot listen for Ctrl-C: {error}"));
            Exit::Internal
        })?;
        let cancel = CancellationToken::new();
        let abandon = CancellationToken::new();
        let tokens = [cancel.clone(), abandon.clone()];
        tokio::spawn(cancel_on_interrupt(interrupts, tokens));
        let service = startup::start(&config).await.map_err(|error| {
            complain(&error.to_string());
            Exit::of_startup(&error)
        })?;
        let service = service.unlimited();
        Ok(Self {
            service,
            cancel,
            abandon,
            targets,
        })
    }

    /// Returns the envelope of a successful call. Prints the error of a failed one.
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
                complain(&format!("the sessions failed: {cause}"));
                return Err(Exit::Internal);
            }
        };
        drop(line);
        let answer = answer.map_err(|unknown| {
            complain(&unknown.to_string());
            Exit::Internal
        })?;
        if answer.is_error {
            complain(&wording::of_failure(&answer.structured["status"]));
            return Err(Exit::of_failure(&answer.structured));
        }
        let mut answer = answer;
        self.targets.show_all(&mut answer.structured);
        Ok(answer)
    }

    /// The names of the files with source that does not parse.
    pub(super) async fn unparsed(
        &self,
        selection: &Selection,
        coverage: &Value,
    ) -> Result<Vec<String>, Exit> {
        if parse_errors(coverage) == 0 {
            return Ok(Vec::new());
        }
        let mut arguments = selection.shared(&self.targets)?;
        arguments.extend(page(0));
        arguments.insert("level".to_owned(), json!("files"));
        let answer = self.call(Kind::Complexity.tool(), arguments).await?;
        let files = answer.structured["data"]["files"].as_array();
        let unparsed = files.into_iter().flatten();
        let unparsed = unparsed.filter(|file| file["parse_errors"].as_u64() > Some(0));
        let names = unparsed.filter_map(|file| file["path"].as_str().map(str::to_owned));
        Ok(names.collect())
    }

    pub(super) async fn end(self) {
        self.service.sessions.shutdown(SHUTDOWN_GRACE).await;
    }
}

/// The first Ctrl-C cancels the running calls, and the program ends once they have. The second ends it at once.
async fn cancel_on_interrupt(mut interrupts: Interrupts, tokens: [CancellationToken; 2]) {
    for token in tokens {
        interrupts.recv().await;
        token.cancel();
    }
}

/// The number of files with source that does not parse.
pub(super) fn parse_errors(coverage: &Value) -> u64 {
    let errors = &coverage["parse_errors"];
    errors.as_u64().or(errors["count"].as_u64()).unwrap_or(0)
}
