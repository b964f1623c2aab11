//! Where git keeps what it ignores beside `.gitignore`: the repository of a working tree, and the user's own file.
//! Nothing of it is code, and nothing but rules is read.

use std::path::{Path, PathBuf};

use super::open;

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

    /// The folder that holds `info` and `config` for a working tree: `.git`, or where a `.git` file leads, which for
    /// a linked worktree leads on to the repository.
    pub(super) fn repository(&self, top: &Path) -> PathBuf {
        let plain = top.join(".git");
        let Some(text) = text(&plain) else {
            return plain;
        };
        let Some(led) = text.trim().strip_prefix("gitdir:") else {
            return plain;
        };
        let led = top.join(led.trim());
        match self::text(&led.join("commondir")) {
            Some(common) => led.join(common.trim()),
            None => led,
        }
    }

    /// `core.excludesFile`: the repository's setting, the user's, the machine's, or where git looks without any.
    pub(super) fn excludes_file(&self, repository: &Path) -> Option<PathBuf> {
        let config_home = (self.config_home.clone())
            .or_else(|| self.home.as_ref().map(|home| home.join(".config")));
        let of_user = self.home.as_ref().map(|home| home.join(".gitconfig"));
        let of_xdg = config_home.as_ref().map(|at| at.join("git/config"));
        let configs = [
            Some(repository.join("config")),
            of_user,
            of_xdg,
            self.system.clone(),
        ];
        let set = configs
            .into_iter()
            .flatten()
            .find_map(|config| setting(&text(&config)?));
        match set {
            // Set to nothing: there is none.
            Some(path) if path.is_empty() => None,
            Some(path) => match path.strip_prefix("~/") {
                Some(below) => self.home.as_ref().map(|home| home.join(below)),
                None => Some(repository.parent().unwrap_or(repository).join(path)),
            },
            None => config_home.map(|at| at.join("git/ignore")),
        }
    }
}

/// Of a small file; `None` where it is none.
fn text(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let mut bytes = Vec::new();
    open::read_file(&real, MAX_CONFIG_BYTES, &mut bytes, &|| false).ok()?;
    String::from_utf8(bytes).ok()
}

/// The last `excludesFile` of a `[core]` section.
fn setting(config: &str) -> Option<String> {
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
        if key.trim().eq_ignore_ascii_case("excludesfile") {
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
    use super::setting;

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
            assert_eq!(setting(text).as_deref(), expected, "{text:?}");
        }
    }
}
