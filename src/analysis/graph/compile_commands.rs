//! compile_commands.json: the folders that a build looks for includes in.
//!
//! What it says is about another machine as often as not: its folders are matched with those of the tree by the files
//! that it compiles.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Manifest;
use super::files::{Files, ancestors, join, name, parent};
use super::jsonc::{self, Json};

/// Where builds write it, below the folder that they build.
const BUILDS: [&str; 4] = ["build", "out", "builddir", "cmake-build-debug"];
const NAME: &str = "compile_commands.json";
/// Commands of one database; Linux has 3,000 of its own in a usual configuration, Chromium 60,000.
const COMMANDS: usize = 100_000;
/// Folders of one command.
const FOLDERS: usize = 1_000;

#[derive(Default)]
pub(super) struct CompileCommands {
    /// By file, the number of its folders in `orders`.
    of_file: HashMap<u32, usize>,
    /// Folders in the order in which they are looked at, each once.
    orders: Vec<Vec<String>>,
    /// All folders of all commands, for headers: which command reads them is not written.
    all: BTreeSet<String>,
}

/// Places of the database that a walk does not enter.
pub(super) fn usual_places(manifests: &[Manifest]) -> Vec<String> {
    let folders = manifests.iter().map(|manifest| parent(&manifest.path));
    let folders: BTreeSet<&str> = folders.chain([""]).filter(|it| !it.contains('/')).collect();
    let place = |folder: &str| BUILDS.map(|build| join(folder, &format!("{build}/{NAME}")));
    folders.into_iter().flat_map(place).flatten().collect()
}

impl CompileCommands {
    pub(super) fn new(files: &Files<'_>) -> Self {
        let mut found = Self::default();
        let mut known: HashMap<Vec<String>, usize> = HashMap::new();
        let folders: HashSet<&str> = (files.folders())
            .flat_map(|(folder, _)| ancestors(folder))
            .collect();
        for (folder, _, text) in files.manifests_named(|name| name == NAME) {
            let Some(Json::List(commands)) = jsonc::parse(text) else {
                continue;
            };
            for command in commands.iter().take(COMMANDS) {
                let text = |key: &str| command.get(key).and_then(Json::text);
                let (Some(file), Some(directory)) = (text("file"), text("directory")) else {
                    continue;
                };
                let absolute = absolute(directory, file);
                let Some((file, top)) = in_tree(files, folder, &absolute) else {
                    continue;
                };
                let words = match command.get("arguments").and_then(Json::list) {
                    Some(words) => words
                        .iter()
                        .filter_map(Json::text)
                        .map(str::to_owned)
                        .collect(),
                    None => words(text("command").unwrap_or_default()),
                };
                let order: Vec<String> = include_folders(&words)
                    .into_iter()
                    .take(FOLDERS)
                    .filter_map(|path| below(&top, &self::absolute(directory, &path)))
                    .filter(|path| path.is_empty() || folders.contains(path.as_str()))
                    .collect();
                found.all.extend(order.iter().cloned());
                let next = found.orders.len();
                let number = *known.entry(order.clone()).or_insert(next);
                if number == next {
                    found.orders.push(order);
                }
                found.of_file.insert(file, number);
            }
        }
        found
    }

    /// The folders of the command that compiles the file.
    pub(super) fn of(&self, file: u32) -> Option<&[String]> {
        let number = self.of_file.get(&file)?;
        Some(&self.orders[*number])
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(String::as_str)
    }
}

/// Normalised, with `/` in front of it.
fn absolute(directory: &str, path: &str) -> String {
    let path = path.replace('\\', "/");
    let is_absolute = path.starts_with('/') || path.as_bytes().get(1) == Some(&b':');
    let from = match is_absolute {
        true => "",
        false => directory,
    };
    let mut parts: Vec<&str> = vec![];
    for part in from.split(['/', '\\']).chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The file of the tree that an absolute path means, and what its top is called there: by the longest end that is a
/// path of the tree. It lies below the database, or below the folder that holds the build's.
fn in_tree(files: &Files<'_>, database: &str, absolute: &str) -> Option<(u32, String)> {
    let above = match BUILDS.contains(&name(database)) {
        true => parent(database),
        false => database,
    };
    let ends = absolute.match_indices('/').map(|(at, _)| at);
    ends.into_iter().find_map(|at| {
        let end = &absolute[at + 1..];
        let path = join(above, end)?;
        let file = files.at(&path)?;
        let top = &absolute[..at];
        // What the top of the tree is called: without the database's own place.
        let top = match above.is_empty() {
            true => top,
            false => top.strip_suffix(&format!("/{above}")).unwrap_or(top),
        };
        Some((file, top.to_owned()))
    })
}

fn below(top: &str, absolute: &str) -> Option<String> {
    let rest = absolute.strip_prefix(top)?;
    match rest.is_empty() || rest.starts_with('/') {
        true => Some(rest.trim_start_matches('/').to_owned()),
        false => None,
    }
}

/// Of a shell's line: quotes and backslashes as far as builds write them.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// In the order of a compiler: `-iquote`, `-I`, `-isystem`, `-idirafter`.
fn include_folders(words: &[String]) -> Vec<String> {
    const FLAGS: [(&str, usize); 7] = [
        ("-iquote", 0),
        ("-I", 1),
        ("/I", 1),
        ("--include-directory=", 1),
        ("-isystem", 2),
        ("-imsvc", 2),
        ("-idirafter", 3),
    ];
    let mut found: [Vec<String>; 4] = Default::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = FLAGS
            .iter()
            .find_map(|(flag, rank)| Some((word.strip_prefix(flag)?, *rank)));
        let Some((rest, rank)) = flag else { continue };
        let path = match rest {
            "" => words.next().map(String::as_str),
            rest => Some(rest),
        };
        found[rank].extend(path.map(str::to_owned));
    }
    let mut folders: Vec<String> = vec![];
    for folder in found.into_iter().flatten() {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_a_shell_reads_it() {
        let line = "cc -Ia/b -I 'c d' \"-isystem/usr/x y\" -iquote q -DX=\\\"y\\\" -Ia/b -c x.c";
        assert_eq!(
            include_folders(&words(line)),
            ["q", "a/b", "c d", "/usr/x y"]
        );
        assert!(words(line).contains(&"-DX=\"y\"".to_owned()));
        assert!(words("").is_empty());
    }

    #[test]
    fn paths_are_seen_from_the_folder_of_the_command() {
        assert_eq!(absolute("/w/build", "../src/a.c"), "/w/src/a.c");
        assert_eq!(absolute("/w", "/x/a.c"), "/x/a.c");
        assert_eq!(below("/w", "/w/a/b").as_deref(), Some("a/b"));
        assert_eq!(below("/w", "/wx").as_deref(), None);
        assert_eq!(below("/w", "/w").as_deref(), Some(""));
    }
}
