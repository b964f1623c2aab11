//! Sessions of calls: ownership, listing, and narrowed roots.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_default_session_is_replaced_with_a_notice() {
    let here = Here::new().await;
    let first = here.good("analyze_structure", json!({})).await;
    let id = first["context"]["session_id"].clone();
    assert!(first["context"]["result_id"].is_string());
    here.good("close_session", json!({"session_id": id})).await;
    let second = here.good("analyze_structure", json!({})).await;
    assert_ne!(second["context"]["session_id"], id);
    assert!(
        second["context"]["notices"][0]
            .as_str()
            .unwrap()
            .contains("was closed")
    );
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_nothing_is_kept_and_stateful_calls_are_refused() {
    let here = Here::with(false).await;
    let answer = here.good("analyze_structure", json!({})).await;
    assert!(answer["context"]["session_id"].is_null() && answer["context"]["result_id"].is_null());
    assert_eq!(answer["context"]["durability"]["level"], "none");
    let keyed = json!({"idempotency_key": "k"});
    assert_eq!(
        here.refused("analyze_structure", keyed).await,
        "session_required"
    );
    let result = ResultId::random();
    assert_eq!(
        here.refused("compare_results", json!({"baseline": result}))
            .await,
        "session_required"
    );
    assert_eq!(
        here.refused("get_session", json!({})).await,
        "session_required"
    );
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_checked_and_results_are_read_again() {
    let here = Here::new().await;
    assert_eq!(
        here.refused("get_session", json!({"session_id": "x"}))
            .await,
        "invalid_session_id"
    );
    let unknown = json!({"session_id": SessionId::random()});
    assert_eq!(
        here.refused("analyze_structure", unknown).await,
        "unknown_session"
    );
    let answer = here
        .good(
            "analyze_complexity",
            json!({"limit": 1, "idempotency_key": "k"}),
        )
        .await;
    let again = here
        .good(
            "analyze_complexity",
            json!({"limit": 1, "idempotency_key": "k"}),
        )
        .await;
    assert_eq!(again["context"]["replayed"], true);
    assert_eq!(again["data"], answer["data"]);
    let (session, result) = (
        &answer["context"]["session_id"],
        &answer["context"]["result_id"],
    );
    let read = here
        .service
        .read_result(
            &here.caller,
            session.as_str().unwrap(),
            result.as_str().unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(read["tool"], "analyze_complexity");
    assert!(read["data"]["functions"].as_array().unwrap().len() > 10);
    let listed = here
        .good("get_session", json!({"session_id": session}))
        .await;
    assert_eq!(names(&listed, "history", "tool"), ["analyze_complexity"]);
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_by_pages() {
    let here = Here::new().await;
    let mut made = Vec::new();
    for at in 0..5 {
        let label = format!("number {at}");
        let answer = here
            .good(
                "create_session",
                json!({"label": label, "roots": ["python"]}),
            )
            .await;
        made.push(answer["data"]["session_id"].as_str().unwrap().to_owned());
    }
    let mut listed = Vec::new();
    let mut arguments = json!({"limit": 2});
    loop {
        let answer = here.good("list_sessions", arguments.clone()).await;
        assert_eq!(answer["page"]["total"], 5);
        listed.extend(names(&answer, "sessions", "session_id"));
        match answer["page"]["next_cursor"].as_str() {
            None => break,
            Some(cursor) => arguments["cursor"] = json!(cursor),
        }
    }
    listed.sort_unstable();
    made.sort_unstable();
    assert_eq!(listed, made);
    let outside = here
        .refused("create_session", json!({"roots": ["../"]}))
        .await;
    assert_eq!(outside, "path_outside_roots");
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_session_reads_nothing_else() {
    let here = Here::new().await;
    let made = here
        .good("create_session", json!({"roots": ["python"]}))
        .await;
    let id = made["data"]["session_id"].clone();
    let answer = here
        .good("analyze_structure", json!({"session_id": id}))
        .await;
    assert_eq!(answer["coverage"]["languages"], json!({"python": 6}));
    let outside = json!({"session_id": id, "path": "../go"});
    assert_eq!(
        here.refused("analyze_structure", outside).await,
        "path_outside_roots"
    );
    here.end().await;
}

/// In a long task, the first result can still be compared at the end, after far more results than are replayed.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_baseline_survives_more_than_a_hundred_results() {
    let here = Here::new().await;
    let session =
        here.good("create_session", json!({"label": "task"})).await["data"]["session_id"].clone();
    let call = |limit: usize| json!({"session_id": session, "limit": limit});
    let first = here.good("analyze_complexity", call(50)).await;
    let baseline = first["context"]["result_id"].clone();
    for limit in 1..=130 {
        here.good("analyze_structure", call(limit)).await;
    }
    let change = "def worse(a, b, c):\n    if a and b or c:\n        return a\n    return b\n";
    std::fs::write(here.folder.path().join("python/worse.py"), change).unwrap();
    let compared = here
        .good(
            "compare_results",
            json!({"session_id": session, "baseline": baseline, "detail": "full"}),
        )
        .await;
    assert_eq!(compared["data"]["baseline"]["result_id"], baseline);
    assert_eq!(
        compared["data"]["changes"][0]["qualified_name"], "worse",
        "{compared}"
    );
    let view = here
        .good(
            "get_session",
            json!({"session_id": session, "history_limit": 1000, "detail": "full"}),
        )
        .await;
    // The comparison and its run are results too.
    assert_eq!(view["data"]["results"], 133);
    let kept = &view["data"]["kept"];
    assert_eq!(
        (&kept["results_limit"], &kept["bytes_limit"]),
        (&json!(1000), &json!(56 << 20))
    );
    assert!(kept["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let (session, baseline) = (session.as_str().unwrap(), baseline.as_str().unwrap());
    let read = here
        .service
        .read_result(&here.caller, session, baseline)
        .await
        .unwrap();
    assert_eq!(read["arguments"], json!({"limit": 50}));
    assert_eq!(read["data"]["functions"].as_array().map(Vec::len), Some(25));
    let whole = here
        .service
        .read_session(&here.caller, session)
        .await
        .unwrap();
    let oldest = whole["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&oldest["result_id"], &oldest["pinned"]),
        (&json!(baseline), &json!(true))
    );
    here.end().await;
}

/// If the complete results do not all fit, the baseline that was used stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_used_baseline_outlives_later_results() {
    let mut options = Options::default();
    options.limits.whole_bytes = 64 << 10;
    let here = Here::tuned(true, options).await;
    let of = |answer: &Value| answer["context"]["result_id"].as_str().unwrap().to_owned();
    let never_used = of(&here.good("analyze_complexity", json!({})).await);
    let baseline = of(&here.good("analyze_complexity", json!({})).await);
    for _ in 0..20 {
        here.good("compare_results", json!({"baseline": baseline}))
            .await;
    }
    assert_eq!(
        here.refused(
            "compare_results",
            json!({"baseline": never_used, "against": "now"})
        )
        .await,
        "result_not_stored"
    );
    here.good("compare_results", json!({"baseline": baseline}))
        .await;
    here.end().await;
}
