//! JavaScript and TypeScript: relative paths with extensions and index files, `paths` of tsconfig, packages of the
//! tree.
//!
//! The order is that of the compiler and of Node: mappings of a configuration, then built-in modules, then packages.

use std::cell::Cell;

use super::build::folder_name;
use super::deno::{self, Deno, Mapped};
use super::files::{Files, join, name, parent};
use super::npm::{Asker, Npm};
use super::tsconfig::{Config, Tsconfigs};
use super::{Resolver, Target};
use crate::analysis::{Cancelled, Import, ImportKind, Language};

mod packages;

pub(super) struct JavaScript<'a> {
    files: &'a Files<'a>,
    npm: Npm,
    configs: Tsconfigs,
    deno: Deno,
    /// The last file, and the configuration that applies to it: the imports of a file come in a row.
    last: Cell<Option<(u32, Option<usize>)>>,
}

/// The importing file.
#[derive(Clone, Copy)]
struct From<'a> {
    folder: &'a str,
    config: Option<&'a Config>,
    asker: Asker,
}

/// Extensions tried after a path without one, in this order.
const FROM_TYPESCRIPT: [&str; 11] = [
    ".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".d.mts", ".d.cts",
];
const FROM_JAVASCRIPT: [&str; 11] = [
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".d.ts", ".mts", ".cts", ".d.mts", ".d.cts",
];
/// Extensions of compiled files, and the extensions of their sources.
const COMPILED: [(&str, &[&str]); 4] = [
    (".js", &[".ts", ".tsx", ".d.ts", ".jsx"]),
    (".jsx", &[".tsx", ".d.ts", ".ts"]),
    (".mjs", &[".mts", ".d.mts"]),
    (".cjs", &[".cts", ".d.cts"]),
];
/// Extensions of files without code, or with code in a language that is not analysed.
const ASSETS: [&str; 36] = [
    "css", "scss", "sass", "less", "styl", "pcss", "svg", "png", "jpg", "jpeg", "gif", "webp",
    "avif", "ico", "bmp", "woff", "woff2", "ttf", "eot", "otf", "mp3", "mp4", "webm", "wav",
    "json", "json5", "yaml", "yml", "toml", "txt", "md", "mdx", "html", "graphql", "gql", "wasm",
];
/// What React Native inserts before an extension for each platform.
const PLATFORMS: [&str; 6] = [".ios", ".android", ".native", ".web", ".windows", ".macos"];
const COMPONENTS: [&str; 4] = ["vue", "svelte", "astro", "node"];

impl<'a> JavaScript<'a> {
    pub(super) fn new(
        files: &'a Files<'a>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let npm = Npm::new(files, cancelled)?;
        Ok(Self {
            files,
            configs: Tsconfigs::new(files, &npm, cancelled)?,
            deno: Deno::new(files, cancelled)?,
            npm,
            last: Cell::new(None),
        })
    }

    /// The configuration that applies to a file.
    fn config(&self, file: u32) -> Option<&Config> {
        let number = match self.last.get() {
            Some((known, number)) if known == file => number,
            Some(_) | None => self.configs.of(self.files.path(file)),
        };
        self.last.set(Some((file, number)));
        self.configs.get(number?)
    }

    /// Resolves a path without an extension to a file.
    fn file(&self, path: &str, from: From<'_>) -> Option<u32> {
        self.as_file(path, from)
            .or_else(|| self.as_folder(path, from))
    }

    fn as_file(&self, path: &str, from: From<'_>) -> Option<u32> {
        let typescript = from.asker.typescript;
        // The compiler prefers the source to the named file.
        let compiled = || self.source_of(path, from);
        let found = match typescript {
            true => compiled().or_else(|| self.files.at(path)),
            false => self.files.at(path).or_else(compiled),
        };
        if found.is_some() {
            return found;
        }
        let endings = if typescript {
            &FROM_TYPESCRIPT
        } else {
            &FROM_JAVASCRIPT
        };
        endings
            .iter()
            .find_map(|ending| self.with_suffix(path, ending, from))
    }

    fn source_of(&self, path: &str, from: From<'_>) -> Option<u32> {
        let (_, sources) = COMPILED
            .iter()
            .find(|(compiled, _)| path.ends_with(compiled))?;
        let (base, _) = path.rsplit_once('.')?;
        sources
            .iter()
            .find_map(|ending| self.with_suffix(base, ending, from))
    }

    /// Tries each of the `moduleSuffixes`, or the plain path if there are none.
    fn with_suffix(&self, base: &str, ending: &str, from: From<'_>) -> Option<u32> {
        let suffixes = from.config.map_or(&[][..], |config| &config.suffixes);
        if suffixes.is_empty() {
            return self.files.at(&format!("{base}{ending}"));
        }
        suffixes
            .iter()
            .find_map(|suffix| self.files.at(&format!("{base}{suffix}{ending}")))
    }

