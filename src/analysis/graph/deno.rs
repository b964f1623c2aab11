//! deno.json and import maps: the targets of plain specifiers, for every kind of import.

use std::collections::HashMap;
use std::rc::Rc;

use super::Manifest;
use super::files::{Files, ancestors, join, name, parent};
use super::jsonc::{self, Json};
use crate::analysis::Cancelled;

/// Each deno.json or import map: specifier to target, as written.
#[derive(Default)]
pub(super) struct Deno {
    /// By folder: its own, then the import map that it names.
    maps: HashMap<String, Vec<Rc<Entries>>>,
}

type Entries = Vec<(String, String)>;

/// Bytes of the entries of all maps: as many as all manifests of a scan may have.
const HELD_BYTES: usize = 64 * 1024 * 1024;

/// The target of a specifier.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mapped {
    /// A path from the top.
    Path(String),
    /// `npm:x`, `jsr:x`, an address, another name.
    Other(String),
}

impl Deno {
    pub(super) fn new(files: &Files<'_>, cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let mut deno = Self::default();
        let mut left = HELD_BYTES;
        // Import maps by path: many may name one.
        let mut named: HashMap<String, Rc<Entries>> = HashMap::new();
        let is_wanted = |name: &str| matches!(name, "deno.json" | "deno.jsonc" | "import_map.json");
        for (folder, path, text) in files.manifests_named(is_wanted) {
            if cancelled() {
                return Err(Cancelled);
            }
            let Some(value) = jsonc::parse(text) else {
                continue;
            };
            let elsewhere = value.get("importMap").and_then(Json::text);
            let elsewhere = elsewhere.and_then(|map| join(folder, map));
            let here = deno.maps.entry(folder.to_owned()).or_default();
            here.push(Rc::new(entries(folder, &value, &mut left)));
            let Some(map) = elsewhere.filter(|map| map != path) else {
                continue;
            };
            if let Some(known) = named.get(&map) {
                here.push(known.clone());
            } else if let Some(value) = files.manifest(&map).and_then(jsonc::parse) {
                let read = Rc::new(entries(parent(&map), &value, &mut left));
                here.push(read.clone());
                named.insert(map, read);
            }
        }
        Ok(deno)
    }

    /// Looks up the nearest map that has it: the exact name, else the longest prefix that ends with `/`.
    pub(super) fn mapped(&self, folder: &str, specifier: &str) -> Option<Mapped> {
        if self.maps.is_empty() {
            return None;
        }
        ancestors(folder).find_map(|above| {
            let maps = self.maps.get(above)?;
            let map = || maps.iter().flat_map(|map| map.iter());
            let exact = map().find(|(key, _)| key == specifier);
            let begins = map()
                .filter(|(key, _)| key.ends_with('/') && specifier.starts_with(key.as_str()))
                .max_by_key(|(key, _)| key.len());
            // `"x": "jsr:@a/x@1"` also maps `x/sub`.
            let mut packages = map().filter(|(_, to)| !to.starts_with("./"));
            let below = packages.find(|(key, _)| {
                let rest = specifier.strip_prefix(key.as_str());
                rest.is_some_and(|rest| rest.starts_with('/')) && !key.ends_with('/')
            });
            let (key, to) = exact.or(begins).or(below)?;
            let rest = specifier.strip_prefix(key.as_str()).unwrap_or_default();
            Some(match to.strip_prefix("./") {
                Some(path) => {
                    Mapped::Path(format!("{path}{rest}").trim_start_matches('/').to_owned())
                }
                None => Mapped::Other(format!("{to}{rest}")),
            })
        })
    }
}

/// The entries of an import map in the folder `from`; none over the limit.
fn entries(from: &str, value: &Json, left: &mut usize) -> Entries {
    let mut found = vec![];
    let imports = value.get("imports").and_then(Json::entries);
    for (key, to) in imports.into_iter().flatten() {
        let Some(to) = to.text() else { continue };
        let is_path = to.starts_with("./") || to.starts_with("../") || to.starts_with('/');
        let to = match is_path {
            true => join(from, to).map(|path| match to.ends_with('/') {
                true => format!("./{path}/"),
                false => format!("./{path}"),
            }),
            false => Some(to.to_owned()),
        };
        let Some(to) = to else { continue };
        match left.checked_sub(key.len() + to.len() + size_of::<(String, String)>()) {
            Some(rest) => *left = rest,
            None => break,
        }
        found.push((key.clone(), to));
    }
    found
}

/// The package that `npm:` or `jsr:` names, without its version.
pub(super) fn package(specifier: &str) -> Option<&str> {
    let rest = ["npm:", "jsr:"]
        .iter()
        .find_map(|registry| specifier.strip_prefix(registry))?;
    let rest = rest.trim_start_matches('/');
    let named = super::javascript::package_name(rest);
    let version = named
        .char_indices()
        .skip(1)
        .find(|(_, letter)| *letter == '@');
    version.map_or(Some(named), |(at, _)| named.get(..at))
}

/// Import maps that a deno.json names.
pub(super) fn named_by(manifests: &[&Manifest]) -> Vec<String> {
    let is_deno = |path: &str| matches!(name(path), "deno.json" | "deno.jsonc");
    let all = manifests.iter().filter(|it| is_deno(&it.path));
    all.filter_map(|manifest| {
        let value = jsonc::parse(&manifest.text)?;
        join(parent(&manifest.path), value.get("importMap")?.text()?)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::package;

    #[test]
    fn packages_lose_their_versions() {
        assert_eq!(package("jsr:@oak/oak@17/x"), Some("@oak/oak"));
        assert_eq!(package("npm:chalk@5"), Some("chalk"));
        assert_eq!(package("npm:/@a/b"), Some("@a/b"));
        assert_eq!(package("chalk"), None);
    }
}
