//! The command line in a terminal: progress that disappears again, and Ctrl-C. `script` (util-linux) provides the
//! terminal.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Instant;

use crate::support::{PATIENCE, Project, skip, terminal};

/// The byte that Ctrl-C sends.
const INTERRUPT: &[u8] = b"\x03";
/// The sequence that erases the progress line.
const ERASE_LINE: &str = "\x1b[2K";
/// Printed only with the result.
const RESULT: &str = "rows shown";

/// A program in a terminal, and its output so far.
struct Screen {
    child: Child,
    chunks: Receiver<Vec<u8>>,
    text: String,
}

impl Screen {
    fn start(project: &Project, arguments: &[&str]) -> Option<Self> {
        let mut child = terminal(project.path(), arguments)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script starts");
        let mut output = child.stdout.take().expect("piped");
        let (send, chunks) = sync_channel(1024);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let text = String::new();
        Some(Self {
            child,
            chunks,
            text,
        })
    }

    fn wait_for(&mut self, wanted: &str) {
        let started = Instant::now();
        while !self.text.contains(wanted) {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let chunk = self.chunks.recv_timeout(left);
            let chunk = chunk.unwrap_or_else(|_| panic!("no {wanted:?} in {:?}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        let keyboard = self.child.stdin.as_mut().expect("piped");
        keyboard.write_all(keys).expect("written");
        keyboard.flush().expect("written");
    }

    fn end(mut self) -> (Option<i32>, String) {
        while let Ok(chunk) = self.chunks.recv_timeout(PATIENCE) {
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
        let status = self.child.wait().expect("a child of ours");
        (status.code(), self.text)
    }
}

#[test]
fn progress_is_shown_and_erased_before_the_result() {
    let project = Project::large(40);
    let Some(screen) = Screen::start(&project, &["analyze", "complexity", "."]) else {
        return skip("`script` (util-linux)");
    };
    let (code, text) = screen.end();
    assert_eq!(code, Some(0), "{text}");
    let result = text.find(RESULT).expect("the result");
    let erased = text.rfind(ERASE_LINE).expect("progress on a terminal");
    assert!(erased < result, "progress after the result: {text:?}");
    let progress = &text[..erased];
    assert!(
        progress.contains("of 40 files"),
        "counted against a total: {progress:?}"
    );
}

#[test]
fn ctrl_c_ends_a_run_without_a_result() {
    let project = Project::large(400);
    let Some(mut screen) = Screen::start(&project, &["analyze", "complexity", "."]) else {
        return skip("`script` (util-linux)");
    };
    screen.wait_for("of 400 files");
    screen.press(INTERRUPT);
    let (code, text) = screen.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(!text.contains(RESULT), "{text}");
}

#[test]
fn a_server_in_a_terminal_explains_that_it_waits_for_a_client() {
    let project = Project::small();
    let Some(mut screen) = Screen::start(&project, &["serve"]) else {
        return skip("`script` (util-linux)");
    };
    screen.wait_for("waiting for an MCP client");
    screen.wait_for("mcp-code-analysis analyze");
    screen.press(INTERRUPT);
    let (code, text) = screen.end();
    assert_eq!(code, Some(0), "{text}");
}
