//! Counts the files and bytes of analyses, once for each analysis.

use std::collections::BTreeMap;

use telemetry::list::metric::{BytesParsed, Files};

use crate::analysis::Language;

/// Files that were parsed, and their bytes.
#[derive(Default)]
pub(super) struct Parsed(BTreeMap<Language, (u64, u64)>);

impl Parsed {
    pub(super) fn add(&mut self, language: Language, files: u64, bytes: u64) {
        let sums = self.0.entry(language).or_default();
        sums.0 += files;
        sums.1 += bytes;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (language, (files, bytes)) in &other.0 {
            self.add(*language, *files, *bytes);
        }
    }

    fn files(&self) -> u64 {
        self.0.values().map(|(files, _)| files).sum()
    }

    /// To be called when the parsing is over, also if it was stopped.
    pub(super) fn measure(&self) {
        for (language, (_, bytes)) in &self.0 {
            let language = language.name();
            BytesParsed { language }.add(*bytes);
        }
        count("parsed", self.files());
    }
}

/// Counts the other files of an analysis: of `all` that were selected or read for their imports, `left_out` have no
/// analysis, and the rest came from the cache. `unread` were skipped by the walk.
pub(super) fn measure(all: usize, parsed: &Parsed, left_out: usize, unread: u64) {
    let (all, left_out) = (all as u64, left_out as u64);
    let cached = all.saturating_sub(parsed.files() + left_out);
    count("cached", cached);
    count("skipped", left_out + unread);
}

fn count(handled: &'static str, files: u64) {
    if files > 0 {
        Files { handled }.add(files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_sums_are_sums() {
        let mut parsed = Parsed::default();
        parsed.add(Language::Rust, 1, 10);
        let mut other = Parsed::default();
        other.add(Language::Rust, 2, 20);
        other.add(Language::Go, 1, 5);
        parsed.merge(&other);
        assert_eq!(parsed.0[&Language::Rust], (3, 30));
        assert_eq!(parsed.files(), 4);
    }
}
