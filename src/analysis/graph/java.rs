//! Java: fully qualified names to the files that declare them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::build::folder_name;
use super::files::{Files, shared_depth};
use super::{Resolver, Target, stdlib};
use crate::analysis::imports::MODULE;
use crate::analysis::{Import, ImportKind, Language};

pub(super) struct Java<'a> {
    files: &'a Files<'a>,
    /// `package.Class`, nested classes with their outer ones, to the files that declare it.
    classes: HashMap<String, Vec<u32>>,
    /// Top-level classes by package and name.
    packages: HashMap<&'a str, BTreeMap<&'a str, Vec<u32>>>,
    /// For each package with a class here: how many of its imported classes are here, and how many are not.
    named: HashMap<String, (usize, usize)>,
}

/// Name parts that the packages of one project share at least, if nothing else is known: `com.acme.shop`.
const PROJECT_PARTS: usize = 3;

impl<'a> Java<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        let mut java = Self {
            files,
            classes: HashMap::new(),
            packages: HashMap::new(),
            named: HashMap::new(),
        };
        for file in files.of(Language::Java) {
            java.read(file);
        }
        java.count();
        java
    }

    fn count(&mut self) {
        let mut counts: HashMap<&str, (HashSet<&str>, HashSet<&str>)> = HashMap::new();
        for file in self.files.of(Language::Java) {
            let imports = self.files.analysis(file).imports.iter();
            let names_class = |import: &&Import| {
                import.kind == ImportKind::Static || import.names.first().is_none_or(|it| it != "*")
            };
            for import in imports.filter(names_class) {
                let package = package_of(&import.specifier, false);
                if !self.packages.contains_key(package) {
                    continue;
                }
                let rest = import
                    .specifier
                    .get(package.len() + 1..)
                    .unwrap_or_default();
                let class = rest.split('.').next().unwrap_or_default();
                let (here, absent) = counts.entry(package).or_default();
                match self.classes.contains_key(&format!("{package}.{class}")) {
                    true => here.insert(class),
                    false => absent.insert(class),
                };
            }
        }
        let count = |(package, (here, absent)): (&str, (HashSet<&str>, HashSet<&str>))| {
            (package.to_owned(), (here.len(), absent.len()))
        };
        self.named = counts.into_iter().map(count).collect();
    }

    /// Whether an absent class of the package is missing, and not from a library: a tree may have one class of a
    /// foreign package. The packages of a project have a common prefix, and most of their classes are here.
    fn is_ours(&self, file: u32, package: &str) -> bool {
        if !self.packages.contains_key(package) {
            return false;
        }
        let own = self.files.analysis(file).package.as_deref();
        let own = own.unwrap_or_default();
        let shared = own
            .split('.')
            .zip(package.split('.'))
            .take_while(|(a, b)| a == b && !a.is_empty())
            .count();
        let parts = |package: &str| package.split('.').filter(|part| !part.is_empty()).count();
        if shared >= PROJECT_PARTS || (shared > 0 && shared == parts(own).min(parts(package))) {
            return true;
        }
        let (here, absent) = self.named.get(package).copied().unwrap_or_default();
        match shared {
            0 | 1 => here > 2 * absent,
            _ => here >= absent,
        }
    }

    fn read(&mut self, file: u32) {
        use crate::analysis::SymbolKind::{Class, Enum, Interface};
        let analysis = self.files.analysis(file);
        let package = analysis.package.as_deref().unwrap_or_default();
        let classes = self.packages.entry(package).or_default();
        for symbol in &analysis.symbols {
            if !matches!(symbol.kind, Class | Enum | Interface) {
                continue;
            }
            if symbol.parent.is_none() {
                classes.entry(symbol.name.as_str()).or_default().push(file);
            }
            let dot = if package.is_empty() { "" } else { "." };
            let name = format!("{package}{dot}{}", symbol.qualified_name);
            let declared = self.classes.entry(name).or_default();
            if declared.last() != Some(&file) {
                declared.push(file);
            }
        }
    }

    /// Of several files that declare one class (a tree with variants), the one that shares the most folders with the
    /// importing file; none if two share equally many.
    fn choose(&self, file: u32, declared: &[u32]) -> Target {
        let path = self.files.path(file);
        let shared = |other: &u32| shared_depth(path, self.files.path(*other));
        let best = declared.iter().map(shared).max().unwrap_or(0);
        let mut nearest = declared.iter().filter(|other| shared(other) == best);
        match (nearest.next(), nearest.next()) {
            (Some(only), None) => Target::Files(vec![*only]),
            _ => Target::unresolved(format!(
                "ambiguous: {} files declare it, and none is nearest",
                declared.len()
            )),
        }
    }

    fn class(&self, file: u32, name: &str) -> Option<Target> {
        let declared = self.classes.get(name)?;
        Some(self.choose(file, declared))
    }

    /// The longest prefix that is a class: what follows is a nested class or a member of it.
    fn named(&self, file: u32, name: &str) -> Option<Target> {
        let mut prefix = name;
        loop {
            if let Some(target) = self.class(file, prefix) {
                return Some(target);
            }
            prefix = prefix.rsplit_once('.')?.0;
        }
    }

    fn wildcard(&self, file: u32, import: &Import) -> Option<Target> {
        let name = import.specifier.as_str();
        if let Some(classes) = self.packages.get(name) {
            let mut found = vec![];
            for used in &import.used {
                let declared = classes.get(used.as_str());
                if let Some(Target::Files(files)) = declared.map(|files| self.choose(file, files)) {
                    found.extend(files);
                }
            }
            found.sort_unstable();
            found.dedup();
            found.retain(|target| *target != file);
            if !found.is_empty() {
                return Some(Target::Files(found));
            }
            return self.is_ours(file, name).then_some(Target::Within);
        }
        self.named(file, name)
    }
}

