//! Rust: `use`, `mod x;`, `extern crate`, `include!`, public items; also inside macros that contain items.

use std::sync::LazyLock;

use super::rust_tokens::{self, Leaf, ModulePath};
use super::{Context, Rules, children, line, unquoted};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{Import, ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Use,
    Mod,
    ExternCrate,
    Attribute,
    Macro,
    Function,
    Item,
}

const LIST: &[(&str, Act)] = &[
    ("use_declaration", Act::Use),
    ("mod_item", Act::Mod),
    ("extern_crate_declaration", Act::ExternCrate),
    ("attribute_item", Act::Attribute),
    ("macro_invocation", Act::Macro),
    ("function_item", Act::Function),
    ("closure_expression", Act::Function),
    ("struct_item", Act::Item),
    ("enum_item", Act::Item),
    ("union_item", Act::Item),
    ("trait_item", Act::Item),
    ("type_item", Act::Item),
    ("const_item", Act::Item),
    ("static_item", Act::Item),
    ("macro_definition", Act::Item),
];

/// Longest path of inline modules that is kept; deeper ones count as their parent. Bounds memory if thousands nest.
const SCOPE_LIMIT: usize = 1024;

pub(super) fn kinds() -> &'static Kinds {
    static KINDS: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Rust, LIST));
    &KINDS
}

#[derive(Default)]
pub(super) struct Rust {
    /// Inline modules around the current node, joined with `::`.
    scope: String,
    /// Depth of each, and the length of `scope` without it.
    open: Vec<(u32, usize)>,
    attributes: Attributes,
}

/// The attributes directly before the next item.
#[derive(Default)]
struct Attributes {
    end: usize,
    /// The paths of `#[path = "…"]` and `#[cfg_attr(…, path = "…")]`.
    paths: Vec<ModulePath>,
    has_cfg: bool,
}

impl Rules for Rust {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Use => self.r#use(cx, visit),
            Act::Mod => self.module(cx, visit),
            Act::ExternCrate => self.extern_crate(cx, visit),
            Act::Attribute => self.attributes.note(cx, visit),
            Act::Macro => self.macro_call(cx, visit),
            Act::Function => {
                offer(cx, visit);
                cx.conditional(visit);
            }
            Act::Item => offer(cx, visit),
        }
    }

    fn leave(&mut self, _cx: &mut Context<'_>, visit: &Visit<'_>, _row: usize) {
        if let Some((depth, length)) = self.open.last()
            && *depth == visit.depth
        {
            self.scope.truncate(*length);
            self.open.pop();
        }
    }
}

