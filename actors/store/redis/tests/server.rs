//! A redis-server for one test: on a free port, in its own folder, stopped with the test. The chaos target includes
//! this file by path, so it refers to nothing in this crate.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a server to start on a busy machine.
const UP_WITHIN: Duration = Duration::from_secs(30);
/// Retries when another process takes the port before the server does.
const TRIES: usize = 10;

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
}

/// With the settings recommended for production.
pub(crate) const GOOD: &[&str] = &["--appendonly", "yes", "--maxmemory-policy", "noeviction"];

/// With an append-only file. `None`: redis-server is not installed, which is printed, and is an error where CI=true.
pub(crate) fn good() -> Option<Server> {
    with(GOOD)
}

/// `%` in an argument stands for the server's folder.
pub(crate) fn with(arguments: &[&str]) -> Option<Server> {
    if Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no redis-server is installed"
        );
        eprintln!("skipped: no redis-server is installed");
        return None;
    }
    for _ in 0..TRIES {
        let port = free_port();
        // Only one process uses a port at a time. Files of an earlier server on the port must not be read.
        let name = format!("redis-{}-{port}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let fill = |argument: &&str| argument.replace('%', &folder.to_string_lossy());
        let arguments: Vec<String> = arguments.iter().map(fill).collect();
        let child = spawn(port, &folder, &arguments);
        let mut server = Server {
            child,
            port,
            folder,
            arguments,
        };
        if server.is_up() {
            return Some(server);
        }
    }
    panic!("no redis-server came up");
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Server {
    #[allow(
        dead_code,
        reason = "used by some of the targets that include this file"
    )]
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Stops it like `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it on the same port with its data on disk.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let until = Instant::now() + UP_WITHIN;
        while Instant::now() < until {
            self.child = spawn(self.port, &self.folder, &self.arguments);
            if self.is_up() {
                return;
            }
        }
        panic!("redis-server did not come back");
    }

    /// A separate connection, to inspect and change the data.
    #[allow(
        dead_code,
        reason = "used by some of the targets that include this file"
    )]
    pub(crate) fn connection(&self) -> ::redis::Connection {
        let client = ::redis::Client::open(self.url()).unwrap();
        client.get_connection().unwrap()
    }

    /// All keys and values.
    #[allow(
        dead_code,
        reason = "used by some of the targets that include this file"
    )]
    pub(crate) fn keys(&self) -> Vec<String> {
        let all = ::redis::cmd("KEYS").arg("*").query(&mut self.connection());
        all.unwrap()
    }

    /// True if it answers at all, even with an authentication error.
    fn is_up(&mut self) -> bool {
        use std::io::{Read, Write};
        let until = Instant::now() + UP_WITHIN;
        while Instant::now() < until {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let mut answer = [0; 8];
            let asked =
                std::net::TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut to| {
                    to.set_read_timeout(Some(Duration::from_secs(1)))?;
                    to.write_all(b"PING\r\n")?;
                    to.read(&mut answer)
                });
            if asked.is_ok_and(|read| read > 0) && !answer.starts_with(b"-LOADING") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
