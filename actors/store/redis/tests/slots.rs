//! A Cluster could hold it: every script's keys lie in one slot, and no script touches a key that it was not given.

use super::*;
use crate::ids::ConnectionId;

#[tokio::test]
async fn the_keys_of_a_script_lie_in_one_slot() {
    // Only a server of a cluster tells slots.
    let Some(server) = server::with(&["--cluster-enabled", "yes"]) else {
        return;
    };
    let mut connection = server.connection();
    let mut slot = |key: &str| -> u64 {
        let mut tag = key;
        if let Some((_, rest)) = key.split_once('{')
            && let Some((inner, _)) = rest.split_once('}')
            && !inner.is_empty()
        {
            tag = inner;
        }
        let whole: u64 = ::redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(key)
            .query(&mut connection)
            .unwrap();
        let by_tag: u64 = ::redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(tag)
            .query(&mut connection)
            .unwrap();
        assert_eq!(whole, by_tag, "{key}");
        whole
    };
    let keys = Keys::new("mca");
    for _ in 0..50 {
        let session = keys.session(SessionId::random());
        let slots: Vec<_> = session.all().map(&mut slot).to_vec();
        assert!(slots.iter().all(|other| *other == slots[0]));
        let connection = keys.connection(ConnectionId::random());
        let slots: Vec<_> = connection.all().map(&mut slot).to_vec();
        assert!(slots.iter().all(|other| *other == slots[0]));
    }
    for partition in 0..keys::PARTITIONS {
        let index = keys.index(partition);
        let slots = index.all().map(&mut slot);
        assert!(slots.iter().all(|other| *other == slots[0]));
    }
}

#[test]
fn no_script_touches_what_it_was_not_given() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("store/redis/lua");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        seen += 1;
        for forbidden in [
            "'KEYS'",
            "'SCAN'",
            "'EVAL",
            "'SELECT'",
            "'FLUSH",
            "loadstring",
            ".pcall",
        ] {
            assert!(
                !text.contains(forbidden),
                "{forbidden} in {}",
                path.display()
            );
        }
        for call in text.split("redis.call(").skip(1) {
            let (command, rest) = call.split_once([',', ')']).unwrap();
            let first = rest.trim_start();
            let given =
                command == "'TIME'" || first.starts_with("KEYS[") || first.starts_with("key");
            assert!(given, "{command}, {first:.30} in {}", path.display());
        }
    }
    assert!(seen > 10);
}
