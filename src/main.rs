//! The program: it sets the allocator and calls the library, so that a change here compiles in seconds.

use std::process::ExitCode;
use std::time::Duration;

use mcp_code_analysis::cli;
use metered::Metered;
use mimalloc::MiMalloc;

/// Parsing and answers allocate many small values. The parser, which is C, uses it too. The bytes of each thread are
/// counted, so that an analysis is stopped before it exceeds its memory limit.
#[global_allocator]
static ALLOCATOR: Metered<MiMalloc> = Metered(MiMalloc);

/// How long the process waits at its end for a receiver of telemetry.
const LAST_SPANS: Duration = Duration::from_secs(3);
/// How long the process waits at its end for a stderr that accepts nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let _said = SaidAll;
    cli::program(std::env::args_os().collect()).into()
}

/// Sends the last telemetry and writes the last log messages, however `main` ends.
struct SaidAll;

impl Drop for SaidAll {
    fn drop(&mut self) {
        otel::end(LAST_SPANS);
        otel::stderr::flush(LAST_WORDS);
    }
}
