//! The targets of a run: the paths that a person wrote and the project around them. Paths in the result are rewritten,
//! so that they are relative to the current folder.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::{Exit, complain, printable};

/// A folder with one of these is a project. `.git` takes precedence over the manifests.
const REPOSITORY: &str = ".git";
const MANIFESTS: [&str; 8] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
];
/// The wildcards of globs.
const WILD: [char; 4] = ['*', '?', '[', '{'];
/// Keys of paths in an answer.
const PATHS: [&str; 4] = ["path", "from", "to", "id"];

/// The paths of one run.
pub(super) struct Targets {
    /// The project around all paths, or their common folder.
    pub(super) root: PathBuf,
    /// Relative to the root, with `/`; an empty path is the root itself. At least one.
    pub(super) paths: Vec<String>,
    /// The name of the targets in titles.
    pub(super) title: String,
    here: PathBuf,
    written: Vec<(PathBuf, String)>,
}

impl Targets {
    /// # Errors
    /// A path cannot be read; the error has been printed.
    pub(super) fn of(paths: &[OsString]) -> Result<Self, Exit> {
        let mut found = Vec::new();
        for path in paths.iter().map(Path::new) {
            found.push((canonical(path)?, path));
        }
        let here = Path::new(".").canonicalize();
        let here = here.map_err(|error| refuse(Path::new("."), &error.to_string()))?;
        let base = common(found.iter().map(|(path, _)| path.as_path()));
        let root = project_around(&base).unwrap_or_else(|| above_packages(base));
        let title = match paths {
            [path] => printable(&path.to_string_lossy()),
            several => format!("{} paths", several.len()),
        };
        let written = found.iter();
        let written = written.map(|(path, written)| (path.clone(), prefix(written)));
        let written = written.collect();
        let folders: Vec<_> = found.iter().filter(|(path, _)| path.is_dir()).collect();
        let lies_in_another = |path: &Path| {
            let mut others = folders.iter().filter(|(folder, _)| folder != path);
            path.is_dir() && others.any(|(folder, _)| path.starts_with(folder))
        };
        let mut inside = Vec::new();
        for (path, written) in &found {
            let below = path.strip_prefix(&root).unwrap_or(path);
            let Some(below) = below.to_str().map(str::to_owned) else {
                return Err(refuse(written, "its name is not UTF-8"));
            };
            if !inside.contains(&below) && !lies_in_another(path) {
                inside.push(below);
            }
        }
        Ok(Self {
            root,
            paths: inside,
            title,
            here,
            written,
        })
    }

    /// Rewrites a path of an answer relative to the current folder.
    pub(super) fn shown(&self, path: &str) -> String {
        let absolute = self.root.join(path);
        if let Ok(below) = absolute.strip_prefix(&self.here) {
            return match below.as_os_str().is_empty() {
                true => ".".to_owned(),
                false => below.to_string_lossy().into_owned(),
            };
        }
        let written = self.written.iter();
        let written = written.filter_map(|(target, written)| {
            let below = absolute.strip_prefix(target).ok()?;
            let below = below.to_string_lossy();
            Some(
                format!("{}{below}", written)
                    .trim_end_matches('/')
                    .to_owned(),
            )
        });
        let up = || up_and_down(&self.here, &absolute);
        written.min().unwrap_or_else(up)
    }

    /// Converts a path that a person wrote, relative to the current folder, to one relative to the root; empty for the
    /// root itself.
    ///
    /// # Errors
    /// The path is outside of the root; the error has been printed.
    pub(super) fn seen_from_root(&self, written: &str) -> Result<String, Exit> {
        let plain = written.trim_start_matches("./");
        let climbs = plain.split('/').any(|part| part == "..");
        if climbs || plain.starts_with('/') {
            return self.resolved(written);
        }
        if let Ok(below) = self.here.strip_prefix(&self.root) {
            return Ok(match below.to_str() {
                Some(below) if !below.is_empty() => format!("{below}/{plain}"),
                Some(_) | None => plain.to_owned(),
            });
        }
        let root = self.root.strip_prefix(&self.here).ok();
        let root = root.and_then(Path::to_str).map(|root| format!("{root}/"));
        let inside = root.and_then(|root| plain.strip_prefix(&root));
        Ok(inside.unwrap_or(plain).to_owned())
    }

