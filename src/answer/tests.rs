use std::time::Duration;

use actors::tool::ToolError;
use expect_test::expect;
use serde_json::json;

use super::*;

fn called(max_bytes: usize) -> Called<'static> {
    Called {
        tool: "list_sessions",
        started: Instant::now(),
        max_bytes,
        detail: Detail::Lean,
    }
}

fn context() -> Context {
    Context {
        session_id: Some(SessionId::from_u128(1)),
        result_id: Some(ResultId::from_u128(2)),
        ..Context::default()
    }
}

fn finding(text: &str) -> Finding {
    Finding {
        page: Some(Page {
            total: 9,
            returned: 1,
            truncated: true,
            next_cursor: Some("CURSOR".into()),
        }),
        ..Finding::plain(json!({"sessions": []}), text.into())
    }
}

#[test]
fn the_text_ends_with_ids_and_cursor() {
    let answer = called(1000).found(finding("one row\n"), "", context());
    expect![[r#"
        one row
        more: repeat with cursor=CURSOR
        session_id=ses_00000000000000000000000000000001
        result_id=res_00000000000000000000000000000002
    "#]]
    .assert_eq(&answer.text);
}

#[test]
fn the_text_is_cut_at_lines_to_fit_ids_and_cursor() {
    let many = "a line of text\n".repeat(1000);
    let answer = called(1000).found(finding(&many), "", context());
    assert!(answer.text.len() <= 1000);
    assert!(answer.text.contains("cursor=CURSOR"));
    assert!(answer.text.contains("result_id=res_"));
    for line in answer.text.lines() {
        assert!(line == "a line of text" || line.contains('='), "{line}");
    }
}

#[test]
fn notices_are_few_and_short() {
    let mut context = context();
    context.notices = vec!["n".repeat(10_000); 100];
    let answer = called(1000).found(finding("row\n"), "", context);
    let notices = answer.structured["context"]["notices"].as_array().unwrap();
    assert_eq!(notices.len(), NOTICES_SHOWN);
    assert!(answer.text.len() <= 1000);
}

#[test]
fn an_empty_answer_succeeds_with_a_reason() {
    let mut finding = finding("0 sessions\n");
    finding.empty = Some(Empty {
        reason: "nothing_matched".into(),
        message: "no such thing".into(),
    });
    let answer = called(1000).found(finding, "", Context::default());
    assert!(!answer.is_error);
    assert_eq!(answer.structured["status"]["success"], true);
    assert_eq!(answer.structured["status"]["reason"], "nothing_matched");
    assert!(answer.text.contains("no such thing"));
}

#[test]
fn a_failure_has_the_complete_envelope_and_advice() {
    let error = ToolError {
        retry_after: Some(Duration::from_millis(250)),
        ..ToolError::new("busy", "busy: 16 calls run in this session")
    };
    let answer = called(1000).failed(&error.into(), context());
    assert!(answer.is_error);
    assert_eq!(
        answer.structured["status"],
        json!({
            "success": false,
            "code": "RESOURCE_EXHAUSTED",
            "reason": "busy",
            "message": "busy: 16 calls run in this session",
            "retryable": true,
            "retry_after_ms": 250,
            "recovery": reason::reason("busy").recovery,
        })
    );
    assert_eq!(
        crate::tools::output_errors("list_sessions", &answer.structured),
        [""; 0]
    );
    assert!(answer.text.contains("What to do"));
}

#[test]
fn an_unknown_reason_becomes_internal() {
    let error = ToolError::new("never_heard_of", "something odd");
    let answer = called(1000).failed(&error.into(), Context::default());
    assert_eq!(answer.structured["status"]["code"], "INTERNAL");
    assert_eq!(answer.structured["status"]["reason"], "internal");
}

#[test]
fn a_finding_round_trips_through_a_session() {
    let finding = finding("text");
    let output = ToolOutput {
        answer: finding.clone().into_value(),
        whole: None,
        summary: String::new(),
        input_digest: "digest".into(),
    };
    let back = Finding::from_output(Arc::new(output)).unwrap();
    assert_eq!(back, (finding, "digest".to_owned()));
    let damaged = ToolOutput {
        answer: json!({"data": 1}),
        whole: None,
        summary: String::new(),
        input_digest: String::new(),
    };
    assert_eq!(
        Finding::from_output(Arc::new(damaged)).unwrap_err().reason,
        "data_loss"
    );
}

#[test]
fn only_a_likely_typo_has_a_suggestion() {
    let known = ["limit", "cursor", "max_bytes", "session_id"];
    assert_eq!(nearest("limti", known), Some("limit"));
    assert_eq!(nearest("sessionid", known), Some("session_id"));
    assert_eq!(nearest("MAX_BYTES", known), Some("max_bytes"));
    assert_eq!(nearest("banana", known), None);
    assert_eq!(nearest(&"x".repeat(100_000), known), None);
}

#[test]
fn times_are_rfc_3339() {
    assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
}
