//! Stepstack's command line as a library: the commands, the installer of the engine, and local mode.

pub mod cli;
mod commands;
pub mod error;
mod follow;
pub mod github;
pub mod install;
pub mod local;
mod session;
pub mod show;

use std::process::ExitCode;

use clap::Parser as _;

pub use crate::commands::Cli;
use crate::error::CliError;
use crate::show::Page;

/// Runs the program. Every error is printed here, and nowhere else.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let code = runtime
        .map_err(|error| CliError::failed(format!("The program cannot start: {error}.")))
        .and_then(|runtime| runtime.block_on(commands::run(cli)));
    match code {
        Ok(code) => ExitCode::from(code.number()),
        Err(error) => {
            show::notes(&error.screen(Page::stderr()));
            if json {
                show::json(&error.document());
            }
            ExitCode::from(error.code.number())
        }
    }
}

/// What was typed is no command, or asks for help.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    // The arguments were not understood as a whole; this one says how to answer all the same.
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        show::json(&CliError::usage(error.render().to_string().trim_end()).document());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
