//! A Redis for one test: on a free port, in its own folder, stopped with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{PATIENCE, skip};

/// Retries when another process takes the port before Redis does.
const TRIES: usize = 10;

pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    /// Connection arguments for `redis-cli`.
    entry: Vec<String>,
}

/// Whether a program is installed that a test needs.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !there {
        skip(program);
    }
    there
}

impl Redis {
    /// A Redis with the recommended settings: an append-only file, and no eviction. `None` if Redis is not installed.
    pub(crate) fn good() -> Option<Self> {
        Self::with(&[
            "--appendonly",
            "yes",
            "--maxmemory",
            "256mb",
            "--maxmemory-policy",
            "noeviction",
        ])
    }

    pub(crate) fn with(arguments: &[&str]) -> Option<Self> {
        Self::entered(arguments, |_| Vec::new())
    }

    /// A Redis for which `redis-cli` needs more arguments. In both, `%/` stands for its folder and `%p` for its port.
    pub(crate) fn entered(arguments: &[&str], entry: impl Fn(u16) -> Vec<String>) -> Option<Self> {
        if !(installed("redis-server") && installed("redis-cli")) {
            return None;
        }
        for _ in 0..TRIES {
            let folder = tempfile::tempdir().expect("a folder");
            let arguments = fill(arguments, folder.path());
            let port = free_port();
            let child = start(port, folder.path(), &arguments);
            let entry = entry(port);
            let entry = fill(
                &entry.iter().map(String::as_str).collect::<Vec<_>>(),
                folder.path(),
            );
            let mut redis = Self {
                child,
                port,
                folder,
                arguments,
                entry,
            };
            if redis.is_up() {
                return Some(redis);
            }
        }
        panic!("no Redis came up");
    }

    /// A Redis with TLS only.
    pub(crate) fn tls(arguments: &[&str], entry: &[&str]) -> Option<Self> {
        let arguments = [&["--port", "0", "--tls-port", "%p"], arguments].concat();
        Self::entered(&arguments, |_| {
            entry.iter().map(|word| (*word).to_owned()).collect()
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The path of its socket, if it was configured with one.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Stops it like `kill -9`.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it on the same port with its data on disk.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            self.child = start(self.port, self.folder.path(), &self.arguments);
            if self.is_up() {
                return;
            }
        }
        panic!("Redis did not come back");
    }

    /// A copy of its data on disk.
    pub(crate) fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a folder");
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Starts it on the same port with an earlier copy of its data.
    pub(crate) fn go_back(&mut self, then: &Path) {
        self.kill();
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).expect("removed");
            } else {
                std::fs::remove_file(path).expect("removed");
            }
        }
        copy_folder(then, self.folder.path());
        self.restart();
    }

    /// The output of `redis-cli`.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("redis-cli starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        super::signal(self.child.id(), signal);
    }

    /// A `redis-cli` in the background; the caller waits for its end.
    pub(crate) fn background(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("redis-cli starts")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("redis-cli");
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(&self.entry)
            .args(arguments);
        command
    }

    fn is_up(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.child.try_wait().expect("a child of ours").is_some() {
                return false;
            }
            if self.cli(&["PING"]).contains("PONG") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            std::fs::create_dir_all(&to).expect("a folder");
            copy_folder(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &to).expect("a copy");
        }
    }
}

/// A free port.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn fill(arguments: &[&str], folder: &Path) -> Vec<String> {
    arguments
        .iter()
        .map(|argument| argument.replace("%/", &format!("{}/", folder.display())))
        .collect()
}

fn start(port: u16, folder: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    if !arguments.iter().any(|argument| argument == "--port") {
        command.args(["--port", &port.to_string()]);
    }
    if !arguments.iter().any(|argument| argument == "--save") {
        command.args(["--save", ""]);
    }
    command
        .args(["--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .args(arguments.iter().map(|word| {
            if word == "%p" {
                port.to_string()
            } else {
                word.clone()
            }
        }))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts")
}
