//! Faults injected into actors ten times a second: kill, panic, stall.

use std::time::Duration;

use serde_json::{Value, json};

/// Ten a second.
pub(crate) const EVERY: Duration = Duration::from_millis(100);

/// The `nth` fault, in turns.
pub(crate) fn strike(nth: usize, sessions: &[String]) -> Value {
    let actors = [
        "registry",
        "cache",
        "persistence:0",
        "persistence:1",
        "persistence:2",
        "persistence:3",
    ];
    let actor = if nth.is_multiple_of(2) {
        format!("session:{}", sessions[nth / 2 % sessions.len()])
    } else {
        actors[nth / 2 % actors.len()].to_owned()
    };
    match nth % 5 {
        0 | 1 => json!({"actor": actor, "mode": "kill"}),
        2 | 3 => json!({"actor": actor, "mode": "panic"}),
        _ => json!({"actor": actor, "mode": "stall", "for_ms": 50}),
    }
}
