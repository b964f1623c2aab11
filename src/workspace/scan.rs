//! One scan from start to end: the place, the walk, the hashes, the manifests, the digest.

use super::error::{Error, shown};
use super::hash::{self, Wanted};
use super::resolve::{self, Place, Start};
use super::skip::{Note, SkipReason, Tally};
use super::stat_cache::Known;
use super::walk::{self, Around, Candidate, Found, Task};
use super::{ContentHash, Encoding, File, Link, Neighbour, Scan, chosen, manifests, open};
use crate::analysis::graph::Manifest;

pub(super) fn scan(task: &Task<'_>, paths: &[String]) -> Result<Scan, Error> {
    let mut found = find(task, paths)?;
    let around = found.around.iter_mut().map(|around| &mut around.candidate);
    found.tally.files_read = know(task, found.candidates.iter_mut().chain(around))?;
    assemble(task, found)
}

/// One walk for all selected places and for the files around them.
fn find(task: &Task<'_>, paths: &[String]) -> Result<Found, Error> {
    let (mut folders, mut files, mut above) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let place = match resolve::resolve(task.roots, path)? {
            Start::All => {
                for root in 0..task.roots.len() {
                    let inside = String::new();
                    folders.push(enter(task, path, Place { root, inside })?);
                }
                continue;
            }
            Start::One(place) => place,
        };
        above.extend(manifests::above(task, &place));
        let absolute = walk::below(&task.roots[place.root].path, &place.inside);
        let is_directory = open::stat(&absolute).is_ok_and(|stat| stat.kind.is_dir());
        match is_directory || place.inside.is_empty() {
            true => folders.push(enter(task, path, place)?),
            false => files.push(place),
        }
    }
    let mut found = match folders.is_empty() && !task.surroundings {
        true => Found::default(),
        false => walk::walk(task, folders, &files)?,
    };
    for place in &files {
        chosen::single(task, place, &mut found);
    }
    found.manifests.extend(above);
    Ok(found)
}

/// A directory that exists and can be read.
fn enter(task: &Task<'_>, path: &str, place: Place) -> Result<Place, Error> {
    let absolute = walk::below(&task.roots[place.root].path, &place.inside);
    match open::open_directory(&absolute) {
        Ok(_) => Ok(place),
        Err(error) => Err(cannot_enter(task, path, &place, error)),
    }
}

/// The requested directory cannot be entered. That is an error; a directory below it would be counted instead.
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

/// Reads the files that the cache does not have.
fn know<'c>(
    task: &Task<'_>,
    candidates: impl Iterator<Item = &'c mut Candidate>,
) -> Result<u64, Error> {
    let unknown = |candidate: &&mut Candidate| candidate.known.is_none();
    let candidates: Vec<&mut Candidate> = candidates.filter(unknown).collect();
    let wanted: Vec<Wanted> = candidates
        .iter()
        .map(|candidate| Wanted {
            path: candidate.absolute.clone(),
            size: candidate.size,
        })
        .collect();
    let read = hash::read_all(&wanted, task.cache, task.limits, task.stop)
        .map_err(|hash::Stopped| Error::Cancelled)?;
    for (candidate, read) in candidates.into_iter().zip(read) {
        candidate.known = Some(read.map(|(known, size)| {
            candidate.size = size;
            known
        }));
    }
    Ok(wanted.len() as u64)
}

