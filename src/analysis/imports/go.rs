//! Go: import specs with the names that the file uses from each package, the package clause, capitalised names.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Context, Rules, children, line, unquoted};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Package,
    Import,
    Selector,
    Qualified,
    Named,
    Method,
    Specs,
    Comment,
}

const LIST: &[(&str, Act)] = &[
    ("package_clause", Act::Package),
    ("import_spec", Act::Import),
    ("selector_expression", Act::Selector),
    ("qualified_type", Act::Qualified),
    ("function_declaration", Act::Named),
    ("type_spec", Act::Named),
    ("type_alias", Act::Named),
    ("method_declaration", Act::Method),
    ("const_spec", Act::Specs),
    ("var_spec", Act::Specs),
    ("comment", Act::Comment),
];

/// Deeper declarations are local: file, declaration, list of specs, spec.
const TOP_LEVEL_DEPTH: u32 = 3;

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Go, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct Go {
    /// The name of each import in this file, in the order of the imports.
    names: Vec<String>,
    used: Vec<BTreeSet<String>>,
    /// The import of the last selector: selectors on one package often follow each other.
    last: usize,
    has_constraint: bool,
    after_package: bool,
}

impl Rules for Go {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Package => {
                self.after_package = true;
                let name = children(&visit.node).find(|node| node.kind() == "package_identifier");
                cx.found.package = name.map(|name| cx.text(&name).to_owned());
            }
            Act::Import => self.import(cx, visit),
            Act::Selector => self.selector(cx, visit),
            Act::Qualified => self.qualified(cx, visit),
            Act::Named => export(cx, visit),
            Act::Method => {}
            Act::Specs => exports(cx, visit),
            Act::Comment if !self.after_package => {
                let text = cx.text(&visit.node);
                self.has_constraint |=
                    text.starts_with("//go:build") || text.starts_with("// +build");
            }
            Act::Comment => {}
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        for (import, used) in cx.found.imports.iter_mut().zip(&mut self.used) {
            import.used = std::mem::take(used).into_iter().collect();
        }
    }
}

impl Go {
    fn import(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(path) = visit.node.child_by_field_name("path") else {
            return;
        };
        let path = unquoted(cx.text(&path));
        let mut import = cx.import(ImportKind::Import, path, line(&visit.node));
        // A build constraint decides whether the file is compiled.
        import.conditional = self.has_constraint;
        let name = visit.node.child_by_field_name("name");
        if let Some(name) = name {
            import.names.push(cx.text(&name).to_owned());
        }
        self.names.push(match name {
            Some(name) => cx.text(&name).to_owned(),
            None => default_name(path).to_owned(),
        });
        self.used.push(BTreeSet::new());
        cx.add(import);
    }

    fn selector(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        // `operand . field`: three children without comments, and the operand is a plain name.
        let Some(operand) = visit.node.child(0) else {
            return;
        };
        if operand.kind_id() == visit.kind || operand.kind() != "identifier" {
            return;
        }
        if let Some(import) = self.named(cx.text(&operand))
            && let Some(field) = visit.node.child_by_field_name("field")
        {
            self.take(import, cx.text(&field));
        }
    }

    fn qualified(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        let package = visit.node.child_by_field_name("package");
        let name = visit.node.child_by_field_name("name");
        if let (Some(package), Some(name)) = (package, name)
            && let Some(import) = self.named(cx.text(&package))
        {
            self.take(import, cx.text(&name));
        }
    }

    fn named(&mut self, name: &str) -> Option<usize> {
        if self.names.get(self.last).is_some_and(|last| last == name) {
            return Some(self.last);
        }
        let at = self.names.iter().position(|known| known == name)?;
        self.last = at;
        Some(at)
    }

    fn take(&mut self, import: usize, name: &str) {
        let used = &mut self.used[import];
        if !used.contains(name) {
            used.insert(name.to_owned());
        }
    }
}

/// The name of a package whose clause is unknown: the last part of its path that is not a version.
fn default_name(path: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    let last = if is_version(last) {
        parts.next().unwrap_or(last)
    } else {
        last
    };
    let last = last.split_once(".v").map_or(last, |(name, _)| name);
    last.strip_prefix("go-").unwrap_or(last)
}

fn export(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if visit.depth > TOP_LEVEL_DEPTH {
        return;
    }
    if let Some(name) = visit.node.child_by_field_name("name") {
        offer(cx, &name);
    }
}

fn exports(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if visit.depth > TOP_LEVEL_DEPTH {
        return;
    }
    for name in children(&visit.node).take_while(|child| child.kind() == "identifier") {
        offer(cx, &name);
    }
}

fn offer(cx: &mut Context<'_>, name: &tree_sitter::Node<'_>) {
    let text = cx.text(name);
    if text.chars().next().is_some_and(char::is_uppercase) {
        cx.export(text, line(name), None);
    }
}
