//! compile_commands.json: the folders that a build searches for includes.
//!
//! It often comes from another machine, so its folders are matched with those of the tree by the files that it
//! compiles.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::Manifest;
use super::files::{Files, MAX_PATH_BYTES, ancestors, index, join, name, parent};
use crate::analysis::Cancelled;

mod read;
use read::Command;

/// Where builds write it, below the built folder.
const BUILDS: [&str; 4] = ["build", "out", "builddir", "cmake-build-debug"];
const NAME: &str = "compile_commands.json";
/// Commands of one database; Linux has 3,000 of its own in a usual configuration, Chromium 60,000.
const COMMANDS: usize = 100_000;
/// Folders of one command.
const FOLDERS: usize = 1_000;
/// Folders of all commands that are searched for a header. Projects have some hundreds; each include of a header
/// searches all of them.
const ALL_FOLDERS: usize = 10_000;
/// Suffixes of an absolute path that are searched in the tree: no tree is deeper.
const ENDS: usize = 256;
/// Folders of all orders that are checked for the ones after a given folder.
const BEHIND: usize = 1_000_000;

#[derive(Default)]
pub(super) struct CompileCommands<'a> {
    /// Folders of the tree that a command names.
    folders: Vec<&'a str>,
    /// By file, the number of its folders in `orders`.
    of_file: HashMap<u32, usize>,
    /// Numbers of folders in search order, each order once.
    orders: Vec<Rc<[u32]>>,
    /// The limit was reached, and the rest is not read.
    cut_off: bool,
}

/// The files after one folder of an include path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behind<T> {
    /// No command names the folder.
    Unknown,
    /// The same for every command; `None`: nothing.
    Same(Option<T>),
    /// Commands differ, or there are too many: the files of some of them.
    Differs(Vec<T>),
}

/// Places of the database that a walk does not enter.
pub(super) fn usual_places(manifests: &[&Manifest]) -> Vec<String> {
    let folders = manifests.iter().map(|manifest| parent(&manifest.path));
    let folders: BTreeSet<&str> = folders.chain([""]).filter(|it| !it.contains('/')).collect();
    let place = |folder: &str| BUILDS.map(|build| join(folder, &format!("{build}/{NAME}")));
    folders.into_iter().flat_map(place).flatten().collect()
}

impl<'a> CompileCommands<'a> {
    pub(super) fn new(files: &Files<'a>, cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let mut found = Self::default();
        let databases = files.manifests_named(|name| name == NAME);
        if databases.is_empty() {
            return Ok(found);
        }
        let mut known: HashMap<Rc<[u32]>, usize> = HashMap::new();
        let tree: HashSet<&str> = (files.folders())
            .flat_map(|(folder, _)| ancestors(folder))
            .collect();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        for (database, _, text) in databases {
            let mut count = 0;
            let whole = read::each(text, &mut |command| {
                count += 1;
                if cancelled() || count > COMMANDS {
                    return false;
                }
                let Some((file, paths)) = folders_of(files, database, &command) else {
                    return true;
                };
                let mut seen = HashSet::new();
                let mut order = vec![];
                for path in paths {
                    let Some(folder) = tree.get(path.as_str()) else {
                        continue;
                    };
                    let number = *numbers.entry(folder).or_insert_with(|| {
                        found.folders.push(folder);
                        index(found.folders.len() - 1)
                    });
                    if seen.insert(number) {
                        order.push(number);
                    }
                }
                let order: Rc<[u32]> = order.into();
                let next = found.orders.len();
                let number = *known.entry(order.clone()).or_insert(next);
                if number == next {
                    found.orders.push(order);
                }
                found.of_file.insert(file, number);
                true
            });
            if cancelled() {
                return Err(Cancelled);
            }
            found.cut_off |= !whole;
        }
        Ok(found)
    }

    /// The folders of the command that compiles the file.
    pub(super) fn of(&self, file: u32) -> Option<impl Iterator<Item = &'a str>> {
        let order = &self.orders[*self.of_file.get(&file)?];
        Some(order.iter().map(|number| self.folders[*number as usize]))
    }

    /// All folders of all commands, for headers: the database does not say which command reads them. None if too many.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a str> {
        let is_whole = !self.cut_off && self.folders.len() <= ALL_FOLDERS;
        let all = is_whole.then_some(&self.folders);
        all.into_iter().flatten().copied()
    }

    /// The first file that `at` finds in the folders after this one, on the include paths that have it.
    pub(super) fn behind<T: Copy + Ord>(
        &self,
        folder: &str,
        mut at: impl FnMut(&str) -> Option<T>,
    ) -> Behind<T> {
        let number = self.folders.iter().position(|known| *known == folder);
        let Some(number) = number.map(index) else {
            return Behind::Unknown;
        };
        let mut left = BEHIND;
        let mut there: HashMap<u32, Option<T>> = HashMap::new();
        let mut found: BTreeSet<Option<T>> = BTreeSet::new();
        for order in &self.orders {
            left = left.saturating_sub(order.len());
            let Some(place) = order.iter().position(|other| *other == number) else {
                continue;
            };
            let mut behind = order[place + 1..].iter();
            found.insert(behind.find_map(|other| {
                let folder = self.folders[*other as usize];
                *there.entry(*other).or_insert_with(|| at(folder))
            }));
            if left == 0 {
                break;
            }
        }
        let is_whole = left > 0 && !self.cut_off && self.folders.len() <= ALL_FOLDERS;
        match found.len() {
            0 => Behind::Unknown,
            1 if is_whole => Behind::Same(found.into_iter().next().flatten()),
            _ => Behind::Differs(found.into_iter().flatten().collect()),
        }
    }
}

