//! JavaScript and TypeScript: relative paths with endings and index files, `paths` of tsconfig, packages of the tree.

use super::build::folder_name;
use super::files::{Files, join, name, parent};
use super::npm::{Npm, Package};
use super::tsconfig::Tsconfigs;
use super::{Resolver, Target, stdlib};
use crate::analysis::{Import, Language};

pub(super) struct JavaScript<'a> {
    files: &'a Files<'a>,
    npm: Npm,
    configs: Tsconfigs,
}

/// Tried behind a path without ending, in this order.
const FROM_TYPESCRIPT: [&str; 11] = [
    ".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".d.mts", ".d.cts",
];
const FROM_JAVASCRIPT: [&str; 11] = [
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".d.ts", ".mts", ".cts", ".d.mts", ".d.cts",
];
/// What the compiler makes of a source, and the sources that it may have been made of.
const COMPILED: [(&str, &[&str]); 4] = [
    (".js", &[".ts", ".tsx", ".d.ts", ".jsx"]),
    (".jsx", &[".tsx", ".d.ts"]),
    (".mjs", &[".mts", ".d.mts"]),
    (".cjs", &[".cts", ".d.cts"]),
];
/// Folders that builds write to: an entry in one of them is looked for in `src`.
const BUILT: [&str; 9] = [
    "dist", "lib", "build", "out", "esm", "cjs", "es", "umd", "types",
];
/// Endings of files that hold code of no language that is analysed here, or no code.
const ASSETS: [&str; 36] = [
    "css", "scss", "sass", "less", "styl", "pcss", "svg", "png", "jpg", "jpeg", "gif", "webp",
    "avif", "ico", "bmp", "woff", "woff2", "ttf", "eot", "otf", "mp3", "mp4", "webm", "wav",
    "json", "json5", "yaml", "yml", "toml", "txt", "md", "mdx", "html", "graphql", "gql", "wasm",
];
const COMPONENTS: [&str; 4] = ["vue", "svelte", "astro", "node"];