    /// The files for the single platforms, if no file is for all of them.
    fn by_platform(&self, path: &str) -> Vec<u32> {
        let bare = |ending: &&str| path.strip_suffix(*ending);
        let base = [".js", ".jsx", ".ts", ".tsx"].iter().find_map(bare);
        let bases = [path, base.unwrap_or(path)];
        let index = join(path, "index").unwrap_or_default();
        for base in bases.into_iter().chain([index.as_str()]) {
            let found: Vec<u32> = PLATFORMS
                .iter()
                .filter_map(|platform| {
                    FROM_TYPESCRIPT
                        .iter()
                        .find_map(|ending| self.files.at(&format!("{base}{platform}{ending}")))
                })
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        vec![]
    }

    fn as_folder(&self, path: &str, from: From<'_>) -> Option<u32> {
        if let Some(package) = self.npm.at(path) {
            let mains = package.mains(from.asker).into_iter();
            let found = mains.filter_map(|main| join(path, main)).find_map(|main| {
                self.as_file(&main, from)
                    .or_else(|| self.index(&main, from))
            });
            if found.is_some() {
                return found;
            }
        }
        self.index(path, from)
    }

    fn index(&self, folder: &str, from: From<'_>) -> Option<u32> {
        let index = join(folder, "index")?;
        self.as_file(&index, from)
    }

    fn relative(&self, from: From<'_>, specifier: &str) -> Target {
        let Some(path) = join(from.folder, specifier) else {
            return Target::unresolved("outside: the path leaves the analysed folder");
        };
        // `./` and `..` mean a folder, even if a file has its name.
        let is_folder = specifier.ends_with('/') || specifier.ends_with('.');
        let found = if is_folder {
            self.as_folder(&path, from)
        } else {
            self.file(&path, from)
        };
        let found = found.or_else(|| {
            let config = from.config?;
            let paths = config.through_root_dirs(from.folder, specifier);
            paths.into_iter().find_map(|path| self.file(&path, from))
        });
        match found {
            Some(found) => Target::Files(vec![found]),
            None => match self.by_platform(&path) {
                none if none.is_empty() => missing(&path),
                files => Target::Files(files),
            },
        }
    }

    /// `paths` and `baseUrl` of the configuration that applies to the file.
    fn mapped(&self, from: From<'_>, specifier: &str) -> Option<Target> {
        let candidates = from.config?.candidates(specifier);
        let found = candidates.iter().find_map(|path| self.file(path, from));
        if let Some(found) = found {
            return Some(Target::Files(vec![found]));
        }
        candidates.iter().find_map(|path| {
            let files = self.by_platform(path);
            (!files.is_empty()).then_some(Target::Files(files))
        })
    }

    /// Resolves by deno.json or an import map.
    fn imported_by_map(&self, from: From<'_>, specifier: &str) -> Option<Target> {
        Some(match self.deno.mapped(from.folder, specifier)? {
            Mapped::Path(path) => match self.file(&path, from) {
                Some(found) => Target::Files(vec![found]),
                None => missing(&path),
            },
            Mapped::Other(other) if other.contains("://") => Target::external(other),
            Mapped::Other(other) => match deno::package(&other) {
                Some(package) => Target::external(package),
                None => self.bare(from, &other),
            },
        })
    }
}

impl Resolver for JavaScript<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
        let path = self.files.path(file);
        let from = From {
            folder: parent(path),
            config: self.config(file),
            asker: Asker {
                typescript: self.files.analysis(file).language != Language::JavaScript,
                requires: import.kind == ImportKind::Require,
            },
        };
        // Options for bundlers, before `!` and after `?`, are not part of the path.
        let specifier = import.specifier.rsplit('!').next().unwrap_or_default();
        let specifier = specifier.split('?').next().unwrap_or_default();
        if specifier.is_empty() {
            return Target::unresolved("empty: the import names nothing");
        }
        if matches!(specifier, "." | "..")
            || specifier.starts_with("./")
            || specifier.starts_with("../")
        {
            return self.relative(from, specifier);
        }
        if specifier.contains("://") || specifier.starts_with("data:") {
            return Target::external(specifier);
        }
        if !specifier.starts_with("node:") {
            if let Some(target) = self.mapped(from, specifier) {
                return target;
            }
            if let Some(target) = self.imported_by_map(from, specifier) {
                return target;
            }
        }
        if specifier.starts_with('#') {
            return self.private(from, specifier);
        }
        self.bare(from, specifier)
    }

    fn package(&self, file: u32) -> String {
        let path = self.files.path(file);
        match self.npm.named(parent(path)) {
            Some((_, name)) => name.to_owned(),
            None => match self.npm.of(parent(path)) {
                Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
                _ => folder_name(path),
            },
        }
    }
}

/// `@scope/name` or the first part.
pub(super) fn package_name(specifier: &str) -> &str {
    let mut slashes = specifier.match_indices('/').map(|(at, _)| at);
    let end = if specifier.starts_with('@') {
        slashes.nth(1)
    } else {
        slashes.next()
    };
    end.and_then(|end| specifier.get(..end))
        .unwrap_or(specifier)
}

/// Specifiers that cannot be package names: `@/x`, `~/x`, `/x`, `#x`, `$lib`.
fn is_alias(specifier: &str) -> bool {
    specifier.starts_with("@/") || specifier.starts_with(['~', '/', '#', '$'])
}

fn ending(path: &str) -> &str {
    name(path).rsplit_once('.').map_or("", |(_, ending)| ending)
}

fn is_asset(path: &str) -> bool {
    let ending = ending(path).to_ascii_lowercase();
    ASSETS.contains(&ending.as_str())
}

fn missing(path: &str) -> Target {
    let ending = ending(path).to_ascii_lowercase();
    if ASSETS.contains(&ending.as_str()) {
        return Target::unresolved(format!("asset: .{ending} files are not analysed code"));
    }
    if COMPONENTS.contains(&ending.as_str()) {
        return Target::unresolved(format!("not_analyzed: .{ending} files are not read"));
    }
    Target::unresolved(format!(
        "no_such_file: none at {path}, with any known extension or as a folder with an index (generated or excluded?)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specifier_starts_with_its_package() {
        assert_eq!(package_name("@a/b/c"), "@a/b");
        assert_eq!(package_name("@a/b"), "@a/b");
        assert_eq!(package_name("a/b"), "a");
        assert!(is_alias("@/x") && !is_alias("@a/x"));
        assert!(is_asset("x/a.CSS") && !is_asset("a.ts"));
    }
}
