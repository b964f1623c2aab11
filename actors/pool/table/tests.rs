//! One job under one key, for any order of submissions, cancellations and resubmissions.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::cache::CacheHandle;
use crate::results::ResultReader;
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput};

struct Nothing;

impl Tool for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }
    fn idempotent(&self) -> bool {
        true
    }
    fn call(&self, _: &ToolContext, _: &Value) -> Result<ToolOutput, ToolError> {
        Err(ToolError::cancelled())
    }
}

fn key() -> JobKey {
    JobKey {
        session: SessionId::random(),
        request: RequestId::random(),
    }
}

fn job() -> Job {
    Job {
        tool: Arc::new(Nothing),
        arguments: Arc::new(json!({})),
        principal: crate::ids::Principal::local(),
        roots: Arc::from([]),
        deadline: Instant::now() + Duration::from_secs(60),
        cancel: CancellationToken::new(),
        progress: ProgressSink::default(),
        at_ms: 0,
        cache: CacheHandle::none(),
        results: ResultReader::default(),
        keep: false,
        left_out: None,
        attempt: 1,
        trace: None,
        wait: telemetry::Span::NONE,
    }
}

fn listener() -> (Notify, Receiver<String>) {
    let (tell, heard) = sync_channel(64);
    let notify = move |news: News| {
        let _ = tell.try_send(match news {
            News::Outcome(Outcome::Failed(error)) => error.reason,
            News::Outcome(Outcome::Finished(_)) => "finished".to_owned(),
            News::Refused => "refused".to_owned(),
            News::Noting { .. } => "noting".to_owned(),
        });
    };
    (Arc::new(notify), heard)
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed(ToolError::new(reason, "m"))
}

#[test]
fn a_stopped_run_does_not_answer_for_a_later_run() {
    let table = Table::new(2, 8, 8);
    let (key, (notify, heard)) = (key(), listener());
    table.enqueue(key, job(), Arc::clone(&notify));
    let first = table.start_next().unwrap();
    table.stop(key);
    assert!(first.job.cancel.is_cancelled());
    assert!(table.requests_of(key.session).is_empty());
    table.enqueue(key, job(), notify);
    table.finish(key, first.run, failed("first"));
    assert!(heard.try_recv().is_err());
    let second = table.start_next().unwrap();
    table.finish(key, second.run, failed("second"));
    assert_eq!(heard.try_recv(), Ok("second".to_owned()));
    assert_eq!(table.status().running, 0);
}

#[test]
fn two_submissions_are_one_job_and_the_newest_is_notified() {
    let table = Table::new(1, 8, 8);
    let (key, (old, old_heard), (new, new_heard)) = (key(), listener(), listener());
    table.enqueue(key, job(), old);
    table.enqueue(key, job(), new);
    let started = table.start_next().unwrap();
    assert!(table.start_next().is_none());
    table.finish(key, started.run, failed("once"));
    assert_eq!(new_heard.try_recv(), Ok("once".to_owned()));
    assert!(old_heard.try_recv().is_err());
    let (late, late_heard) = listener();
    assert!(table.adopt(key, late));
    assert_eq!(late_heard.try_recv(), Ok("once".to_owned()));
}

#[test]
fn queue_and_outcomes_are_bounded_and_dropped_jobs_are_removed() {
    let table = Table::new(1, 2, 3);
    let keys: Vec<_> = (0..3).map(|_| key()).collect();
    let (notify, heard) = listener();
    keys.iter()
        .for_each(|key| table.enqueue(*key, job(), Arc::clone(&notify)));
    assert_eq!(heard.try_recv(), Ok("refused".to_owned()));
    assert_eq!(table.status().queued, 2);
    table.forget(keys[0]);
    assert_eq!(table.status().queued, 1);
    for _ in 0..10 {
        let key = key();
        table.enqueue(key, job(), Arc::clone(&notify));
        while let Some(started) = table.start_next() {
            table.finish(started.key, started.run, failed("kept"));
        }
    }
    assert_eq!(
        table.with(|inner| (inner.jobs.len(), inner.outcomes.len())),
        (3, 3)
    );
    let left: Vec<_> = table.with(|inner| inner.outcomes.iter().copied().collect());
    left.into_iter().for_each(|key| table.forget(key));
    assert_eq!(
        table.with(|inner| (inner.jobs.len(), inner.outcomes.len())),
        (0, 0)
    );
}

#[test]
fn a_note_goes_to_the_current_session_actor() {
    let table = Table::new(1, 8, 8);
    let (key, (old, old_heard), (new, new_heard)) = (key(), listener(), listener());
    table.enqueue(key, job(), old);
    let run = table.start_next().unwrap().run;
    assert!(table.adopt(key, new));
    let (tell, told) = sync_channel(1);
    table.note(key, run, None, tell);
    assert_eq!(new_heard.try_recv(), Ok("noting".to_owned()));
    assert!(old_heard.try_recv().is_err());
    // The sender was dropped: the tool notices, and sends its note again.
    assert!(told.recv().is_err());
}
