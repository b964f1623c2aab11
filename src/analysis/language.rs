//! The language of a path, and the table of grammars.
//!
//! The meaning of a language's nodes for the metrics is a row in a file below this one (`rules` defines the fields of a
//! row).

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

use self::rules::{Kinds, Rules};

pub(in crate::analysis) mod c;
mod go;
mod java;
pub(in crate::analysis) mod javascript;
pub(in crate::analysis) mod python;
pub(super) mod rules;
mod rust;
mod typescript;

/// The languages that are analysed. A new one is one variant, one row in [`Language::facts`], one file in `language/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Language {
    C,
    Go,
    Java,
    JavaScript,
    Python,
    Rust,
    TypeScript,
    Tsx,
}

/// The name of a language and the extensions of its files.
pub struct Facts {
    /// The name in arguments and answers.
    pub name: &'static str,
    /// Without the dot, lower case.
    pub extensions: &'static [&'static str],
    pub grammar: tree_sitter_language_fn,
    rules: &'static Rules,
}

#[allow(non_camel_case_types)]
type tree_sitter_language_fn = fn() -> tree_sitter::Language;

impl Language {
    pub const ALL: [Self; 8] = [
        Self::C,
        Self::Go,
        Self::Java,
        Self::JavaScript,
        Self::Python,
        Self::Rust,
        Self::TypeScript,
        Self::Tsx,
    ];

    pub fn facts(self) -> Facts {
        let facts = |name, extensions, grammar, rules| Facts {
            name,
            extensions,
            grammar,
            rules,
        };
        match self {
            Self::C => facts(
                "c",
                &["c", "h"],
                || tree_sitter_c::LANGUAGE.into(),
                &c::RULES,
            ),
            Self::Go => facts(
                "go",
                &["go"],
                || tree_sitter_go::LANGUAGE.into(),
                &go::RULES,
            ),
            Self::Java => facts(
                "java",
                &["java"],
                || tree_sitter_java::LANGUAGE.into(),
                &java::RULES,
            ),
            Self::JavaScript => facts(
                "javascript",
                &["js", "mjs", "cjs", "jsx"],
                || tree_sitter_javascript::LANGUAGE.into(),
                &javascript::RULES,
            ),
            Self::Python => facts(
                "python",
                &["py", "pyi"],
                || tree_sitter_python::LANGUAGE.into(),
                &python::RULES,
            ),
            Self::Rust => facts(
                "rust",
                &["rs"],
                || tree_sitter_rust::LANGUAGE.into(),
                &rust::RULES,
            ),
            Self::TypeScript => facts(
                "typescript",
                &["ts", "mts", "cts"],
                || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
                &typescript::RULES,
            ),
            Self::Tsx => facts(
                "tsx",
                &["tsx"],
                || tree_sitter_typescript::LANGUAGE_TSX.into(),
                &typescript::RULES,
            ),
        }
    }

    /// The rules of the language, resolved once against its grammar.
    pub(super) fn kinds(self) -> &'static Kinds {
        static KINDS: [OnceLock<Kinds>; Language::ALL.len()] =
            [const { OnceLock::new() }; Language::ALL.len()];
        KINDS[self as usize].get_or_init(|| {
            let facts = self.facts();
            Kinds::new(&(facts.grammar)(), facts.rules)
        })
    }

    pub fn name(self) -> &'static str {
        self.facts().name
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.name() == name)
    }

    /// Decides by the extension of the path alone.
    pub fn of_path(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        let (_, extension) = file.rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|language| language.facts().extensions.contains(&extension.as_str()))
    }
}
