//! The whole graph: resolved, folded and measured, before any part of it is selected.
//!
//! It is kept in the cache under a digest of all that it is made of, so the next answer about any part of the same files
//! need not build it. After a crash or an eviction it is built again.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use actors::cache::{CacheKey, CacheValue, Weighed};
use actors::tool::{ToolContext, ToolError};
use serde_json::Value;

use super::super::analyzed::Analyzed;
use crate::analysis::ENGINE_VERSION;
use crate::analysis::graph::{
    self, Coupling, Cycle, CycleEdges, Edge, External, Granularity, Graph, Measured, Node, Project,
    SourceFile, Unresolved,
};
use crate::workspace::{ContentHash, SkipReason};

/// The argument `cycles`.
const ALL: &str = "all";
/// A larger graph, of some 50,000 files, is built for each answer: a few of them would fill the default cache, and
/// displace the analyses. A graph takes a twentieth of its analyses (1.8 MB for the 2,831 files of Django).
const MOST_BYTES: usize = 32 << 20;

/// The arguments that decide what the whole graph is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    granularity: Granularity,
    edges: CycleEdges,
}

impl Form {
    pub(super) fn of(arguments: &Value) -> Self {
        Self {
            granularity: match arguments["granularity"].as_str() {
                Some("directory") => Granularity::Directory,
                Some("package") => Granularity::Package,
                Some(_) | None => Granularity::File,
            },
            edges: match arguments["cycles"].as_str() {
                Some(ALL) => CycleEdges::All,
                Some(_) | None => CycleEdges::Runtime,
            },
        }
    }

    /// The name of the argument's value.
    pub(super) fn cycles_by(self) -> &'static str {
        match self.edges {
            CycleEdges::All => ALL,
            CycleEdges::Runtime => "runtime",
        }
    }

    /// Names the world of these files.
    fn key(self, scanned: &ContentHash) -> CacheKey {
        let granularity = match self.granularity {
            Granularity::File => b'f',
            Granularity::Directory => b'd',
            Granularity::Package => b'p',
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"world");
        hasher.update(&ENGINE_VERSION.to_le_bytes());
        hasher.update(&scanned.0);
        hasher.update(&[granularity]);
        hasher.update(self.cycles_by().as_bytes());
        CacheKey(*hasher.finalize().as_bytes())
    }
}

pub(super) struct World {
    pub(super) measured: Measured,
    /// Each file and its node.
    files: Vec<(String, u32)>,
}

impl World {
    /// The kept world of the files whose digest this is.
    pub(super) fn kept(ctx: &ToolContext, scanned: &ContentHash, form: Form) -> Option<Arc<Self>> {
        let cache = ctx.cache.in_memory();
        let found =
            cache.get_or_compute(&[form.key(scanned)], ctx.deadline, |_, _| Ok::<_, ()>(()));
        let value = found.ok()?.values.into_iter().next().flatten()?;
        value.downcast().ok()
    }

    /// Builds the world of all files, and keeps it if its digest covers it.
    pub(super) fn of(
        ctx: &ToolContext,
        analyzed: &Analyzed,
        form: Form,
    ) -> Result<Arc<Self>, ToolError> {
        let graph = build(ctx, analyzed)?;
        let nodes = graph.folded_into(form.granularity);
        let paths = graph.nodes.iter().map(|node| node.path.clone());
        let files = paths.zip(nodes).collect();
        let graph = match form.granularity {
            Granularity::File => graph,
            Granularity::Directory | Granularity::Package => graph.fold(form.granularity),
        };
        let world = Arc::new(Self {
            measured: graph.measure(form.edges),
            files,
        });
        if let Some(scanned) = &analyzed.world {
            world.keep(ctx, form.key(scanned));
        }
        Ok(world)
    }

    fn keep(self: &Arc<Self>, ctx: &ToolContext, key: CacheKey) {
        let weight = self.weight();
        if weight > MOST_BYTES {
            return;
        }
        let hand_in = |_: &[usize], hand_in: &(dyn Fn(usize, Weighed) + Sync)| {
            let value: CacheValue = self.clone();
            hand_in(0, Weighed { value, weight });
            Ok::<_, ()>(())
        };
        let _ = (ctx.cache.in_memory()).get_or_compute(&[key], ctx.deadline, hand_in);
    }

    /// For each node, whether none of its files is in the selection.
    pub(super) fn outside(&self, analyzed: &Analyzed) -> Vec<bool> {
        let selected = analyzed.files.iter().map(|file| file.path.as_str());
        let in_place = analyzed.in_place.iter().map(String::as_str);
        let own: HashSet<&str> = selected.chain(in_place).collect();
        let mut outside = vec![true; self.measured.graph.nodes.len()];
        for (path, node) in &self.files {
            if own.contains(path.as_str()) {
                outside[*node as usize] = false;
            }
        }
        outside
    }

    /// Bytes: structs and their strings.
    fn weight(&self) -> usize {
        let Measured {
            graph,
            coupling,
            cycles,
        } = &self.measured;
        let files = self.files.iter();
        let files = files.map(|(path, _)| size_of::<(String, u32)>() + path.capacity());
        let cycles = cycles.iter();
        let cycles = cycles.map(|cycle| {
            size_of::<Cycle>() + (cycle.members.capacity() + cycle.path.capacity()) * 4
        });
        size_of::<Self>()
            + files.sum::<usize>()
            + weight_of(graph)
            + coupling.capacity() * size_of::<Coupling>()
            + cycles.sum::<usize>()
    }
}

fn weight_of(graph: &Graph) -> usize {
    let nodes = graph.nodes.iter().map(|node| {
        size_of::<Node>() + node.id.capacity() + node.path.capacity() + node.package.capacity()
    });
    let edges = graph.edges.iter().map(|edge| {
        let specifiers = edge.specifiers.iter();
        let specifiers = specifiers.map(|text| size_of::<String>() + text.capacity());
        size_of::<Edge>() + edge.lines.capacity() * 4 + specifiers.sum::<usize>()
    });
    let external = graph.external.iter().map(|external| {
        size_of::<External>() + external.name.capacity() + external.importers.capacity() * 4
    });
    let unresolved = graph.unresolved.iter().map(|one| {
        let texts = one.path.capacity() + one.specifier.capacity() + one.reason.capacity();
        size_of::<Unresolved>() + texts
    });
    nodes.chain(edges).chain(external).chain(unresolved).sum()
}

fn build(ctx: &ToolContext, analyzed: &Analyzed) -> Result<Graph, ToolError> {
    let selected = (analyzed.files.iter()).map(|file| SourceFile::new(&file.path, &file.analysis));
    let around = (analyzed.surroundings.iter().flatten()).map(|file| SourceFile {
        path: &file.path,
        analysis: &file.analysis,
        left_out: file.left_out.map(SkipReason::name),
    });
    let mut files: Vec<SourceFile<'_>> = selected.chain(around).collect();
    // In the same order for any selection, so that every answer folds and breaks ties alike.
    files.sort_unstable_by(|a, b| a.path.cmp(b.path));
    let links: Vec<(String, String)> = (analyzed.links.iter())
        .map(|link| (link.path.clone(), link.target.clone()))
        .collect();
    let project = Project {
        files: &files,
        manifests: &analyzed.manifests,
        links: &links,
    };
    let cancelled = || ctx.stop_reason().is_some();
    graph::build(project, &cancelled)
        .map_err(|_| ctx.stop_reason().unwrap_or_else(ToolError::cancelled))
}
