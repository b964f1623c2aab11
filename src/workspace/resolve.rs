//! Resolves paths of callers to places inside the roots, and back.
//!
//! Links are followed here one name at a time, and nothing outside the roots is accessed: a path that leaves the roots
//! gets the same error whether or not its target exists.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Root;
use super::error::{Error, shown};
use super::limits::{MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_SYMLINKS};

/// A place inside a root; canonical once resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Index of the root.
    pub(super) root: usize,
    /// The path below the root, with `/`; empty for the root itself.
    pub(super) inside: String,
}

/// Why a path does not resolve to a [`Place`].
#[derive(Debug)]
pub(super) enum Astray {
    Outside,
    /// `at` exists inside the roots, but has no entry `name`.
    Missing {
        at: PathBuf,
        name: OsString,
    },
    Circular,
    NotUtf8,
    NotReadable(io::Error),
}

/// `All`: every root. `One`: a single place.
pub(super) enum Start {
    All,
    One(Place),
}

/// Resolves a caller's path.
pub(super) fn resolve(roots: &[Root], path: &str) -> Result<Start, Error> {
    check_form(path)?;
    let trimmed = path.trim_start_matches("./").trim_end_matches('/');
    let names_all = path.is_empty() || trimmed == "." || (trimmed.is_empty() && path != "/");
    if names_all && !path.starts_with('/') {
        return Ok(match roots {
            [_] => Start::One(Place {
                root: 0,
                inside: String::new(),
            }),
            _ => Start::All,
        });
    }
    let absolute = absolute(roots, path)?;
    match follow(roots, &absolute) {
        Ok(place) => Ok(Start::One(place)),
        Err(Astray::Outside) if path.starts_with('/') => {
            // The caller may name a root through a link outside of it: `/tmp/x` for `/private/tmp/x`.
            let canonical = canonical_as_far_as_it_exists(&absolute);
            let place = canonical.map_or(Err(Astray::Outside), |path| follow(roots, &path));
            place
                .map(Start::One)
                .map_err(|astray| explain(roots, path, astray))
        }
        // A name is missing, and the path as written lies outside the roots.
        Err(Astray::Missing { .. }) if root_of(roots, &folded(&absolute)).is_none() => {
            Err(outside(roots, path))
        }
        Err(astray) => Err(explain(roots, path, astray)),
    }
}

/// Removes `..` from the text of the path.
fn folded(path: &Path) -> PathBuf {
    let mut folded = PathBuf::from("/");
    for part in parts(path) {
        match part == ".." {
            true => _ = folded.pop(),
            false => folded.push(part),
        }
    }
    folded
}

fn check_form(path: &str) -> Result<(), Error> {
    let invalid = |why: String| {
        Err(Error::InvalidPath {
            path: shown(path),
            why,
        })
    };
    if path.contains('\0') {
        return invalid("it contains a NUL".to_owned());
    }
    if path.len() > MAX_PATH_BYTES {
        return invalid(format!("it is longer than {MAX_PATH_BYTES} bytes"));
    }
    if path.split('/').any(|name| name.len() > MAX_NAME_BYTES) {
        return invalid(format!(
            "a name in it is longer than {MAX_NAME_BYTES} bytes"
        ));
    }
    Ok(())
}

fn absolute(roots: &[Root], path: &str) -> Result<PathBuf, Error> {
    if path.starts_with('/') {
        return Ok(PathBuf::from(path));
    }
    if let [root] = roots {
        return Ok(root.path.join(path));
    }
    let path_in_roots = path.trim_start_matches("./");
    let (name, rest) = path_in_roots.split_once('/').unwrap_or((path_in_roots, ""));
    if name == ".." {
        return Err(outside(roots, path));
    }
    let Some(root) = roots.iter().find(|root| root.name == name) else {
        let hint = format!("paths begin with the name of a root: {}", names(roots));
        return Err(Error::PathNotFound {
            path: shown(path),
            hint,
        });
    };
    Ok(root.path.join(rest.trim_start_matches('/')))
}

/// Follows links as the system would, but refuses to leave the roots.
pub(super) fn follow(roots: &[Root], absolute: &Path) -> Result<Place, Astray> {
    let mut left: VecDeque<OsString> = parts(absolute);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        if name == "/" {
            at = PathBuf::from("/");
            continue;
        }
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        if roots.iter().any(|root| root.path.starts_with(&next)) {
            // A root or one of its parents: canonical, so not a link.
            at = next;
            continue;
        }
        if root_of(roots, &next).is_none() {
            return Err(Astray::Outside);
        }
        let kind = match fs::symlink_metadata(&next) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return Err(missing(error, at, name)),
        };
        if !kind.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_SYMLINKS {
            return Err(Astray::Circular);
        }
        let target = fs::read_link(&next).map_err(|error| missing(error, at.clone(), name))?;
        for part in parts(&target).into_iter().rev() {
            left.push_front(part);
        }
    }
    place(roots, &at)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn missing(error: io::Error, at: PathBuf, name: OsString) -> Astray {
    use io::ErrorKind::{NotADirectory, NotFound};
    if matches!(error.kind(), NotFound | NotADirectory) {
        return Astray::Missing { at, name };
    }
    Astray::NotReadable(error)
}

fn root_of(roots: &[Root], path: &Path) -> Option<usize> {
    roots.iter().position(|root| path.starts_with(&root.path))
}

fn place(roots: &[Root], path: &Path) -> Result<Place, Astray> {
    let root = root_of(roots, path).ok_or(Astray::Outside)?;
    let inside = path
        .strip_prefix(&roots[root].path)
        .map_err(|_| Astray::Outside)?;
    let inside = inside.to_str().ok_or(Astray::NotUtf8)?.to_owned();
    Ok(Place { root, inside })
}

