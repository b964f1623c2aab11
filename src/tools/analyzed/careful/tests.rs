use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::cache::CacheKey;

use super::*;

fn context(left_out: &[u8], noted: &Arc<Mutex<Vec<Option<u8>>>>) -> ToolContext {
    let left_out: Vec<_> = left_out.iter().map(|n| InputKey([*n; 32])).collect();
    let noted = Arc::clone(noted);
    let care = Care::new(left_out, move |at_work, told| {
        let at_work = at_work.map(|input| input.0[0]);
        noted.lock().unwrap().push(at_work);
        told.send(()).unwrap();
    });
    ToolContext {
        principal: actors::ids::Principal::local(),
        roots: Arc::default(),
        cancel: tokio_util::sync::CancellationToken::new(),
        deadline: Instant::now() + Duration::from_secs(60),
        progress: actors::tool::ProgressSink::default(),
        cache: actors::cache::CacheHandle::none(),
        results: actors::results::ResultReader::default(),
        keep_whole: true,
        care: Some(care),
    }
}

fn slots() -> Slots {
    Slots {
        keys: (0..4).map(|n| CacheKey([n; 32])).collect(),
        files: (0..4).map(|n| vec![n]).collect(),
        depths: vec![crate::tools::analyzed::Depth::Full; 4],
    }
}

#[test]
fn each_file_is_recorded_before_its_analysis_and_cleared_after() {
    let (noted, slots) = (Arc::default(), slots());
    let ctx = context(&[1], &noted);
    let careful = Careful::of(&ctx, &slots).unwrap();
    let (analysed, left_out) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let analyse = |slot| {
        let now = noted.lock().unwrap().last().copied().flatten();
        assert_eq!(now.map(usize::from), Some(slot), "not recorded before");
        analysed.lock().unwrap().push(slot);
    };
    let leave_out = |slot| left_out.lock().unwrap().push(slot);
    careful
        .work_through(&[2, 1, 0], leave_out, analyse)
        .unwrap();
    assert_eq!(*analysed.lock().unwrap(), [2, 0]);
    assert_eq!(*left_out.lock().unwrap(), [1]);
    assert_eq!(*noted.lock().unwrap(), [Some(2), Some(0), None]);
}

#[test]
fn a_stopped_call_does_not_wait_for_its_record() {
    let slots = slots();
    let mut ctx = context(&[], &Arc::default());
    // The sender stays open but never answers.
    let kept = Mutex::new(Vec::new());
    ctx.care = Some(Care::new([], move |_, told| {
        kept.lock().unwrap().push(told)
    }));
    ctx.cancel.cancel();
    let careful = Careful::of(&ctx, &slots).unwrap();
    let never = |_| panic!("it was not recorded");
    let stopped = careful.work_through(&[0], never, never);
    assert_eq!(stopped, Err(ToolError::cancelled()));
}

/// A drain stops the call, so no file may be blamed.
#[test]
fn a_stopped_call_clears_its_record_and_writes_no_other() {
    let (noted, slots) = (Arc::default(), slots());
    let ctx = context(&[], &noted);
    let careful = Careful::of(&ctx, &slots).unwrap();
    let _ = careful.work_through(&[2, 0], |_| {}, |_| ctx.cancel.cancel());
    assert_eq!(*noted.lock().unwrap(), [Some(2), None]);
}

#[test]
fn a_first_attempt_records_nothing() {
    let slots = slots();
    let mut ctx = context(&[], &Arc::default());
    ctx.care = None;
    assert!(Careful::of(&ctx, &slots).is_none());
}
