//! Targets of `exports` and `imports` of a package.json: subpaths, patterns and conditions.

use super::super::files::{MAX_PATH_BYTES, filled};
use super::super::jsonc::Json;
use super::Package;

/// The target of a subpath of a package.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Offered {
    /// There is no `exports` or `imports`: every file can be imported.
    Everything,
    /// Paths to try, the most certain first.
    Paths(Vec<String>),
    /// It is not exported.
    Nothing,
}

/// The importer: the conditions that it fulfils are tried in their written order.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Asker {
    pub(in super::super) typescript: bool,
    /// True for `require`, false for `import`.
    pub(in super::super) requires: bool,
}

/// Most levels of nested conditions.
const TARGETS_LIMIT: usize = 256;
/// Conditions that neither a compiler nor Node fulfils: a plain import never uses their targets.
const ELSEWHERE: [&str; 14] = [
    "browser",
    "react-native",
    "worker",
    "workerd",
    "deno",
    "bun",
    "edge-light",
    "electron",
    "style",
    "sass",
    "less",
    "css",
    "script",
    "asset",
];

impl Package {
    /// The target of `.` or `./sub` in `exports`.
    pub(in super::super) fn exported(&self, subpath: &str, asker: Asker) -> Offered {
        let Some(exports) = &self.exports else {
            return Offered::Everything;
        };
        let entries = exports.entries().unwrap_or_default();
        let is_map_of_paths = entries.iter().any(|(key, _)| key.starts_with('.'));
        if is_map_of_paths {
            return matching(entries, subpath, asker);
        }
        match subpath {
            "." => offered(exports, "", asker),
            _ => Offered::Nothing,
        }
    }

    /// The target of `#name` in `imports`.
    pub(in super::super) fn imported(&self, name: &str, asker: Asker) -> Offered {
        match self.imports.as_ref().and_then(Json::entries) {
            Some(entries) => matching(entries, name, asker),
            None => Offered::Everything,
        }
    }
}

/// The exact key, else the pattern with the longest text before its `*`.
fn matching(map: &[(String, Json)], key: &str, asker: Asker) -> Offered {
    if let Some((_, value)) = map.iter().find(|(known, _)| known == key) {
        return offered(value, "", asker);
    }
    let mut best: Option<(&str, &str, &Json)> = None;
    for (pattern, value) in map {
        let (before, after) = match pattern.split_once('*') {
            Some(parts) => parts,
            // A folder, as older packages write it.
            None if pattern.ends_with('/') => (pattern.as_str(), ""),
            None => continue,
        };
        let fits = key.len() > before.len() + after.len();
        let star = key
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        if let Some(star) = star.filter(|_| fits)
            && best.is_none_or(|(known, ..)| before.len() > known.len())
        {
            best = Some((before, star, value));
        }
    }
    best.map_or(Offered::Nothing, |(_, star, value)| {
        offered(value, star, asker)
    })
}

