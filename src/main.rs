//! Start-up as a story: command line, configuration, telemetry; then the command, within a runtime, to its exit code.

use std::process::ExitCode;
use std::time::Duration;

use mcp_code_analysis::cli::{self, Command, Exit, complain};
use mcp_code_analysis::config::{self, Config, Layer};
use metered::Metered;
use mimalloc::MiMalloc;
use tokio::runtime::Runtime;

/// Parsing and answers are made of many small values. It serves the parser, which is C, as well. What each thread takes
/// is counted, so that an analysis is stopped before it takes too much.
#[global_allocator]
static ALLOCATOR: Metered<MiMalloc> = Metered(MiMalloc);

/// On the command line only what is wrong is said: the result is what was asked for.
const QUIET: &str = "warn";

/// How long the end of the process waits for a stderr that takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let _said = SaidAll;
    let exit = match cli::parse(std::env::args_os()) {
        Ok(command) => run(command),
        Err(exit) => exit,
    };
    exit.into()
}

/// What was logged last is written, however `main` ends.
struct SaidAll;

impl Drop for SaidAll {
    fn drop(&mut self) {
        otel::stderr::flush(LAST_WORDS);
    }
}

fn run(command: Command) -> Exit {
    match command {
        Command::Serve(serve) => match configure(serve.settings, otel::DEFAULT_FILTER) {
            Ok(config) => within_runtime(cli::serve::run(config)),
            Err(exit) => exit,
        },
        Command::Analyze(analyze) => match configure(analyze.layer(), QUIET) {
            Ok(config) => within_runtime(async move { analyze.run(config).await }),
            Err(exit) => exit,
        },
        Command::Tools(tools) => tools.run(),
        Command::Sessions(sessions) => {
            match sessions.layer().map(|flags| configure(flags, QUIET)) {
                None => within_runtime(async move { sessions.run(None).await }),
                Some(Ok(config)) => within_runtime(async move { sessions.run(Some(config)).await }),
                Some(Err(exit)) => exit,
            }
        }
        Command::Doctor(doctor) => {
            let config = Config::resolve(doctor.settings, std::env::vars_os());
            within_runtime(cli::doctor::run(config))
        }
    }
}

fn configure(flags: Layer, default_filter: &str) -> Result<Config, Exit> {
    let config = Config::resolve(flags, std::env::vars_os()).map_err(|error: config::Error| {
        complain(&error.to_string());
        Exit::Config
    })?;
    let filter = config.log.clone().unwrap_or(default_filter.to_owned());
    let options = otel::Options {
        filter: Some(filter),
    };
    otel::install(&options).map_err(|error| {
        complain(&error.to_string());
        Exit::Config
    })?;
    Ok(config)
}

/// Leaves no thread waiting: a read of stdin that nobody answers cannot be taken back.
fn within_runtime(work: impl Future<Output = Exit>) -> Exit {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return Exit::Internal;
        }
    };
    let exit = runtime.block_on(work);
    runtime.shutdown_background();
    exit
}
