//! Analyses a selection of files: walks, asks the cache once for all files, then reads and parses the missing ones on
//! all cores. It keeps no state: the crash of an actor only repeats work.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actors::cache::{CacheKey, CacheValue};
use actors::tool::{ToolContext, ToolError};

use telemetry::list::attribute::{BYTES_PARSED, FILES_PARSED, FILES_READ, FILES_WALKED};
use telemetry::list::span::{PARSE, WALK};
use telemetry::{Parent, Span};

use self::compute::Computed;
pub(super) use self::throttle::Phase;
use self::throttle::Throttle;
use super::read_access::ReadAccess;
use super::text::counted;
use crate::analysis::graph::Manifest;
use crate::analysis::{ENGINE_VERSION, FileAnalysis};
use crate::answer::{CacheUse, Coverage, Failure};
use crate::workspace::{self, ContentHash, File, Link, Neighbour, Scan, Selection, SkipReason};

mod careful;
pub(super) use careful::ENDED_NODE;
mod codec;
pub(crate) use codec::{AnalysisCodec, namespace};
mod compute;
pub(super) use compute::FAILED;
mod measured;
mod memory;
pub use memory::DEFAULT_MEMORY;
pub(super) use memory::{MEMORY_LIMIT, Memory};
mod throttle;
mod weight;
mod work;
pub(super) use work::WORK_LIMIT;

/// One analysed file. Equal files share an analysis.
pub(crate) struct AnalyzedFile {
    pub(crate) path: String,
    pub(crate) analysis: Arc<FileAnalysis>,
}

/// A file around the selection. Only its imports and their targets are known.
pub(crate) struct Surrounding {
    pub(crate) path: String,
    pub(crate) analysis: Arc<FileAnalysis>,
    /// Why it is not measured.
    pub(crate) left_out: Option<SkipReason>,
}

/// The data that all analysis tools show.
pub(crate) struct Analyzed {
    /// Sorted by path.
    pub(crate) files: Vec<AnalyzedFile>,
    /// Sorted by path. `None`: they were not requested, or are not needed.
    pub(crate) surroundings: Option<Vec<Surrounding>>,
    /// The surrounding files in the selected folder.
    pub(crate) in_place: Vec<String>,
    /// See [`Scan::world`]. `None` also if a file was left out or changed after the walk: what is made of these analyses
    /// is then no function of the digest.
    pub(crate) world: Option<ContentHash>,
    pub(crate) links: Vec<Link>,
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) coverage: Coverage,
    pub(crate) cache: CacheUse,
    /// The digest of everything that was read.
    pub(crate) digest: String,
    /// Notices about the files.
    pub(crate) notices: Vec<String>,
    /// Memory of the analyses that were computed here, reserved until the call ends.
    _held: memory::Held,
}

impl Analyzed {
    pub(crate) fn of(
        ctx: &ToolContext,
        reach: &ReadAccess,
        selection: &Selection,
    ) -> Result<Self, ToolError> {
        Self::analyze(ctx, reach, selection, None)
    }

    /// As `of`, with the imports of all other files in the session's roots, unless `is_kept` says that what is made of
    /// this [`Scan::world`] is known.
    pub(crate) fn with_surroundings(
        ctx: &ToolContext,
        reach: &ReadAccess,
        selection: &Selection,
        is_kept: &mut dyn FnMut(&ContentHash) -> bool,
    ) -> Result<Self, ToolError> {
        Self::analyze(ctx, reach, selection, Some(is_kept))
    }

    fn analyze(
        ctx: &ToolContext,
        reach: &ReadAccess,
        selection: &Selection,
        surroundings: Option<&mut dyn FnMut(&ContentHash) -> bool>,
    ) -> Result<Self, ToolError> {
        let workspace = reach.open(ctx)?;
        let throttle = Throttle::new(&ctx.progress);
        let stop = || ctx.stop_reason().is_some();
        let seen = |seen| throttle.report(Phase::Walk, seen, None, || format!("{seen} files seen"));
        let mut walk = Span::start(&WALK, Parent::Current);
        let scan = match surroundings {
            Some(_) => workspace.scan_with_surroundings(selection, &seen, &stop),
            None => workspace.scan(selection, &seen, &stop),
        };
        let mut scan = scan.map_err(|error| stopped_or(ctx, error))?;
        walk.set(FILES_WALKED, scan.files_seen);
        walk.set(FILES_READ, scan.files_read);
        walk.end();
        let neighbours = std::mem::take(&mut scan.surroundings);
        let in_place = (neighbours.iter())
            .filter(|neighbour| neighbour.in_place)
            .map(|neighbour| neighbour.file.path.clone())
            .collect();
        let means = compute::Means {
            ctx,
            memory: &reach.memory,
            workspace: &workspace,
        };
        let is_kept = surroundings
            .zip(scan.world.as_ref())
            .is_some_and(|(is_kept, world)| is_kept(world));
        if is_kept {
            let mut alone = Fetched::of(&means, &scan.files, None, &throttle)?;
            // With a file left out, the world is another one.
            if alone.is_complete() {
                alone.cache.hits += neighbours.len() as u64;
                return Ok(assemble(scan, alone, in_place));
            }
        }
        let around = match scan.world {
            Some(_) => Some(Around::of(ctx, neighbours)?),
            None => None,
        };
        let fetched = Fetched::of(&means, &scan.files, around, &throttle)?;
        Ok(assemble(scan, fetched, in_place))
    }
}

