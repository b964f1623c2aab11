//! Java: the package clause, imports (single, static, on demand), public types.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Context, MODULE, Rules, children, line};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Package,
    Import,
    Requires,
    Offers,
    Type,
    Name,
}

const LIST: &[(&str, Act)] = &[
    ("package_declaration", Act::Package),
    ("import_declaration", Act::Import),
    ("requires_module_directive", Act::Requires),
    ("exports_module_directive", Act::Offers),
    ("opens_module_directive", Act::Offers),
    ("provides_module_directive", Act::Offers),
    ("class_declaration", Act::Type),
    ("interface_declaration", Act::Type),
    ("enum_declaration", Act::Type),
    ("record_declaration", Act::Type),
    ("annotation_type_declaration", Act::Type),
    ("identifier", Act::Name),
    ("type_identifier", Act::Name),
];

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Java, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct Java {
    /// After an import of a whole package, the names in the file tell which of its classes are used.
    has_wildcard: bool,
    said: BTreeSet<String>,
    /// The exports of module directives: packages and services.
    offered: BTreeSet<String>,
}

impl Rules for Java {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Package => {
                let name = children(&visit.node)
                    .find(|node| matches!(node.kind(), "identifier" | "scoped_identifier"));
                cx.found.package = name.map(|name| without_space(cx.text(&name)));
            }
            Act::Import => self.import(cx, visit),
            Act::Requires => requires(cx, visit),
            Act::Offers => {
                // A package that is exported may be opened, too.
                let name = first_name(cx, visit);
                if let Some(name) = name.filter(|name| self.offered.insert(name.clone())) {
                    cx.export(name, line(&visit.node), None);
                }
            }
            Act::Type => export(cx, visit),
            Act::Name if self.has_wildcard => self.name(cx, visit),
            Act::Name => {}
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        let is_wildcard = |names: &[String]| names.first().is_some_and(|name| name == "*");
        for import in &mut cx.found.imports {
            if is_wildcard(&import.names) {
                import.used = self.said.iter().cloned().collect();
            }
        }
    }
}

impl Java {
    fn import(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let mut path = None;
        let mut wildcard = false;
        for child in children(&visit.node) {
            match child.kind() {
                "identifier" | "scoped_identifier" => path = Some(child),
                "asterisk" => wildcard = true,
                _ => {}
            }
        }
        // `import module java.base;`, which the grammar parses as a broken import.
        let words: Vec<&str> = cx.text(&visit.node).split_whitespace().collect();
        if let ["import", "module", name] = words.as_slice() {
            let mut import = cx.import(
                ImportKind::Import,
                name.trim_end_matches(';'),
                line(&visit.node),
            );
            import.names.push(MODULE.to_owned());
            return cx.add(import);
        }
        let Some(path) = path else { return };
        let is_static = visit
            .node
            .child(1)
            .is_some_and(|child| child.kind() == "static");
        let kind = if is_static {
            ImportKind::Static
        } else {
            ImportKind::Import
        };
        let path = without_space(cx.text(&path));
        let last = path.rsplit('.').next().unwrap_or_default().to_owned();
        let mut import = cx.import(kind, path, line(&visit.node));
        import
            .names
            .push(if wildcard { "*".to_owned() } else { last });
        self.has_wildcard |= wildcard;
        cx.add(import);
    }

    fn name(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        let text = cx.text(&visit.node);
        if text.starts_with(|first: char| first.is_uppercase()) && !self.said.contains(text) {
            self.said.insert(text.to_owned());
        }
    }
}

/// `requires a.b` of a module counts as `import module a.b` in all of its files.
fn requires(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(name) = first_name(cx, visit) else {
        return;
    };
    let last = name.rsplit('.').next().unwrap_or_default().to_owned();
    let mut import = cx.import(ImportKind::Import, name, line(&visit.node));
    import.names.push(last);
    cx.add(import);
}

fn first_name(cx: &Context<'_>, visit: &Visit<'_>) -> Option<String> {
    children(&visit.node)
        .find(|node| matches!(node.kind(), "identifier" | "scoped_identifier"))
        .map(|name| without_space(cx.text(&name)))
}

fn export(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if visit.depth != 1 {
        return;
    }
    let is_public = visit
        .node
        .child(0)
        .filter(|child| child.kind() == "modifiers")
        .is_some_and(|child| {
            cx.text(&child)
                .split_whitespace()
                .any(|word| word == "public")
        });
    if is_public && let Some(name) = visit.node.child_by_field_name("name") {
        cx.export(cx.text(&name), line(&name), None);
    }
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
