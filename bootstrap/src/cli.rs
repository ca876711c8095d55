//! Options that several commands share. What one command takes stands beside it, in `commands/`.

use std::path::PathBuf;

use clap::Args;
use statemachine::resource::{DataPolicy, Options};

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The configuration
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        default_value = "stepstack.toml",
        global = true
    )]
    pub file: PathBuf,
    /// The stack by name, when there is no file at hand
    #[arg(long, value_name = "APP/ENV", global = true)]
    pub stack: Option<String>,
    /// Use the AWS on this machine (MiniStack), started on first use
    #[arg(long, global = true)]
    pub local: bool,
    /// Print one JSON document, and nothing else, on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// The AWS region, where the file names none
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// The AWS profile
    #[arg(long, global = true)]
    pub profile: Option<String>,
}

/// What a plan or an apply may do.
#[derive(Clone, Debug, Args)]
pub struct May {
    /// Take over what stands in our place and is not ours
    #[arg(long)]
    pub adopt: bool,
    /// Data may go, after a final snapshot of the database
    #[arg(long)]
    pub delete_data: bool,
    /// Changes may interrupt service
    #[arg(long)]
    pub allow_downtime: bool,
}

impl May {
    /// The same, as the engine is told it.
    pub(crate) fn options(&self) -> Options {
        let data = if self.delete_data { DataPolicy::Delete } else { DataPolicy::Refuse };
        Options {
            data,
            adopt: self.adopt,
            allow_downtime: self.allow_downtime,
            skip_final_snapshot: false,
            never_adopts: false,
        }
    }
}

/// How an operation starts.
#[derive(Clone, Debug, Default, Args)]
pub struct Start {
    /// Wait for a run that is at work on the environment
    #[arg(long)]
    pub wait: bool,
    /// Start it and return
    #[arg(long)]
    pub detach: bool,
}
