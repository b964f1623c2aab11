//! Packages of the tree: the targets of `exports`, `imports` and `main`, with sources instead of build outputs.

use super::{From, JavaScript, is_alias, is_asset, missing, package_name};
use crate::analysis::graph::files::{ancestors, join};
use crate::analysis::graph::npm::{Offered, Package};
use crate::analysis::graph::{Target, deno, stdlib};

/// Folders that builds write to: an entry in one of them is searched in `src`.
const BUILT: [&str; 9] = [
    "dist", "lib", "build", "out", "esm", "cjs", "es", "umd", "types",
];
/// Why a package of the tree has no file for a subpath.
enum NoEntry {
    NotOffered,
    NotFound,
}

impl JavaScript<'_> {
    /// `#name` of the package's own `imports`.
    pub(super) fn private(&self, from: From<'_>, specifier: &str) -> Target {
        let unmapped =
            || Target::unresolved("not_mapped: no file for it in the `imports` of package.json");
        let owner = ancestors(from.folder).find_map(|above| {
            let package = self.npm.at(above)?;
            package.imports.is_some().then_some((above, package))
        });
        let Some((at, package)) = owner else {
            return Target::unresolved(
                "not_mapped: neither `paths` of a tsconfig.json nor `imports` of a package.json map it",
            );
        };
        let Offered::Paths(targets) = package.imported(specifier, from.asker) else {
            return unmapped();
        };
        for target in &targets {
            if !target.starts_with('.') {
                return self.bare(from, target);
            }
            if let Some(found) = self.in_package(at, target, from) {
                return Target::Files(vec![found]);
            }
        }
        match targets.first() {
            Some(target) if is_asset(target) => missing(target),
            Some(_) | None => unmapped(),
        }
    }

    /// Resolves a path inside a package as its package.json names it, to the source instead of the build output.
    fn in_package(&self, folder: &str, target: &str, from: From<'_>) -> Option<u32> {
        let path = join(folder, target)?;
        if let Some(found) = self.file(&path, from) {
            return Some(found);
        }
        let inner = path.strip_prefix(folder)?.trim_start_matches('/');
        let mut rest = inner;
        while let Some((first, behind)) = rest.split_once('/') {
            if !BUILT.contains(&first) {
                break;
            }
            rest = behind;
            for source in ["src", "source", ""] {
                let base = join(folder, source).and_then(|source| join(&source, rest))?;
                let bare = [".d.ts", ".d.mts", ".d.cts"]
                    .iter()
                    .find_map(|ending| base.strip_suffix(ending))
                    .unwrap_or(&base);
                let found = self
                    .as_file(&base, from)
                    .or_else(|| self.as_file(bare, from));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// A package of the tree by name.
    fn workspace(&self, from: From<'_>, specifier: &str) -> Option<Target> {
        let name = package_name(specifier);
        let at = self.npm.meant(from.folder, name)?;
        let package = self.npm.at(at)?;
        let rest = specifier.strip_prefix(name).unwrap_or_default();
        let found = self.entry(at, package, rest.trim_start_matches('/'), from);
        Some(match found {
            Ok(found) => Target::Files(vec![found]),
            Err(_) if is_asset(rest) => missing(rest),
            Err(NoEntry::NotOffered) => Target::unresolved(format!(
                "not_exported: `exports` of package {name}, which is in this tree, does not include `{specifier}`"
            )),
            Err(NoEntry::NotFound) => Target::unresolved(format!(
                "no_entry: package {name} is in this tree, but `{specifier}` leads to no analysed file"
            )),
        })
    }

    fn entry(
        &self,
        at: &str,
        package: &Package,
        subpath: &str,
        from: From<'_>,
    ) -> Result<u32, NoEntry> {
        let key = if subpath.is_empty() {
            ".".to_owned()
        } else {
            format!("./{subpath}")
        };
        let offered = match package.exported(&key, from.asker) {
            Offered::Nothing => return Err(NoEntry::NotOffered),
            Offered::Everything => vec![],
            Offered::Paths(paths) => paths,
        };
        let mains = if subpath.is_empty() {
            package.mains(from.asker)
        } else {
            vec![]
        };
        let mut given = offered.iter().map(String::as_str).chain(mains);
        let found = given.find_map(|target| self.in_package(at, target, from));
        if let Some(found) = found {
            return Ok(found);
        }
        let plain = if subpath.is_empty() { "index" } else { subpath };
        let found = ["", "src"].iter().find_map(|base| {
            let base = join(at, base)?;
            self.file(&join(&base, plain)?, from)
        });
        found.ok_or(NoEntry::NotFound)
    }

    /// Resolves a specifier that is not a path: a built-in module, a package of the tree, or an external one.
    pub(super) fn bare(&self, from: From<'_>, specifier: &str) -> Target {
        if let Some(name) = stdlib::node(specifier) {
            return Target::standard(name);
        }
        if let Some(package) = deno::package(specifier) {
            return Target::external(package);
        }
        if let Some(target) = self.workspace(from, specifier) {
            return target;
        }
        if is_alias(specifier) {
            return Target::unresolved(
                "not_mapped: no `paths` of a tsconfig.json leads from here to an analysed file",
            );
        }
        if from.config.is_some_and(|config| config.maps(specifier))
            && !self
                .npm
                .depends_on_any(from.folder, &[package_name(specifier)])
        {
            return Target::unresolved(
                "not_mapped: `paths` of the tsconfig.json map it, but lead to no analysed file",
            );
        }
        Target::external(package_name(specifier))
    }
}