impl<'a> JavaScript<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        Self {
            files,
            npm: Npm::new(files),
            configs: Tsconfigs::new(files),
        }
    }

    /// A path without endings to a file.
    fn file(&self, path: &str, typescript: bool) -> Option<u32> {
        self.as_file(path, typescript)
            .or_else(|| self.as_folder(path, typescript))
    }

    fn as_file(&self, path: &str, typescript: bool) -> Option<u32> {
        if let Some(found) = self.files.at(path) {
            return Some(found);
        }
        let endings = if typescript {
            &FROM_TYPESCRIPT
        } else {
            &FROM_JAVASCRIPT
        };
        for ending in endings {
            if let Some(found) = self.files.at(&format!("{path}{ending}")) {
                return Some(found);
            }
        }
        let (_, sources) = COMPILED
            .iter()
            .find(|(compiled, _)| path.ends_with(compiled))?;
        let (base, _) = path.rsplit_once('.')?;
        sources
            .iter()
            .find_map(|ending| self.files.at(&format!("{base}{ending}")))
    }

    fn as_folder(&self, path: &str, typescript: bool) -> Option<u32> {
        if let Some(package) = self.npm.at(path) {
            let mains = package.mains.iter().filter_map(|main| join(path, main));
            let found = mains.into_iter().find_map(|main| {
                self.as_file(&main, typescript)
                    .or_else(|| self.index(&main, typescript))
            });
            if found.is_some() {
                return found;
            }
        }
        self.index(path, typescript)
    }

    fn index(&self, folder: &str, typescript: bool) -> Option<u32> {
        let index = join(folder, "index")?;
        self.as_file(&index, typescript)
    }

    fn relative(&self, folder: &str, specifier: &str, typescript: bool) -> Target {
        let Some(path) = join(folder, specifier) else {
            return Target::unresolved("outside: the path leaves the analysed folder");
        };
        // `./` and `..` mean a folder even where a file has its name.
        let is_folder = specifier.ends_with('/') || specifier.ends_with('.');
        let found = if is_folder {
            self.as_folder(&path, typescript)
        } else {
            self.file(&path, typescript)
        };
        let found = found.or_else(|| {
            let configs = self.configs.of(folder);
            let paths = configs.flat_map(|config| config.through_root_dirs(folder, specifier));
            paths
                .into_iter()
                .find_map(|path| self.file(&path, typescript))
        });
        match found {
            Some(found) => Target::Files(vec![found]),
            None => missing(&path),
        }
    }

    /// `paths` and `baseUrl` of the configurations above.
    fn mapped(&self, folder: &str, specifier: &str, typescript: bool) -> Option<u32> {
        self.configs
            .of(folder)
            .flat_map(|config| config.candidates(specifier))
            .find_map(|path| self.file(&path, typescript))
    }

    /// `#name` of the package's own `imports`.
    fn private(&self, folder: &str, specifier: &str, typescript: bool) -> Target {
        let Some((at, package)) = self.npm.of(folder) else {
            return Target::unresolved(
                "no_package_json: `#…` is mapped by the `imports` of a package.json",
            );
        };
        let targets = package.imported(specifier);
        for target in &targets {
            if target.starts_with('.') {
                if let Some(found) = self.in_package(at, target, typescript) {
                    return Target::Files(vec![found]);
                }
            } else if let Some(name) = stdlib::node(target) {
                return Target::standard(name);
            } else {
                return Target::external(package_name(target));
            }
        }
        Target::unresolved("not_mapped: no file for it in the `imports` of package.json")
    }

    /// A path inside a package as its package.json says it; sources stand in for what is built from them.
    fn in_package(&self, folder: &str, target: &str, typescript: bool) -> Option<u32> {
        let path = join(folder, target)?;
        if let Some(found) = self.file(&path, typescript) {
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
                let bare = base.strip_suffix(".d.ts").unwrap_or(&base);
                let found = self
                    .as_file(&base, typescript)
                    .or_else(|| self.as_file(bare, typescript));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// A package of the tree by name.
    fn workspace(&self, folder: &str, specifier: &str, typescript: bool) -> Option<Target> {
        let name = package_name(specifier);
        let own = self.npm.named(folder).filter(|(_, own)| *own == name);
        let at = match own {
            Some((at, _)) => at,
            None => self.npm.folder_of(name)?,
        };
        let package = self.npm.at(at)?;
        let rest = specifier.strip_prefix(name).unwrap_or_default();
        let found = self.entry(at, package, rest.trim_start_matches('/'), typescript);
        Some(match found {
            Some(found) => Target::Files(vec![found]),
            None if is_asset(rest) => missing(rest),
            None => Target::unresolved(format!(
                "no_entry: package {name} is in this tree, but no analysed file is what `{specifier}` offers"
            )),
        })
    }

    fn entry(&self, at: &str, package: &Package, subpath: &str, typescript: bool) -> Option<u32> {
        let key = if subpath.is_empty() {
            ".".to_owned()
        } else {
            format!("./{subpath}")
        };
        let exported = package.exported(&key).unwrap_or_default();
        let mains = if subpath.is_empty() {
            package.mains.as_slice()
        } else {
            &[]
        };
        let given = exported.iter().chain(mains);
        let found = given
            .into_iter()
            .find_map(|target| self.in_package(at, target, typescript));
        if found.is_some() {
            return found;
        }
        let plain = if subpath.is_empty() { "index" } else { subpath };
        ["", "src"].iter().find_map(|base| {
            let base = join(at, base)?;
            self.file(&join(&base, plain)?, typescript)
        })
    }
}

impl Resolver for JavaScript<'_> {
    fn resolve(&self, file: u32, _at: usize, import: &Import) -> Target {
        let typescript = self.files.analysis(file).language != Language::JavaScript;
        let folder = parent(self.files.path(file));
        // What a bundler is told before `!` and behind `?` is not part of the path.
        let specifier = import.specifier.rsplit('!').next().unwrap_or_default();
        let specifier = specifier.split('?').next().unwrap_or_default();
        if specifier.is_empty() {
            return Target::unresolved("empty: the import names nothing");
        }
        if matches!(specifier, "." | "..")
            || specifier.starts_with("./")
            || specifier.starts_with("../")
        {
            return self.relative(folder, specifier, typescript);
        }
        if specifier.contains("://") || specifier.starts_with("data:") {
            return Target::external(specifier);
        }
        if specifier.starts_with('#')
            && self
                .npm
                .of(folder)
                .is_some_and(|(_, own)| own.imports.is_some())
        {
            return self.private(folder, specifier, typescript);
        }
        if let Some(name) = stdlib::node(specifier) {
            return Target::standard(name);
        }
        if let Some(found) = self.mapped(folder, specifier, typescript) {
            return Target::Files(vec![found]);
        }
        if let Some(target) = self.workspace(folder, specifier, typescript) {
            return target;
        }
        if is_alias(specifier) {
            return Target::unresolved(
                "not_mapped: no `paths` of a tsconfig.json leads from here to an analysed file",
            );
        }
        Target::external(package_name(specifier))
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
fn package_name(specifier: &str) -> &str {
    let mut slashes = specifier.match_indices('/').map(|(at, _)| at);
    let end = if specifier.starts_with('@') {
        slashes.nth(1)
    } else {
        slashes.next()
    };
    end.and_then(|end| specifier.get(..end))
        .unwrap_or(specifier)
}

/// What no package can be called: `@/x`, `~/x`, `/x`, `#x`, `$lib`.
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
        return Target::unresolved(format!("asset: a .{ending} file is no analysed code"));
    }
    if COMPONENTS.contains(&ending.as_str()) {
        return Target::unresolved(format!("not_analyzed: .{ending} files are not read"));
    }
    Target::unresolved(format!(
        "no_such_file: none at {path}, with any known ending or as a folder with an index (generated or excluded?)"
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
