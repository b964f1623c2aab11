//! The digest of a call's arguments, kept with its idempotency key.

use serde_json::Value;

/// The digest of a JSON value, independent of the order of object keys. A JSON parser limits the depth, and so the
/// recursion.
pub(super) fn digest(value: &Value) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    feed(&mut hasher, value);
    *hasher.finalize().as_bytes()
}

fn feed(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Array(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| feed(hasher, item));
            hasher.update(b"]");
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            hasher.update(b"{");
            for (name, field) in fields {
                feed(hasher, &Value::String(name.clone()));
                feed(hasher, field);
            }
            hasher.update(b"}");
        }
        // Include quotes or an end mark, so that different sequences of scalars never encode equally.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hasher.update(value.to_string().as_bytes());
            hasher.update(b",");
        }
    }
}
