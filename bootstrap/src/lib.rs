//! Stepstack's command line as a library: the commands, the installer of the engine, and local mode.

pub mod cli;
mod commands;
pub mod error;
mod follow;
pub mod install;
pub mod local;
mod session;
pub mod show;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;

/// Runs the program. Every error is printed here, and nowhere else.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            show::error(&format!("The program cannot start: {error}"), None);
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(code) => ExitCode::from(code.number()),
        Err(error) => {
            error.show();
            ExitCode::from(error.code.number())
        }
    }
}