/// The file of the tree that a command compiles, and the paths of its folders within the tree.
fn folders_of(
    files: &Files<'_>,
    database: &str,
    command: &Command,
) -> Option<(u32, impl Iterator<Item = String>)> {
    let directory = command.directory.as_deref()?;
    let file = absolute(directory, command.file.as_deref()?)?;
    let (file, top) = in_tree(files, database, &file)?;
    let folders = include_folders(&command.words()).into_iter();
    let paths = folders.filter_map(move |path| below(&top, &absolute(directory, &path)?));
    Some((file, paths))
}

/// Normalises the path, with a leading `/`; `None` if it is longer than any path.
fn absolute(directory: &str, path: &str) -> Option<String> {
    if directory.len() > MAX_PATH_BYTES || path.len() > MAX_PATH_BYTES {
        return None;
    }
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
    Some(format!("/{}", parts.join("/")))
}

/// The file of the tree for an absolute path, and the path of the tree's top there: found by the longest suffix that
/// is a path of the tree. The file lies below the database, or below the folder that has the build folder.
fn in_tree(files: &Files<'_>, database: &str, absolute: &str) -> Option<(u32, String)> {
    let above = match BUILDS.contains(&name(database)) {
        true => parent(database),
        false => database,
    };
    let mut ends: Vec<usize> = memchr::memrchr_iter(b'/', absolute.as_bytes())
        .take(ENDS)
        .collect();
    ends.reverse();
    ends.into_iter().find_map(|at| {
        let end = &absolute[at + 1..];
        let file = match above.is_empty() {
            true => files.at(end)?,
            false => files.at(&format!("{above}/{end}"))?,
        };
        let top = &absolute[..at];
        // The path of the tree's top: without the position of the database in the tree.
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

/// In the order of a compiler: `-iquote`, `-I`, `-isystem`, `-idirafter`; each once.
fn include_folders(words: &[String]) -> Vec<String> {
    const FLAGS: [(&str, usize); 6] = [
        ("-iquote", 0),
        ("-I", 1),
        ("--include-directory=", 1),
        ("-isystem", 2),
        ("-imsvc", 2),
        ("-idirafter", 3),
    ];
    let for_cl: &[(&str, usize)] = match words.iter().take(PROGRAMS).any(|word| is_cl(word)) {
        true => &[("/I", 1)],
        false => &[],
    };
    let mut found: [Vec<&str>; 4] = Default::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = FLAGS
            .iter()
            .chain(for_cl)
            .find_map(|(flag, rank)| Some((word.strip_prefix(flag)?, *rank)));
        let Some((rest, rank)) = flag else { continue };
        let path = match rest {
            "" => words.next().map(String::as_str),
            rest => Some(rest),
        };
        found[rank].extend(path);
    }
    let mut seen = HashSet::new();
    let folders = found.into_iter().flatten();
    let folders = folders.filter(|folder| seen.insert(*folder)).take(FOLDERS);
    folders.map(str::to_owned).collect()
}

/// Words of a command that may name the compiler: `ccache` may be before it.
const PROGRAMS: usize = 2;

/// `cl.exe` and compilers with its options: for others, `/Include/a.c` is a path.
fn is_cl(word: &str) -> bool {
    let program = word.rsplit(['/', '\\']).next().unwrap_or_default();
    let program = program.to_ascii_lowercase();
    let program = program.strip_suffix(".exe").unwrap_or(&program);
    program == "cl" || program.ends_with("clang-cl")
}

#[cfg(test)]
mod tests {
    use super::read::words;
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
    fn only_cl_reads_a_slash_as_a_flag() {
        let folders = |line: &str| include_folders(&words(line));
        assert_eq!(folders("cc -c /Inc/a.c -Ib"), ["b"]);
        for compiler in [
            "cl",
            "C:/VS/CL.exe",
            "ccache clang-cl",
            "x86_64-clang-cl.exe",
        ] {
            assert_eq!(
                folders(&format!("{compiler} /Ia /I b -Ic x.c")),
                ["a", "b", "c"]
            );
        }
    }

    #[test]
    fn folders_are_listed_once_and_up_to_a_limit() {
        let line: String = (0..200_000)
            .map(|at| format!("-I{} ", at % 150_000))
            .collect();
        assert_eq!(include_folders(&words(&line)).len(), FOLDERS);
    }

    #[test]
    fn paths_are_relative_to_the_folder_of_the_command() {
        let absolute = |directory, path| absolute(directory, path).unwrap_or_default();
        assert_eq!(absolute("/w/build", "../src/a.c"), "/w/src/a.c");
        assert_eq!(absolute("/w", "/x/a.c"), "/x/a.c");
        assert_eq!(absolute("/w", &"/a".repeat(1 << 20)), "");
        assert_eq!(below("/w", "/w/a/b").as_deref(), Some("a/b"));
        assert_eq!(below("/w", "/wx").as_deref(), None);
        assert_eq!(below("/w", "/w").as_deref(), Some(""));
    }
}
