//! Halstead's counts while a file is read, and the metrics computed from them.

use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Halstead's counts; the rest is computed from them.
///
/// Operands are identifiers and literals. Operators are all other tokens without comments; paired brackets count once
/// (Halstead 1977).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halstead {
    /// Distinct operators.
    pub n1: u32,
    /// Distinct operands.
    pub n2: u32,
    /// All operators.
    pub big_n1: u32,
    /// All operands.
    pub big_n2: u32,
}

/// Effort per second (Stroud).
const STROUD: f64 = 18.0;
/// Volume per delivered bug.
const VOLUME_PER_BUG: f64 = 3000.0;

impl Halstead {
    /// (N1 + N2) · log2(n1 + n2), in bits. `None` without a token.
    pub fn volume(&self) -> Option<f64> {
        let vocabulary = f64::from(self.n1) + f64::from(self.n2);
        let length = f64::from(self.big_n1) + f64::from(self.big_n2);
        (vocabulary > 0.0).then(|| length * vocabulary.log2())
    }

    /// n1 / 2 · N2 / n2. `None` without an operand.
    pub fn difficulty(&self) -> Option<f64> {
        (self.n2 > 0)
            .then(|| f64::from(self.n1) / 2.0 * f64::from(self.big_n2) / f64::from(self.n2))
    }

    /// Difficulty · volume.
    pub fn effort(&self) -> Option<f64> {
        Some(self.difficulty()? * self.volume()?)
    }

    /// Seconds: effort / 18.
    pub fn time(&self) -> Option<f64> {
        Some(self.effort()? / STROUD)
    }

    /// Volume / 3000.
    pub fn bugs(&self) -> Option<f64> {
        Some(self.volume()? / VOLUME_PER_BUG)
    }
}

/// Most kinds of operators in one language: the largest grammars have some 500 names.
const OPERATOR_WORDS: usize = 16;

/// Tokens of one function, or of the code outside all functions.
#[derive(Default)]
pub(super) struct Tally {
    operators: [u64; OPERATOR_WORDS],
    operator_count: u32,
    /// Hashes of their texts, one per occurrence.
    operands: Vec<u64>,
}

impl Tally {
    pub(super) fn operator(&mut self, number: u16) {
        let (word, bit) = (usize::from(number / 64), number % 64);
        if let Some(word) = self.operators.get_mut(word) {
            *word |= 1 << bit;
        }
        self.operator_count = self.operator_count.saturating_add(1);
    }

    pub(super) fn operand(&mut self, hash: u64) {
        self.operands.push(hash);
    }

    /// The counts, also added to those of the file.
    pub(super) fn finish(mut self, file: &mut FileTally) -> Halstead {
        let all = u32::try_from(self.operands.len()).unwrap_or(u32::MAX);
        self.operands.sort_unstable();
        self.operands.dedup();
        for (mine, files) in self.operators.iter().zip(&mut file.operators) {
            *files |= mine;
        }
        file.operator_count = file.operator_count.saturating_add(self.operator_count);
        file.operand_count = file.operand_count.saturating_add(all);
        file.operands.extend(&self.operands);
        Halstead {
            n1: self.operators.iter().map(|word| word.count_ones()).sum(),
            n2: u32::try_from(self.operands.len()).unwrap_or(u32::MAX),
            big_n1: self.operator_count,
            big_n2: all,
        }
    }
}

/// The sum of all tallies of a file.
#[derive(Default)]
pub(super) struct FileTally {
    operators: [u64; OPERATOR_WORDS],
    operator_count: u32,
    operands: HashSet<u64, BuildHasherDefault<Hashed>>,
    operand_count: u32,
}

impl FileTally {
    pub(super) fn halstead(&self) -> Halstead {
        Halstead {
            n1: self.operators.iter().map(|word| word.count_ones()).sum(),
            n2: u32::try_from(self.operands.len()).unwrap_or(u32::MAX),
            big_n1: self.operator_count,
            big_n2: self.operand_count,
        }
    }
}

/// The keys are already hashes.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = super::hash::of(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
