//! Every source file belongs to a module: otherwise it is never compiled, and its tests never run.

use std::collections::{BTreeMap, BTreeSet};

/// Files that are the root of a crate.
const ROOTS: [&str; 2] = ["lib", "main"];

/// The files that no other file declares as a module. Paths are relative to the repository.
pub(super) fn orphans(files: &BTreeMap<String, String>) -> Vec<&str> {
    let named: BTreeSet<String> = files
        .iter()
        .flat_map(|(path, text)| text.lines().filter_map(|line| names(path, line.trim())))
        .collect();
    let all = files.keys().map(String::as_str);
    all.filter(|path| !is_root(path) && !named.contains(*path))
        .collect()
}

/// The file of a module that this line declares.
fn names(path: &str, line: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/')?;
    if let Some(beside) = line.strip_prefix("#[path = \"") {
        return Some(format!("{folder}/{}", beside.strip_suffix("\"]")?));
    }
    let module = line.strip_suffix(';')?.rsplit_once("mod ")?.1;
    Some(match is_root(path) {
        true => format!("{folder}/{module}.rs"),
        false => format!("{folder}/{}/{module}.rs", name.strip_suffix(".rs")?),
    })
}

fn is_root(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else {
        return true;
    };
    !folder.contains('/') && ROOTS.iter().any(|root| name == format!("{root}.rs"))
}
