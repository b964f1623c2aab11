//! The published output schemas: small, typed, and consistent with the tables that they are derived from.

use super::*;

/// All output schemas together: a client reads them with every list.
const BYTES: usize = 11_100;

#[test]
fn the_output_schemas_are_small() {
    let each = catalogue()
        .iter()
        .map(|entry| entry.output_schema.to_string().len());
    let bytes: usize = each.sum();
    assert!(bytes <= BYTES, "{bytes} bytes");
}

/// Calls `look` with every schema in a schema, and where it is.
fn every(schema: &Value, at: &str, look: &mut impl FnMut(&Value, &str)) {
    look(schema, at);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        every(inner, &format!("{at}/{name}"), look);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key).filter(|inner| **inner != false) {
            every(inner, &format!("{at}/{key}"), look);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for inner in schema[key].as_array().into_iter().flatten() {
            every(inner, at, look);
        }
    }
}

#[test]
fn every_property_has_a_type() {
    for entry in catalogue() {
        for schema in [&entry.output_schema, &entry.full_schema["$defs"]["data"]] {
            let mut seen = 0;
            every(schema, entry.name, &mut |schema, at| {
                seen += 1;
                let named = ["type", "anyOf", "oneOf", "enum", "const"];
                assert!(
                    named.iter().any(|key| schema.get(key).is_some()),
                    "{at}: {schema}"
                );
            });
            assert!(seen > 2, "{}: {seen}", entry.name);
        }
        // Published schemas have plain types everywhere.
        every(&entry.output_schema, entry.name, &mut |schema, at| {
            assert!(
                schema["type"].is_string() || schema["type"].is_array(),
                "{at}: {schema}"
            );
        });
    }
}

#[test]
fn lean_fields_are_fields_of_the_full_answer() {
    let known = |schema: &Value, name: &str| -> Vec<Value> {
        let choices = ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|key| schema[key].as_array());
        let all = choices.flatten().chain([schema, &schema["items"]]);
        let of_items = schema["items"]["oneOf"].as_array().into_iter().flatten();
        let all = all.chain(of_items);
        all.filter_map(|schema| schema["properties"].get(name).cloned())
            .collect()
    };
    for entry in catalogue() {
        let data = &entry.full_schema["$defs"]["data"];
        for (name, columns) in entry.lean {
            let key = known(data, name);
            assert!(
                !key.is_empty() || *name == "history",
                "{}: {name}",
                entry.name
            );
            for column in *columns {
                let mut schemas = key.clone();
                for part in column.split('.') {
                    let inner: Vec<Value> = schemas
                        .iter()
                        .flat_map(|schema| known(schema, part))
                        .collect();
                    // A comparison has values of many kinds for each side.
                    let is_open = schemas.iter().any(|schema| {
                        schema["properties"].is_null()
                            && !schema["type"].is_null()
                            && schema["items"].is_null()
                    });
                    assert!(
                        !inner.is_empty() || is_open || key.is_empty(),
                        "{}: {name}.{column}",
                        entry.name
                    );
                    schemas = inner;
                }
            }
        }
    }
}
