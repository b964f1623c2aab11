//! Finds calls of a method's own name that call an overload: those with an argument of a visible type that its
//! parameter does not accept. The types of names are not known, so any other call counts as a call of the method
//! itself.

use tree_sitter::Node;

use super::super::rules::{parts, source};

/// The type of a cast or a literal, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Boolean,
    /// An integer of any size, or a character.
    Number,
    Text,
    Array,
    Class,
    /// A supertype of arrays: `Object`, `Cloneable`, `Serializable`.
    Object,
    /// A type variable: a name in capitals.
    Any,
}

/// For a call with as many arguments as the function has parameters.
pub(super) fn is_other(function: Node<'_>, call: Node<'_>, text: &str) -> bool {
    let (Some(parameters), Some(arguments)) = (
        function.child_by_field_name("parameters").map(parts),
        call.child_by_field_name("arguments").map(parts),
    ) else {
        return false;
    };
    let parameters = parameters
        .iter()
        .filter(|part| part.kind() != "receiver_parameter");
    parameters.zip(&arguments).any(|(parameter, argument)| {
        match (declared(*parameter, text), visible(*argument, text)) {
            (Some(taken), Some(given)) => !given.is_taken_as(taken),
            (None, _) | (_, None) => false,
        }
    })
}

impl Type {
    fn is_taken_as(self, taken: Self) -> bool {
        use Type::{Any, Array, Boolean, Class, Number, Object, Text};
        match self {
            _ if taken == Any => true,
            Any => true,
            Boolean => matches!(taken, Boolean | Class | Object),
            Number => matches!(taken, Number | Class | Object),
            Text => matches!(taken, Text | Class | Object),
            Array => matches!(taken, Array | Object),
            // One class may be a subclass of another, or a boxed number.
            Class => matches!(taken, Boolean | Number | Class | Object),
            Object => taken == Object,
        }
    }
}

/// `None` for a method with variable arguments.
fn declared(parameter: Node<'_>, text: &str) -> Option<Type> {
    let declared = parameter.child_by_field_name("type")?;
    match parameter.child_by_field_name("dimensions") {
        Some(_) => Some(Type::Array),
        None => Some(of(declared, text)),
    }
}

/// `None` if the expression shows no type.
fn visible(argument: Node<'_>, text: &str) -> Option<Type> {
    match argument.kind() {
        "cast_expression" => argument
            .child_by_field_name("type")
            .map(|cast| of(cast, text)),
        "string_literal" => Some(Type::Text),
        "true" | "false" => Some(Type::Boolean),
        "array_creation_expression" => Some(Type::Array),
        "object_creation_expression" => argument
            .child_by_field_name("type")
            .map(|created| of(created, text)),
        "character_literal"
        | "decimal_integer_literal"
        | "hex_integer_literal"
        | "octal_integer_literal"
        | "binary_integer_literal"
        | "decimal_floating_point_literal"
        | "hex_floating_point_literal" => Some(Type::Number),
        _ => None,
    }
}

fn of(node: Node<'_>, text: &str) -> Type {
    match node.kind() {
        "boolean_type" => return Type::Boolean,
        "integral_type" | "floating_point_type" => return Type::Number,
        "array_type" => return Type::Array,
        _ => {}
    }
    let name = source(node, text).rsplit('.').next().unwrap_or_default();
    let capitals = name.chars().all(|c| c.is_uppercase() || c.is_numeric());
    match name {
        "String" => Type::Text,
        "Object" | "Cloneable" | "Serializable" => Type::Object,
        _ if capitals => Type::Any,
        _ => Type::Class,
    }
}
