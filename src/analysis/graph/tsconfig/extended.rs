//! The candidate paths of `extends` in configurations.

use std::collections::{BTreeSet, HashMap};

use super::CHAIN_LIMIT;
use crate::analysis::graph::Manifest;
use crate::analysis::graph::files::{MAX_PATH_BYTES, ancestors, join, name, parent};
use crate::analysis::graph::jsonc::{self, Json};

/// Bytes of all candidate paths: a path for each folder above each of ten thousand configurations.
const NAMED_BYTES: usize = 64 * 1024 * 1024;

/// Only the last ones are kept, because the last wins.
pub(super) fn extends(value: &Json) -> Vec<&str> {
    let mut all = value.get("extends").map(Json::texts).unwrap_or_default();
    all.split_off(all.len().saturating_sub(CHAIN_LIMIT))
}

/// Candidate paths of `extends`, in the order of the compiler: relative ones, then a package of the tree, then
/// `node_modules`.
pub(super) fn candidates<'a>(
    folder: &'a str,
    base: &'a str,
    package: impl Fn(&str) -> Option<String>,
) -> impl Iterator<Item = String> + 'a {
    let with_endings = |path: String| {
        let file = format!("{path}.json");
        let inside = format!("{path}/tsconfig.json");
        [path, file, inside]
    };
    let is_path = base.len() <= MAX_PATH_BYTES;
    let is_relative = base.starts_with('.');
    let relative = (is_relative && is_path)
        .then(|| join(folder, base))
        .flatten();
    let name = super::super::javascript::package_name(base);
    let rest = base.strip_prefix(name).unwrap_or_default();
    let in_tree = (!is_relative && is_path)
        .then(|| package(name).map(|at| format!("{at}{rest}")))
        .flatten();
    let installed = ancestors(folder)
        .filter(move |_| !is_relative && is_path)
        .map(move |above| {
            let slash = if above.is_empty() { "" } else { "/" };
            format!("{above}{slash}node_modules/{base}")
        });
    (relative.into_iter().chain(in_tree).chain(installed))
        .filter(|path| path.len() <= MAX_PATH_BYTES)
        .flat_map(with_endings)
}

/// Files that configurations extend and whose names are not known manifests: each is one of the candidates, if it
/// exists.
#[derive(Default)]
pub(in crate::analysis::graph) struct Extended {
    /// Folders of packages by name, filled at the first request.
    packages: Option<HashMap<String, String>>,
    named: BTreeSet<String>,
    bytes: usize,
}

impl Extended {
    /// Paths that the manifests from `new` on name, and that no manifest named before.
    pub(in crate::analysis::graph) fn named_by(
        &mut self,
        manifests: &[&Manifest],
        new: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Vec<String> {
        let mut found = vec![];
        for manifest in manifests.iter().skip(new) {
            if cancelled() || self.bytes > NAMED_BYTES {
                break;
            }
            // Search the text first: most files of a large tree extend nothing.
            let file = name(&manifest.path);
            let may_extend = file.ends_with(".json") && file != "package.json";
            if !may_extend || !manifest.text.contains("\"extends\"") {
                continue;
            }
            let Some(json) = jsonc::parse(&manifest.text) else {
                continue;
            };
            for base in extends(&json) {
                if !base.starts_with('.') && self.packages.is_none() {
                    self.packages = Some(packages(manifests, cancelled));
                }
                let known = self.packages.as_ref();
                let package = |name: &str| known.and_then(|known| known.get(name)).cloned();
                for path in candidates(parent(&manifest.path), base, package) {
                    if self.bytes <= NAMED_BYTES && self.named.insert(path.clone()) {
                        self.bytes += path.len() + size_of::<String>();
                        found.push(path);
                    }
                }
            }
        }
        found
    }
}

fn packages(manifests: &[&Manifest], cancelled: &dyn Fn() -> bool) -> HashMap<String, String> {
    let mut packages = HashMap::new();
    let all = manifests
        .iter()
        .filter(|it| name(&it.path) == "package.json");
    for manifest in all.take_while(|_| !cancelled()) {
        let json = jsonc::parse(&manifest.text);
        let named = json.as_ref().and_then(|json| json.get("name")?.text());
        let folder = parent(&manifest.path).to_owned();
        packages.extend(named.map(|named| (named.to_owned(), folder)));
    }
    packages
}
