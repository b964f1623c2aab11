//! One scan from start to end: the place, the walk, the hashes, the manifests, the digest.

use super::error::{Error, shown};
use super::hash::{self, Wanted};
use super::resolve::{self, Place, Start};
use super::skip::{Note, SkipReason, Tally};
use super::stat_cache::Known;
use super::walk::{self, Candidate, Found, Task};
use super::{ContentHash, Encoding, File, Scan, listing, manifests, open};
use crate::analysis::graph::Manifest;

pub(super) fn scan(task: &Task<'_>, paths: &[String]) -> Result<Scan, Error> {
    let mut found = Found::default();
    for path in paths {
        found.merge(find(task, path)?);
    }
    know(task, &mut found.candidates)?;
    assemble(task, found)
}

fn find(task: &Task<'_>, path: &str) -> Result<Found, Error> {
    let place = match resolve::resolve(task.roots, path)? {
        Start::All => {
            let all = (0..task.roots.len()).map(|root| Place {
                root,
                inside: String::new(),
            });
            return find_below(task, path, all.collect());
        }
        Start::One(place) => place,
    };
    let above = manifests::above(task, &place);
    let absolute = walk::below(&task.roots[place.root].path, &place.inside);
    let is_directory = open::stat(&absolute).is_ok_and(|stat| stat.kind.is_dir());
    let mut found = match is_directory || place.inside.is_empty() {
        true => find_below(task, path, vec![place])?,
        false => listing::single(task, &place),
    };
    found.manifests.extend(above);
    Ok(found)
}

fn find_below(task: &Task<'_>, path: &str, places: Vec<Place>) -> Result<Found, Error> {
    for place in &places {
        let absolute = walk::below(&task.roots[place.root].path, &place.inside);
        open::open_directory(&absolute).map_err(|error| cannot_enter(task, path, place, error))?;
    }
    walk::walk(task, places)
}

/// What was asked for itself cannot be entered: an error, where below it it would be counted.
fn cannot_enter(task: &Task<'_>, path: &str, place: &Place, error: rustix::io::Errno) -> Error {
    let source = std::io::Error::from(error);
    if place.inside.is_empty() {
        let path = task.roots[place.root].path.clone();
        return match error {
            rustix::io::Errno::ACCESS => Error::RootNotReadable { path, source },
            _ => Error::RootNotFound { path, source },
        };
    }
    Error::NotReadable {
        path: shown(path),
        why: source.to_string(),
    }
}

/// Reads what the cache does not know.
fn know(task: &Task<'_>, candidates: &mut [Candidate]) -> Result<(), Error> {
    let unknown = |candidate: &&mut Candidate| candidate.known.is_none();
    let wanted: Vec<Wanted> = candidates
        .iter_mut()
        .filter(unknown)
        .map(|candidate| Wanted {
            path: candidate.absolute.clone(),
            size: candidate.size,
        })
        .collect();
    let read = hash::read_all(&wanted, task.cache, task.limits, task.stop)
        .map_err(|hash::Stopped| Error::Cancelled)?;
    for (candidate, read) in candidates.iter_mut().filter(unknown).zip(read) {
        candidate.known = Some(read.map(|(known, size)| {
            candidate.size = size;
            known
        }));
    }
    Ok(())
}

fn assemble(task: &Task<'_>, found: Found) -> Result<Scan, Error> {
    let Found {
        candidates,
        manifests,
        mut tally,
    } = found;
    let mut files = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match finish(candidate, &mut tally) {
            Ok(file) => files.push(file),
            Err(reason) => tally.skip(reason),
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    // A directory that changes while it is listed may show an entry twice.
    let listed = files.len();
    files.dedup_by(|a, b| a.path == b.path);
    tally.files_seen -= (listed - files.len()) as u64;
    let manifests = manifests::read_all(task, manifests, &mut tally)?;
    let digest = digest(&files, &manifests);
    Ok(Scan {
        files,
        manifests: manifests
            .into_iter()
            .map(|(manifest, _)| manifest)
            .collect(),
        files_seen: tally.files_seen,
        skipped: tally.skipped,
        pruned: tally.pruned,
        notes: tally.notes,
        digest,
    })
}

/// What the content says, now that it was read.
fn finish(candidate: Candidate, tally: &mut Tally) -> Result<File, SkipReason> {
    let Known { hash, verdict } = candidate.known.unwrap_or(Err(SkipReason::NotReadable))?;
    let encoding = verdict.encoding.ok_or(SkipReason::Binary)?;
    if verdict.generated && !candidate.by_name {
        return Err(SkipReason::Generated);
    }
    match encoding {
        Encoding::Utf8 => {}
        Encoding::Utf16 => tally.note(Note::DecodedFromUtf16),
        Encoding::Latin1 => tally.note(Note::DecodedAsLatin1),
    }
    Ok(File {
        path: candidate.path,
        language: candidate.language,
        bytes: candidate.size,
        hash,
    })
}

fn digest(files: &[File], manifests: &[(Manifest, ContentHash)]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |path: &str, hash: ContentHash| {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(&hash.0);
    };
    for file in files {
        add(&file.path, file.hash);
    }
    // Where the files end: a manifest is another input than a file of the same path.
    add("", ContentHash([0; 32]));
    for (manifest, hash) in manifests {
        add(&manifest.path, *hash);
    }
    hasher.finalize().to_hex().to_string()
}
