//! JavaScript, JSX, TypeScript, TSX: ES modules, CommonJS, `import()`, type-only imports.

use std::sync::LazyLock;

use tree_sitter::Node;

use super::{Context, Rules, children, line, unquoted};
use crate::analysis::kinds::Kinds;
use crate::analysis::syntax::Visit;
use crate::analysis::{Import, ImportKind, Language};

#[derive(Clone, Copy)]
enum Act {
    Import,
    Export,
    Call,
    Assignment,
    Declarator,
    Condition,
    Comment,
}

const LIST: &[(&str, Act)] = &[
    ("import_statement", Act::Import),
    ("export_statement", Act::Export),
    ("call_expression", Act::Call),
    ("assignment_expression", Act::Assignment),
    ("variable_declarator", Act::Declarator),
    ("function_declaration", Act::Condition),
    ("function_expression", Act::Condition),
    ("arrow_function", Act::Condition),
    ("method_definition", Act::Condition),
    ("generator_function_declaration", Act::Condition),
    ("generator_function", Act::Condition),
    ("if_statement", Act::Condition),
    ("try_statement", Act::Condition),
    ("ternary_expression", Act::Condition),
    ("comment", Act::Comment),
];

/// Triple-slash directives come before any code: a later comment is not one.
const DIRECTIVE_DEPTH: u32 = 1;

pub(super) fn kinds(language: Language) -> &'static Kinds {
    static JAVASCRIPT: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::JavaScript, LIST));
    static TYPESCRIPT: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::TypeScript, LIST));
    static TSX: LazyLock<Kinds> = LazyLock::new(|| Kinds::new(Language::Tsx, LIST));
    if language == Language::TypeScript {
        return &TYPESCRIPT;
    }
    if language == Language::Tsx {
        &TSX
    } else {
        &JAVASCRIPT
    }
}

#[derive(Default)]
pub(super) struct JavaScript {
    /// Names of the module's exports object: `var app = exports = module.exports = {}`.
    aliases: Vec<String>,
}

/// Most names of it; assignments to further ones are ignored.
const ALIASES: usize = 16;

impl Rules for JavaScript {
    fn enter(&mut self, cx: &mut Context<'_>, visit: &Visit<'_>, row: usize) {
        match LIST[row].1 {
            Act::Import => import(cx, visit),
            Act::Export => export(cx, visit),
            Act::Call => call(cx, visit),
            Act::Assignment => self.assignment(cx, visit),
            Act::Declarator => self.declarator(cx, visit),
            Act::Condition => cx.conditional(visit),
            Act::Comment if visit.depth == DIRECTIVE_DEPTH => directive(cx, visit),
            Act::Comment => {}
        }
    }
}

fn import(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let node = &visit.node;
    if let Some(clause) = children(node).find(|child| child.kind() == "import_require_clause") {
        if let Some(source) = clause.child_by_field_name("source") {
            let mut import = cx.import(ImportKind::Require, unquoted(cx.text(&source)), line(node));
            import.names.push("*".to_owned());
            cx.add(import);
        }
        return;
    }
    let Some(source) = node.child_by_field_name("source") else {
        return;
    };
    let mut import = cx.import(ImportKind::Import, unquoted(cx.text(&source)), line(node));
    import.type_only = node.child(1).is_some_and(|child| child.kind() == "type");
    if let Some(clause) = children(node).find(|child| child.kind() == "import_clause") {
        clause_names(cx, &clause, &mut import);
    }
    cx.add(import);
}

fn clause_names(cx: &Context<'_>, clause: &Node<'_>, import: &mut Import) {
    let mut values = 0;
    let mut types = 0;
    for child in children(clause) {
        match child.kind() {
            "identifier" => {
                values += 1;
                import.names.push("default".to_owned());
            }
            "namespace_import" => {
                values += 1;
                import.names.push("*".to_owned());
            }
            "named_imports" => {
                for specifier in children(&child).filter(|name| name.kind() == "import_specifier") {
                    let is_type = specifier
                        .child(0)
                        .is_some_and(|first| first.kind() == "type");
                    types += u32::from(is_type);
                    values += u32::from(!is_type);
                    import.names.extend(name_of(cx, &specifier));
                }
            }
            _ => {}
        }
    }
    import.type_only |= types > 0 && values == 0;
}

