//! The compact form of a result that is too large to be kept as JSON: its columns, compressed, in one text.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Kept, Rows, lost, number};
use crate::answer::Failure;

/// Bytes of base64. The rows of 500,000 functions take 15 to 20 MiB: digests and sketches do not compress. A session
/// has room for two, a baseline and the result that it is compared with: see the `whole_bytes` of its limits.
pub(crate) const COMPACT_CAP: usize = 23 * 1024 * 1024;
/// Bytes that the text may unpack to: three times what 500,000 rows of any tool take.
const UNPACKED_CAP: usize = 256 * 1024 * 1024;
/// Changes with the stored form of the columns.
pub(super) const FORM: u32 = 1;
/// The default of zstd: higher levels gain some percent, and take several times as long.
const LEVEL: i32 = 3;
/// Bytes that are compressed between two checks of whether to stop: some milliseconds.
const CHUNK: usize = 1024 * 1024;

/// `None`: larger than [`COMPACT_CAP`] or [`UNPACKED_CAP`], or the call should stop.
pub(in crate::tools) fn encode(kept: &Kept, stop: &dyn Fn() -> bool) -> Option<Value> {
    let raw = postcard::to_stdvec(kept).ok()?;
    if raw.len() > UNPACKED_CAP || stop() {
        return None;
    }
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).ok()?;
    for chunk in raw.chunks(CHUNK) {
        if stop() {
            return None;
        }
        encoder.write_all(chunk).ok()?;
    }
    let packed = encoder.finish().ok()?;
    if base64::encoded_len(packed.len(), true)? > COMPACT_CAP {
        return None;
    }
    let bytes = raw.len();
    drop(raw);
    Some(json!({"form": FORM, "bytes": bytes, "rows": STANDARD.encode(&packed)}))
}

/// # Errors
/// `data_loss`: it is damaged. `session_newer`: its form is of a later version.
pub(super) fn decode(compact: &Value) -> Result<Kept, Failure> {
    let form = number(&compact["form"]);
    if form > FORM {
        let message = format!("the stored result has form {form}, and this node reads {FORM}");
        return Err(Failure::new("session_newer", message));
    }
    let bytes = number(&compact["bytes"]) as usize;
    if form != FORM || bytes > UNPACKED_CAP {
        return Err(lost(&format!("form {form}, {bytes} bytes")));
    }
    let raw = unpack(compact["rows"].as_str().unwrap_or_default(), bytes)?;
    let (mut kept, rest): (Kept, _) =
        postcard::take_from_bytes(&raw).map_err(|error| lost(&error.to_string()))?;
    if !rest.is_empty() {
        return Err(lost("something follows its rows"));
    }
    let sound = match &mut kept.rows {
        Rows::Functions(functions) => functions.is_sound(),
        Rows::Symbols(symbols) => symbols.is_sound(),
        Rows::Graph(graph) => graph.name_rows(),
    };
    if !sound {
        return Err(lost("its columns do not agree"));
    }
    Ok(kept)
}

/// Reads at most `bytes`, for any text.
fn unpack(rows: &str, bytes: usize) -> Result<Vec<u8>, Failure> {
    let packed = STANDARD
        .decode(rows)
        .map_err(|error| lost(&error.to_string()))?;
    let raw = zstd::bulk::decompress(&packed, bytes).map_err(|error| lost(&error.to_string()))?;
    if raw.len() != bytes {
        return Err(lost(&format!("{} bytes of {bytes}", raw.len())));
    }
    Ok(raw)
}
