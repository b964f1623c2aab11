//! Tests on real trees, which each test creates.

mod encodings;
mod hostile;
mod large;
mod races;
mod resolving;
mod rules;
mod scanning;
mod surroundings;
mod unreadable;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;

/// A directory that is deleted when the test ends.
struct Tree {
    held: tempfile::TempDir,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self {
            held: tempfile::tempdir().expect("a temporary directory"),
        };
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    fn path(&self) -> PathBuf {
        fs::canonicalize(self.held.path()).expect("it exists")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("inside the tree")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    fn link(&self, from: &str, to: impl AsRef<Path>) {
        symlink(to, self.at(from)).expect("linked");
    }

    /// A workspace of the directory `path`, with its own cache.
    fn workspace(&self, path: &str) -> Workspace {
        workspace(&[self.at(path)])
    }
}

fn workspace(roots: &[PathBuf]) -> Workspace {
    Workspace::open(roots)
        .expect("roots")
        .with_cache(Arc::default())
        // Not the git settings of the user who runs the tests.
        .with_git(Git::default())
        .with_manifests(|name| matches!(name, "Cargo.toml" | "go.mod" | "package.json"))
}

fn at(path: &str) -> Selection {
    Selection {
        path: path.to_owned(),
        ..Selection::default()
    }
}

fn include(globs: &[&str]) -> Selection {
    Selection {
        include: globs.iter().map(|&glob| glob.to_owned()).collect(),
        ..Selection::default()
    }
}

fn exclude(globs: &[&str]) -> Selection {
    Selection {
        exclude: globs.iter().map(|&glob| glob.to_owned()).collect(),
        ..Selection::default()
    }
}

/// Scans, and checks the invariants of every scan.
fn scan(workspace: &Workspace, selection: &Selection) -> Scan {
    let scan = workspace
        .scan(selection, &|_| {}, &|| false)
        .expect("a scan");
    let skipped: u64 = scan.skipped.values().sum();
    assert_eq!(scan.files_seen, scan.files.len() as u64 + skipped);
    assert!(
        scan.files.is_sorted_by(|a, b| a.path < b.path),
        "sorted, and each once"
    );
    assert!(scan.skipped.keys().all(|reason| !reason.is_directory()));
    assert!(scan.pruned.keys().all(|reason| reason.is_directory()));
    scan
}

fn fails(workspace: &Workspace, selection: &Selection) -> Error {
    workspace
        .scan(selection, &|_| {}, &|| false)
        .expect_err("no scan")
}

fn paths(scan: &Scan) -> Vec<&str> {
    scan.files.iter().map(|file| file.path.as_str()).collect()
}

/// `reason: count` for everything that was skipped.
fn left_out(scan: &Scan) -> Vec<String> {
    let all = scan.skipped.iter().chain(&scan.pruned);
    all.map(|(reason, count)| format!("{}: {count}", reason.name()))
        .collect()
}

/// Makes the file look old enough for its hash to be cached. The change time cannot be set, so this waits until it has
/// settled.
fn settle() {
    std::thread::sleep(stat_cache::SETTLED + Duration::from_millis(100));
}
