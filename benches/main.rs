//! How fast, in numbers that are worth keeping: `cargo bench`, or `cargo bench -- stdio http actors memory redis telemetry shared-cache analysis` for
//! some of them. A word with a `/` is a folder that is analysed: `cargo bench -- analysis target/corpora/go` (default:
//! `src/` of this repository, which is small; docs/benchmarks.md says where larger ones come from).
//!
//! What is compared runs in turns within one run, so that a busy machine slows both; medians are given, and the
//! median of the ratios of neighbours.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and has nobody to recover for"
)]

mod actor;
mod analysis;
mod bare;
mod http;
mod memory;
mod redis;
mod stats;
mod stdio;
mod telemetry;

use std::path::{Path, PathBuf};

use mimalloc::MiMalloc;

/// The program's own, so that the bare server is no worse off.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == bare::MODE) {
        return bare::serve();
    }
    if arguments.iter().any(|argument| argument == bare::HTTP_MODE) {
        return bare::serve_http();
    }
    let (folders, chosen): (Vec<String>, Vec<String>) = arguments
        .into_iter()
        .filter(|argument| !argument.starts_with('-'))
        .partition(|argument| argument.contains('/'));
    let mut corpora: Vec<PathBuf> = folders.into_iter().map(PathBuf::from).collect();
    if corpora.is_empty() {
        corpora.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    }
    let benches: [(&str, &dyn Fn()); 8] = [
        ("stdio", &stdio::run),
        ("http", &http::run),
        ("actors", &actor::run),
        ("memory", &memory::run),
        ("redis", &redis::run),
        ("telemetry", &telemetry::run),
        ("shared-cache", &|| {
            corpora
                .iter()
                .for_each(|corpus| analysis::run_shared(corpus))
        }),
        ("analysis", &|| {
            corpora.iter().for_each(|corpus| analysis::run(corpus))
        }),
    ];
    for (name, bench) in benches {
        if chosen.is_empty() || chosen.iter().any(|choice| choice == name) {
            println!("== {name}");
            bench();
        }
    }
}
