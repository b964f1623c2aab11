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
    let mut steps = Steps::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            changed = reports.changed() => if changed.is_err() { return },
        }
        let is_over = stop.is_cancelled();
        let newest = reports.borrow_and_update().clone();
        // Reports that came too late are dropped, except the final one.
        let newest = newest.filter(|newest| !is_over || newest.total == Some(newest.done));
        if let Some(progress) = newest.and_then(|newest| steps.next(newest)) {
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

/// The protocol requires increasing values. A call consists of steps that each count from zero (files seen, then files
/// analysed of a total), so each step is added to what was reported before it.
#[derive(Default)]
struct Steps {
    told: Option<u64>,
    /// For the current step: the value at its start, and the total that identifies it.
    base: u64,
    total: Option<u64>,
}

impl Steps {
    /// `None`: no progress beyond the last report.
    fn next(&mut self, progress: Progress) -> Option<Progress> {
        if progress.total != self.total {
            self.total = progress.total;
            self.base = self.told.unwrap_or(0);
        }
        let done = self.base.saturating_add(progress.done);
        if self.told.is_some_and(|told| done <= told) {
            return None;
        }
        self.told = Some(done);
        Some(Progress {
            done,
            total: progress.total.map(|total| self.base.saturating_add(total)),
            message: progress.message,
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
    use proptest::prelude::*;

    use super::*;

    fn told(reports: &[(u64, Option<u64>)]) -> Vec<(u64, Option<u64>)> {
        let mut steps = Steps::default();
        let reports = reports.iter().map(|&(done, total)| Progress {
            done,
            total,
            message: String::new(),
        });
        reports
            .filter_map(|progress| steps.next(progress))
            .map(|progress| (progress.done, progress.total))
            .collect()
    }

    #[test]
    fn a_second_step_goes_on_where_the_first_ended() {
        let reports = [
            (10, None),
            (317, None),
            (1, Some(400)),
            (1, Some(400)),
            (400, Some(400)),
        ];
        assert_eq!(
            told(&reports),
            [(10, None), (317, None), (318, Some(717)), (717, Some(717))]
        );
    }

    proptest! {
        #[test]
        fn values_only_rise_and_stay_within_their_total(
            reports in prop::collection::vec((0_u64..50, prop::option::of(0_u64..3)), 0..40)
        ) {
            let reports: Vec<_> = reports
                .into_iter()
                .map(|(done, total)| (done, total.map(|total| total + 50)))
                .collect();
            let told = told(&reports);
            prop_assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(told.iter().all(|(done, total)| total.is_none_or(|total| *done <= total)));
        }
    }
}
