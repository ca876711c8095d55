//! The commands, one file per subject.

mod apply;
mod deploy;
mod engine;
mod files;
mod github;
mod logs;
mod look;
mod metrics;
mod now;
mod operate;
mod runs;
mod status;

use statemachine::resource::{DataPolicy, Options};

use crate::cli::{Bootstrap, Cli, Command};
use crate::error::{Code, Result};

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<Code> {
    let Cli { global, command } = cli;
    match command {
        Command::Init(init) if init.github => github::init(&global).await,
        Command::Init(init) => files::init(&global, &init),
        Command::Check => files::check(&global),
        Command::Schema => Ok(files::schema()),
        Command::Completions(completions) => Ok(files::completions(&global, &completions)),
        Command::Plan(plan) => apply::plan(&global, &plan).await,
        Command::Apply(apply) => apply::apply(&global, &apply).await,
        Command::Destroy(destroy) => apply::destroy(&global, &destroy).await,
        Command::Deploy(deploy) => deploy::deploy(&global, &deploy).await,
        Command::Rollback(rollback) => operate::rollback(&global, &rollback).await,
        Command::Scale(scale) => operate::scale(&global, &scale).await,
        Command::Restart(restart) => operate::restart(&global, &restart).await,
        Command::Run(run) => operate::run(&global, &run).await,
        Command::Exec(exec) => operate::exec(&global, &exec).await,
        Command::Rotate(rotate) => operate::rotate(&global, &rotate).await,
        Command::Snapshot(snapshot) => operate::snapshot(&global, &snapshot).await,
        Command::Objects(objects) => operate::objects(&global, &objects).await,
        Command::Pause(start) => operate::pause(&global, &start).await,
        Command::Resume(start) => operate::resume(&global, &start).await,
        Command::Cancel(cancel) => operate::cancel(&global, &cancel).await,
        Command::Logs(logs) => logs::logs(&global, &logs).await,
        Command::Attach(attach) => runs::attach(&global, &attach).await,
        Command::Runs(runs) => look::runs(&global, &runs).await,
        Command::Status => status::status(&global).await,
        Command::Output(output) => look::output(&global, &output).await,
        Command::State(state) => look::state(&global, &state).await,
        Command::Bootstrap(Bootstrap { github: Some(repository), .. }) => {
            github::role(&global, &repository).await
        }
        Command::Bootstrap(bootstrap) => engine::bootstrap(&global, &bootstrap).await,
        Command::Local(local) => engine::local(&global, &local).await,
    }
}

/// What a run may do, as the flags say.
#[expect(clippy::fn_params_excessive_bools, reason = "each is a flag of the command line, by its name")]
fn options(
    delete_data: bool,
    keep_data: bool,
    adopt: bool,
    allow_downtime: bool,
    skip_final_snapshot: bool,
) -> Options {
    let data = match (delete_data, keep_data) {
        (true, _) => DataPolicy::Delete,
        (false, true) => DataPolicy::Keep,
        (false, false) => DataPolicy::Refuse,
    };
    Options { data, adopt, allow_downtime, skip_final_snapshot }
}
