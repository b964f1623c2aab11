//! Sends a call's progress to the client that asked for it. The tool never waits: the newest report wins, and at most
//! one notification per [`INTERVAL`] is sent. None follows the answer.

use std::time::Duration;

use actors::tool::{Progress, ProgressSink};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The last message of a call's progress.
const DONE: &str = "done";
/// Ten a second look smooth to a person, and cost a client little.
const INTERVAL: Duration = Duration::from_millis(100);

/// Forwards the reports of one call. Dropped with it.
pub(super) struct Forwarder {
    task: Option<JoinHandle<()>>,
    newest: Option<watch::Sender<Option<Progress>>>,
    stop: CancellationToken,
}

impl Forwarder {
    /// Returns once nothing more will be sent. If the call is `done`, the client gets a last notification.
    pub(super) async fn finish(mut self, done: bool) {
        if let Some(newest) = self.newest.take().filter(|_| done) {
            newest.send_modify(|newest| {
                if let Some(progress) = newest {
                    let total = progress.total.unwrap_or(progress.done);
                    (progress.done, progress.total) = (total, Some(total));
                    progress.message = DONE.to_owned();
                }
            });
        }
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // If the task has died, it sends nothing more either.
            let _ = task.await;
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Without a progress token in the request, there is no task and there are no reports.
pub(super) fn forward(context: &RequestContext<RoleServer>) -> (ProgressSink, Forwarder) {
    let stop = CancellationToken::new();
    let Some(token) = context.meta.get_progress_token() else {
        let (task, newest) = (None, None);
        return (ProgressSink::default(), Forwarder { task, newest, stop });
    };
    let (newest, reports) = watch::channel(None);
    let sink = {
        let newest = newest.clone();
        ProgressSink::new(move |progress| {
            newest.send_replace(Some(progress));
        })
    };
    let newest = Some(newest);
    let peer = context.peer.clone();
    let task = Some(tokio::spawn(run(peer, token, reports, stop.clone())));
    (sink, Forwarder { task, newest, stop })
}

async fn run(
    peer: Peer<RoleServer>,
    token: ProgressToken,
    mut reports: watch::Receiver<Option<Progress>>,
    stop: CancellationToken,
) {
    let mut rising = Rising::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            changed = reports.changed() => if changed.is_err() { return },
        }
        let is_over = stop.is_cancelled();
        let newest = reports.borrow_and_update().clone();
        // Reports that came too late are dropped, except the final one.
        let newest = newest.filter(|newest| !is_over || newest.total == Some(newest.done));
        if let Some(progress) = newest.and_then(|newest| rising.next(newest)) {
            let told = peer.notify_progress(notification(&token, progress)).await;
            if told.is_err() {
                return;
            }
        }
        if is_over {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// The protocol requires increasing values. Reports of work on several threads may come in another order.
#[derive(Default)]
struct Rising(Option<u64>);

impl Rising {
    /// `None`: no progress beyond the last report.
    fn next(&mut self, progress: Progress) -> Option<Progress> {
        let rises = self.0.is_none_or(|told| progress.done > told);
        rises.then(|| {
            self.0 = Some(progress.done);
            progress
        })
    }
}

/// Counts stay far below 2^53, where floating point is exact.
#[expect(clippy::cast_precision_loss, reason = "counts of files")]
fn notification(token: &ProgressToken, progress: Progress) -> ProgressNotificationParam {
    let mut param = ProgressNotificationParam::new(token.clone(), progress.done as f64);
    if let Some(total) = progress.total {
        param = param.with_total(total as f64);
    }
    if !progress.message.is_empty() {
        param = param.with_message(otel::visible::line(&progress.message));
    }
    param
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_progress_is_reported() {
        let mut rising = Rising::default();
        let mut told = |done| {
            let progress = Progress {
                done,
                total: Some(100),
                message: String::new(),
            };
            rising.next(progress).map(|progress| progress.done)
        };
        assert_eq!(
            [0, 5, 5, 3, 100, 99].map(&mut told),
            [Some(0), Some(5), None, None, Some(100), None]
        );
    }
}
