//! `include` and `exclude`: globs over paths as they appear in answers. Pure.
//!
//! As in `.gitignore`: a glob without a slash matches at any depth, one with a slash starts at the root; `**` crosses
//! directories, `*` does not; a glob that matches a directory covers everything in it.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Root;
use super::error::{Error, shown};
use super::limits::{MAX_GLOB_BYTES, MAX_GLOBS};

pub(super) struct Globs {
    include: List,
    exclude: List,
}

struct List {
    set: GlobSet,
    /// The source glob of each matcher in `set`.
    owner: Vec<usize>,
    globs: Vec<String>,
}

impl Globs {
    pub(super) fn new(
        include: &[String],
        exclude: &[String],
        roots: &[Root],
    ) -> Result<Self, Error> {
        Ok(Self {
            include: List::new(include, roots)?,
            exclude: List::new(exclude, roots)?,
        })
    }

    pub(super) fn excludes(&self, path: &str) -> bool {
        !self.exclude.globs.is_empty() && self.exclude.set.is_match(path)
    }

    pub(super) fn includes(&self, path: &str) -> bool {
        self.include.globs.is_empty() || self.include.set.is_match(path)
    }

    /// True if an `include` contains this directory's name as a component: only that `include` then decides about its
    /// content.
    pub(super) fn names_directory(&self, name: &str) -> bool {
        self.include.globs.iter().any(|glob| has_part(glob, name))
    }

    /// True if an `include` that names the directory matches the path.
    pub(super) fn includes_by_directory(&self, path: &str, directory: &str) -> bool {
        self.include
            .matching(path)
            .any(|glob| has_part(glob, directory))
    }

    /// True if an `include` that matches the path gives more of the file's name than its extension. The file is then
    /// analysed even if its name, the repository's rules or its first lines would skip it.
    pub(super) fn names_file(&self, path: &str) -> bool {
        self.include.matching(path).any(names_a_file)
    }
}

impl List {
    fn new(globs: &[String], roots: &[Root]) -> Result<Self, Error> {
        if globs.len() > MAX_GLOBS {
            let why = format!("more than {MAX_GLOBS} globs in one list; name directories instead");
            return Err(invalid(&globs[MAX_GLOBS], why));
        }
        let mut list = Self {
            set: GlobSet::empty(),
            owner: Vec::new(),
            globs: Vec::new(),
        };
        let mut builder = GlobSetBuilder::new();
        for glob in globs {
            let pattern = anchored(glob, roots)?;
            for pattern in [pattern.clone(), format!("{pattern}/**")] {
                let built = GlobBuilder::new(&pattern)
                    .literal_separator(true)
                    .build()
                    .map_err(|error| invalid(glob, error.kind().to_string()))?;
                builder.add(built);
                list.owner.push(list.globs.len());
            }
            list.globs.push(pattern);
        }
        list.set = builder.build().map_err(|error| {
            let glob = error.glob().unwrap_or_default();
            invalid(glob, error.kind().to_string())
        })?;
        Ok(list)
    }

    fn matching(&self, path: &str) -> impl Iterator<Item = &str> {
        let found = if self.globs.is_empty() {
            Vec::new()
        } else {
            self.set.matches(path)
        };
        found
            .into_iter()
            .map(|matcher| self.globs[self.owner[matcher]].as_str())
    }
}

/// The glob over whole paths that the caller's glob stands for.
fn anchored(glob: &str, roots: &[Root]) -> Result<String, Error> {
    if glob.len() > MAX_GLOB_BYTES {
        return Err(invalid(glob, format!("longer than {MAX_GLOB_BYTES} bytes")));
    }
    if glob.starts_with('!') {
        let why = "globs are not negated with `!`; use `exclude` for what to leave out";
        return Err(invalid(glob, why.to_owned()));
    }
    let inside = below_root(glob, roots);
    let glob_in_root = inside.as_deref().unwrap_or(glob);
    let body = glob_in_root.trim_start_matches("./").trim_end_matches('/');
    let body_from_root = body.trim_start_matches('/');
    if body_from_root.is_empty() {
        return Err(invalid(
            glob,
            "it is empty; leave it out to take everything".to_owned(),
        ));
    }
    if body.contains('/') || inside.is_some() {
        return Ok(body_from_root.to_owned());
    }
    Ok(format!("**/{body}"))
}

/// An absolute glob below a root, as a path in answers.
fn below_root(glob: &str, roots: &[Root]) -> Option<String> {
    roots.iter().find_map(|root| {
        let rest = glob.strip_prefix(root.path.to_str()?)?.strip_prefix('/')?;
        if roots.len() == 1 {
            return Some(rest.to_owned());
        }
        Some(format!("{}/{rest}", root.name))
    })
}

fn has_part(glob: &str, name: &str) -> bool {
    glob.split('/').any(|part| part == name)
}

/// True for globs that name files (`parser.gen.go`, `*.min.js`, `*_pb2.py`), false for `*`, `*.js` and `test_*.js`.
fn names_a_file(glob: &str) -> bool {
    let last = glob.rsplit('/').next().unwrap_or(glob);
    let literal = last.strip_prefix('*').unwrap_or(last);
    if literal.is_empty() || literal.contains(['*', '?', '[', '{']) {
        return false;
    }
    let is_bare_extension = literal.starts_with('.') && !literal[1..].contains('.');
    !(last.starts_with('*') && is_bare_extension)
}

fn invalid(glob: &str, why: String) -> Error {
    Error::InvalidGlob {
        glob: shown(glob),
        why,
    }
}

#[cfg(test)]
#[path = "tests/globs.rs"]
mod tests;