fn assemble(task: &Task<'_>, found: Found) -> Result<Scan, Error> {
    let Found {
        candidates,
        around,
        mut links,
        mut manifests,
        manifests_around,
        mut tally,
    } = found;
    manifests.extend(manifests_around);
    let mut files = Vec::with_capacity(candidates.len());
    let mut surroundings: Vec<Neighbour> = around.into_iter().filter_map(neighbour).collect();
    for candidate in candidates {
        match finish(&candidate, &mut tally) {
            Ok(()) => files.extend(file(candidate)),
            Err(reason) => {
                tally.skip(reason);
                if task.surroundings && reason == SkipReason::Generated {
                    surroundings.extend(file(candidate).map(|file| Neighbour {
                        file,
                        left_out: Some(reason),
                        in_place: true,
                    }));
                }
            }
        }
    }
    surroundings.sort_unstable_by(|a, b| a.file.path.cmp(&b.file.path));
    surroundings.dedup_by(|a, b| a.file.path == b.file.path);
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    // A directory that changes while it is listed may show an entry twice.
    let listed = files.len();
    files.dedup_by(|a, b| a.path == b.path);
    tally.files_seen -= (listed - files.len()) as u64;
    let manifests = manifests::read_all(task, manifests, &mut links, &mut tally)?;
    links.sort_unstable();
    links.dedup();
    let digest = digest(&files, &surroundings, &links, &manifests);
    let world = (task.surroundings).then(|| world(&files, &surroundings, &links, &manifests));
    Ok(Scan {
        files,
        surroundings,
        links,
        manifests: manifests
            .into_iter()
            .map(|(manifest, _)| manifest)
            .collect(),
        files_seen: tally.files_seen,
        files_read: tally.files_read,
        skipped: tally.skipped,
        pruned: tally.pruned,
        notes: tally.notes,
        digest,
        world,
    })
}

/// Reasons to skip that depend on the content.
fn finish(candidate: &Candidate, tally: &mut Tally) -> Result<(), SkipReason> {
    let known = candidate
        .known
        .as_ref()
        .unwrap_or(&Err(SkipReason::NotReadable));
    let Known { verdict, .. } = known.as_ref().map_err(|reason| *reason)?;
    let encoding = verdict.encoding.ok_or(SkipReason::Binary)?;
    if verdict.generated && !candidate.by_name {
        return Err(SkipReason::Generated);
    }
    match encoding {
        Encoding::Utf8 => {}
        Encoding::Utf16 => tally.note(Note::DecodedFromUtf16),
        Encoding::Latin1 => tally.note(Note::DecodedAsLatin1),
    }
    Ok(())
}

/// `None`: it could not be read.
fn file(candidate: Candidate) -> Option<File> {
    let known = candidate.known?.ok()?;
    Some(File {
        path: candidate.path,
        language: candidate.language,
        bytes: candidate.size,
        hash: known.hash,
    })
}

fn neighbour(around: Around) -> Option<Neighbour> {
    let verdict = &around.candidate.known.as_ref()?.as_ref().ok()?.verdict;
    verdict.encoding?;
    let by_content = verdict.generated.then_some(SkipReason::Generated);
    Some(Neighbour {
        left_out: around.left_out.or(by_content),
        in_place: around.in_place,
        file: file(around.candidate)?,
    })
}

fn digest(
    files: &[File],
    surroundings: &[Neighbour],
    links: &[Link],
    manifests: &[(Manifest, ContentHash)],
) -> String {
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
    if !surroundings.is_empty() || !links.is_empty() {
        add("", ContentHash([1; 32]));
    }
    for Neighbour { file, .. } in surroundings {
        add(&file.path, file.hash);
    }
    for link in links {
        add(&link.path, ContentHash::of(link.target.as_bytes()));
    }
    hasher.finalize().to_hex().to_string()
}

/// Equal only if all files, with the reason why each is not measured, and all manifests and links are equal.
fn world(
    files: &[File],
    surroundings: &[Neighbour],
    links: &[Link],
    manifests: &[(Manifest, ContentHash)],
) -> ContentHash {
    let selected = files.iter().map(|file| (file, None));
    let around = surroundings.iter().map(|near| (&near.file, near.left_out));
    let mut all: Vec<(&File, Option<SkipReason>)> = selected.chain(around).collect();
    // A stable sort merges the two sorted parts.
    all.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let mut hasher = blake3::Hasher::new();
    let mut add = |parts: [&[u8]; 3]| {
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    };
    for (file, left_out) in all {
        let left_out = left_out.map_or("", SkipReason::name);
        add([file.path.as_bytes(), &file.hash.0, left_out.as_bytes()]);
    }
    for (manifest, hash) in manifests {
        add([manifest.path.as_bytes(), &hash.0, b"manifest"]);
    }
    for link in links {
        add([link.path.as_bytes(), link.target.as_bytes(), b"link"]);
    }
    ContentHash(*hasher.finalize().as_bytes())
}