/// What the cache had and what was computed.
struct Fetched {
    /// Of the selected files, then of the unknown files around them. `None`: left out.
    analyses: Vec<Option<Arc<FileAnalysis>>>,
    around: Option<Around>,
    computed: Computed,
    cache: CacheUse,
}

impl Fetched {
    fn of(
        means: &compute::Means<'_>,
        selected: &[File],
        around: Option<Around>,
        throttle: &Throttle<'_>,
    ) -> Result<Self, ToolError> {
        let unknown = around.iter().flat_map(|around| &around.unknown);
        // The selection comes first: an index below its length is a selected file.
        let files: Vec<File> = (selected.iter())
            .chain(unknown.map(|neighbour| &neighbour.file))
            .cloned()
            .collect();
        let slots = Slots::of(&files, selected.len());
        let mut computed = Computed::within(means.memory);
        let cache = &means.ctx.cache;
        let fetched =
            cache.get_or_compute(&slots.keys, means.ctx.deadline, |missing, hand_in| {
                let mut parse = Span::start(&PARSE, Parent::Current);
                let part = compute::all(means, &files, &slots, missing, hand_in, throttle)?;
                computed.merge(part);
                parse.set(FILES_PARSED, missing.len());
                parse.set(BYTES_PARSED, bytes_of(&files, &slots, missing));
                parse.end();
                Ok::<_, ToolError>(())
            })?;
        let known = around.as_ref().map_or(0, |around| around.known.len());
        Ok(Self {
            analyses: slots.analyses(&fetched.values, &mut computed, files.len()),
            around,
            computed,
            cache: CacheUse {
                hits: fetched.hits + known as u64,
                misses: fetched.misses,
            },
        })
    }

    /// No file was left out, and none has changed since the walk.
    fn is_complete(&self) -> bool {
        self.computed.read_otherwise.is_empty() && self.analyses.iter().all(Option::is_some)
    }
}

/// Bytes of the files that were parsed, each content once.
fn bytes_of(files: &[File], slots: &Slots, missing: &[usize]) -> u64 {
    let firsts = missing.iter().filter_map(|slot| slots.files[*slot].first());
    firsts.map(|file| files[*file].bytes).sum()
}

/// The files around the selection: those with a cached full analysis, and those whose imports must be found.
#[derive(Default)]
struct Around {
    known: Vec<Surrounding>,
    unknown: Vec<Neighbour>,
}

impl Around {
    fn of(ctx: &ToolContext, neighbours: Vec<Neighbour>) -> Result<Self, ToolError> {
        let (squeezed, neighbours): (Vec<_>, Vec<_>) = (neighbours.into_iter())
            .partition(|neighbour| neighbour.left_out == Some(SkipReason::Minified));
        let mut around = Self::default();
        // Minified files have lines of a megabyte. They can be imported, but their own imports are not read.
        around.known.extend(squeezed.into_iter().map(|neighbour| {
            let analysis = FileAnalysis::empty(neighbour.file.language);
            surrounding(neighbour, Arc::new(analysis))
        }));
        let keys: Vec<CacheKey> = (neighbours.iter())
            .map(|neighbour| key_of(&neighbour.file.hash, neighbour.file.language, Depth::Full))
            .collect();
        if keys.is_empty() {
            return Ok(around);
        }
        // Do not compute a full analysis only for imports.
        let found = ctx
            .cache
            .get_or_compute(&keys, ctx.deadline, |_, _| Ok::<_, ToolError>(()))?;
        for (neighbour, value) in neighbours.into_iter().zip(found.values) {
            match value.and_then(|value| value.downcast::<FileAnalysis>().ok()) {
                Some(analysis) => around.known.push(surrounding(neighbour, analysis)),
                None => around.unknown.push(neighbour),
            }
        }
        Ok(around)
    }
}

