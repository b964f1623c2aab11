//! C: an include is searched in the folder of the file, then in include folders. If several files match, none is
//! chosen.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::build::folder_name;
use super::compile_commands::{Behind, CompileCommands};
use super::files::{Files, ancestors, index, join, name, parent};
use super::{Resolver, Target, stdlib};
use crate::analysis::imports::{MACRO, NEXT};
use crate::analysis::{Cancelled, Import, ImportKind, Language};

pub(super) struct C<'a> {
    files: &'a Files<'a>,
    /// Files by name, to match the end of a path.
    by_name: HashMap<&'a str, Vec<u32>>,
    /// For each folder, the folders that its files must have on their include path, because one of their includes
    /// matches in one place only. Files of one folder are compiled in the same way.
    learned: HashMap<&'a str, HashSet<String>>,
    /// Includes with quotes, and their files: `<…>` may mean the same file.
    proven: HashSet<(&'a str, u32)>,
    commands: CompileCommands<'a>,
    /// The files that headers find in the folders of all commands, by include.
    of_headers: RefCell<HashMap<String, Option<Target>>>,
}

/// Names of folders that projects put on the include path.
const INCLUDE_FOLDERS: [&str; 3] = ["include", "inc", "includes"];
/// Files named in the message if several match.
const CANDIDATES: usize = 4;
/// Files between two checks of `cancelled`.
const FILES_PER_CHECK: usize = 64;

impl<'a> C<'a> {
    pub(super) fn new(
        files: &'a Files<'a>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::new();
        for (at, file) in files.all.iter().enumerate() {
            by_name.entry(name(file.path)).or_default().push(index(at));
        }
        let mut c = Self {
            files,
            by_name,
            learned: HashMap::new(),
            proven: HashSet::new(),
            commands: CompileCommands::new(files, cancelled)?,
            of_headers: RefCell::default(),
        };
        c.learned = c.learn(cancelled)?;
        c.proven = c.prove(cancelled)?;
        Ok(c)
    }

