//! Reads configurations: each file once, with the ones that it extends folded in.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::extended::{candidates, extends};
use super::{CHAIN_LIMIT, Config};
use crate::analysis::graph::files::{Files, join, parent};
use crate::analysis::graph::jsonc::{self, Json};
use crate::analysis::graph::npm::Npm;

/// Placeholder for the folder of the configuration, also in extended ones.
const CONFIG_DIR: &str = "${configDir}";
/// Entries of one list or map: more than a program writes for a large project.
const ENTRIES: usize = 10_000;
/// Root folders, suffixes, and targets of one pattern: one import may be searched at each of them.
const ALTERNATIVES: usize = 64;
/// Bytes of all configurations: the limit for all manifests of a scan. Each has a copy of what it extends, with its
/// folder in front of every path.
const HELD_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Reader<'a> {
    files: &'a Files<'a>,
    npm: &'a Npm,
    /// By path; `None` if the file is not a configuration.
    said: HashMap<String, Option<Rc<Said>>>,
    left: Left,
}

/// Remaining bytes.
struct Left(usize);

impl Left {
    /// Takes bytes. Returns false if too few remain; then none remain.
    fn take(&mut self, text: &str) -> bool {
        let bytes = text.len() + size_of::<String>();
        match self.0.checked_sub(bytes) {
            Some(rest) => self.0 = rest,
            None => self.0 = 0,
        }
        self.0 > 0
    }

    fn text(&mut self, value: Option<&Json>) -> Option<String> {
        let text = value?.text()?;
        self.take(text).then(|| text.to_owned())
    }

    /// One text, or the texts of a list.
    fn texts(&mut self, value: Option<&Json>, count: usize) -> Vec<String> {
        let all = value.map(Json::texts).unwrap_or_default().into_iter();
        let fitting = all.take(count).take_while(|text| self.take(text));
        fitting.map(str::to_owned).collect()
    }
}

/// One file as written.
#[derive(Default)]
struct Said {
    /// Its folder.
    folder: String,
    /// Paths of the extended files; the last wins.
    bases: Vec<String>,
    files: Option<Vec<String>>,
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    references: Vec<String>,
    base_url: Option<String>,
    out_dir: Option<String>,
    paths: Option<Vec<(String, Vec<String>)>>,
    root_dirs: Vec<String>,
    suffixes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a Files<'a>, npm: &'a Npm) -> Self {
        Self {
            files,
            npm,
            said: HashMap::new(),
            left: Left(HELD_BYTES),
        }
    }

    /// The file, with the extended ones folded in. It is empty if it would exceed the limit.
    pub(super) fn config(&mut self, path: &str) -> Config {
        let empty = Config {
            folder: parent(path).to_owned(),
            ..Config::default()
        };
        let mut config = empty.clone();
        let mut queue = vec![path.to_owned()];
        let mut seen = HashSet::new();
        while let Some(path) = queue.pop() {
            if seen.len() == CHAIN_LIMIT || !seen.insert(path.clone()) {
                continue;
            }
            let Some(said) = self.said(&path) else {
                continue;
            };
            config.take(&said, seen.len() == 1, &mut self.left);
            // The last one wins: it is taken first, and values that are set are kept.
            queue.extend(said.bases.iter().cloned());
        }
        config.settle(&mut self.left);
        match self.left.0 {
            0 => empty,
            _ => config,
        }
    }

    fn said(&mut self, path: &str) -> Option<Rc<Said>> {
        if let Some(known) = self.said.get(path) {
            return known.clone();
        }
        let said = self.read(path).map(Rc::new);
        self.said.insert(path.to_owned(), said.clone());
        said
    }

    fn read(&mut self, path: &str) -> Option<Said> {
        let value = self.files.manifest(path).and_then(jsonc::parse)?;
        let real = self.files.real(path).unwrap_or_else(|| path.to_owned());
        let folder = parent(&real);
        let bases = extends(&value).into_iter().filter_map(|base| {
            let package = |package: &str| self.npm.meant(folder, package).map(str::to_owned);
            let mut candidates = candidates(folder, base, package);
            candidates.find(|path| self.files.manifest(path).is_some())
        });
        let bases = bases.collect();
        let left = &mut self.left;
        let mut list = |key: &str| {
            let value = value.get(key).filter(|value| value.list().is_some())?;
            Some(left.texts(Some(value), ENTRIES))
        };
        let (files, include, exclude) = (list("files"), list("include"), list("exclude"));
        let references = value.get("references").and_then(Json::list);
        let references = references.into_iter().flatten().take(ENTRIES);
        let references = references.filter_map(|one| left.text(one.get("path")));
        let references = references.collect();
        let options = value.get("compilerOptions");
        let option = |key: &str| options.and_then(|options| options.get(key));
        let paths = option("paths").and_then(Json::entries).map(|paths| {
            let paths = paths.iter().take(ENTRIES);
            let fitting = paths.map_while(|(pattern, to)| {
                let fits = left.take(pattern);
                fits.then(|| (pattern.clone(), left.texts(Some(to), ALTERNATIVES)))
            });
            fitting.collect()
        });
        Some(Said {
            bases,
            files,
            include,
            exclude,
            references,
            base_url: left.text(option("baseUrl")),
            out_dir: left.text(option("outDir")),
            paths,
            root_dirs: left.texts(option("rootDirs"), ALTERNATIVES),
            suffixes: left.texts(option("moduleSuffixes"), ALTERNATIVES),
            folder: folder.to_owned(),
        })
    }
}

