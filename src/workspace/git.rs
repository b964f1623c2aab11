//! Where git keeps what it ignores beside `.gitignore`: the repository of a working tree, and the user's own file.
//! Nothing of it is code, and nothing but rules is read.
//!
//! A repository is not trusted. Its own files may name any other as a list of rules, and which files are left out would
//! then tell what that one holds. So what a repository names or links to is read only where it lies inside the repository
//! or a root; what the user's and the machine's settings name is read wherever it lies.

use std::path::{Path, PathBuf};

use super::{Root, open};

/// What git's settings are found by. Read once for a process; a test gives its own.
#[derive(Debug, Clone, Default)]
pub struct Git {
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `/etc/gitconfig`.
    pub system: Option<PathBuf>,
}

/// A configuration is written by people; a larger one is not read.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

impl Git {
    pub fn of_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            home: variable("HOME").map(PathBuf::from),
            config_home: variable("XDG_CONFIG_HOME").map(PathBuf::from),
            system: Some(PathBuf::from("/etc/gitconfig")),
        }
    }

    /// Where git keeps the user's settings without `$HOME/.gitconfig`.
    fn config_home(&self) -> Option<PathBuf> {
        let usual = || self.home.as_ref().map(|home| home.join(".config"));
        Some(self.config_home.clone().or_else(usual)?.join("git"))
    }

    /// `core.excludesFile` of the user or the machine, as it is written.
    fn set_by_user(&self) -> Option<String> {
        let configs = [
            self.home.as_ref().map(|home| home.join(".gitconfig")),
            self.config_home().map(|at| at.join("config")),
            self.system.clone(),
        ];
        let mut configs = configs.into_iter().flatten();
        configs.find_map(|config| setting(&text(&config)?, EXCLUDES_FILE))
    }
}

const EXCLUDES_FILE: &str = "excludesfile";

/// What says which files git ignores, and what may be read of it.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) git: &'a Git,
    pub(super) roots: &'a [Root],
}

impl Sources<'_> {
    /// The folder that holds `info` and `config` for a working tree: `.git`, or where a `.git` file leads, which for
    /// a linked worktree leads on to the repository. Canonical. `None` where the repository does not know the tree.
    pub(super) fn repository(&self, top: &Path) -> Option<PathBuf> {
        let top = top.canonicalize().ok()?;
        let plain = top.join(".git");
        let real = plain.canonicalize().ok()?;
        if real != plain && !self.is_inside(&real) {
            return None;
        }
        if real.is_dir() {
            return Some(real);
        }
        let text = text(&real)?;
        let led = top.join(text.trim().strip_prefix("gitdir:")?.trim());
        let led = led.canonicalize().ok()?;
        if !self.is_inside(&led) && !knows(&led, &top) {
            return None;
        }
        match self::text(&led.join("commondir")) {
            // The part for a worktree lies in the repository.
            Some(common) => (led.join(common.trim()).canonicalize().ok())
                .filter(|common| led.starts_with(common)),
            None => Some(led),
        }
    }

    /// `info/exclude` of a repository.
    pub(super) fn excluded(&self, repository: &Path) -> Option<PathBuf> {
        let real = repository.join("info/exclude").canonicalize().ok()?;
        (real.starts_with(repository) || self.is_inside(&real)).then_some(real)
    }

    /// `core.excludesFile`: the repository's setting where that file lies inside a root, else the user's or the machine's,
    /// or where git looks without any.
    pub(super) fn excludes_file(&self, repository: &Path) -> Option<PathBuf> {
        let config = repository.join("config").canonicalize().ok();
        let config = config.filter(|it| it.starts_with(repository) || self.is_inside(it));
        if let Some(set) = config.and_then(|config| setting(&text(&config)?, EXCLUDES_FILE)) {
            // Set to nothing: there is none.
            if set.is_empty() {
                return None;
            }
            let named = self.named(repository, &set);
            if let Some(inside) = named.filter(|path| self.is_inside(path)) {
                return Some(inside);
            }
        }
        match self.git.set_by_user() {
            Some(set) if set.is_empty() => None,
            Some(set) => {
                let is_free = set.starts_with(['~', '/']);
                let named = self.named(repository, &set);
                // What lies in the working tree is the repository's word again.
                named.filter(|path| is_free || self.is_inside(path))
            }
            None => self.git.config_home().map(|at| at.join("ignore")),
        }
    }

    /// A file that a setting names, canonical.
    fn named(&self, repository: &Path, path: &str) -> Option<PathBuf> {
        let named = match path.strip_prefix("~/") {
            Some(below) => self.git.home.as_ref()?.join(below),
            None => repository.parent().unwrap_or(repository).join(path),
        };
        named.canonicalize().ok()
    }

    fn is_inside(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(&root.path))
    }
}

/// Whether what a `.git` file leads to says that the working tree is its own: a linked worktree in `gitdir`, a submodule
/// in `core.worktree`.
fn knows(repository: &Path, top: &Path) -> bool {
    let is = |named: PathBuf, expected: &Path| {
        named.canonicalize().is_ok_and(|named| named == *expected)
    };
    let linked = text(&repository.join("gitdir")).map(|path| repository.join(path.trim()));
    let config = text(&repository.join("config"));
    let worktree = config.and_then(|config| setting(&config, "worktree"));
    linked.is_some_and(|linked| is(linked, &top.join(".git")))
        || worktree.is_some_and(|path| is(repository.join(path), top))
}

/// Of a small file; `None` where it is none.
fn text(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let mut bytes = Vec::new();
    open::read_file(&real, MAX_CONFIG_BYTES, &mut bytes, &|| false).ok()?;
    String::from_utf8(bytes).ok()
}

/// The last of that name, in lower case, of a `[core]` section.
fn setting(config: &str, name: &str) -> Option<String> {
    let mut is_core = false;
    let mut found = None;
    for line in config.lines() {
        let line = line.trim();
        let line = match line.strip_prefix('[') {
            Some(section) => {
                let (section, rest) = section.split_once(']').unwrap_or((section, ""));
                is_core = section.trim().eq_ignore_ascii_case("core");
                rest.trim()
            }
            None => line,
        };
        let Some((key, value)) = line.split_once('=').filter(|_| is_core) else {
            continue;
        };
        if key.trim().eq_ignore_ascii_case(name) {
            found = Some(value_of(value));
        }
    }
    found
}

/// Without quotes and what a comment says.
fn value_of(value: &str) -> String {
    let mut read = String::new();
    let mut quoted = false;
    let mut letters = value.trim().chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' => read.extend(letters.next()),
            '#' | ';' if !quoted => break,
            letter => read.push(letter),
        }
    }
    read.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_as_git_reads_it() {
        for (text, expected) in [
            ("[core]\n\texcludesFile = ~/.x\n", Some("~/.x")),
            ("[CORE]\nexcludesfile=\"/a b\" # c\n", Some("/a b")),
            (
                "[core]\nexcludesfile = a\n[core] excludesFile = b ; c\n",
                Some("b"),
            ),
            ("[core \"x\"]\nexcludesfile = a\n", None),
            ("[other]\nexcludesfile = a\n[core]\neditor = vi\n", None),
            ("[core]\nexcludesfile =\n", Some("")),
        ] {
            assert_eq!(
                setting(text, EXCLUDES_FILE).as_deref(),
                expected,
                "{text:?}"
            );
        }
    }
}