    /// Resolves `..` in the text only, because files of a glob need not exist.
    fn resolved(&self, written: &str) -> Result<String, Exit> {
        let refuse = |why: &str| {
            complain(&format!("cannot use {}: {why}", printable(written)));
            Err(Exit::Usage)
        };
        let mut path = match written.starts_with('/') {
            true => PathBuf::from("/"),
            false => self.here.clone(),
        };
        for part in written.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    let last = path.file_name().map(|name| name.to_string_lossy());
                    if last.is_some_and(|last| last.contains(WILD)) && !self.here.starts_with(&path)
                    {
                        return refuse("`..` must come before the first wildcard");
                    }
                    path.pop();
                }
                part => path.push(part),
            }
        }
        match path.strip_prefix(&self.root).ok().and_then(Path::to_str) {
            Some(inside) => Ok(inside.to_owned()),
            None => refuse(&format!(
                "it is outside of {}, which is analysed",
                printable(&self.root.to_string_lossy())
            )),
        }
    }

    /// The same for a glob, which matches at any depth if it has no `/`.
    ///
    /// # Errors
    /// See [`Targets::seen_from_root`].
    pub(super) fn glob(&self, glob: &str) -> Result<String, Exit> {
        let plain = glob.trim_start_matches("./").trim_end_matches('/');
        if !plain.contains('/') && plain != ".." {
            return Ok(glob.to_owned());
        }
        let seen = self.seen_from_root(glob)?;
        Ok(match seen.trim_end_matches('/') {
            "" => "**".to_owned(),
            inside if inside.contains('/') => seen,
            _ => format!("/{seen}"),
        })
    }

    /// Rewrites all paths of an answer with [`Targets::shown`].
    pub(super) fn show_all(&self, answer: &mut Value) {
        if self.root == self.here {
            return;
        }
        let by_path = answer["data"]["nodes"].as_array().is_none_or(|nodes| {
            let mut nodes = nodes.iter();
            nodes.all(|node| node["id"] == node["path"])
        });
        if let Some(data) = answer.get_mut("data") {
            self.show_in(data, by_path);
        }
        if let Some(files) = answer.pointer_mut("/coverage/parse_errors/files") {
            self.show_in(files, true);
        }
    }

    fn show_in(&self, value: &mut Value, by_path: bool) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.show_in(item, by_path);
                }
            }
            Value::Object(object) => {
                for (key, value) in object {
                    // The path of a cycle is a list of ids.
                    if key == "path" && value.is_array() {
                        if by_path {
                            self.show_list(value);
                        }
                        continue;
                    }
                    let is_path = PATHS.contains(&key.as_str()) && (by_path || key == "path");
                    if let (true, Value::String(path)) = (is_path, &mut *value) {
                        *path = self.shown(path);
                    } else if matches!(key.as_str(), "importers" | "members") && by_path {
                        self.show_list(value);
                    } else {
                        self.show_in(value, by_path);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn show_list(&self, list: &mut Value) {
        for item in list.as_array_mut().into_iter().flatten() {
            if let Value::String(path) = item {
                *path = self.shown(path);
            }
        }
    }
}

/// The canonical path of a folder or a plain file.
fn canonical(path: &Path) -> Result<PathBuf, Exit> {
    let kind = path.metadata();
    let kind = kind.map_err(|error| refuse(path, &error.to_string()))?;
    if !kind.is_dir() && !kind.is_file() {
        return Err(refuse(path, "it is neither a folder nor a plain file"));
    }
    let canonical = path.canonicalize();
    canonical.map_err(|error| refuse(path, &error.to_string()))
}

fn refuse(path: &Path, why: &str) -> Exit {
    complain(&format!("cannot read {}: {why}", path.display()));
    Exit::NoInput
}

/// The common folder of all paths.
fn common<'p>(mut paths: impl Iterator<Item = &'p Path>) -> PathBuf {
    let folder = |path: &Path| match path.is_dir() {
        true => path.to_owned(),
        false => path.parent().unwrap_or(path).to_owned(),
    };
    let mut base = paths.next().map(folder).unwrap_or_default();
    for path in paths {
        let path = folder(path);
        while !path.starts_with(&base) && base.pop() {}
    }
    base
}

/// The nearest repository, or else the outermost folder with a manifest. A project may contain others, and all its
/// folders must get the same answer.
fn project_around(base: &Path) -> Option<PathBuf> {
    let has = |folder: &&Path, name: &str| folder.join(name).exists();
    let mut above = base.ancestors();
    let repository = above.find(|folder| has(folder, REPOSITORY));
    let manifest = || {
        let above = base
            .ancestors()
            .take_while(|folder| !holds_projects(folder));
        let with_manifest = above.filter(|folder| MANIFESTS.iter().any(|name| has(folder, name)));
        with_manifest.last()
    };
    repository.or_else(manifest).map(Path::to_owned)
}

/// Folders that contain projects but are not projects themselves, even with a stray manifest in them.
fn holds_projects(folder: &Path) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    folder.parent().is_none()
        || home.is_some_and(|home| home == folder)
        || folder == std::env::temp_dir()
}

/// Modules of a Python package are imported relative to the folder around it.
fn above_packages(mut base: PathBuf) -> PathBuf {
    while base.join("__init__.py").exists() && base.pop() {}
    base
}

/// The prefix of paths below a target outside the current folder.
fn prefix(written: &Path) -> String {
    let written = written.to_string_lossy();
    match written.ends_with('/') {
        true => written.into_owned(),
        false => format!("{written}/"),
    }
}

