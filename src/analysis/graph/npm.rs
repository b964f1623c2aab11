//! package.json: packages of the tree by name, and what their `exports`, `imports` and `main` lead to.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::files::{Files, ancestors};
use super::jsonc;

pub(super) struct Npm {
    /// By folder.
    packages: HashMap<String, Package>,
    /// Folders by package name.
    by_name: HashMap<String, Vec<String>>,
}

pub(super) struct Package {
    pub(super) name: Option<String>,
    pub(super) exports: Option<Value>,
    pub(super) imports: Option<Map<String, Value>>,
    /// `types`, `source`, `module`, `main` … as far as given.
    pub(super) mains: Vec<String>,
}

/// Fields that may name the entry of a package; sources before what is built from them.
const MAINS: [&str; 7] = [
    "source",
    "types",
    "typings",
    "module",
    "main",
    "browser",
    "jsnext:main",
];
/// Conditions inside conditions inside exports.
const TARGETS_LIMIT: usize = 256;

impl Npm {
    pub(super) fn new(files: &Files<'_>) -> Self {
        let mut npm = Self {
            packages: HashMap::new(),
            by_name: HashMap::new(),
        };
        for (folder, _, text) in files.manifests_named(|name| name == "package.json") {
            let Some(Value::Object(package)) = jsonc::parse(text) else {
                continue;
            };
            let package = read(&package);
            if let Some(name) = &package.name {
                let folders = npm.by_name.entry(name.clone()).or_default();
                folders.push(folder.to_owned());
            }
            npm.packages.insert(folder.to_owned(), package);
        }
        npm
    }

    pub(super) fn at(&self, folder: &str) -> Option<&Package> {
        self.packages.get(folder)
    }

    /// The package that a folder belongs to.
    pub(super) fn of<'p>(&self, folder: &'p str) -> Option<(&'p str, &Package)> {
        ancestors(folder).find_map(|above| Some((above, self.packages.get(above)?)))
    }

    /// The nearest package above with a name.
    pub(super) fn named<'p>(&self, folder: &'p str) -> Option<(&'p str, &str)> {
        ancestors(folder).find_map(|above| {
            let package = self.packages.get(above)?;
            Some((above, package.name.as_deref()?))
        })
    }

    /// The one folder whose package has this name; `None` where several do.
    pub(super) fn folder_of(&self, name: &str) -> Option<&str> {
        match self.by_name.get(name)?.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn read(package: &Map<String, Value>) -> Package {
    let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    Package {
        name: text("name").filter(|name| !name.is_empty()),
        exports: package.get("exports").cloned(),
        imports: package.get("imports").and_then(Value::as_object).cloned(),
        mains: MAINS.into_iter().filter_map(text).collect(),
    }
}

impl Package {
    /// What `exports` offers for `.` or `./sub` under any condition, by the conditions' names; `None` where there is no `exports`.
    pub(super) fn exported(&self, subpath: &str) -> Option<Vec<String>> {
        let exports = self.exports.as_ref()?;
        let is_map_of_paths = exports
            .as_object()
            .is_some_and(|map| map.keys().any(|key| key.starts_with('.')));
        if !is_map_of_paths {
            let targets = if subpath == "." {
                targets(exports, "")
            } else {
                vec![]
            };
            return Some(targets);
        }
        Some(matching(exports.as_object()?, subpath))
    }

    /// What `imports` maps `#name` to.
    pub(super) fn imported(&self, name: &str) -> Vec<String> {
        self.imports
            .as_ref()
            .map_or(vec![], |map| matching(map, name))
    }
}

/// The exact key, else the pattern with the longest text before its `*`.
fn matching(map: &Map<String, Value>, key: &str) -> Vec<String> {
    if let Some(value) = map.get(key) {
        return targets(value, "");
    }
    let mut best: Option<(&str, &str, &Value)> = None;
    for (pattern, value) in map {
        let (before, after) = match pattern.split_once('*') {
            Some(parts) => parts,
            // A folder, as older packages write it.
            None if pattern.ends_with('/') => (pattern.as_str(), ""),
            None => continue,
        };
        let fits = key.len() >= before.len() + after.len();
        let star = key
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        if let Some(star) = star.filter(|_| fits)
            && best.is_none_or(|(known, ..)| before.len() > known.len())
        {
            best = Some((before, star, value));
        }
    }
    best.map_or(vec![], |(_, star, value)| targets(value, star))
}

/// Every path that the conditions may choose, with `*` filled in.
fn targets(value: &Value, star: &str) -> Vec<String> {
    let mut found = vec![];
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if found.len() + open.len() > TARGETS_LIMIT {
            break;
        }
        match value {
            Value::String(path) if path.ends_with('/') => found.push(format!("{path}{star}")),
            Value::String(path) => found.push(path.replace('*', star)),
            Value::Array(all) => open.extend(all.iter().rev()),
            Value::Object(conditions) => open.extend(conditions.values().rev()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(value: &Value) -> Package {
        read(value.as_object().expect("an object"))
    }

    #[test]
    fn exports_are_matched_by_path_and_pattern() {
        let package = package(&json!({
            "name": "a",
            "exports": {
                ".": {"import": "./m.js", "default": "./c.js"},
                "./x/*": "./src/x/*.ts",
                "./x/y/*": "./src/y/*.ts",
                "./old/": "./lib/"
            },
            "imports": {"#in/*": {"default": "./src/*"}}
        }));
        assert_eq!(
            package.exported("."),
            Some(vec!["./c.js".to_owned(), "./m.js".to_owned()])
        );
        assert_eq!(
            package.exported("./x/q"),
            Some(vec!["./src/x/q.ts".to_owned()])
        );
        assert_eq!(
            package.exported("./x/y/q"),
            Some(vec!["./src/y/q.ts".to_owned()])
        );
        assert_eq!(
            package.exported("./old/z"),
            Some(vec!["./lib/z".to_owned()])
        );
        assert_eq!(package.exported("./none"), Some(vec![]));
        assert_eq!(package.imported("#in/a.js"), ["./src/a.js"]);
    }

    #[test]
    fn exports_may_be_one_path() {
        let package = package(&json!({"exports": "./a.js", "main": "b.js"}));
        assert_eq!(package.exported("."), Some(vec!["./a.js".to_owned()]));
        assert_eq!(package.mains, ["b.js"]);
        assert_eq!(package.name, None);
    }
}
