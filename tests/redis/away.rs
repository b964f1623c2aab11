//! Redis was never there.

use super::command;
use crate::support::Project;
use crate::support::redis::free_port;

#[test]
fn strict_mode_does_not_start_without_redis() {
    let project = Project::small();
    let url = format!("redis://:s3cret@127.0.0.1:{}", free_port());
    let arguments = [
        "serve",
        "--store",
        "redis",
        "--when-redis-is-away",
        "refuse",
    ];
    let refused = command(&project, &url, &arguments);
    assert_eq!(refused.code, Some(69), "{}", refused.stderr);
    assert!(refused.stderr.contains("127.0.0.1"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    for verb in [
        ["sessions", "list"].as_slice(),
        &["sessions", "export", "--all"],
    ] {
        let refused = command(&project, &url, verb);
        assert_eq!(refused.code, Some(69), "{verb:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }
}