impl Rust {
    fn r#use(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let attributes = self.attributes.take(cx, visit);
        let Some(argument) = visit.node.child_by_field_name("argument") else {
            return;
        };
        let is_public = is_public(visit);
        let mut leaves = vec![];
        rust_tokens::leaves(cx.text(&argument), &mut leaves);
        let first = line(&argument);
        for leaf in leaves {
            let at = first.saturating_add(leaf.line);
            if is_public && visit.depth == 1 {
                cx.export(leaf.name.clone(), at, Some(&leaf.path));
            }
            let import = self.use_import(cx, leaf, is_public, at);
            cx.add(Import {
                conditional: import.conditional || attributes.has_cfg,
                ..import
            });
        }
    }

    fn use_import(&self, cx: &Context<'_>, leaf: Leaf, is_public: bool, at: u32) -> Import {
        let kind = if is_public {
            ImportKind::Reexport
        } else {
            ImportKind::Import
        };
        let mut import = cx.import(kind, leaf.path, at);
        import.names.push(leaf.name);
        import.scope.clone_from(&self.scope);
        import
    }

    fn module(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let attributes = self.attributes.take(cx, visit);
        offer(cx, visit);
        let Some(name) = visit.node.child_by_field_name("name") else {
            return;
        };
        let name = rust_tokens::plain(cx.text(&name));
        if visit.node.child_by_field_name("body").is_some() {
            if attributes.has_cfg {
                cx.conditional(visit);
            }
            return self.enter_scope(visit.depth, name);
        }
        let at = line(&visit.node);
        let import = self.declared(cx, name, attributes.paths, at);
        cx.add(Import {
            conditional: import.conditional || attributes.has_cfg,
            ..import
        });
    }

    /// `specifier` is the unconditional `#[path]`, else the name; `names` has the name, then every path.
    fn declared(&self, cx: &Context<'_>, name: &str, paths: Vec<ModulePath>, at: u32) -> Import {
        let fixed = paths.iter().find(|path| !path.is_conditional);
        let specifier = fixed.map_or(name, |fixed| fixed.path.as_str());
        let mut import = cx.import(ImportKind::Module, specifier, at);
        import.names.push(name.to_owned());
        import.names.extend(paths.into_iter().map(|path| path.path));
        import.scope.clone_from(&self.scope);
        import
    }

    fn enter_scope(&mut self, depth: u32, name: &str) {
        self.open.push((depth, self.scope.len()));
        if self.scope.len() + name.len() > SCOPE_LIMIT {
            return;
        }
        if !self.scope.is_empty() {
            self.scope.push_str("::");
        }
        self.scope.push_str(name);
    }

    fn extern_crate(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(name) = visit.node.child_by_field_name("name") else {
            return;
        };
        let name = rust_tokens::plain(cx.text(&name));
        let mut import = cx.import(ImportKind::ExternCrate, name, line(&visit.node));
        let alias = visit.node.child_by_field_name("alias");
        let alias = alias.map(|alias| rust_tokens::plain(cx.text(&alias)).to_owned());
        import.names.push(alias.unwrap_or_else(|| name.to_owned()));
        import.scope.clone_from(&self.scope);
        cx.add(import);
    }

    fn macro_call(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(name) = visit.node.child_by_field_name("macro") else {
            return;
        };
        if cx.text(&name) == "include" {
            return include(cx, visit);
        }
        if cx.conditional_at.is_some() {
            return;
        }
        // `cfg_if! { … mod unix; … }`: the tokens of a macro outside functions are usually items.
        let Some(tokens) = children(&visit.node).find(|child| child.kind() == "token_tree") else {
            return;
        };
        let first = line(&tokens);
        for item in rust_tokens::items(cx.text(&tokens)) {
            let depth = self.open.len();
            let length = self.scope.len();
            for module in &item.scope {
                self.enter_scope(visit.depth, module);
            }
            let at = first.saturating_add(item.line);
            let mut import = match item.what {
                rust_tokens::What::Mod(name) => self.declared(cx, &name, item.paths, at),
                rust_tokens::What::Use(leaf) => self.use_import(cx, leaf, item.is_public, at),
            };
            import.conditional = true;
            cx.add(import);
            self.open.truncate(depth);
            self.scope.truncate(length);
        }
    }
}

impl Attributes {
    fn note(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        if !self.reaches(cx, visit) {
            *self = Self::default();
        }
        self.end = visit.node.end_byte();
        let text = cx.text(&visit.node);
        if text.contains("cfg") {
            self.has_cfg = true;
        }
        if text.contains("path") {
            self.paths.extend(rust_tokens::path_attribute(text));
        }
    }

    fn take(&mut self, cx: &Context<'_>, visit: &Visit<'_>) -> Self {
        if self.reaches(cx, visit) {
            std::mem::take(self)
        } else {
            Self::default()
        }
    }

    /// Whether only space and comments are between them and this node.
    fn reaches(&self, cx: &Context<'_>, visit: &Visit<'_>) -> bool {
        self.end != 0
            && cx
                .text
                .get(self.end..visit.node.start_byte())
                .is_some_and(rust_tokens::is_blank)
    }
}

fn include(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let Some(tokens) = children(&visit.node).find(|child| child.kind() == "token_tree") else {
        return;
    };
    let inner = cx
        .text(&tokens)
        .trim_matches(['(', ')', '[', ']', '{', '}', ' ', '\n', ',']);
    // `concat!(env!("OUT_DIR"), …)` names a file that is not in the tree.
    if inner.starts_with('"') && inner.matches('"').count() == 2 {
        let import = cx.import(ImportKind::IncludeLocal, unquoted(inner), line(&visit.node));
        cx.add(import);
    }
}

fn is_public(visit: &Visit<'_>) -> bool {
    visit
        .node
        .child(0)
        .is_some_and(|child| child.kind() == "visibility_modifier")
}

/// A `pub` item at the top of the file. `pub(crate)` counts too: the other files of the crate can use it.
fn offer(cx: &mut Context<'_>, visit: &Visit<'_>) {
    if visit.depth != 1 {
        return;
    }
    let node = &visit.node;
    let is_macro = node.kind() == "macro_definition";
    if (is_macro || is_public(visit))
        && let Some(name) = node.child_by_field_name("name")
    {
        cx.export(cx.text(&name), line(&name), None);
    }
}
