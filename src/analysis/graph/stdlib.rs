//! The standard modules of each language: one name per line in the files of `stdlib/`.

use std::collections::HashSet;
use std::sync::LazyLock;

type Names = LazyLock<HashSet<&'static str>>;

fn words(list: &'static str) -> HashSet<&'static str> {
    list.lines().collect()
}

/// `sys.stdlib_module_names` of Python 3.11, and modules that only type checkers know.
static PYTHON: Names = LazyLock::new(|| words(include_str!("stdlib/python.txt")));

/// Modules of later versions of Python.
const PYTHON_NEWER: &[&str] = &["annotationlib", "compression"];

/// `module.builtinModules` of Node 20 without private modules.
static NODE: Names = LazyLock::new(|| words(include_str!("stdlib/node.txt")));

/// Modules that have only the `node:` form.
const NODE_PREFIX: &str = "node:";

/// Headers of ISO C, POSIX and the common Unix C libraries.
static C: Names = LazyLock::new(|| words(include_str!("stdlib/c.txt")));

/// Packages below `javax.` that belong to the JDK; the others are libraries.
static JAVAX: Names = LazyLock::new(|| words(include_str!("stdlib/javax.txt")));

pub(super) fn is_python(module: &str) -> bool {
    PYTHON.contains(module) || PYTHON_NEWER.contains(&module)
}

/// The name of the built-in module without `node:`.
pub(super) fn node(specifier: &str) -> Option<&str> {
    if let Some(name) = specifier.strip_prefix(NODE_PREFIX) {
        return Some(name);
    }
    NODE.contains(specifier).then_some(specifier)
}

pub(super) fn is_c(header: &str) -> bool {
    C.contains(header)
}

pub(super) fn is_java(name: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "java.",
        "jdk.",
        "sun.",
        "com.sun.",
        "org.w3c.dom.",
        "org.xml.sax.",
        "org.ietf.jgss.",
        "netscape.javascript.",
    ];
    if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return true;
    }
    let Some(rest) = name.strip_prefix("javax.") else {
        return false;
    };
    JAVAX.iter().any(|package| {
        rest.strip_prefix(package)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_contain_only_names() {
        for list in [&PYTHON, &NODE, &C, &JAVAX] {
            assert!(list.len() > 20);
            assert!(
                list.iter()
                    .all(|name| !name.is_empty() && name.trim() == *name)
            );
        }
    }

    #[test]
    fn standard_modules_are_known() {
        assert!(is_python("os") && is_python("__future__") && !is_python("numpy"));
        assert_eq!(node("node:test"), Some("test"));
        assert_eq!(node("fs/promises"), Some("fs/promises"));
        assert_eq!(node("lodash"), None);
        assert!(is_c("sys/stat.h") && !is_c("zlib.h"));
        assert!(is_java("java.util.List") && is_java("javax.crypto.Cipher"));
        assert!(!is_java("javax.servlet.Filter") && !is_java("org.junit.Test"));
    }
}
