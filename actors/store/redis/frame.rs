//! The stored form of bytes in Redis: a header identifies them, so that damaged, truncated or foreign values are
//! detected before they are used.
//!
//! ```text
//! magic "MCA"   form 1   codec 1 (0 none, 1 zstd)   raw length 4   version 8   crc32c of the raw bytes 4   payload
//! ```
//! Numbers are little-endian. `version` is the session's version that the bytes lead to, 0 for results, and the first
//! half of its name for a shared analysis.

use std::sync::Arc;

use thiserror::Error;

use super::commits::STATE_MAX;
use crate::store::StoreError;

const MAGIC: [u8; 3] = *b"MCA";
const FORM: u8 = 1;
const HEADER: usize = 21;
/// Below this size zstd saves less than its own header costs.
const COMPRESS_FROM: usize = 1 << 10;
/// Compressed bytes must be below this percentage to be worth the time of unpacking.
const WORTH_PERCENT: usize = 90;
/// The fastest of zstd's regular levels: session states are JSON, where higher levels gain little.
const LEVEL: i32 = 1;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Why bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Unread {
    /// Written by a later version of this program.
    #[error("its form is {0}, not {FORM}")]
    Newer(u8),
    #[error("{0}")]
    Damaged(String),
}

impl Unread {
    /// The store error for `what`.
    pub(super) fn of(self, what: &str) -> StoreError {
        match self {
            Self::Newer(form) => StoreError::NewerSchema(form.into()),
            Self::Damaged(why) => StoreError::Corrupt(format!("{what}: {why}")),
        }
    }
}

