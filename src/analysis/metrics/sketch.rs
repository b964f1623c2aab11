//! Similarity of two bodies that are not equal: a sketch of 64 bits, computed while the tokens are digested.
//!
//! MinHash with one permutation (Li, Owen, Zhang 2012): each run of `SHINGLE` tokens falls into one of [`BINS`] bins by
//! its hash, each bin keeps the smallest hash, and of that `BITS` bits are stored (b-bit minwise hashing; Li, König
//! 2010). The share of equal bins estimates the share of runs that both bodies have (Jaccard).

use super::hash;

/// Tokens of a run: with two, the order has little effect, and with four, an edit of one token changes too many runs.
const SHINGLE: u64 = 3;
/// With 16 bins of 4 bits a sketch is one word.
pub const BINS: u32 = 16;
const BITS: u32 = 4;
/// Values of a bin; 0 is an empty one.
const VALUES: u64 = (1 << BITS) - 1;

/// Takes the tokens of one body in order.
pub(super) struct Sketch {
    /// The smallest hash of each bin; [`EMPTY`] if there is none.
    least: [u32; BINS as usize],
    /// The last token, and a hash of the last two.
    last: u64,
    last_two: u64,
    tokens: u64,
}

const EMPTY: u32 = u32::MAX;

impl Default for Sketch {
    fn default() -> Self {
        Self {
            least: [EMPTY; BINS as usize],
            last: 0,
            last_two: 0,
            tokens: 0,
        }
    }
}

impl Sketch {
    pub(super) fn add(&mut self, token: u64) {
        let shingle = hash::mix(self.last_two, token);
        self.last_two = hash::mix(self.last, token);
        self.last = token;
        self.tokens += 1;
        if self.tokens < SHINGLE {
            return;
        }
        let bin = (shingle >> (u64::BITS - BINS.trailing_zeros())) as usize;
        // `EMPTY` is not a possible hash.
        let rest = (shingle as u32).min(EMPTY - 1);
        self.least[bin] = self.least[bin].min(rest);
    }

    /// 4 bits per bin, the first bin lowest.
    pub(super) fn finish(&self) -> u64 {
        let mut sketch = 0;
        for (bin, &least) in self.least.iter().enumerate() {
            if least != EMPTY {
                // The high bits of a smallest hash are small, so it is mixed again before bits are taken.
                let value = 1 + hash::mix(0, least.into()) % VALUES;
                sketch |= value << (bin as u32 * BITS);
            }
        }
        sketch
    }
}

/// The value of one bin; 0: empty.
pub fn bin(sketch: u64, bin: u32) -> u8 {
    ((sketch >> (bin * BITS)) & VALUES) as u8
}

/// Number of filled bins.
pub fn filled(sketch: u64) -> u32 {
    holding(sketch).count_ones()
}

/// Number of equal bins, and of bins that are filled in either.
pub fn nearness(a: u64, b: u64) -> (u32, u32) {
    let equal = holding(a) & !holding(a ^ b);
    (equal.count_ones(), holding(a | b).count_ones())
}

/// The lowest bit of each bin, set if the bin is not 0.
fn holding(sketch: u64) -> u64 {
    const LOWEST: u64 = u64::MAX / VALUES;
    (sketch | sketch >> 1 | sketch >> 2 | sketch >> 3) & LOWEST
}

/// A sketch with every bin filled, for tests of comparisons.
#[cfg(test)]
pub(crate) fn test_word(seed: u64) -> u64 {
    let mut sketch = Sketch::default();
    for token in 0..200 {
        sketch.add(hash::mix(seed, token));
    }
    sketch.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(tokens: impl IntoIterator<Item = u64>) -> u64 {
        let mut sketch = Sketch::default();
        for token in tokens {
            sketch.add(hash::of(&token.to_le_bytes()));
        }
        sketch.finish()
    }

    #[test]
    fn equal_bodies_are_equal_and_other_ones_are_far() {
        let (equal, either) = nearness(sketch(0..200), sketch(0..200));
        assert_eq!((equal, either), (BINS, BINS));
        let (equal, _) = nearness(sketch(0..200), sketch(1000..1200));
        assert!(equal <= 4, "{equal}");
    }

    #[test]
    fn one_other_token_of_many_changes_little() {
        let changed = (0..200).map(|at| if at == 77 { 9999 } else { at });
        let (equal, either) = nearness(sketch(0..200), sketch(changed));
        assert!(equal >= 13 && either == BINS, "{equal} of {either}");
    }

    #[test]
    fn a_body_of_fewer_tokens_than_a_run_fills_no_bin() {
        assert_eq!(sketch(0..SHINGLE - 1), 0);
        assert_eq!(filled(sketch(0..SHINGLE)), 1);
    }
}
