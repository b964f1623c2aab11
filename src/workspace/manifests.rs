//! Reads manifests, the files that determine how imports resolve, in the scanned folder and above it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rustix::fs::{Dir, FileType};

use super::error::Error;
use super::open::{self, NotRead};
use super::resolve::{self, Place};
use super::skip::{Note, SkipReason, Tally};
use super::walk::{ManifestPath, Task, below};
use super::{ContentHash, Link, text};
use crate::analysis::graph::{Leaning, Manifest};

/// A compilation database is written by a program, some 500 bytes for each file that is compiled.
const MAX_DATABASE_BYTES: u64 = 32 * 1024 * 1024;
/// Manifests that lean on manifests: as many as a chain of configurations may have.
const LEANING_LIMIT: usize = 32;

/// Sorted by path, each with the hash of its content.
pub(super) fn read_all(
    task: &Task<'_>,
    found: Vec<ManifestPath>,
    links: &mut Vec<Link>,
    tally: &mut Tally,
) -> Result<Vec<(Manifest, ContentHash)>, Error> {
    let mut left = task.limits.max_manifests_bytes;
    let mut unique: BTreeMap<String, PathBuf> = found
        .into_iter()
        .map(|manifest| (manifest.path, manifest.absolute))
        .collect();
    let mut known: BTreeSet<String> = unique.keys().cloned().collect();
    let mut all = read(task, unique, &mut left, tally)?;
    // What they lean on may lean on more; beyond this many steps nothing sensible does.
    let mut leaning = Leaning::default();
    for _ in 0..LEANING_LIMIT {
        if !task.surroundings {
            break;
        }
        if (task.stop)() {
            return Err(Error::Cancelled);
        }
        let manifests: Vec<&Manifest> = all.iter().map(|(manifest, _)| manifest).collect();
        unique = named(
            task,
            leaning.named_by(&manifests, task.stop),
            &mut known,
            links,
        );
        if unique.is_empty() {
            break;
        }
        all.extend(read(task, unique, &mut left, tally)?);
    }
    all.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    Ok(all)
}

/// Those of the paths that are files inside the roots and were not read yet, by the path where they lie; one that is
/// reached through a link adds it to `links`.
fn named(
    task: &Task<'_>,
    paths: Vec<String>,
    known: &mut BTreeSet<String>,
    links: &mut Vec<Link>,
) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for path in paths {
        if (task.stop)() {
            break;
        }
        if !known.insert(path.clone()) {
            continue;
        }
        let Some(absolute) = resolve::locate(task.roots, &path) else {
            continue;
        };
        let Ok(place) = resolve::follow(task.roots, &absolute) else {
            continue;
        };
        let real = resolve::in_answers(task.roots, &place);
        let absolute = below(&task.roots[place.root].path, &place.inside);
        let is_file = open::stat(&absolute).is_ok_and(|stat| stat.kind == FileType::RegularFile);
        if !is_file {
            continue;
        }
        if real != path {
            links.push(Link {
                path,
                target: real.clone(),
            });
            if !known.insert(real.clone()) {
                continue;
            }
        }
        found.insert(real, absolute);
    }
    found
}

fn read(
    task: &Task<'_>,
    unique: BTreeMap<String, PathBuf>,
    left: &mut u64,
    tally: &mut Tally,
) -> Result<Vec<(Manifest, ContentHash)>, Error> {
    let mut read = Vec::new();
    let mut bytes = Vec::new();
    for (path, absolute) in unique {
        let of_one = match path.ends_with("compile_commands.json") {
            true => MAX_DATABASE_BYTES,
            false => task.limits.max_manifest_bytes,
        };
        let limit = (*left).min(of_one);
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
        *left -= bytes.len() as u64;
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