/// The relative path from one folder to a path that is not below it.
fn up_and_down(from: &Path, to: &Path) -> String {
    let shared = from.components().zip(to.components());
    let shared = shared.take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    way.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn targets(root: &str, here: &str, written: &[(&str, &str)]) -> Targets {
        let written = written.iter();
        Targets {
            root: PathBuf::from(root),
            paths: Vec::new(),
            title: String::new(),
            here: PathBuf::from(here),
            written: written
                .map(|(target, written)| (PathBuf::from(target), prefix(Path::new(written))))
                .collect(),
        }
    }

    #[test]
    fn paths_are_relative_to_the_current_folder() {
        let below = targets("/p", "/p/src", &[("/p/src", ".")]);
        assert_eq!(below.shown("src/a/b.py"), "a/b.py");
        assert_eq!(below.shown("lib/c.py"), "../lib/c.py");
        let above = targets("/w/repo", "/w", &[("/w/repo", "repo")]);
        assert_eq!(above.shown("src/a.py"), "repo/src/a.py");
        let beside = targets(
            "/o",
            "/p",
            &[("/o/src", "../o/src/"), ("/o/x.py", "/o/x.py")],
        );
        assert_eq!(beside.shown("src/a.py"), "../o/src/a.py");
        assert_eq!(beside.shown("x.py"), "/o/x.py");
        assert_eq!(beside.shown("lib/a.py"), "../o/lib/a.py");
    }

    #[test]
    fn globs_are_relative_to_the_current_folder() {
        let below = targets("/p", "/p/src", &[]);
        let above = targets("/w/repo", "/w", &[]);
        for (targets, written, expected) in [
            (&below, "a/**", "src/a/**"),
            (&below, "./a/*.py", "src/a/*.py"),
            (&below, "*.py", "*.py"),
            (&below, "../lib/*.py", "lib/*.py"),
            (&below, "./../lib/./*.py", "lib/*.py"),
            (&below, "../a.py", "/a.py"),
            (&below, "..", "**"),
            (&below, "/p/lib/**", "lib/**"),
            (&below, "/p/", "**"),
            (&above, "repo/src/*.py", "src/*.py"),
            (&above, "repo/a.py", "/a.py"),
            (&above, "repo/../repo/a/*.py", "a/*.py"),
            (&above, "**/x/*.py", "**/x/*.py"),
            (&above, "/w/repo/src/*.py", "src/*.py"),
        ] {
            assert_eq!(targets.glob(written).as_deref(), Ok(expected), "{written}");
        }
        for written in ["../../q/*.py", "/q/*.py", "/pq/*.py", "*/../a.py", "../.."] {
            assert_eq!(below.glob(written), Err(Exit::Usage), "{written}");
        }
        assert_eq!(
            below.seen_from_root("../lib/a.py").as_deref(),
            Ok("lib/a.py")
        );
    }

    #[test]
    fn every_path_of_an_answer_is_rewritten() {
        let below = targets("/p", "/p/src", &[]);
        let mut answer = json!({
            "data": {
                "nodes": [{"id": "src/a.py", "path": "src/a.py"}],
                "edges": [{"from": "src/a.py", "to": "lib/b.py"}],
                "cycles": [{"size": 3, "path": ["src/a.py", "lib/b.py", "src/a.py"], "members": ["src/a.py", "lib/b.py", "src/c.py"]}],
                "external": [{"name": "src/a", "importers": ["src/a.py"]}],
            },
            "coverage": {"parse_errors": {"count": 1, "files": [{"path": "src/c.py"}]}},
        });
        below.show_all(&mut answer);
        assert_eq!(
            answer,
            json!({
                "data": {
                    "nodes": [{"id": "a.py", "path": "a.py"}],
                    "edges": [{"from": "a.py", "to": "../lib/b.py"}],
                    "cycles": [{"size": 3, "path": ["a.py", "../lib/b.py", "a.py"], "members": ["a.py", "../lib/b.py", "c.py"]}],
                    "external": [{"name": "src/a", "importers": ["a.py"]}],
                },
                "coverage": {"parse_errors": {"count": 1, "files": [{"path": "c.py"}]}},
            })
        );
    }

    #[test]
    fn a_project_is_found_around_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("it is there");
        let (src, lib) = (folder.join("p/src"), folder.join("p/lib"));
        for made in [&src, &lib] {
            std::fs::create_dir_all(made).expect("made");
        }
        let base = common([src.as_path(), lib.as_path()].into_iter());
        assert_eq!(base, folder.join("p"));
        std::fs::write(src.join("__init__.py"), "").expect("written");
        assert_eq!(above_packages(src.clone()), folder.join("p"));
        std::fs::write(folder.join("p/go.mod"), "").expect("written");
        assert_eq!(project_around(&src), Some(folder.join("p")));
        std::fs::write(folder.join("p/src/package.json"), "").expect("written");
        assert_eq!(
            project_around(&src),
            Some(folder.join("p")),
            "the outer one"
        );
        std::fs::create_dir(folder.join(".git")).expect("made");
        assert_eq!(project_around(&src), Some(folder));
    }
}