fn name_of(cx: &Context<'_>, specifier: &Node<'_>) -> Option<String> {
    let name = specifier.child_by_field_name("name")?;
    Some(unquoted(cx.text(&name)).to_owned())
}

fn export(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let node = &visit.node;
    let Some(source) = node.child_by_field_name("source") else {
        return local_export(cx, node);
    };
    let source = unquoted(cx.text(&source));
    let mut import = cx.import(ImportKind::Reexport, source, line(node));
    // Found by its words: the grammar does not know `export type *`.
    import.type_only = cx.text(node).split_whitespace().nth(1) == Some("type");
    let mut offered = vec![];
    let mut is_star = true;
    for child in children(node) {
        match child.kind() {
            "export_clause" => {
                is_star = false;
                for specifier in children(&child).filter(|name| name.kind() == "export_specifier") {
                    import.names.extend(name_of(cx, &specifier));
                    offered.push((exported_name(cx, &specifier), line(&specifier)));
                }
            }
            "namespace_export" => {
                is_star = false;
                import.names.push("*".to_owned());
                let name = children(&child).next();
                offered.push((
                    name.map(|name| unquoted(cx.text(&name)).to_owned()),
                    line(&child),
                ));
            }
            _ => {}
        }
    }
    if is_star {
        import.names.push("*".to_owned());
        offered.push((Some("*".to_owned()), line(node)));
    }
    let offered = offered.into_iter().filter(|_| !is_in_namespace(node));
    for (name, line) in offered {
        if let Some(name) = name {
            cx.export(name, line, Some(source));
        }
    }
    cx.add(import);
}

fn exported_name(cx: &Context<'_>, specifier: &Node<'_>) -> Option<String> {
    let alias = specifier.child_by_field_name("alias");
    let name = alias.or_else(|| specifier.child_by_field_name("name"))?;
    Some(unquoted(cx.text(&name)).to_owned())
}

fn local_export(cx: &mut Context<'_>, node: &Node<'_>) {
    if is_in_namespace(node) {
        return;
    }
    let is_default = node.child(1).is_some_and(|child| child.kind() == "default");
    if is_default {
        return cx.export("default", line(node), None);
    }
    if let Some(clause) = children(node).find(|child| child.kind() == "export_clause") {
        for specifier in children(&clause).filter(|name| name.kind() == "export_specifier") {
            if let Some(name) = exported_name(cx, &specifier) {
                cx.export(name, line(&specifier), None);
            }
        }
        return;
    }
    let declaration = node.child_by_field_name("declaration");
    let declaration = declaration.and_then(|declaration| match declaration.kind() {
        // `export declare const a: number`
        "ambient_declaration" => children(&declaration).next(),
        _ => Some(declaration),
    });
    let Some(declaration) = declaration else {
        // `export = value`
        if node.child(1).is_some_and(|child| child.kind() == "=") {
            cx.export("=", line(node), None);
        }
        return;
    };
    if let Some(name) = declaration.child_by_field_name("name") {
        return cx.export(cx.text(&name), line(&name), None);
    }
    for declarator in children(&declaration).filter(|child| child.kind() == "variable_declarator") {
        if let Some(name) = declarator.child_by_field_name("name") {
            pattern_names(cx, &name);
        }
    }
}

/// Exports of a namespace or an ambient module are not exports of the file.
fn is_in_namespace(export: &Node<'_>) -> bool {
    let around = export.parent();
    around.is_some_and(|around| around.kind() == "statement_block")
}

/// `a`, `{ a, b: c, ...d }`, `[a, b]`: every name bound.
fn pattern_names(cx: &mut Context<'_>, pattern: &Node<'_>) {
    let mut open = vec![*pattern];
    while let Some(node) = open.pop() {
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                cx.export(cx.text(&node), line(&node), None);
            }
            "pair_pattern" => open.extend(node.child_by_field_name("value")),
            "assignment_pattern" | "object_assignment_pattern" => {
                open.extend(node.child_by_field_name("left"));
            }
            _ => open.extend(children(&node)),
        }
    }
}

