//! The commands: a file each, which holds what can be typed and what it does. This list names them all.

mod apply;
mod attach;
mod bootstrap;
mod consent;
mod destroy;
mod engine;
mod files;
mod github;
mod local;
mod logs;
mod look;
mod missing;
mod operate;
mod outcome;
mod output;
mod plan;
mod runs;
mod sample;
mod state;
mod status;
mod watch;

use clap::{Parser, Subcommand};

use crate::cli::{Global, Start};
use crate::error::{Code, Result};

use operate::{cancel, deploy, exec, objects, pause, restart, rollback, rotate, run, scale, snapshot};

/// From one file to a running web stack in your own AWS account.
#[derive(Debug, Parser)]
#[command(name = "stepstack", version, about, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a configuration to begin with
    Init(files::Init),
    /// Check the configuration; asks AWS nothing
    Check,
    /// Print the configuration's JSON Schema
    Schema,
    /// Show what an apply would do; changes nothing
    Plan(plan::Plan),
    /// Make AWS as the file says
    Apply(apply::Apply),
    /// Remove everything
    Destroy(destroy::Destroy),
    /// Roll the services to an image of the repository
    Deploy(deploy::Deploy),
    /// Go back to the image and environment of an earlier release
    Rollback(rollback::Rollback),
    /// Change how many tasks run
    Scale(scale::Scale),
    /// Replace the tasks by new ones of the same image
    Restart(restart::Restart),
    /// Run one command in a task of its own, with the stack's image, network, roles and secrets
    Run(run::Run),
    /// Open a command in a task that runs
    Exec(exec::Exec),
    /// Give the database a new password
    Rotate(rotate::Rotate),
    /// Snapshots of the database
    Snapshot(snapshot::Snapshot),
    /// Uploads
    Objects(objects::Objects),
    /// Stop what costs while nobody uses it
    Pause(Start),
    /// Start what was paused
    Resume(Start),
    /// Stop a run
    Cancel(cancel::Cancel),
    /// Read the services' logs
    Logs(logs::Logs),
    /// Show the environment at a glance
    Status,
    /// Show a run as it goes, from any machine
    Attach(attach::Attach),
    /// List the runs, or show one
    Runs(runs::Runs),
    /// Print what the last run put out: all of it, or one value
    Output(output::Output),
    /// Look at what is there
    State(state::State),
    /// Install the engine, or bring it up to date
    Bootstrap(bootstrap::Bootstrap),
    /// The AWS on this machine
    Local(local::Local),
    /// Print completions for a shell
    Completions(files::Completions),
}

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<Code> {
    let Cli { global, command } = cli;
    match command {
        Command::Init(init) if init.github => github::init(&global).await,
        Command::Init(init) => files::init(&global, &init),
        Command::Check => files::check(&global),
        Command::Schema => Ok(files::schema()),
        Command::Plan(plan) => plan::plan(&global, &plan).await,
        Command::Apply(apply) => apply::apply(&global, &apply).await,
        Command::Destroy(destroy) => destroy::destroy(&global, &destroy).await,
        Command::Deploy(deploy) => deploy::deploy(&global, &deploy).await,
        Command::Rollback(rollback) => rollback::rollback(&global, &rollback).await,
        Command::Scale(scale) => scale::scale(&global, &scale).await,
        Command::Restart(restart) => restart::restart(&global, &restart).await,
        Command::Run(run) => run::run(&global, &run).await,
        Command::Exec(exec) => exec::exec(&global, &exec).await,
        Command::Rotate(rotate) => rotate::rotate(&global, &rotate).await,
        Command::Snapshot(snapshot) => snapshot::snapshot(&global, &snapshot).await,
        Command::Objects(objects) => objects::objects(&global, &objects).await,
        Command::Pause(start) => pause::pause(&global, &start).await,
        Command::Resume(start) => pause::resume(&global, &start).await,
        Command::Cancel(cancel) => cancel::cancel(&global, &cancel).await,
        Command::Logs(logs) => logs::logs(&global, &logs).await,
        Command::Status => status::status(&global).await,
        Command::Attach(attach) => attach::attach(&global, &attach).await,
        Command::Runs(runs) => runs::runs(&global, &runs).await,
        Command::Output(output) => output::output(&global, &output).await,
        Command::State(state) => state::state(&global, &state).await,
        Command::Bootstrap(bootstrap) => bootstrap::bootstrap(&global, &bootstrap).await,
        Command::Local(local) => local::local(&global, &local).await,
        Command::Completions(completions) => Ok(files::completions(&global, &completions)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        super::Cli::command().debug_assert();
    }
}
