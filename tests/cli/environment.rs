//! Environment variables for another command, with a typo, or set by a platform.

use super::with;
use crate::support::Project;

#[test]
fn variables_of_one_command_do_not_stop_another() {
    let project = Project::small();
    let of_serve = [
        ("MCA_AUTH_TOKENS", "no/such/file"),
        ("MCA_ADMIN_TOKEN_FILE", "no/such/file"),
        ("MCA_PRINCIPAL_RATE", "5"),
        ("MCA_ALLOWED_HOST", "code.example.org"),
    ];
    with(&project, &of_serve, &["analyze", "."]).ok();
    let told = with(&project, &of_serve, &["doctor"]).ok();
    for part in [
        "warn  settings without effect: auth_tokens,",
        "ok    sessions",
    ] {
        assert!(told.contains(part), "{told}");
    }
    // It fails only because no Redis listens at this address.
    let closed = [("MCA_REDIS_URL", "redis://127.0.0.1:1")];
    let variables = [&of_serve[..], &closed].concat();
    let ended = with(&project, &variables, &["sessions", "list"]);
    assert_eq!(ended.code, Some(69), "{}", ended.stderr);
    // These are settings of `serve`, and have no effect without --http.
    let ended = with(&project, &of_serve, &["serve"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    // A wrong value of another command's setting does not stop it either.
    let wrong = [("MCA_HTTP", "nowhere"), ("MCA_STORE", "paper")];
    with(&project, &wrong, &["analyze", "."]).ok();
}

#[test]
fn a_misspelt_variable_is_refused_and_a_foreign_one_reported() {
    let project = Project::small().with("empty.jsonl", "");
    for arguments in [
        ["analyze", "."].as_slice(),
        &["serve"],
        &["doctor"],
        &["tools"],
        &["sessions", "list"],
        &["sessions", "validate", "empty.jsonl"],
    ] {
        let ended = with(&project, &[("MCA_STOER", "redis")], arguments);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(78), "{arguments:?}: {said}");
        assert!(said.contains("did you mean MCA_STORE?"), "{said}");
    }
    let of_kubernetes = [
        ("MCA_SERVICE_HOST", "10.96.0.7"),
        ("MCA_SERVICE_PORT", "8642"),
        ("MCA_PORT", "tcp://10.96.0.7:8642"),
        ("MCA_PORT_8642_TCP", "tcp://10.96.0.7:8642"),
        ("MCA_PORT_8642_TCP_ADDR", "10.96.0.7"),
    ];
    for arguments in [["analyze", "."].as_slice(), &["doctor"]] {
        let ended = with(&project, &of_kubernetes, arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let ended = with(&project, &[("MCA_GREETING", "hello")], arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains("ignoring the environment variable MCA_GREETING"),
            "{}",
            ended.stderr
        );
    }
}
