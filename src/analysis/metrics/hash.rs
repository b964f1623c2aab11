//! A hash that is the same on every machine and in every run, for digests that are stored and compared later.

const ROUND: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes bytes.
pub(in crate::analysis) fn of(bytes: &[u8]) -> u64 {
    let mut state = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        state = mix(state, u64::from_le_bytes(word));
    }
    mix(state, ROUND)
}

/// Adds a word to a running hash; order matters.
pub(in crate::analysis) fn mix(state: u64, word: u64) -> u64 {
    let wide = u128::from(state ^ ROUND).wrapping_mul(u128::from(word ^ ROUND.rotate_left(32)) | 1);
    let folded = (wide as u64) ^ ((wide >> 64) as u64);
    folded
        .wrapping_add(word)
        .rotate_left(23)
        .wrapping_mul(ROUND)
}
