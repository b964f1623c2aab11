//! Code that a grammar misreads without an error.

use tree_sitter::{Node, Tree};

use crate::analysis::Language;
use crate::analysis::language::rules::source;

/// Most declarators around a name.
const DECLARATORS: u32 = 16;

/// C: after a macro, the grammar parses a type as a name: `API int (name)(…)` as a function `int`. After `struct` and a
/// macro, it parses a struct as a function: `struct PACKED name { … }`. Only code outside of functions is checked.
pub(super) fn is_suspect(language: Language, tree: &Tree, text: &str) -> bool {
    if language != Language::C {
        return false;
    }
    let mut cursor = tree.walk();
    if !cursor.goto_first_child() {
        return false;
    }
    loop {
        let node = cursor.node();
        let is_suspect = match node.kind() {
            "function_definition" | "declaration" => is_misread(&node, text),
            _ => false,
        };
        if is_suspect {
            return true;
        }
        let holds = node.kind().starts_with("preproc_if")
            || matches!(
                node.kind(),
                "preproc_else" | "preproc_elif" | "linkage_specification" | "declaration_list"
            );
        if holds && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
        }
    }
}

fn is_misread(node: &Node<'_>, text: &str) -> bool {
    let Some(mut at) = node.child_by_field_name("declarator") else {
        return false;
    };
    let defines = node.kind() == "function_definition";
    if defines && at.kind() == "identifier" {
        return true;
    }
    for _ in 0..DECLARATORS {
        let inner = at
            .child_by_field_name("declarator")
            .or_else(|| match at.kind() {
                "parenthesized_declarator" | "attributed_declarator" => at.named_child(0),
                _ => None,
            });
        match inner {
            Some(inner) => at = inner,
            None => break,
        }
    }
    at.kind() == "primitive_type"
        || matches!(
            source(at, text),
            "int"
                | "void"
                | "char"
                | "long"
                | "short"
                | "unsigned"
                | "signed"
                | "float"
                | "double"
                | "const"
        )
}
