//! What the actors do, and what is stuck. In real time: the watch has a thread of its own, which no test can pause.

use super::*;
use crate::status::{ActorActivity, ActorStatus, Stuck, StuckList};

/// Longer than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn of(activity: &[ActorActivity], kind: &str) -> ActorActivity {
    let found = activity.iter().find(|found| found.kind == kind);
    *found.unwrap_or_else(|| panic!("no {kind} in {activity:?}"))
}

async fn until(sessions: &Sessions, wanted: impl Fn(&StuckList) -> Option<Stuck>) -> Stuck {
    let until = Instant::now() + PATIENCE;
    loop {
        let list = sessions.stuck();
        if let Some(found) = wanted(&list) {
            return found;
        }
        assert!(Instant::now() < until, "{list:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn begins(sessions: &Sessions, name: &str) -> Stuck {
    let named = |list: &StuckList| list.now.iter().find(|found| found.name == name).cloned();
    until(sessions, named).await
}

async fn ends(sessions: &Sessions, name: &str) -> Stuck {
    let named = |list: &StuckList| list.ended.iter().find(|found| found.name == name).cloned();
    until(sessions, named).await
}

#[tokio::test]
async fn work_is_counted_by_kind_and_remains_counted_after_a_session_has_ended() {
    let world = world().await;
    let before = world.sessions.activity();
    assert_eq!(
        (
            of(&before, "session").actors,
            of(&before, "session").messages
        ),
        (0, 0)
    );
    let session = world.session().await;
    for _ in 0..3 {
        world.call(session, "echo", json!({})).await.unwrap();
    }
    let with = world.sessions.activity();
    assert_eq!(of(&with, "session").actors, 1);
    // Of each call: the call, the job, and the commits of its start and its end.
    assert!(of(&with, "session").messages >= 9, "{with:?}");
    assert!(of(&with, "session").busy > Duration::ZERO);
    assert!(of(&with, "registry").messages > of(&before, "registry").messages);
    assert_eq!(of(&with, "persistence").actors, 4);
    assert!(
        with.iter().all(|found| found.kind != "lease_keeper"),
        "nobody shares the store"
    );
    world
        .sessions
        .close(&Principal::local(), session)
        .await
        .unwrap();
    let gone = async {
        while of(&world.sessions.activity(), "session").actors > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    let after = of(&world.sessions.activity(), "session");
    assert!(
        after.messages > of(&with, "session").messages && after.busy >= of(&with, "session").busy
    );
}

#[tokio::test]
async fn the_status_shows_the_work_of_each_actor_and_its_message() {
    let world = world().await;
    let session = world.session().await;
    world.call(session, "echo", json!({})).await.unwrap();
    let stall = InjectedFault::Fault(Fault::Stall(PATIENCE));
    assert!(world.sessions.strike("pool", stall).await);
    let name = format!("session:{session}");
    let named = |tree: &ActorStatus, wanted: &str| -> Option<ActorStatus> {
        let mut left = vec![tree];
        while let Some(actor) = left.pop() {
            if actor.name == wanted {
                return Some(actor.clone());
            }
            left.extend(&actor.children);
        }
        None
    };
    let until = Instant::now() + PATIENCE;
    let tree = loop {
        let tree = world.sessions.status().await.tree;
        let pool = named(&tree, "pool").unwrap();
        if pool.doing.now.is_some_and(|now| now.message == "fault") {
            break tree;
        }
        assert!(Instant::now() < until, "{pool:?}");
    };
    let shown = named(&tree, &name).unwrap();
    assert!(shown.doing.messages >= 3 && shown.doing.busy > Duration::ZERO);
    assert_eq!(shown.doing.now, None);
    let root = named(&tree, "root").unwrap();
    assert!(root.doing.messages > 0, "{root:?}");
    assert_eq!(named(&tree, "registry").unwrap().doing.now, None);
    assert!(world.sessions.strike("pool", InjectedFault::Kill).await);
}

#[tokio::test]
async fn an_actor_that_does_not_finish_a_message_is_stuck_until_it_does() {
    let world = world().await;
    let session = world.session().await;
    world.call(session, "echo", json!({})).await.unwrap();
    let session = format!("session:{session}");
    let stall = InjectedFault::Fault(Fault::Stall(Duration::from_millis(2500)));
    assert!(world.sessions.strike("cache", stall).await);
    assert!(world.sessions.strike(&session, stall).await);
    for (name, kind) in [("cache", "cache"), (&session, "session")] {
        let stuck = begins(&world.sessions, name).await;
        assert_eq!(
            (stuck.kind, stuck.doing, stuck.over),
            (kind, "fault", false)
        );
        assert!(stuck.lasted > Duration::from_secs(1), "{stuck:?}");
    }
    for name in ["cache", &session] {
        let stuck = ends(&world.sessions, name).await;
        assert!(
            stuck.over && stuck.lasted >= Duration::from_millis(2400),
            "{stuck:?}"
        );
    }
    let list = world.sessions.stuck();
    assert!(list.now.is_empty(), "{list:?}");
    assert_eq!(list.totals, [("cache", 1), ("session", 1)]);
}

#[tokio::test]
async fn a_kill_ends_the_stuck_message() {
    let world = world().await;
    let stall = InjectedFault::Fault(Fault::Stall(PATIENCE * 10));
    assert!(world.sessions.strike("registry", stall).await);
    begins(&world.sessions, "registry").await;
    assert!(world.sessions.strike("registry", InjectedFault::Kill).await);
    ends(&world.sessions, "registry").await;
}

#[tokio::test]
async fn a_thread_that_runs_no_task_is_stuck_until_it_does() {
    let world = world().await;
    let heart = world.sessions.heart("loop-7".to_owned(), "event_loop");
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let local = async {
            let heart = tokio::spawn(heart);
            tokio::time::sleep(Duration::from_millis(50)).await;
            std::thread::sleep(Duration::from_millis(2500));
            tokio::time::sleep(Duration::from_millis(700)).await;
            heart.abort();
        };
        runtime.block_on(local);
    });
    let stuck = begins(&world.sessions, "loop-7").await;
    assert_eq!((stuck.kind, stuck.doing), ("event_loop", "run_tasks"));
    let stuck = ends(&world.sessions, "loop-7").await;
    assert!(stuck.lasted >= Duration::from_millis(2000), "{stuck:?}");
    thread.join().unwrap();
}