impl Resolver for Java<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
        if import.names.first().is_some_and(|name| name == MODULE) {
            let name = import.specifier.as_str();
            return match name.starts_with("java.") || name.starts_with("jdk.") {
                true => Target::standard(name),
                false => Target::external(name),
            };
        }
        let is_wildcard = import.names.first().is_some_and(|name| name == "*");
        let found = if is_wildcard && import.kind != ImportKind::Static {
            self.wildcard(file, import)
        } else {
            self.named(file, &import.specifier)
        };
        if let Some(target) = found {
            return target;
        }
        let package = package_of(
            &import.specifier,
            is_wildcard && import.kind != ImportKind::Static,
        );
        if stdlib::is_java(&format!("{}.", import.specifier)) {
            return Target::standard(package);
        }
        if self.is_ours(file, package) {
            return Target::unresolved(format!(
                "no_such_class: no file of {package} declares it (generated or excluded?)"
            ));
        }
        Target::external(package)
    }

    fn package(&self, file: u32) -> String {
        let package = self.files.analysis(file).package.clone();
        package.unwrap_or_else(|| folder_name(self.files.path(file)))
    }
}

/// The name up to the first part that is capitalised like a class.
fn package_of(name: &str, is_package: bool) -> &str {
    if is_package {
        return name;
    }
    let mut end = 0;
    for part in name.split('.') {
        if part.starts_with(char::is_uppercase) {
            break;
        }
        end += part.len() + 1;
    }
    // All lower case: the last part is taken for the class.
    if end > name.len() {
        return name.rsplit_once('.').map_or(name, |(package, _)| package);
    }
    name.get(..end.saturating_sub(1)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::package_of;

    #[test]
    fn a_name_is_package_and_class() {
        assert_eq!(package_of("a.b.C", false), "a.b");
        assert_eq!(package_of("a.b.C.D.e", false), "a.b");
        assert_eq!(package_of("a.b", true), "a.b");
        assert_eq!(package_of("a.b.c", false), "a.b");
        assert_eq!(package_of("C", false), "");
    }
}
