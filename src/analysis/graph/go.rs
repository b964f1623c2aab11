//! Go: import paths are matched with the modules of go.mod; in a package, the files that declare the used names.

use std::collections::HashMap;

use super::build::folder_name;
use super::files::{Files, ancestors, join, name, parent};
use super::{Resolver, Target};
use crate::analysis::{Import, Language};

pub(super) struct Go<'a> {
    files: &'a Files<'a>,
    /// By folder.
    modules: HashMap<&'a str, Module>,
    /// Module path with the folder of the module, longest first.
    by_path: Vec<(String, String)>,
    packages: HashMap<&'a str, Package<'a>>,
    /// The replacements of each go.work, by folder.
    workspaces: HashMap<&'a str, Vec<(String, String)>>,
}

struct Module {
    path: String,
    requires: Vec<String>,
    /// Module path to a folder of this tree.
    replaces: Vec<(String, String)>,
}

/// The Go files of one folder.
#[derive(Default)]
struct Package<'a> {
    files: Vec<u32>,
    tests: Vec<u32>,
    /// Top-level names to the files that declare them: several if build constraints choose.
    names: HashMap<&'a str, Vec<u32>>,
    test_names: HashMap<&'a str, Vec<u32>>,
}

impl<'a> Go<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        let mut modules = HashMap::new();
        let mut by_path = vec![];
        for (folder, _, text) in files.manifests_named(|name| name == "go.mod") {
            let Some(module) = read_module(folder, text) else {
                continue;
            };
            by_path.push((module.path.clone(), folder.to_owned()));
            modules.insert(folder, module);
        }
        by_path.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        let mut packages: HashMap<&str, Package<'_>> = HashMap::new();
        for file in files.of(Language::Go) {
            let path = files.path(file);
            let package = packages.entry(parent(path)).or_default();
            let is_test = path.ends_with("_test.go");
            let (list, names) = if is_test {
                (&mut package.tests, &mut package.test_names)
            } else {
                (&mut package.files, &mut package.names)
            };
            list.push(file);
            for symbol in &files.analysis(file).symbols {
                let is_method = symbol.qualified_name.contains('.');
                if symbol.parent.is_none() && !is_method {
                    names.entry(symbol.name.as_str()).or_default().push(file);
                }
            }
        }
        let works = files.manifests_named(|name| name == "go.work");
        Self {
            files,
            modules,
            by_path,
            packages,
            workspaces: works
                .into_iter()
                .map(|(folder, _, text)| (folder, replaces(folder, text)))
                .collect(),
        }
    }

    /// The replacements of the go.work around a folder.
    fn replaced(&self, folder: &str) -> &[(String, String)] {
        let mut above = ancestors(folder);
        let found = above.find_map(|above| self.workspaces.get(above));
        found.map_or(&[], Vec::as_slice)
    }

    /// The module that a folder belongs to, by the nearest go.mod.
    fn module_of(&self, folder: &'a str) -> Option<(&'a str, &Module)> {
        ancestors(folder).find_map(|above| Some((above, self.modules.get(above)?)))
    }

    /// Folders of the tree that the import path may mean, most certain first.
    fn folders(&self, file: u32, path: &str) -> Vec<String> {
        let mut found = vec![];
        let own = self.module_of(parent(self.files.path(file)));
        if let Some((folder, module)) = own {
            found.extend(join(folder, &format!("vendor/{path}")));
            // A tree may hold a module twice: each means itself.
            if module.path != STANDARD_MODULE {
                found.extend(inside(&module.path, path).and_then(|rest| join(folder, rest)));
            }
            for (replaced, target) in self.replaced(folder).iter().chain(&module.replaces) {
                found.extend(inside(replaced, path).and_then(|rest| join(target, rest)));
            }
            if module.path == STANDARD_MODULE {
                found.extend(join(folder, path));
            }
        }
        for (module, folder) in &self.by_path {
            if module != STANDARD_MODULE {
                found.extend(inside(module, path).and_then(|rest| join(folder, rest)));
            }
        }
        if own.is_none() {
            // A tree from before modules: `…/src/<import path>`.
            let folder = parent(self.files.path(file));
            let sources = ancestors(folder).filter(|above| name(above) == "src");
            found.extend(sources.filter_map(|src| join(src, path)));
        }
        found
    }

    fn in_package(&self, file: u32, package: &Package<'_>, import: &Import) -> Target {
        let is_test = self.files.path(file).ends_with("_test.go");
        let takes_all = import.names.iter().any(|name| name == "_" || name == ".");
        let mut found: Vec<u32> = vec![];
        if !takes_all {
            for name in &import.used {
                let tests = package.test_names.get(name.as_str()).filter(|_| is_test);
                let declared = package.names.get(name.as_str()).or(tests);
                found.extend(declared.into_iter().flatten());
            }
        }
        if found.is_empty() {
            found.clone_from(&package.files);
        }
        if found.is_empty() && is_test {
            found.clone_from(&package.tests);
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|target| *target != file);
        if found.is_empty() {
            return Target::unresolved("no_go_files: the folder has only tests");
        }
        Target::Files(found)
    }

    /// The module that provides it, if go.mod names one.
    fn required(&self, file: u32, path: &str) -> Option<&str> {
        let (_, module) = self.module_of(parent(self.files.path(file)))?;
        let provides = |required: &&String| inside(required, path).is_some();
        let all = module.requires.iter().filter(provides);
        all.max_by_key(|required| required.len())
            .map(String::as_str)
    }
}