/// `None` if no part of it can be resolved.
fn canonical_as_far_as_it_exists(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|ancestor| {
        let canonical = fs::canonicalize(ancestor).ok()?;
        Some(canonical.join(path.strip_prefix(ancestor).ok()?))
    })
}

fn explain(roots: &[Root], path: &str, astray: Astray) -> Error {
    let not_readable = |why: String| Error::NotReadable {
        path: shown(path),
        why,
    };
    match astray {
        Astray::Outside => outside(roots, path),
        Astray::Missing { at, name } => Error::PathNotFound {
            path: shown(path),
            hint: hint(roots, &at, &name.to_string_lossy()),
        },
        Astray::Circular => not_readable("its symbolic links lead round in a circle".to_owned()),
        Astray::NotUtf8 => Error::InvalidPath {
            path: shown(path),
            why: "it leads to a name that is not UTF-8".to_owned(),
        },
        Astray::NotReadable(error) => not_readable(error.to_string()),
    }
}

fn outside(roots: &[Root], path: &str) -> Error {
    Error::PathOutsideRoots {
        path: shown(path),
        roots: names(roots),
    }
}

fn names(roots: &[Root]) -> String {
    let names: Vec<&str> = roots.iter().map(|root| root.name.as_str()).collect();
    names.join(", ")
}

/// Names checked for a suggestion: enough for any directory whose names people type.
const MAX_HINT_NAMES: usize = 10_000;
const MAX_SIMILAR: usize = 3;
/// Damerau-Levenshtein similarity, relative to the longer name: one or two letters differ, or the extension is missing.
const SIMILAR: f64 = 0.65;

/// The nearest existing directory, and similar names in it.
fn hint(roots: &[Root], at: &Path, name: &str) -> String {
    let nearest = match place(roots, at) {
        Ok(place) => shown(&in_answers(roots, &place)),
        Err(_) => return "give a path inside the roots".to_owned(),
    };
    let nearest = if nearest.is_empty() {
        ".".to_owned()
    } else {
        nearest
    };
    let similar = similar_names(at, name);
    if similar.is_empty() {
        return format!("the nearest that exists is `{nearest}`");
    }
    format!(
        "the nearest that exists is `{nearest}`, which has {}",
        similar.join(", ")
    )
}

fn similar_names(directory: &Path, name: &str) -> Vec<String> {
    let Ok(opened) = super::open::open_directory(directory) else {
        return Vec::new();
    };
    let Ok(entries) = rustix::fs::Dir::new(opened) else {
        return Vec::new();
    };
    let wanted = name.to_lowercase();
    let mut similar: Vec<(f64, String)> = entries
        .take(MAX_HINT_NAMES)
        .filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned))
        .filter(|found| !found.starts_with('.'))
        .map(|found| {
            (
                strsim::normalized_damerau_levenshtein(&found.to_lowercase(), &wanted),
                found,
            )
        })
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    similar.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    similar.truncate(MAX_SIMILAR);
    similar
        .into_iter()
        .map(|(_, name)| format!("`{}`", shown(&name)))
        .collect()
}

/// The path of a place as it appears in answers.
pub(super) fn in_answers(roots: &[Root], place: &Place) -> String {
    let prefix = prefix(roots, place.root);
    if place.inside.is_empty() {
        return prefix.trim_end_matches('/').to_owned();
    }
    prefix + &place.inside
}

/// The prefix of a root's paths in answers.
pub(super) fn prefix(roots: &[Root], root: usize) -> String {
    if roots.len() == 1 {
        return String::new();
    }
    format!("{}/", roots[root].name)
}

/// The file of a path from an answer; `None` if no answer could contain the path.
pub(super) fn locate(roots: &[Root], path: &str) -> Option<PathBuf> {
    let (root, inside) = match roots {
        [root] => (root, path),
        _ => {
            let (name, inside) = path.split_once('/')?;
            (roots.iter().find(|root| root.name == name)?, inside)
        }
    };
    let is_plain = !inside.is_empty()
        && !inside.contains('\0')
        && inside
            .split('/')
            .all(|part| !matches!(part, "" | "." | ".."));
    is_plain.then(|| root.path.join(inside))
}

/// Makes roots with unique names of canonical directories. A directory inside another is dropped. A root in `known`
/// keeps its name.
pub(super) fn roots_of(mut directories: Vec<PathBuf>, known: &[Root]) -> Vec<Root> {
    let all = directories.clone();
    let mut seen: Vec<PathBuf> = Vec::new();
    directories.retain(|directory| {
        let is_inside = all
            .iter()
            .any(|other| other != directory && directory.starts_with(other));
        let is_first = !seen.contains(directory);
        seen.push(directory.clone());
        is_first && !is_inside
    });
    let name_of = |path: &PathBuf| known.iter().find(|root| root.path == *path);
    let mut taken: Vec<String> = (directories.iter().filter_map(name_of))
        .map(|root| root.name.clone())
        .collect();
    let mut roots: Vec<Root> = Vec::new();
    for path in directories {
        let name = match name_of(&path) {
            Some(root) => root.name.clone(),
            None => unique_name(&taken, &path),
        };
        taken.push(name.clone());
        roots.push(Root { name, path });
    }
    roots
}

fn unique_name(taken: &[String], path: &Path) -> String {
    let folder = path.file_name().map_or_else(
        || "root".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let is_free = |name: &str| taken.iter().all(|other| other != name);
    if is_free(&folder) {
        return folder;
    }
    (2_u64..)
        .map(|number| format!("{folder}-{number}"))
        .find(|name| is_free(name))
        .unwrap_or(folder)
}
