//! The scopes around a function, and its qualified name.

use crate::analysis::language::rules::Scope;

/// Scopes in a qualified name. Deeper ones are left out, so that ten thousand nested closures do not repeat ten
/// thousand names each.
const SEGMENTS: usize = 24;

/// The scopes around the current node, outermost first.
pub(super) struct Scopes {
    separator: &'static str,
    open: Vec<Open>,
}

struct Open {
    /// The qualified name, without a separator at the end.
    path: String,
    segments: usize,
    is_type: bool,
}

impl Scopes {
    pub(super) fn new(separator: &'static str) -> Self {
        Self {
            separator,
            open: Vec::new(),
        }
    }

    /// Whether the nearest scope is a type.
    pub(super) fn in_type(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_type)
    }

    pub(super) fn enter(&mut self, scope: &Scope<'_>, line: usize) {
        let (name, is_type) = match scope {
            Scope::Type(name) => ((*name).to_owned(), true),
            Scope::AnonymousType => (anonymous(line), true),
            Scope::Module(name) | Scope::Value(name) => ((*name).to_owned(), false),
        };
        self.push(&name, is_type);
    }

    /// Enters a function, and returns its qualified name.
    pub(super) fn enter_function(
        &mut self,
        name: Option<&str>,
        qualifier: Option<&str>,
        line: usize,
    ) -> String {
        let shown = name.map_or_else(|| anonymous(line), str::to_owned);
        let local = match qualifier {
            Some(qualifier) => format!("{qualifier}{}{shown}", self.separator),
            None => shown,
        };
        let qualified = self.qualified(&local);
        self.push(&local, false);
        qualified
    }

    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    fn push(&mut self, name: &str, is_type: bool) {
        let segments = self.open.last().map_or(0, |open| open.segments);
        let open = match segments {
            ..SEGMENTS => Open {
                path: self.qualified(name),
                segments: segments + 1,
                is_type,
            },
            SEGMENTS => Open {
                path: self.qualified("…"),
                segments: segments + 1,
                is_type,
            },
            _ => Open {
                path: self
                    .open
                    .last()
                    .map(|open| open.path.clone())
                    .unwrap_or_default(),
                segments,
                is_type,
            },
        };
        self.open.push(open);
    }

    fn qualified(&self, name: &str) -> String {
        match self.open.last() {
            Some(open) => format!("{}{}{name}", open.path, self.separator),
            None => name.to_owned(),
        }
    }
}

fn anonymous(line: usize) -> String {
    format!("<anonymous@{line}>")
}
