//! Checks every row of the language table against its grammar.

use crate::analysis::Language;

/// Kinds in a row that the grammar does not know: a misspelt kind would silently count nothing.
#[test]
fn every_kind_of_every_row_exists() {
    for language in Language::ALL {
        let grammar = (language.facts().grammar)();
        let unknown: Vec<_> = language
            .kinds()
            .rules
            .names()
            .into_iter()
            .filter(|name| {
                grammar.id_for_node_kind(name, true) == 0
                    && grammar.id_for_node_kind(name, false) == 0
            })
            .collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", language.name());
    }
}