/// The module name in go.mod of the standard library, whose packages are named by their path in it.
const STANDARD_MODULE: &str = "std";

impl Resolver for Go<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
        let path = import.specifier.as_str();
        if path == "C" {
            return Target::standard("C");
        }
        if path.starts_with("./") || path.starts_with("../") {
            let folder = join(parent(self.files.path(file)), path);
            let package = folder.and_then(|folder| self.packages.get(folder.as_str()));
            return match package {
                Some(package) => self.in_package(file, package, import),
                None => Target::unresolved("no_such_package: no Go files in that folder"),
            };
        }
        let folders = self.folders(file, path);
        for folder in &folders {
            if let Some(package) = self.packages.get(folder.as_str()) {
                return self.in_package(file, package, import);
            }
        }
        let own = self.module_of(parent(self.files.path(file)));
        let is_own = own.is_some_and(|(_, module)| {
            module.path != STANDARD_MODULE && inside(&module.path, path).is_some()
        });
        if is_own {
            return Target::unresolved(format!(
                "no_such_package: no Go files for {path} in this module"
            ));
        }
        if let Some(module) = self.required(file, path) {
            return Target::external(module);
        }
        let first = path.split('/').next().unwrap_or_default();
        if !first.contains('.') {
            return Target::standard(path);
        }
        Target::external(path)
    }

    fn package(&self, file: u32) -> String {
        let path = self.files.path(file);
        let folder = parent(path);
        let package = match self.module_of(folder) {
            None => folder_name(path),
            Some((at, module)) => {
                let rest = folder.strip_prefix(at).unwrap_or(folder).trim_matches('/');
                match (module.path.as_str(), rest) {
                    (STANDARD_MODULE, rest) if !rest.is_empty() => rest.to_owned(),
                    (module, "") => module.to_owned(),
                    (module, rest) => format!("{module}/{rest}"),
                }
            }
        };
        // Other packages never see them, and their imports make no cycle.
        if path.ends_with("_test.go") {
            format!("{package}.test")
        } else {
            package
        }
    }
}

/// The rest of `path` inside `module`.
fn inside<'p>(module: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(module)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}

/// Those of a go.work, which has no module line.
fn replaces(folder: &str, text: &str) -> Vec<(String, String)> {
    let module = read_module(folder, &format!("module _\n{text}"));
    module.map_or(vec![], |module| module.replaces)
}

/// The directives that matter, in blocks or alone.
fn read_module(folder: &str, text: &str) -> Option<Module> {
    let mut path = None;
    let mut requires = vec![];
    let mut replaces = vec![];
    let mut block = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        let directive = match block {
            Some(directive) => directive,
            None => words.next().unwrap_or_default(),
        };
        let rest: Vec<&str> = words.map(|word| word.trim_matches(['"', '`'])).collect();
        match (directive, rest.as_slice()) {
            (_, [")", ..]) => block = None,
            (
                "module" | "require" | "replace" | "exclude" | "retract" | "use" | "godebug"
                | "tool" | "ignore",
                ["("],
            ) => block = Some(directive),
            ("module", [name, ..]) => path = Some((*name).to_owned()),
            ("require", [name, ..]) => requires.push((*name).to_owned()),
            ("replace", words) => replaces.extend(replacement(folder, words)),
            _ => {}
        }
    }
    Some(Module {
        path: path?,
        requires,
        replaces,
    })
}

/// `a [v1] => ./b`.
fn replacement(folder: &str, words: &[&str]) -> Option<(String, String)> {
    let arrow = words.iter().position(|word| *word == "=>")?;
    let target = words
        .get(arrow + 1)
        .filter(|target| target.starts_with('.'))?;
    Some(((*words.first()?).to_owned(), join(folder, target)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_mod_is_read() {
        let text = "module example.com/a // x\n\ngo 1.20\n\nrequire (\n\texample.com/b v1.0.0 // indirect\n)\nreplace example.com/b => ../b\nreplace (\n  c v1 => ./c\n  d => e v2\n)\n";
        let module = read_module("x/a", text).expect("it has a module line");
        assert_eq!(module.path, "example.com/a");
        assert_eq!(module.requires, ["example.com/b"]);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            module.replaces,
            [pair("example.com/b", "x/b"), pair("c", "x/a/c")]
        );
        assert!(read_module("", "go 1.20").is_none());
    }

    #[test]
    fn a_module_holds_whole_path_parts() {
        assert_eq!(inside("a/b", "a/b/c"), Some("c"));
        assert_eq!(inside("a/b", "a/b"), Some(""));
        assert_eq!(inside("a/b", "a/bc"), None);
    }
}
