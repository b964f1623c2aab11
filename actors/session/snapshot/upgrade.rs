//! What earlier versions stored, brought to the form of today: one step for each version of the schema.
//!
//! A node that meets an older form upgrades it as it loads, and commits it in its own; nodes of the older version that
//! still run then leave it to those of the newer.

use serde_json::Value;

use super::SCHEMA;

/// From one version of the schema to the next.
type Step = fn(&mut Value);

/// The n-th leads from version n + 1 to n + 2.
const STEPS: [Step; SCHEMA as usize - 1] = [digests_as_text, as_it_was];

/// Brings `form`, of version `schema`, to the newest. What a step does not know it leaves for the reader to refuse.
pub(super) fn upgrade(form: &mut Value, schema: u32) {
    let from = schema.max(1) as usize - 1;
    for step in STEPS.iter().skip(from) {
        step(form);
    }
}

/// 1 → 2: digests of arguments were lists of 32 numbers, in the keys of a session and in the change that uses one.
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

/// 2 → 3: older results and pinned ones came to a session, and the changes that make them.
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