/// First the conditions that the importer fulfils, in written order. Then the others, because the tree may not be built
/// or may use custom conditions. `types@>=5` is one of the others: the compiler's version is unknown.
fn offered(value: &Json, star: &str, asker: Asker) -> Offered {
    let holds = |condition: &str| match condition {
        "types" | "typings" => asker.typescript,
        "import" => !asker.requires,
        "require" => asker.requires,
        "node" | "default" | "module" | "module-sync" => true,
        _ => false,
    };
    let mut found = vec![];
    // A fulfilled condition with `null` closes the path, even if other conditions follow.
    if collect(value, star, &holds, &mut found) == Met::Closed && found.is_empty() {
        return Offered::Nothing;
    }
    let certain = found.len();
    let other = |condition: &str| !ELSEWHERE.contains(&condition);
    collect(value, star, &other, &mut found);
    let mut seen: Vec<String> = found.drain(certain..).collect();
    seen.retain(|path| !found.contains(path));
    found.extend(seen);
    Offered::Paths(found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Something,
    Closed,
    Nothing,
}

/// Every path under fulfilled conditions, in written order.
fn collect(value: &Json, star: &str, holds: &dyn Fn(&str) -> bool, found: &mut Vec<String>) -> Met {
    let mut met = Met::Nothing;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if found.len() + open.len() > TARGETS_LIMIT {
            break;
        }
        match value {
            Json::Text(path) if path.ends_with('/') => {
                let is_path = path.len() + star.len() <= MAX_PATH_BYTES;
                found.extend(is_path.then(|| format!("{path}{star}")));
            }
            Json::Text(path) => found.extend(filled(path, star)),
            Json::List(all) => open.extend(all.iter().rev()),
            Json::Map(conditions) => {
                let fitting = conditions.iter().rev();
                open.extend(
                    fitting
                        .filter(|(name, _)| holds(name))
                        .map(|(_, value)| value),
                );
            }
            Json::Null => {
                if found.is_empty() {
                    met = Met::Closed;
                }
                break;
            }
            Json::Other => {}
        }
    }
    if found.is_empty() {
        met
    } else {
        Met::Something
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{jsonc, read};
    use super::*;

    const TYPESCRIPT: Asker = Asker {
        typescript: true,
        requires: false,
    };
    const COMMON: Asker = Asker {
        typescript: false,
        requires: true,
    };

    fn package(text: &str) -> Package {
        read(&jsonc::parse(text).expect("it is JSON"))
    }

    fn paths(paths: &[&str]) -> Offered {
        Offered::Paths(paths.iter().map(|path| (*path).to_owned()).collect())
    }

    #[test]
    fn exports_are_matched_by_path_and_pattern() {
        let package = package(
            r##"{"name": "a", "exports": {
                ".": {"import": "./m.js", "default": "./c.js"},
                "./x/*": "./src/x/*.ts",
                "./x/y/*": "./src/y/*.ts",
                "./x/private/*": null,
                "./old/": "./lib/"
            }, "imports": {"#in/*": {"default": "./src/*"}}}"##,
        );
        for (key, asker, expected) in [
            (".", TYPESCRIPT, paths(&["./m.js", "./c.js"])),
            (".", COMMON, paths(&["./c.js", "./m.js"])),
            ("./x/q", COMMON, paths(&["./src/x/q.ts"])),
            ("./x/y/q", COMMON, paths(&["./src/y/q.ts"])),
            ("./x/private/q", COMMON, Offered::Nothing),
            ("./old/z", COMMON, paths(&["./lib/z"])),
            ("./none", COMMON, Offered::Nothing),
        ] {
            assert_eq!(package.exported(key, asker), expected, "{key}");
        }
        assert_eq!(package.imported("#in/a.js", COMMON), paths(&["./src/a.js"]));
    }

    #[test]
    fn conditions_are_tried_as_written() {
        for (exports, asker, expected) in [
            (json!("./a.js"), COMMON, paths(&["./a.js"])),
            (json!({"browser": "./b.js"}), COMMON, paths(&[])),
            (
                json!(["./a.js", "./b.js"]),
                COMMON,
                paths(&["./a.js", "./b.js"]),
            ),
            (
                json!({"import": null, "require": "./c.js"}),
                TYPESCRIPT,
                Offered::Nothing,
            ),
            (
                json!({"import": null, "require": "./c.js"}),
                COMMON,
                paths(&["./c.js"]),
            ),
        ] {
            let text = json!({ "exports": exports }).to_string();
            assert_eq!(package(&text).exported(".", asker), expected, "{text}");
        }
        let written =
            r#"{"exports": {"node": "./n.ts", "browser": "./b.ts", "default": "./d.ts"}}"#;
        assert_eq!(
            package(written).exported(".", TYPESCRIPT),
            paths(&["./n.ts", "./d.ts"])
        );
        let written = r#"{"exports": {"types": "./t.d.ts", "default": "./d.ts"}}"#;
        assert_eq!(
            package(written).exported(".", TYPESCRIPT),
            paths(&["./t.d.ts", "./d.ts"])
        );
        assert_eq!(
            package(written).exported(".", COMMON),
            paths(&["./d.ts", "./t.d.ts"])
        );
        let own = r#"{"exports": {"@me/source": "./src/i.ts", "import": "./dist/i.js"}}"#;
        assert_eq!(
            package(own).exported(".", TYPESCRIPT),
            paths(&["./dist/i.js", "./src/i.ts"])
        );
    }

    #[test]
    fn many_stars_make_no_long_path() {
        let stars = "*".repeat(1000);
        let text = json!({"exports": {"./*": format!("./{stars}"), "./old/": "./lib/"}});
        let package = package(&text.to_string());
        let exported = |key: &str| package.exported(key, COMMON);
        assert_eq!(
            exported("./ab"),
            paths(&[&format!("./{}", "ab".repeat(1000))])
        );
        assert_eq!(exported("./abcde"), paths(&[]));
        assert_eq!(exported(&format!("./old/{}", "x".repeat(5000))), paths(&[]));
    }

    #[test]
    fn exports_may_be_absent() {
        let package = package(&json!({"main": "b.js"}).to_string());
        assert_eq!(package.exported(".", COMMON), Offered::Everything);
        assert_eq!(package.mains(COMMON), ["b.js"]);
        assert_eq!(package.name, None);
    }

    proptest::proptest! {
        #[test]
        fn any_value_of_exports_is_accepted(keys in proptest::collection::vec("[.#*a-z/]{0,6}", 0..5), key in "[.#a-z/]{0,8}") {
            let map: serde_json::Map<String, Value> = keys.iter().map(|key| (key.clone(), json!("./x/*"))).collect();
            let package = package(&json!({"exports": map, "imports": map}).to_string());
            let _ = (package.exported(&key, COMMON), package.imported(&key, COMMON));
        }
    }
}
