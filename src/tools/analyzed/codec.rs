//! How an analysis is shared between nodes: as bytes that mean something to the same version of the engine alone, which
//! is part of every key they lie under.

use std::sync::Arc;

use actors::cache::{CacheValue, Codec, Weighed};

use super::weight;
use crate::analysis::{ENGINE_VERSION, FileAnalysis};

/// What the keys of shared analyses begin with: another engine, or another way of writing, finds none of them.
pub(crate) fn namespace() -> String {
    /// Raise it when an analysis is written otherwise: a field that is added or moved is enough.
    const FORM: u32 = 1;
    format!("{ENGINE_VERSION}.{FORM}")
}

pub(crate) struct AnalysisCodec;

impl Codec for AnalysisCodec {
    fn encode(&self, value: &CacheValue) -> Option<Vec<u8>> {
        let analysis = value.downcast_ref::<FileAnalysis>()?;
        postcard::to_stdvec(analysis).ok()
    }

    fn decode(&self, bytes: &[u8]) -> Option<Weighed> {
        let (analysis, rest) = postcard::take_from_bytes::<FileAnalysis>(bytes).ok()?;
        // Bytes that are left over were written by somebody else.
        if !rest.is_empty() {
            return None;
        }
        let weight = weight::of(&analysis);
        Some(Weighed {
            value: Arc::new(analysis),
            weight,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::{Language, analyze};

    fn round_trip(analysis: FileAnalysis) {
        let value: CacheValue = Arc::new(analysis);
        let bytes = AnalysisCodec.encode(&value).unwrap();
        let read = AnalysisCodec.decode(&bytes).unwrap();
        let (before, after) = (
            value.downcast_ref::<FileAnalysis>().unwrap(),
            read.value.downcast_ref::<FileAnalysis>().unwrap(),
        );
        assert_eq!(before, after);
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(
                AnalysisCodec.decode(&bytes[..cut]).is_none(),
                "cut at {cut}"
            );
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(AnalysisCodec.decode(&longer).is_none());
    }

    /// Every source file of this project, whatever its language.
    #[test]
    fn real_files_read_back_as_they_were() {
        let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
        let mut languages = std::collections::BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if path.is_dir() && !name.starts_with('.') && name != "target" {
                    folders.push(path);
                } else if let Some(language) = Language::of_path(&name)
                    && let Ok(text) = std::fs::read_to_string(&path)
                {
                    languages.insert(language);
                    round_trip(analyze(language, &text, &|| false).unwrap());
                }
            }
        }
        assert!(languages.len() >= 3, "{languages:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        /// Whatever parses or does not, in every language.
        #[test]
        fn anything_reads_back_as_it_was(text in "[a-z(){};:=\"/*#<> \n]{0,200}", nth: prop::sample::Index) {
            let language = Language::ALL[nth.index(Language::ALL.len())];
            round_trip(analyze(language, &text, &|| false).unwrap());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = AnalysisCodec.decode(&bytes);
        }
    }
}
