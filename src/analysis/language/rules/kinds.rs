//! A row resolved against its grammar.

use std::collections::HashMap;
use std::num::NonZeroU16;

use super::{FunctionRule, Role, Rules, Token, Traits};
use crate::analysis::metrics::{DecisionKind, hash};

/// The properties of one node kind.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Kind {
    pub(in crate::analysis) role: Role,
    pub(in crate::analysis) token: Token,
    pub(in crate::analysis) named: bool,
    /// A name, except that of a member, which may be any word.
    pub(in crate::analysis) identifier: bool,
    pub(in crate::analysis) traits: Traits,
    /// Index into [`Rules::functions`].
    pub(in crate::analysis) function: Option<u8>,
    /// The decision of the token alone, see [`Rules::keywords`].
    pub(in crate::analysis) keyword: Option<DecisionKind>,
    /// It has no effect on control flow.
    pub(in crate::analysis) plain: bool,
    /// Equal for all ids of the same name.
    pub(in crate::analysis) operator: u16,
    /// Hash of the name: represents the token in digests.
    pub(in crate::analysis) hash: u64,
}

impl Kind {
    const UNKNOWN: Self = Self {
        role: Role::None,
        token: Token::Auto,
        named: true,
        identifier: false,
        traits: Traits {
            scope: false,
            statement: false,
            exit: false,
            call: false,
            angles: false,
            label: false,
            aside: false,
            computed_name: false,
        },
        function: None,
        keyword: None,
        plain: true,
        operator: 0,
        hash: 0,
    };
}

/// Fields whose ids the traversal compares.
pub(in crate::analysis) struct Fields {
    pub(in crate::analysis) alternative: Option<NonZeroU16>,
    pub(in crate::analysis) consequence: Option<NonZeroU16>,
    pub(in crate::analysis) condition: Option<NonZeroU16>,
    pub(in crate::analysis) operator: Option<NonZeroU16>,
    pub(in crate::analysis) value: Option<NonZeroU16>,
}

/// A row resolved against its grammar. Built once per language.
pub(in crate::analysis) struct Kinds {
    kinds: Box<[Kind]>,
    pub(in crate::analysis) fields: Fields,
    pub(in crate::analysis) rules: &'static Rules,
    /// Hashes of the words among [`Rules::keywords`].
    reserved: Box<[(u64, DecisionKind)]>,
    /// Kind ids that [`FunctionRule::inside`] names, in the order of [`Rules::functions`].
    inside: Box<[Vec<u16>]>,
}

impl Kinds {
    pub(in crate::analysis) fn new(grammar: &tree_sitter::Language, rules: &'static Rules) -> Self {
        let by_name = named_kinds(rules);
        let mut operators = HashMap::new();
        let kinds = (0..grammar.node_kind_count())
            .map(|id| {
                let id = u16::try_from(id).unwrap_or(u16::MAX);
                let name = grammar.node_kind_for_id(id).unwrap_or_default().to_owned();
                let named = grammar.node_kind_is_named(id);
                let next = u16::try_from(operators.len()).unwrap_or(u16::MAX);
                let operator = *operators.entry((name.clone(), named)).or_insert(next);
                let kind = kind(&name, named, &by_name);
                Kind {
                    operator,
                    plain: is_plain(&kind),
                    ..kind
                }
            })
            .collect();
        let field = |name: &str| grammar.field_id_for_name(name);
        Self {
            kinds,
            fields: Fields {
                alternative: field("alternative"),
                consequence: field("consequence"),
                condition: field("condition"),
                operator: field("operator"),
                value: field("value"),
            },
            rules,
            reserved: reserved(rules),
            inside: rules
                .functions
                .iter()
                .map(|rule| {
                    let around = rule.inside.iter();
                    around
                        .map(|kind| grammar.id_for_node_kind(kind, true))
                        .collect()
                })
                .collect(),
        }
    }

    /// A kind that the grammar does not know (an ERROR) has no properties.
    pub(in crate::analysis) fn get(&self, id: u16) -> &Kind {
        self.kinds.get(usize::from(id)).unwrap_or(&Kind::UNKNOWN)
    }