fn call(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let text = cx.text.get(visit.node.start_byte()..).unwrap_or_default();
    let kind = if text.starts_with("require") {
        ImportKind::Require
    } else if text.starts_with("import") {
        ImportKind::Dynamic
    } else {
        return;
    };
    let Some(function) = visit.node.child_by_field_name("function") else {
        return;
    };
    if !matches!(cx.text(&function), "require" | "import") {
        return;
    }
    let Some(arguments) = visit.node.child_by_field_name("arguments") else {
        return;
    };
    let Some(argument) = children(&arguments).find(|child| child.kind() != "comment") else {
        return;
    };
    let is_literal = match argument.kind() {
        "string" => true,
        "template_string" => children(&argument).all(|part| part.kind() != "template_substitution"),
        _ => false,
    };
    if is_literal {
        let import = cx.import(kind, unquoted(cx.text(&argument)), line(&visit.node));
        cx.add(import);
    }
}

impl JavaScript {
    fn declarator(&mut self, cx: &Context<'_>, visit: &Visit<'_>) {
        let (Some(name), Some(value)) = (
            visit.node.child_by_field_name("name"),
            visit.node.child_by_field_name("value"),
        ) else {
            return;
        };
        let text = cx.text(&value);
        let rest = text.strip_prefix("module.").unwrap_or(text);
        let is_alias = rest
            .strip_prefix("exports")
            .is_some_and(|rest| rest.trim_start().starts_with('=') || rest.is_empty());
        if is_alias && self.aliases.len() < ALIASES {
            self.aliases.push(format!("{}.", cx.text(&name)));
        }
    }

    /// `module.exports = …`, `module.exports.x = …`, `exports.x = …`, also through another name of them.
    fn assignment(&self, cx: &mut Context<'_>, visit: &Visit<'_>) {
        let Some(left) = visit.node.child_by_field_name("left") else {
            return;
        };
        let target = cx.text(&left);
        let at = line(&visit.node);
        if target == "module.exports" {
            return whole(cx, visit);
        }
        let name = target
            .strip_prefix("module.exports.")
            .or_else(|| target.strip_prefix("exports."))
            .or_else(|| {
                let aliases = self.aliases.iter();
                aliases
                    .filter_map(|alias| target.strip_prefix(alias.as_str()))
                    .next()
            });
        // `module.exports.prototype` belongs to the exported function.
        let is_offered =
            |name: &&str| !name.contains('.') && !matches!(*name, "__esModule" | "prototype");
        if let Some(name) = name.filter(is_offered) {
            cx.export(name, at, None);
        }
    }
}

/// `module.exports = …`.
fn whole(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let at = line(&visit.node);
    let right = visit.node.child_by_field_name("right");
    let Some(object) = right.filter(|right| right.kind() == "object") else {
        return cx.export("default", at, None);
    };
    for member in children(&object) {
        let name = match member.kind() {
            "pair" => member.child_by_field_name("key"),
            "method_definition" => member.child_by_field_name("name"),
            "shorthand_property_identifier" => Some(member),
            _ => None,
        };
        if let Some(name) = name {
            cx.export(unquoted(cx.text(&name)), line(&name), None);
        }
    }
}

/// `/// <reference path="…" />` and `types="…"`.
fn directive(cx: &mut Context<'_>, visit: &Visit<'_>) {
    let text = cx.text(&visit.node);
    let Some(rest) = text.strip_prefix("///") else {
        return;
    };
    let Some(rest) = rest.trim_start().strip_prefix("<reference") else {
        return;
    };
    for (attribute, prefix) in [("path=", "./"), ("types=", "")] {
        let Some((_, value)) = rest.split_once(attribute) else {
            continue;
        };
        let value = value.split(['"', '\'']).nth(1).unwrap_or_default();
        if value.is_empty() {
            continue;
        }
        let prefix = if value.starts_with('.') { "" } else { prefix };
        let specifier = format!("{prefix}{value}");
        let mut import = cx.import(ImportKind::Import, specifier, line(&visit.node));
        import.type_only = true;
        cx.add(import);
    }
}
