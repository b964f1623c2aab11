//! Listing, reading and completing stored results: only the caller's own, within limits.

use super::*;

async fn made(here: &Here) -> String {
    let made = here.good("create_session", json!({})).await;
    made["data"]["session_id"].as_str().unwrap().to_owned()
}

/// The result's id.
async fn analysed(here: &Here, session: &str) -> String {
    let arguments = json!({"session_id": session, "path": "go"});
    let answer = here.good("analyze_complexity", arguments).await;
    answer["context"]["result_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_sessions_are_read_and_the_others_counted() {
    let here = Here::new().await;
    let mut results = Vec::new();
    for _ in 0..12 {
        let session = made(&here).await;
        results.push(analysed(&here, &session).await);
    }
    let page = here.service.stored_results(&here.caller, None, 100).await;
    let page = page.unwrap();
    assert_eq!((page.rows.len(), page.sessions_left_out), (10, 2));
    assert!(!page.has_more);
    let times: Vec<_> = page.rows.iter().map(|row| row.result.at_ms).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older));
    for row in &page.rows {
        assert!(results.contains(&row.result.result_id.to_string()));
    }
    // The connection's own session is always listed, even if many are newer.
    here.good("analyze_complexity", json!({"path": "go"})).await;
    let default = here.caller.default_session.clone().unwrap();
    let own = default.current().await.unwrap();
    for _ in 0..12 {
        made(&here).await;
    }
    let page = here.service.stored_results(&here.caller, None, 100).await;
    let page = page.unwrap();
    assert_eq!(
        page.rows.len(),
        1,
        "the newest sessions have no results yet"
    );
    assert_eq!(page.rows[0].session, own);
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_principal_sees_nothing() {
    let here = Here::new().await;
    let session = made(&here).await;
    let result = analysed(&here, &session).await;
    let other = Caller {
        principal: Principal::named("other"),
        default_session: None,
        request: None,
    };
    let page = here
        .service
        .stored_results(&other, None, 100)
        .await
        .unwrap();
    assert!(page.rows.is_empty() && page.sessions_left_out == 0);
    assert_eq!(
        here.service
            .session_ids(&other, "", 100)
            .await
            .unwrap()
            .total,
        Some(0)
    );
    let ids = here
        .service
        .result_ids(&other, Some(&session), "", 100)
        .await;
    assert_eq!(ids.values.len(), 0);
    let refused = here
        .service
        .read_session(&other, &session)
        .await
        .unwrap_err();
    assert_eq!(refused.reason, "unknown_session");
    let refused = here.service.read_result(&other, &session, &result).await;
    assert_eq!(refused.unwrap_err().reason, "unknown_session");
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_result_is_not_listed_and_reading_it_says_so() {
    let mut options = Options::default();
    options.limits.whole_bytes = 1;
    let here = Here::tuned(true, options).await;
    let session = made(&here).await;
    let result = analysed(&here, &session).await;
    let page = here.service.stored_results(&here.caller, None, 100).await;
    assert!(page.unwrap().rows.is_empty());
    let ids = here
        .service
        .result_ids(&here.caller, Some(&session), "", 100)
        .await;
    assert_eq!(ids.values.len(), 0);
    let refused = here
        .service
        .read_result(&here.caller, &session, &result)
        .await;
    assert_eq!(refused.unwrap_err().reason, "result_not_stored");
    let history = here
        .service
        .read_session(&here.caller, &session)
        .await
        .unwrap();
    assert_eq!(history["history"][0]["stored"], false);
    here.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_found_by_prefix() {
    let here = Here::new().await;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(made(&here).await);
    }
    let all = here
        .service
        .session_ids(&here.caller, "ses_", 3)
        .await
        .unwrap();
    assert_eq!((all.values.len(), all.total), (3, Some(5)));
    let one = here
        .service
        .session_ids(&here.caller, &sessions[2], 3)
        .await;
    assert_eq!(one.unwrap().values, sessions[2..3]);
    here.good("close_session", json!({"session_id": sessions[2]}))
        .await;
    let none = here
        .service
        .session_ids(&here.caller, &sessions[2], 3)
        .await;
    assert_eq!(none.unwrap().total, Some(0));
    for nothing in ["x", "ses_0", ""] {
        let ids = here
            .service
            .result_ids(&here.caller, Some(nothing), "", 3)
            .await;
        assert_eq!(ids.total, Some(0));
    }
    here.end().await;
}
