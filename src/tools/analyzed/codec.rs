//! Encodes analyses as bytes, to share them between nodes. Only the same version of the engine can decode them, and
//! every key contains the version.

use std::sync::Arc;

use actors::cache::{CacheValue, Codec, Weighed};

use super::weight;
use crate::analysis::{ENGINE_VERSION, FileAnalysis};

/// The prefix of the keys of shared analyses. Another engine or encoding has another prefix.
pub(crate) fn namespace() -> String {
    /// Increase this when the encoding changes, also for an added or moved field.
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
        // Trailing bytes mean that the value was not written by this code.
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

    /// Every source file of this project, in any language.
    #[test]
    fn analyses_of_real_files_round_trip() {
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
        /// Valid and invalid source, in every language.
        #[test]
        fn analyses_of_any_text_round_trip(text in "[a-z(){};:=\"/*#<> \n]{0,200}", nth: prop::sample::Index) {
            let language = Language::ALL[nth.index(Language::ALL.len())];
            round_trip(analyze(language, &text, &|| false).unwrap());
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = AnalysisCodec.decode(&bytes);
        }
    }
}
