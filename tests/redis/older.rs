//! A Redis that is too old, or a current one behind a proxy that reports an old version.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::command;
use crate::support::Project;
use crate::support::redis::Redis;

/// The text before the version. One digit is changed, and nothing else of the answer.
const VERSION: &[u8] = b"redis_version:";
const OLDER: u8 = b'5';

/// The address of a proxy that reports an older version. It lives as long as the test process.
fn aged(redis: &Redis) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let to = redis.port;
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                return;
            };
            let (asking, asked) = (client.try_clone(), server.try_clone());
            let (Ok(asking), Ok(asked)) = (asking, asked) else {
                return;
            };
            thread::spawn(move || carry(asking, asked));
            thread::spawn(move || carry(server, client));
        }
    });
    format!("redis://127.0.0.1:{port}")
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    // The version is among the first lines of the answer.
    let mut buffer = [0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let part = &mut buffer[..read];
        let at = part
            .windows(VERSION.len())
            .position(|found| found == VERSION);
        if let Some(major) = at.and_then(|at| part.get_mut(at + VERSION.len())) {
            *major = OLDER;
        }
        if to.write_all(part).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn every_command_refuses_a_redis_that_is_too_old() {
    let Some(redis) = Redis::good() else { return };
    let url = aged(&redis);
    let project = Project::small();
    for arguments in [
        ["serve", "--store", "redis"].as_slice(),
        &["sessions", "list"],
    ] {
        let refused = command(&project, &url, arguments);
        assert_eq!(refused.code, Some(78), "{}", refused.stderr);
        for part in ["too old", "6.2 or newer"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
    let found = command(&project, &url, &["doctor", "--store", "redis"]);
    assert_eq!(found.code, Some(78), "{}", found.stdout);
    assert!(
        found.stdout.contains("FAIL  redis version: Redis 5"),
        "{}",
        found.stdout
    );
}