/// Adds the header to the bytes.
pub(super) fn wrap(raw: &[u8], version: u64) -> Vec<u8> {
    let packed = (raw.len() >= COMPRESS_FROM)
        .then(|| zstd::bulk::compress(raw, LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() * 100 <= raw.len() * WORTH_PERCENT);
    let (codec, payload) = match &packed {
        Some(packed) => (ZSTD, packed.as_slice()),
        None => (PLAIN, raw),
    };
    let length = u32::try_from(raw.len()).unwrap_or(u32::MAX);
    let mut framed = Vec::with_capacity(HEADER + payload.len());
    framed.extend(MAGIC);
    framed.extend([FORM, codec]);
    framed.extend(length.to_le_bytes());
    framed.extend(version.to_le_bytes());
    framed.extend(crc32c::crc32c(raw).to_le_bytes());
    framed.extend(payload);
    framed
}

/// Returns the bytes and their version. Never unpacks more than `cap` bytes, even if the header or the payload claims more.
pub(super) fn unwrap(framed: &[u8], cap: usize) -> Result<(u64, Arc<[u8]>), Unread> {
    if framed.len() > MAGIC.len() && framed.starts_with(&MAGIC) && framed[MAGIC.len()] > FORM {
        return Err(Unread::Newer(framed[MAGIC.len()]));
    }
    // A second look compares texts: two answers that were damaged differently must not read alike.
    unpack(framed, cap).map_err(|why| {
        let read = crc32c::crc32c(framed);
        Unread::Damaged(format!("{why} (crc32c of the stored bytes: {read:08x})"))
    })
}

fn unpack(framed: &[u8], cap: usize) -> Result<(u64, Arc<[u8]>), String> {
    let Some((header, payload)) = framed.split_at_checked(HEADER) else {
        return Err(format!("{} bytes are too short for a value", framed.len()));
    };
    if header[..3] != MAGIC {
        return Err("it does not begin with the magic bytes".to_owned());
    }
    if header[3] != FORM {
        return Err(format!("its form is {}, not {FORM}", header[3]));
    }
    let length = u32::from_le_bytes([header[5], header[6], header[7], header[8]]) as usize;
    let mut version = [0; 8];
    version.copy_from_slice(&header[9..17]);
    let sum = u32::from_le_bytes([header[17], header[18], header[19], header[20]]);
    if length > cap {
        return Err(format!("it claims {length} bytes, more than {cap}"));
    }
    let raw: Arc<[u8]> = match header[4] {
        PLAIN => payload.into(),
        ZSTD => zstd::bulk::decompress(payload, length)
            .map_err(|error| format!("it cannot be decompressed: {error}"))?
            .into(),
        codec => return Err(format!("its codec {codec} is unknown")),
    };
    if raw.len() != length {
        return Err(format!("it has {} bytes, not {length}", raw.len()));
    }
    if crc32c::crc32c(&raw) != sum {
        return Err("its checksum does not match".to_owned());
    }
    Ok((u64::from_le_bytes(version), raw))
}

/// A snapshot and the deltas after it.
pub(super) type State = (Arc<[u8]>, Vec<Arc<[u8]>>);

/// Unwraps the frames of a state and checks that they lead to `version`.
pub(super) fn state(
    snapshot: &[u8],
    deltas: Vec<Vec<u8>>,
    version: u64,
) -> Result<State, StoreError> {
    let read = |what, bytes: &[u8]| unwrap(bytes, STATE_MAX).map_err(|unread| unread.of(what));
    let (mut reaches, snapshot) = read("its snapshot", snapshot)?;
    let mut folded = Vec::with_capacity(deltas.len());
    for delta in deltas {
        let (makes, delta) = read("a change", &delta)?;
        if makes < reaches {
            let why = format!("a change: it makes version {makes}, after {reaches}");
            return Err(StoreError::Corrupt(why));
        }
        reaches = makes;
        folded.push(delta);
    }
    if reaches != version {
        let why = format!("its changes: they end at version {reaches}, not {version}");
        return Err(StoreError::Corrupt(why));
    }
    Ok((snapshot, folded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: usize = 1 << 20;

    /// What is damaged on the way is damaged differently each time, and must not pass for the same damage in the store.
    #[test]
    fn two_damages_read_differently() {
        let damaged = |at: usize| {
            let mut framed = wrap(&[7; 500], 1);
            framed[at] ^= 1;
            unwrap(&framed, CAP).unwrap_err()
        };
        assert_eq!(damaged(100), damaged(100));
        assert_ne!(damaged(100), damaged(101));
    }

    proptest! {
        #[test]
        fn wrapped_bytes_round_trip(
            raw in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..5000),
                proptest::collection::vec(0_u8..3, 0..50_000),
            ],
            version: u64,
        ) {
            let (found, bytes) = unwrap(&wrap(&raw, version), CAP).unwrap();
            prop_assert_eq!((found, bytes.as_ref()), (version, raw.as_slice()));
        }

        /// After any one-byte change or truncation, unwrapping never returns other bytes than were wrapped.
        #[test]
        fn damage_is_found(
            raw in proptest::collection::vec(0_u8..3, 1..5000),
            at: prop::sample::Index,
            bit in 0_u32..8,
            cut: bool,
        ) {
            let mut framed = wrap(&raw, 7);
            let at = at.index(framed.len());
            if cut {
                framed.truncate(at);
            } else {
                framed[at] ^= 1 << bit;
            }
            if let Ok((_, bytes)) = unwrap(&framed, CAP) {
                prop_assert_eq!(bytes.as_ref(), raw.as_slice());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unwrap(&bytes, CAP);
        }
    }

    #[test]
    fn a_decompression_bomb_is_refused() {
        let bomb = wrap(&vec![0; CAP + 1], 1);
        assert!(bomb.len() < 1000);
        assert!(
            unwrap(&bomb, CAP)
                .unwrap_err()
                .to_string()
                .contains("claims")
        );
        // A header with a wrong length.
        let mut liar = bomb;
        liar[5..9].copy_from_slice(&10_u32.to_le_bytes());
        assert!(unwrap(&liar, CAP).is_err());
    }

    #[test]
    fn incompressible_bytes_are_stored_uncompressed() {
        let small = wrap(b"{}", 1);
        assert_eq!(small.len(), HEADER + 2);
        let text = "the same again, ".repeat(1000);
        assert!(wrap(text.as_bytes(), 1).len() < text.len() / 10);
    }
}