    /// The decision of a reserved word that was parsed as an identifier.
    pub(in crate::analysis) fn reserved(&self, kind: &Kind, text: u64) -> Option<DecisionKind> {
        if !kind.identifier {
            return None;
        }
        let found = self.reserved.iter().find(|(word, _)| *word == text);
        found.map(|(_, decision)| *decision)
    }

    /// The rule that makes a node of this kind a function there.
    pub(in crate::analysis) fn function(
        &self,
        kind: &Kind,
        parent: Option<u16>,
    ) -> Option<&FunctionRule> {
        let index = usize::from(kind.function?);
        let rule = self.rules.functions.get(index)?;
        let inside = self.inside.get(index)?;
        let fits = inside.is_empty() || parent.is_some_and(|parent| inside.contains(&parent));
        fits.then_some(rule)
    }
}

fn reserved(rules: &'static Rules) -> Box<[(u64, DecisionKind)]> {
    let mut words = rules.extends.map(reserved).unwrap_or_default().into_vec();
    for (decision, names) in rules.keywords {
        let names = names
            .iter()
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()));
        words.extend(names.map(|name| (hash::of(name.as_bytes()), *decision)));
    }
    words.into_boxed_slice()
}

/// Every kind in the row, with its properties.
fn named_kinds(rules: &'static Rules) -> HashMap<&'static str, Kind> {
    let mut by_name = rules.extends.map(named_kinds).unwrap_or_default();
    let mut set = |names: &[&'static str], change: &dyn Fn(&mut Kind)| {
        for name in names {
            change(by_name.entry(name).or_insert(Kind::UNKNOWN));
        }
    };
    for (role, names) in rules.roles {
        set(names, &|kind| kind.role = *role);
    }
    for (decision, names) in rules.keywords {
        set(names, &|kind| kind.keyword = Some(*decision));
    }
    for (index, rule) in rules.functions.iter().enumerate() {
        set(&[rule.node], &|kind| {
            kind.function = u8::try_from(index).ok()
        });
    }
    set(rules.scopes, &|kind| kind.traits.scope = true);
    set(rules.statements, &|kind| kind.traits.statement = true);
    set(rules.exits, &|kind| kind.traits.exit = true);
    set(rules.calls, &|kind| kind.traits.call = true);
    set(rules.angles, &|kind| kind.traits.angles = true);
    set(rules.labels, &|kind| kind.traits.label = true);
    set(rules.asides, &|kind| kind.traits.aside = true);
    set(rules.computed_names, &|kind| {
        kind.traits.computed_name = true
    });
    set(rules.comments, &|kind| kind.token = Token::Comment);
    set(rules.literals, &|kind| kind.token = Token::Literal);
    set(rules.interpolations, &|kind| {
        kind.token = Token::Interpolation
    });
    set(rules.operators, &|kind| kind.token = Token::Operator);
    by_name
}

fn kind(name: &str, named: bool, by_name: &HashMap<&'static str, Kind>) -> Kind {
    let mut kind = by_name.get(name).copied().unwrap_or(Kind::UNKNOWN);
    kind.named = named;
    kind.identifier = named && matches!(name, "identifier" | "type_identifier");
    kind.hash = hash::of(name.as_bytes());
    if named {
        kind.keyword = None;
        return kind;
    }
    // Keyword tokens have the same names as statements: only operators have a role of their own.
    kind.function = None;
    kind.traits = Traits::default();
    kind.token = match name {
        ")" | "]" | "}" => Token::Silent,
        "\"" | "'" | "`" | "\"\"\"" => Token::Silent,
        ">" => Token::ClosingAngle,
        _ if name.trim().is_empty() => Token::Silent,
        _ => Token::Operator,
    };
    kind
}

fn is_plain(kind: &Kind) -> bool {
    let Traits {
        exit, call, label, ..
    } = kind.traits;
    kind.role == Role::None && kind.keyword.is_none() && !exit && !call && !label
}
