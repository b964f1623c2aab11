//! Reads manifests, the files that determine how imports resolve, in the scanned folder and above it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::fs::{Dir, FileType};

use super::error::Error;
use super::open::{self, NotRead};
use super::resolve::{self, Place};
use super::skip::{Note, SkipReason, Tally};
use super::walk::{ManifestPath, Task, below};
use super::{ContentHash, text};
use crate::analysis::graph::Manifest;

/// Sorted by path, each with the hash of its content.
pub(super) fn read_all(
    task: &Task<'_>,
    found: Vec<ManifestPath>,
    tally: &mut Tally,
) -> Result<Vec<(Manifest, ContentHash)>, Error> {
    let mut left = task.limits.max_manifests_bytes;
    let mut read = Vec::new();
    let mut bytes = Vec::new();
    let unique: BTreeMap<String, PathBuf> = found
        .into_iter()
        .map(|manifest| (manifest.path, manifest.absolute))
        .collect();
    for (path, absolute) in unique {
        let limit = left.min(task.limits.max_manifest_bytes);
        match open::read_file(&absolute, limit, &mut bytes, task.stop) {
            Ok(_) => {}
            Err(NotRead::Stopped) => return Err(Error::Cancelled),
            Err(NotRead::Skip(SkipReason::FileTooLarge)) => {
                tally.note(Note::ManifestTooLarge);
                continue;
            }
            Err(NotRead::Skip(_)) => {
                tally.note(Note::ManifestNotReadable);
                continue;
            }
        }
        left -= bytes.len() as u64;
        let hash = ContentHash::of(&bytes);
        match text::decode(std::mem::take(&mut bytes)) {
            Some((text, _)) => read.push((Manifest { path, text }, hash)),
            None => tally.note(Note::ManifestNotReadable),
        }
    }
    Ok(read)
}

/// Manifests in the directories above a place, up to its root; not in the place itself.
pub(super) fn above(task: &Task<'_>, place: &Place) -> Vec<ManifestPath> {
    let mut found = Vec::new();
    let mut inside = place.inside.as_str();
    while !inside.is_empty() && !(task.stop)() {
        inside = inside.rsplit_once('/').map_or("", |(parent, _)| parent);
        in_directory(task, place.root, inside, &mut found);
    }
    found
}

fn in_directory(task: &Task<'_>, root: usize, inside: &str, found: &mut Vec<ManifestPath>) {
    let directory = below(&task.roots[root].path, inside);
    let Ok(entries) = open::open_directory(&directory).and_then(Dir::new) else {
        return;
    };
    for entry in entries {
        let Ok(entry) = entry else { return };
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        let may_be_file = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
        if !may_be_file || !(task.is_manifest)(name) {
            continue;
        }
        let inside = match inside {
            "" => name.to_owned(),
            _ => format!("{inside}/{name}"),
        };
        found.push(ManifestPath {
            absolute: directory.join(name),
            path: resolve::in_answers(task.roots, &Place { root, inside }),
        });
    }
}
