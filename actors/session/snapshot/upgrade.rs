//! Upgrades data stored by earlier versions: one step per schema version.
//!
//! A node that loads an older schema upgrades it, and commits in the current one. Nodes of the older version that still
//! run then leave the session to newer ones.

use serde_json::Value;

use super::SCHEMA;

/// Upgrades one schema version to the next.
type Step = fn(&mut Value);

/// The n-th step leads from version n + 1 to n + 2.
const STEPS: [Step; SCHEMA as usize - 1] = [digests_as_text, as_it_was];

/// Upgrades `form` from version `schema` to the newest. A step leaves unknown data unchanged, and the reader refuses
/// it.
pub(super) fn upgrade(form: &mut Value, schema: u32) {
    let from = schema.max(1) as usize - 1;
    for step in STEPS.iter().skip(from) {
        step(form);
    }
}

/// 1 → 2: digests of arguments were lists of 32 numbers, in a session's keys and in the change that uses one.
fn digests_as_text(form: &mut Value) {
    let keys = form.get_mut("keys").and_then(Value::as_array_mut);
    let keys = keys.into_iter().flatten();
    let key_used = |delta: &'_ mut Value| delta.get_mut("key_used").map(std::mem::take);
    for key in keys {
        digest_as_text(key);
    }
    let deltas = form.get_mut("deltas").and_then(Value::as_array_mut);
    for delta in deltas.into_iter().flatten() {
        if let Some(mut used) = key_used(delta) {
            digest_as_text(&mut used);
            *delta = serde_json::json!({ "key_used": used });
        }
    }
}

/// 2 → 3: adds older and pinned results, and their changes.
fn as_it_was(_form: &mut Value) {}

fn digest_as_text(holder: &mut Value) {
    let Some(digest) = holder.get_mut("digest") else {
        return;
    };
    let bytes = digest.as_array().map(|numbers| {
        let byte = |number: &Value| number.as_u64().and_then(|n| u8::try_from(n).ok());
        numbers.iter().map_while(byte).collect::<Vec<u8>>()
    });
    if let Some(Ok(bytes)) = bytes.map(<[u8; 32]>::try_from) {
        *digest = Value::String(blake3::Hash::from_bytes(bytes).to_hex().to_string());
    }
}
