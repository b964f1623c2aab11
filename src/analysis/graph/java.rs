//! Java: fully qualified names to the files that declare them.

use std::collections::{BTreeMap, HashMap};

use super::build::folder_name;
use super::files::{Files, shared_depth};
use super::{Resolver, Target, stdlib};
use crate::analysis::{Import, ImportKind, Language};

pub(super) struct Java<'a> {
    files: &'a Files<'a>,
    /// `package.Class`, nested classes with their outer ones, to the files that declare it.
    classes: HashMap<String, Vec<u32>>,
    /// Top-level classes by package and name.
    packages: HashMap<&'a str, BTreeMap<&'a str, Vec<u32>>>,
}

impl<'a> Java<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        let mut java = Self {
            files,
            classes: HashMap::new(),
            packages: HashMap::new(),
        };
        for file in files.of(Language::Java) {
            java.read(file);
        }
        java
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

    /// Of several files that declare one class (a tree with variants), the one that shares most folders with the
    /// importing file; none where two share as much.
    fn choose(&self, file: u32, declared: &[u32]) -> Target {
        let path = self.files.path(file);
        let shared = |other: &u32| shared_depth(path, self.files.path(*other));
        let best = declared.iter().map(shared).max().unwrap_or(0);
        let mut nearest = declared.iter().filter(|other| shared(other) == best);
        match (nearest.next(), nearest.next()) {
            (Some(only), None) => Target::Files(vec![*only]),
            _ => Target::unresolved(format!(
                "ambiguous: {} files declare it, none nearer than the others",
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
            if found.is_empty() {
                return Some(Target::unresolved(format!(
                    "nothing_used: the file names no class of {name}"
                )));
            }
            return Some(Target::Files(found));
        }
        self.named(file, name)
    }
}

impl Resolver for Java<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
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
        if self.packages.contains_key(package) {
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

/// Up to the first part that starts like a class.
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
    // All lower case: the last part is the class all the same.
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
