//! Shared by all tests: projects with known numbers, and the program run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub(crate) mod certificates;
pub(crate) mod chaos;
pub(crate) mod link;
pub(crate) mod node;
pub(crate) mod project;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod server;
pub(crate) mod wire;

pub(crate) use project::Project;
pub(crate) use server::Server;

/// Longest wait for anything. Generous, because a loaded machine is not a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The program, without the environment's settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-code-analysis"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCA_") {
            command.env_remove(name);
        }
    }
    command
}

/// The program in its own terminal, created by `script`; `None` if that is not installed.
#[cfg(target_os = "linux")]
pub(crate) fn terminal(folder: &Path, arguments: &[&str]) -> Option<Command> {
    let installed = std::env::split_paths(&std::env::var_os("PATH")?)
        .any(|folder| folder.join("script").exists());
    // `script` runs the command in a shell. Neither the path nor the arguments of the tests contain quotes. The program
    // replaces the shell: a shell that stays ends with 130 on Ctrl-C, whatever the program's exit code is.
    let line = [&[env!("CARGO_BIN_EXE_mcp-code-analysis")], arguments].concat();
    let quoted: Vec<_> = line.iter().map(|word| format!("'{word}'")).collect();
    installed.then(|| {
        let mut command = Command::new("script");
        command
            .args([
                "--quiet",
                "--return",
                "--command",
                &format!("exec {}", quoted.join(" ")),
            ])
            .arg("/dev/null")
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .current_dir(folder);
        command
    })
}

/// Runs a command to its end, with empty stdin.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let output = program()
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Ended::from(output)
}

/// Runs another program to its end, within [`PATIENCE`].
pub(crate) fn foreign(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let id = child.id();
    let (over, ended) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || over.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        let _ = kill_process(pid(id), Signal::KILL);
        let said = ended.recv_timeout(PATIENCE);
        panic!("{command:?} did not end: {said:?}");
    };
    output.expect("its output")
}

/// Sends a signal directly: not every system has the program `kill`.
pub(crate) fn signal(process: u32, signal: Signal) {
    kill_process(pid(process), signal).expect("it is there");
}

/// In hexadecimal digits, as `sha256sum` prints it.
pub(crate) fn sha256(text: &str) -> String {
    use sha2::Digest;
    use std::fmt::Write as _;
    let digest = sha2::Sha256::digest(text.as_bytes());
    digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("written");
        hex
    })
}

pub(crate) fn pid(process: u32) -> Pid {
    let raw = i32::try_from(process).ok().and_then(Pid::from_raw);
    raw.expect("a process's id")
}

/// The result of a finished run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "stderr: {}", self.stderr);
        self.stdout
    }

    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).expect("stdout is JSON")
    }
}

/// The folder where `tests/run` installs what the real clients need.
pub(crate) fn clients_folder() -> PathBuf {
    crate::tidy::root().join("target/clients")
}

/// Reports that a test cannot run here. Fails if all tests must run.
pub(crate) fn skip(what: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{what} is needed where CI=true; `tests/run` installs it"
    );
    eprintln!("skipped: {what} is not here; `tests/run` installs it");
}