fn surrounding(neighbour: Neighbour, analysis: Arc<FileAnalysis>) -> Surrounding {
    Surrounding {
        path: neighbour.file.path,
        analysis,
        left_out: neighbour.left_out,
    }
}

fn stopped_or(ctx: &ToolContext, error: workspace::Error) -> ToolError {
    ctx.stop_reason()
        .unwrap_or_else(|| Failure::from(error).into())
}

/// How much of a file is analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Full,
    /// Only what the resolution of imports needs: see [`crate::analysis::imports_of`].
    Imports,
}

/// Files grouped by content: equal files with the same depth share a key.
pub(super) struct Slots {
    pub(super) keys: Vec<CacheKey>,
    /// Indexes of the files of each key.
    pub(super) files: Vec<Vec<usize>>,
    pub(super) depths: Vec<Depth>,
}

impl Slots {
    /// The first `selected` files are analysed in full.
    fn of(files: &[File], selected: usize) -> Self {
        let mut at: HashMap<CacheKey, usize> = HashMap::with_capacity(files.len());
        let mut slots = Self {
            keys: Vec::with_capacity(files.len()),
            files: Vec::with_capacity(files.len()),
            depths: Vec::with_capacity(files.len()),
        };
        for (index, file) in files.iter().enumerate() {
            let depth = match index < selected {
                true => Depth::Full,
                false => Depth::Imports,
            };
            let key = key_of(&file.hash, file.language, depth);
            let slot = *at.entry(key).or_insert_with(|| {
                slots.keys.push(key);
                slots.files.push(Vec::new());
                slots.depths.push(depth);
                slots.keys.len() - 1
            });
            slots.files[slot].push(index);
        }
        slots
    }

    /// By file, from the values of the slots and from the files that have their own.
    fn analyses(
        &self,
        values: &[Option<CacheValue>],
        computed: &mut Computed,
        files: usize,
    ) -> Vec<Option<Arc<FileAnalysis>>> {
        let mut analyses = vec![None; files];
        for (slot, members) in self.files.iter().enumerate() {
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
        analyses
    }
}

/// A [`FileAnalysis`] depends only on these four.
fn key_of(hash: &ContentHash, language: crate::analysis::Language, depth: Depth) -> CacheKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&hash.0);
    hasher.update(language.name().as_bytes());
    hasher.update(&ENGINE_VERSION.to_le_bytes());
    match depth {
        Depth::Full => {}
        Depth::Imports => _ = hasher.update(b"imports"),
    }
    CacheKey(*hasher.finalize().as_bytes())
}

fn assemble(scan: Scan, fetched: Fetched, in_place: Vec<String>) -> Analyzed {
    let world = scan.world.filter(|_| fetched.is_complete());
    let Fetched {
        mut analyses,
        around,
        computed,
        cache,
    } = fetched;
    let known = around.as_ref().map_or(0, |around| around.known.len());
    measured::measure(
        analyses.len() + known,
        &computed.parsed,
        computed.skipped.len(),
        scan.skipped.values().sum(),
    );
    let mut coverage = Coverage {
        files_seen: scan.files_seen,
        // Skipped directories have separate reasons, with names that say so.
        skipped: (scan.skipped.iter().chain(&scan.pruned))
            .map(|(reason, count)| (reason.name().to_owned(), *count))
            .collect(),
        ..Coverage::default()
    };
    let mut notices: Vec<_> = (scan.notes.iter())
        .map(|(note, count)| format!("{}: {}", note.name(), counted(*count, "file")))
        .collect();
    let read = analyses.split_off(scan.files.len());
    let surroundings = around.map(|around| surroundings(around, read));
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
        coverage.parse_errors.add(&file.path, &analysis.syntax);
        let language = analysis.language.name().to_owned();
        *coverage.languages.entry(language).or_default() += 1;
        files.push(AnalyzedFile {
            path: file.path,
            analysis,
        });
    }
    Analyzed {
        files,
        surroundings,
        in_place,
        world,
        links: scan.links,
        manifests: scan.manifests,
        coverage,
        cache,
        digest: digest_of(scan.digest, &computed.read_otherwise),
        notices,
        _held: computed.held,
    }
}

/// The surrounding files with an analysis, sorted by path.
fn surroundings(around: Around, analyses: Vec<Option<Arc<FileAnalysis>>>) -> Vec<Surrounding> {
    let Around { mut known, unknown } = around;
    let read = unknown
        .into_iter()
        .zip(analyses)
        .filter_map(|(neighbour, analysis)| Some(surrounding(neighbour, analysis?)));
    known.extend(read);
    known.retain(|surrounding| !surrounding.analysis.syntax.cplusplus);
    known.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    known
}

/// The digest of the scan, and of files that have changed since the scan.
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