impl Config {
    /// Keeps values that are already set: the extending file is read first.
    fn take(&mut self, said: &Said, is_first: bool, left: &mut Left) {
        let top = &self.folder;
        let mut from = |relative: &String| {
            let path = match relative.strip_prefix(CONFIG_DIR) {
                Some(rest) => join(top, rest.trim_start_matches('/')),
                None => join(&said.folder, relative),
            };
            path.filter(|path| left.take(path))
        };
        if let (None, Some(files)) = (&self.files, &said.files) {
            self.files = Some(files.iter().filter_map(&mut from).collect());
        }
        for (known, said) in [
            (&mut self.include, &said.include),
            (&mut self.exclude, &said.exclude),
        ] {
            if let (None, Some(said)) = (&known, said) {
                *known = Some(said.iter().filter_map(&mut from).collect());
            }
        }
        if is_first {
            let paths = said.references.iter().filter_map(&mut from);
            self.references = paths
                .map(|path| match path.ends_with(".json") {
                    true => path,
                    false => join(&path, "tsconfig.json").unwrap_or_default(),
                })
                .collect();
        }
        for (known, said) in [
            (&mut self.base, &said.base_url),
            (&mut self.out_dir, &said.out_dir),
        ] {
            *known = known.take().or_else(|| from(said.as_ref()?));
        }
        if self.root_dirs.is_empty() {
            self.root_dirs = said.root_dirs.iter().filter_map(&mut from).collect();
        }
        if self.suffixes.is_empty() {
            self.suffixes.clone_from(&said.suffixes);
        }
        if let (None, Some(paths)) = (&self.paths, &said.paths) {
            let fits = |(pattern, targets): &&(String, Vec<String>)| {
                left.take(pattern) && targets.iter().all(|target| left.take(target))
            };
            self.paths = Some(paths.iter().take_while(fits).cloned().collect());
            self.paths_from.clone_from(&said.folder);
        }
    }

    /// Targets of `paths` are relative to `baseUrl`, even an inherited one; without it, to the file that has `paths`.
    fn settle(&mut self, left: &mut Left) {
        let from = self.base.as_deref().unwrap_or(&self.paths_from);
        for (_, targets) in self.paths.iter_mut().flatten() {
            let settled = targets.iter().filter_map(|target| {
                let path = match target.strip_prefix(CONFIG_DIR) {
                    Some(rest) => join(&self.folder, rest.trim_start_matches('/')),
                    None => join(from, target),
                };
                path.filter(|path| left.take(path))
            });
            *targets = settled.collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::graph::{Manifest, Project};

    fn manifests(all: &[(&str, String)]) -> Vec<Manifest> {
        let manifest = |(path, text): &(&str, String)| Manifest {
            path: (*path).to_owned(),
            text: text.clone(),
        };
        all.iter().map(manifest).collect()
    }

    fn with_reader<T>(manifests: &[Manifest], used: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let project = Project {
            manifests,
            ..Project::default()
        };
        let files = Files::new(project);
        let npm = Npm::new(&files, &|| false).expect("nobody cancels");
        used(&mut Reader::new(&files, &npm))
    }

    #[test]
    fn a_file_that_many_extend_is_read_once() {
        let base = r#"{"compilerOptions": {"baseUrl": "src"}}"#.to_owned();
        let several = r#"{"extends": ["./base", "./b", "./base"]}"#.to_owned();
        let round = r#"{"extends": "./a"}"#.to_owned();
        let all = manifests(&[("base.json", base), ("a.json", several), ("b.json", round)]);
        with_reader(&all, |reader| {
            assert_eq!(reader.config("a.json").base.as_deref(), Some("src"));
            let said = reader.said["base.json"].clone().expect("it is there");
            assert_eq!(reader.config("b.json").base.as_deref(), Some("src"));
            assert_eq!(reader.said.len(), 3);
            // This one, the reader's, and no second reading.
            assert_eq!(Rc::strong_count(&said), 2);
        });
    }

    #[test]
    fn extending_a_large_file_many_times_stays_within_the_memory_limit() {
        let paths: Vec<String> = (0..100)
            .map(|at| format!(r#""@x{at}/*": ["./x{at}/*"]"#))
            .collect();
        let base = format!(
            r#"{{"compilerOptions": {{"paths": {{{}}}}}}}"#,
            paths.join(",")
        );
        let all = manifests(&[
            ("base.json", base),
            ("a.json", r#"{"extends": "./base.json"}"#.to_owned()),
        ]);
        let held = with_reader(&all, |reader| {
            reader.left = Left(50_000);
            let configs = (0..50).map(|_| reader.config("a.json"));
            configs.filter(|config| config.paths.is_some()).count()
        });
        assert!((2..10).contains(&held), "{held}");
    }

    #[test]
    fn lists_are_bounded() {
        let many = vec!["a"; ENTRIES + 5];
        let text = serde_json::json!({"include": many, "compilerOptions": {"rootDirs": many}});
        let all = manifests(&[("tsconfig.json", text.to_string())]);
        let config = with_reader(&all, |reader| reader.config("tsconfig.json"));
        assert_eq!(config.include.map(|all| all.len()), Some(ENTRIES));
        assert_eq!(config.root_dirs.len(), ALTERNATIVES);
    }
}