    fn learn(
        &self,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<HashMap<&'a str, HashSet<String>>, Cancelled> {
        let mut learned: HashMap<&str, HashSet<String>> = HashMap::new();
        for (at, file) in self.files.of(Language::C).enumerate() {
            if at.is_multiple_of(FILES_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            let folder = parent(self.files.path(file));
            for import in &self.files.analysis(file).imports {
                let specifier = import.specifier.as_str();
                let is_plain =
                    import.kind == ImportKind::IncludeLocal && !specifier.starts_with("..");
                if !is_plain || self.certain(folder, specifier).is_some() {
                    continue;
                }
                if let [only] = self.ending_in(specifier).as_slice() {
                    let root = self.files.path(*only).strip_suffix(specifier);
                    let root = root.unwrap_or_default().trim_end_matches('/');
                    learned.entry(folder).or_default().insert(root.to_owned());
                }
            }
        }
        Ok(learned)
    }

    fn prove(&self, cancelled: &dyn Fn() -> bool) -> Result<HashSet<(&'a str, u32)>, Cancelled> {
        let mut proven = HashSet::new();
        for (at, file) in self.files.of(Language::C).enumerate() {
            if at.is_multiple_of(FILES_PER_CHECK) && cancelled() {
                return Err(Cancelled);
            }
            let folder = parent(self.files.path(file));
            for import in &self.files.analysis(file).imports {
                let specifier = import.specifier.as_str();
                if import.kind == ImportKind::IncludeLocal
                    && let Some(found) = self.certain(folder, specifier)
                {
                    proven.insert((specifier, found));
                }
            }
        }
        Ok(proven)
    }

    /// Searches the folders that the build names: those of the file's own command or, for a header, those of all
    /// commands, if exactly one file matches.
    fn built(&self, file: u32, specifier: &str) -> Option<Target> {
        if let Some(mut folders) = self.commands.of(file) {
            let found = folders.find_map(|folder| self.at(folder, specifier));
            return found.map(|found| Target::Files(vec![found]));
        }
        if let Some(known) = self.of_headers.borrow().get(specifier) {
            return known.clone();
        }
        let mut found: Vec<u32> = (self.commands.all())
            .filter_map(|folder| self.at(folder, specifier))
            .collect();
        found.sort_unstable();
        found.dedup();
        let target = match found.as_slice() {
            [] => None,
            [only] => Some(Target::Files(vec![*only])),
            several => Some(self.ambiguous(several)),
        };
        let mut known = self.of_headers.borrow_mut();
        known.insert(specifier.to_owned(), target.clone());
        target
    }

    /// `#include_next`: the file of that name in the folders after this file's folder, on the include paths that have
    /// this folder.
    fn next(&self, file: u32, specifier: &str) -> Target {
        let path = self.files.path(file);
        let own = path
            .strip_suffix(specifier)
            .map(|at| at.trim_end_matches('/'));
        let elsewhere = || match stdlib::is_c(specifier) {
            true => Target::standard(specifier),
            false => Target::external(specifier),
        };
        if let Some(own) = own.filter(|_| self.commands.of(file).is_none()) {
            let at = |folder: &str| self.at(folder, specifier).filter(|found| *found != file);
            match self.commands.behind(own, at) {
                Behind::Unknown => {}
                Behind::Same(Some(found)) => return Target::Files(vec![found]),
                Behind::Same(None) => return elsewhere(),
                Behind::Differs(found) => return self.ambiguous(&found),
            }
        }
        if stdlib::is_c(specifier) {
            return Target::standard(specifier);
        }
        if let Some(found) = self.built(file, specifier) {
            return found;
        }
        let mut fitting = self.ending_in(specifier);
        fitting.retain(|other| *other != file);
        match fitting.as_slice() {
            [] => elsewhere(),
            [only] => Target::Files(vec![*only]),
            several => self.ambiguous(several),
        }
    }

    fn ambiguous(&self, files: &[u32]) -> Target {
        let paths = files
            .iter()
            .take(CANDIDATES)
            .map(|file| self.files.path(*file));
        let paths = paths.collect::<Vec<_>>().join(", ");
        let more = files.len().saturating_sub(CANDIDATES);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Target::unresolved(format!("ambiguous: it depends on the build, {paths}{more}"))
    }

    /// Of several matches, the one below a folder from which other files of this folder are known to include.
    fn by_neighbours(&self, folder: &str, specifier: &str) -> Option<u32> {
        let roots = self.learned.get(folder)?;
        let mut found = roots.iter().filter_map(|root| self.at(root, specifier));
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    /// In the file's folder, or in an include folder of its own part of the tree.
    fn certain(&self, folder: &str, specifier: &str) -> Option<u32> {
        self.at(folder, specifier)
            .or_else(|| self.in_own_include(folder, specifier))
    }

    /// Files whose path ends with that of the include.
    fn ending_in(&self, specifier: &str) -> Vec<u32> {
        let Some(clean) = join("", specifier.trim_start_matches("../")) else {
            return vec![];
        };
        let all = self
            .by_name
            .get(name(&clean))
            .map_or(&[][..], Vec::as_slice);
        let ends = |file: &&u32| {
            let rest = self.files.path(**file).strip_suffix(clean.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        all.iter().filter(ends).copied().collect()
    }

    /// In an include folder of the file's own part of the tree, nearest first.
    fn in_own_include(&self, folder: &str, specifier: &str) -> Option<u32> {
        ancestors(folder).find_map(|above| {
            let is_include = INCLUDE_FOLDERS.contains(&name(above));
            let here = if is_include {
                self.at(above, specifier)
            } else {
                None
            };
            here.or_else(|| {
                INCLUDE_FOLDERS
                    .iter()
                    .find_map(|include| self.at(&join(above, include)?, specifier))
            })
        })
    }

    fn at(&self, folder: &str, specifier: &str) -> Option<u32> {
        self.files.at(&join(folder, specifier)?)
    }

    fn local(&self, file: u32, folder: &str, specifier: &str) -> Target {
        if let Some(found) = self.at(folder, specifier) {
            return Target::Files(vec![found]);
        }
        if let Some(found) = self.built(file, specifier) {
            return found;
        }
        if let Some(found) = self.certain(folder, specifier) {
            return Target::Files(vec![found]);
        }
        // `lib/x.h` from a root of the project above the file.
        if specifier.contains('/') && !specifier.starts_with("..") {
            let above = ancestors(folder)
                .skip(1)
                .find_map(|above| self.at(above, specifier));
            if let Some(found) = above {
                return Target::Files(vec![found]);
            }
        }
        let fitting = self.ending_in(specifier);
        match fitting.as_slice() {
            [only] => Target::Files(vec![*only]),
            [] if stdlib::is_c(specifier) => Target::standard(specifier),
            [] => Target::unresolved(
                "no_such_file: neither in the folder of the file nor in an include folder (generated, or from another project?)",
            ),
            several => match self.by_neighbours(folder, specifier) {
                Some(found) => Target::Files(vec![found]),
                None => self.ambiguous(several),
            },
        }
    }

    fn system(&self, file: u32, folder: &str, specifier: &str) -> Target {
        if let Some(found) = self.built(file, specifier) {
            return found;
        }
        if let Some(found) = self.in_own_include(folder, specifier) {
            return Target::Files(vec![found]);
        }
        if stdlib::is_c(specifier) {
            return Target::standard(specifier);
        }
        let fitting: Vec<u32> = self
            .ending_in(specifier)
            .into_iter()
            .filter(|file| self.is_in_include(*file, specifier))
            .collect();
        match fitting.as_slice() {
            [only] => Target::Files(vec![*only]),
            [] => self.system_elsewhere(folder, specifier),
            several => self.ambiguous(several),
        }
    }

    /// `<lib/x.h>` of a project that includes itself from its root.
    fn system_elsewhere(&self, folder: &str, specifier: &str) -> Target {
        if specifier.contains('/') {
            let above = ancestors(folder).find_map(|above| self.at(above, specifier));
            if let Some(found) = above {
                return Target::Files(vec![found]);
            }
        }
        // A file of that name exists, and is also included with quotes.
        match self.ending_in(specifier).as_slice() {
            [only] if self.proven.contains(&(specifier, *only)) => Target::Files(vec![*only]),
            _ => Target::external(specifier),
        }
    }

    /// Whether the path without the include's part is an include folder.
    fn is_in_include(&self, file: u32, specifier: &str) -> bool {
        let path = self.files.path(file);
        let root = path.strip_suffix(specifier).unwrap_or_default();
        INCLUDE_FOLDERS.contains(&name(root.trim_end_matches('/')))
    }
}

impl Resolver for C<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
        if import.names.iter().any(|name| name == MACRO) {
            let defined: Vec<&str> = import.names.iter().skip(1).map(String::as_str).collect();
            return Target::unresolved(match defined.is_empty() {
                true => "computed: a macro names the file".to_owned(),
                false => format!(
                    "ambiguous: a macro names the file, and conditions choose between {}",
                    defined.join(", ")
                ),
            });
        }
        if import.names.iter().any(|name| name == NEXT) {
            return self.next(file, &import.specifier);
        }
        let folder = parent(self.files.path(file));
        if import.kind == ImportKind::IncludeSystem {
            return self.system(file, folder, &import.specifier);
        }
        self.local(file, folder, &import.specifier)
    }

    fn package(&self, file: u32) -> String {
        folder_name(self.files.path(file))
    }
}
