//! From a selection of files to their analyses: walk, ask the cache once for all, read and parse what is missing on
//! all cores. Nothing is kept here: a crash of any actor costs a computation, no answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actors::cache::{CacheKey, CacheValue};
use actors::tool::{ToolContext, ToolError};

use self::compute::Computed;
pub(super) use self::throttle::Phase;
use self::throttle::Throttle;
use super::reach::Reach;
use super::text::counted;
use crate::analysis::graph::Manifest;
use crate::analysis::{ENGINE_VERSION, FileAnalysis};
use crate::answer::{CacheUse, Coverage, Failure};
use crate::workspace::{self, ContentHash, File, Scan, Selection, SkipReason};

mod careful;
pub(super) use careful::ENDED_NODE;
mod codec;
pub(crate) use codec::{AnalysisCodec, namespace};
mod compute;
pub(super) use compute::FAILED;
mod memory;
pub use memory::DEFAULT_MEMORY;
pub(super) use memory::{MEMORY_LIMIT, Memory};
mod throttle;
mod weight;
mod work;
pub(super) use work::WORK_LIMIT;

/// One file, analysed. Equal files share an analysis.
pub(crate) struct AnalyzedFile {
    pub(crate) path: String,
    pub(crate) analysis: Arc<FileAnalysis>,
}

/// Everything that a tool is a view over.
pub(crate) struct Analyzed {
    /// Sorted by path.
    pub(crate) files: Vec<AnalyzedFile>,
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) coverage: Coverage,
    pub(crate) cache: CacheUse,
    /// Stands for everything that was read.
    pub(crate) digest: String,
    /// What a reader should know of the files that were taken.
    pub(crate) notices: Vec<String>,
    /// Room for the analyses that were made here, as long as the call looks at them.
    _held: memory::Held,
}

impl Analyzed {
    pub(crate) fn of(
        ctx: &ToolContext,
        reach: &Reach,
        selection: &Selection,
    ) -> Result<Self, ToolError> {
        let workspace = reach.open(ctx)?;
        let throttle = Throttle::new(&ctx.progress);
        let stop = || ctx.stop_reason().is_some();
        let seen = |seen| throttle.report(Phase::Walk, seen, None, || format!("{seen} files seen"));
        let scan = workspace
            .scan(selection, &seen, &stop)
            .map_err(|error| stopped_or(ctx, error))?;
        let slots = Slots::of(&scan.files);
        let memory = &reach.memory;
        let mut computed = Computed::within(memory);
        let means = compute::Means {
            ctx,
            memory,
            workspace: &workspace,
        };
        let fetched = ctx
            .cache
            .get_or_compute(&slots.keys, ctx.deadline, |missing, hand_in| {
                let part = compute::all(&means, &scan.files, &slots, missing, hand_in, &throttle)?;
                computed.merge(part);
                Ok::<_, ToolError>(())
            })?;
        let cache = CacheUse {
            hits: fetched.hits,
            misses: fetched.misses,
        };
        Ok(assemble(scan, &slots, &fetched.values, computed, cache))
    }
}

fn stopped_or(ctx: &ToolContext, error: workspace::Error) -> ToolError {
    ctx.stop_reason()
        .unwrap_or_else(|| Failure::from(error).into())
}

/// Files by what they hold: one key for equal files.
pub(super) struct Slots {
    pub(super) keys: Vec<CacheKey>,
    /// Indexes of the files of each key.
    pub(super) files: Vec<Vec<usize>>,
}

impl Slots {
    fn of(files: &[File]) -> Self {
        let mut at: HashMap<CacheKey, usize> = HashMap::with_capacity(files.len());
        let mut slots = Self {
            keys: Vec::with_capacity(files.len()),
            files: Vec::with_capacity(files.len()),
        };
        for (index, file) in files.iter().enumerate() {
            let key = key_of(&file.hash, file.language);
            let slot = *at.entry(key).or_insert_with(|| {
                slots.keys.push(key);
                slots.files.push(Vec::new());
                slots.keys.len() - 1
            });
            slots.files[slot].push(index);
        }
        slots
    }
}

/// A [`FileAnalysis`] depends on these three and nothing else.
fn key_of(hash: &ContentHash, language: crate::analysis::Language) -> CacheKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&hash.0);
    hasher.update(language.name().as_bytes());
    hasher.update(&ENGINE_VERSION.to_le_bytes());
    CacheKey(*hasher.finalize().as_bytes())
}

fn assemble(
    scan: Scan,
    slots: &Slots,
    values: &[Option<CacheValue>],
    mut computed: Computed,
    cache: CacheUse,
) -> Analyzed {
    let mut analyses: Vec<Option<Arc<FileAnalysis>>> = vec![None; scan.files.len()];
    for (slot, members) in slots.files.iter().enumerate() {
        let value = values.get(slot).cloned().flatten();
        let shared = value.and_then(|value| value.downcast::<FileAnalysis>().ok());
        for &index in members {
            analyses[index] = match computed.changed.remove(&index) {
                Some((_, analysis)) if !computed.skipped.contains_key(&index) => Some(analysis),
                _ if computed.skipped.contains_key(&index) => None,
                _ => shared.clone(),
            };
        }
    }
    let mut coverage = Coverage {
        files_seen: scan.files_seen,
        // Directories that were not entered have reasons of their own, which say so in their names.
        skipped: (scan.skipped.iter().chain(&scan.pruned))
            .map(|(reason, count)| (reason.name().to_owned(), *count))
            .collect(),
        ..Coverage::default()
    };
    let mut notices: Vec<_> = (scan.notes.iter())
        .map(|(note, count)| format!("{}: {}", note.name(), counted(*count, "file")))
        .collect();
    let mut files = Vec::with_capacity(scan.files.len());
    for (index, (file, analysis)) in scan.files.into_iter().zip(analyses).enumerate() {
        let Some(analysis) = analysis else {
            let reason = computed.skipped.get(&index).copied().unwrap_or(FAILED);
            *coverage.skipped.entry(reason.to_owned()).or_default() += 1;
            if reason == ENDED_NODE {
                notices.push(format!("{ENDED_NODE}: {} is left out", file.path));
            }
            continue;
        };
        if analysis.syntax.cplusplus {
            let reason = SkipReason::UnsupportedLanguage.name().to_owned();
            *coverage.skipped.entry(reason).or_default() += 1;
            continue;
        }
        coverage.files_analyzed += 1;
        coverage.parse_errors += u64::from(!analysis.syntax.is_clean());
        let language = analysis.language.name().to_owned();
        *coverage.languages.entry(language).or_default() += 1;
        files.push(AnalyzedFile {
            path: file.path,
            analysis,
        });
    }
    Analyzed {
        files,
        manifests: scan.manifests,
        coverage,
        cache,
        digest: digest_of(scan.digest, &computed.read_otherwise),
        notices,
        _held: computed.held,
    }
}

/// The scan's digest, and what was read otherwise than it was scanned.
fn digest_of(scanned: String, otherwise: &BTreeMap<usize, [u8; 32]>) -> String {
    if otherwise.is_empty() {
        return scanned;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(scanned.as_bytes());
    for (index, hash) in otherwise {
        hasher.update(&(*index as u64).to_le_bytes());
        hasher.update(hash);
    }
    hasher.finalize().to_hex().to_string()
}
