//! The program: it brings the allocator, and leaves the rest to the library, so that a change here compiles in seconds.

use std::process::ExitCode;
use std::time::Duration;

use mcp_code_analysis::cli;
use metered::Metered;
use mimalloc::MiMalloc;

/// Parsing and answers are made of many small values. It serves the parser, which is C, as well. What each thread takes
/// is counted, so that an analysis is stopped before it takes too much.
#[global_allocator]
static ALLOCATOR: Metered<MiMalloc> = Metered(MiMalloc);

/// How long the end of the process waits for a stderr that takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let _said = SaidAll;
    cli::program(std::env::args_os().collect()).into()
}

/// What was logged last is written, however `main` ends.
struct SaidAll;

impl Drop for SaidAll {
    fn drop(&mut self) {
        otel::stderr::flush(LAST_WORDS);
    }
}
