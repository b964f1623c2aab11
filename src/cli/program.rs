//! The program from start to exit code: command line, configuration, telemetry; then the command, in a runtime.
//!
//! [`program`] is a plain function without type parameters or futures in its signature. So the server's futures are
//! compiled with the library, and not with the binary that calls it.

use std::ffi::OsString;
use std::pin::Pin;

use tokio::runtime::Runtime;

use super::{Command, Exit, complain, doctor, parse, serve};
use crate::config::{self, Config, Layer, Scope};

/// The command line logs only warnings and errors, because the result is the output.
const QUIET: &str = "warn";

/// Runs the program with these arguments. The first is its name.
pub fn program(arguments: Vec<OsString>) -> Exit {
    match parse(arguments) {
        Ok(command) => run(command),
        Err(exit) => exit,
    }
}

fn run(command: Command) -> Exit {
    match command {
        Command::Serve(serve) => {
            match configure(Scope::Serve, serve.settings, otel::DEFAULT_FILTER) {
                Ok(config) => within_runtime(Box::pin(serve::run(config))),
                Err(exit) => exit,
            }
        }
        Command::Analyze(analyze) => match configure(Scope::Analyze, analyze.layer(), QUIET) {
            Ok(config) => within_runtime(Box::pin(async move { analyze.run(config).await })),
            Err(exit) => exit,
        },
        Command::Tools(tools) => misspelt().unwrap_or_else(|| tools.run()),
        Command::Sessions(sessions) => {
            let flags = sessions.layer();
            match flags.map(|flags| configure(Scope::Sessions, flags, QUIET)) {
                None => misspelt().unwrap_or_else(|| {
                    within_runtime(Box::pin(async move { sessions.run(None).await }))
                }),
                Some(Ok(config)) => {
                    within_runtime(Box::pin(async move { sessions.run(Some(config)).await }))
                }
                Some(Err(exit)) => exit,
            }
        }
        Command::Doctor(doctor) => {
            tell_foreign();
            let environment = std::env::vars_os();
            let config = Config::resolve_for(Scope::Doctor, doctor.settings, environment);
            within_runtime(Box::pin(doctor::run(config, doctor.repair)))
        }
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}

fn configure(scope: Scope, flags: Layer, default_filter: &str) -> Result<Config, Exit> {
    let config = Config::resolve_for(scope, flags, std::env::vars_os()).map_err(refused)?;
    tell_foreign();
    let filter = config.log.clone().unwrap_or(default_filter.to_owned());
    let options = otel::Options {
        filter: Some(filter),
        format: config.log_format.into(),
    };
    otel::install(&options).map_err(|error| {
        complain(&error.to_string());
        Exit::Config
    })?;
    Ok(config)
}

/// For commands without settings: misspelt variables are refused here too.
fn misspelt() -> Option<Exit> {
    config::check(std::env::vars_os()).map_err(refused).err()
}

fn refused(error: config::Error) -> Exit {
    complain(&error.to_string());
    Exit::Config
}

fn tell_foreign() {
    for name in config::foreign(std::env::vars_os()) {
        complain(&format!(
            "warning: ignoring the environment variable {name}: there is no such setting"
        ));
    }
}

/// Does not wait for threads: a blocking read of stdin cannot be cancelled.
fn within_runtime(work: Pin<Box<dyn Future<Output = Exit>>>) -> Exit {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start the runtime: {error}"));
            return Exit::Internal;
        }
    };
    let exit = runtime.block_on(work);
    runtime.shutdown_background();
    exit
}
