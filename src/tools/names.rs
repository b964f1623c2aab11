//! The names of kinds in arguments and answers.

use crate::analysis::{FunctionKind, ImportKind, SymbolKind, Visibility};

pub(crate) const SYMBOL_KINDS: [SymbolKind; 19] = [
    SymbolKind::Module,
    SymbolKind::Namespace,
    SymbolKind::Class,
    SymbolKind::Struct,
    SymbolKind::Enum,
    SymbolKind::EnumMember,
    SymbolKind::Union,
    SymbolKind::Interface,
    SymbolKind::Trait,
    SymbolKind::Impl,
    SymbolKind::TypeAlias,
    SymbolKind::Function,
    SymbolKind::Method,
    SymbolKind::Constructor,
    SymbolKind::Field,
    SymbolKind::Property,
    SymbolKind::Constant,
    SymbolKind::Variable,
    SymbolKind::Macro,
];

pub(crate) fn symbol_kind(kind: SymbolKind) -> &'static str {
    match kind {
        SymbolKind::Module => "module",
        SymbolKind::Namespace => "namespace",
        SymbolKind::Class => "class",
        SymbolKind::Struct => "struct",
        SymbolKind::Enum => "enum",
        SymbolKind::EnumMember => "enum_member",
        SymbolKind::Union => "union",
        SymbolKind::Interface => "interface",
        SymbolKind::Trait => "trait",
        SymbolKind::Impl => "impl",
        SymbolKind::TypeAlias => "type_alias",
        SymbolKind::Function => "function",
        SymbolKind::Method => "method",
        SymbolKind::Constructor => "constructor",
        SymbolKind::Field => "field",
        SymbolKind::Property => "property",
        SymbolKind::Constant => "constant",
        SymbolKind::Variable => "variable",
        SymbolKind::Macro => "macro",
    }
}

pub(crate) fn function_kind(kind: FunctionKind) -> &'static str {
    match kind {
        FunctionKind::Function => "function",
        FunctionKind::Method => "method",
        FunctionKind::Constructor => "constructor",
        FunctionKind::Accessor => "accessor",
        FunctionKind::Closure => "closure",
        FunctionKind::Initializer => "initializer",
    }
}

pub(crate) fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "public",
        Visibility::Restricted => "restricted",
        Visibility::Private => "private",
    }
}

pub(crate) fn import_kind(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Import => "import",
        ImportKind::From => "from",
        ImportKind::Module => "module",
        ImportKind::ExternCrate => "extern_crate",
        ImportKind::Reexport => "reexport",
        ImportKind::Dynamic => "dynamic",
        ImportKind::Require => "require",
        ImportKind::IncludeLocal => "include_local",
        ImportKind::IncludeSystem => "include_system",
        ImportKind::Static => "static",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_unique_name() {
        let names: BTreeSet<_> = SYMBOL_KINDS.map(symbol_kind).into();
        assert_eq!(names.len(), SYMBOL_KINDS.len());
    }
}
