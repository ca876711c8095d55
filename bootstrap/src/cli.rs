//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a configuration to begin with
    Init(Init),
    /// Check the configuration; asks AWS nothing
    Check,
    /// Print the configuration's JSON Schema
    Schema,
    /// Show what an apply would do; changes nothing
    Plan(Plan),
    /// Make AWS as the file says
    Apply(Apply),
    /// Remove everything
    Destroy(Destroy),
    /// Roll the services to an image of the repository
    Deploy(Deploy),
    /// Go back to the image and environment of an earlier release
    Rollback(Rollback),
    /// Change how many tasks run
    Scale(Scale),
    /// Replace the tasks by new ones of the same image
    Restart(Restart),
    /// Run one command in a task of its own, with the stack's image, network, roles and secrets
    Run(Run),
    /// Open a command in a task that runs
    Exec(Exec),
    /// Give the database a new password
    Rotate(Rotate),
    /// Snapshots of the database
    Snapshot(Snapshot),
    /// Uploads
    Objects(Objects),
    /// Stop what costs while nobody uses it
    Pause(Start),
    /// Start what was paused
    Resume(Start),
    /// Stop a run
    Cancel(Cancel),
    /// Read the services' logs
    Logs(Logs),
    /// Show the environment at a glance
    Status,
    /// Show a run as it goes, from any machine
    Attach(Attach),
    /// List the runs, or show one
    Runs(Runs),
    /// Print what the last run put out: all of it, or one value
    Output(Output),
    /// Look at what is there
    State(State),
    /// Install the engine, or bring it up to date
    Bootstrap(Bootstrap),
    /// The AWS on this machine
    Local(Local),
    /// Print completions for a shell
    Completions(Completions),
}

/// `init`
#[derive(Debug, Args)]
pub struct Init {
    /// The app's name
    #[arg(long, default_value = "app")]
    pub app: String,
    /// The environment's name
    #[arg(long, default_value = "production")]
    pub environment: String,
    /// The domain; without one the stack answers on the load balancer's own name
    #[arg(long)]
    pub domain: Option<String>,
    /// Write workflows for GitHub beside a configuration that is there
    #[arg(long)]
    pub github: bool,
}

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Exit with 3 when there is something to do
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show what a destroy would do
    #[arg(long)]
    pub destroy: bool,
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

/// `apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// Carry out exactly this plan, or stop
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Start it and return
    #[arg(long)]
    pub detach: bool,
    /// Take over what stands in our place and is not ours
    #[arg(long)]
    pub adopt: bool,
    /// Data may go, after a final snapshot of the database
    #[arg(long)]
    pub delete_data: bool,
    /// Changes may interrupt service
    #[arg(long)]
    pub allow_downtime: bool,
    /// With --local: put no sample image into an empty repository
    #[arg(long)]
    pub no_sample_image: bool,
}

/// `destroy`
#[derive(Debug, Args)]
pub struct Destroy {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Start it and return
    #[arg(long)]
    pub detach: bool,
    /// Objects, images and records go too
    #[arg(long, conflicts_with = "keep_data")]
    pub delete_data: bool,
    /// What holds data stays, and is listed
    #[arg(long)]
    pub keep_data: bool,
    /// Take no final snapshot of the database
    #[arg(long)]
    pub skip_final_snapshot: bool,
}

/// `deploy`
#[derive(Debug, Args)]
pub struct Deploy {
    /// A tag or a digest (`sha256:…`) in the stack's repository
    #[arg(required_unless_present = "build")]
    pub image: Option<String>,
    /// Build this directory with docker and push it first
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub build: Option<PathBuf>,
    /// With --build: what it is built for, `linux/arm64` or `linux/amd64`; else what docker builds for here
    #[arg(long, requires = "build")]
    pub platform: Option<String>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
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

/// `rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// The release's number; else the one before the newest
    #[arg(long, value_name = "N")]
    pub to: Option<u32>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

/// `scale`
#[derive(Debug, Args)]
pub struct Scale {
    /// `SERVICE=COUNT`; with --reset services alone
    #[arg(value_name = "SERVICE=COUNT", required_unless_present = "reset")]
    pub counts: Vec<String>,
    /// Back to what the file says, for these services or for all
    #[arg(long)]
    pub reset: bool,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

/// `restart`
#[derive(Debug, Args)]
pub struct Restart {
    /// The services; else all
    pub services: Vec<String>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// The service whose task definition is used
    #[arg(long)]
    pub service: Option<String>,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
    /// The command, word by word; it stands in the run's record
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// `exec`
#[derive(Debug, Args)]
pub struct Exec {
    /// The service
    pub service: String,
    /// The command, word by word; else a shell
    #[arg(last = true)]
    pub command: Vec<String>,
}

/// `rotate`
#[derive(Debug, Args)]
pub struct Rotate {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How it starts
    #[command(flatten)]
    pub start: Start,
}

/// `snapshot`
#[derive(Debug, Args)]
pub struct Snapshot {
    /// What to do
    #[command(subcommand)]
    pub command: SnapshotCommand,
}

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Take one
    Create {
        /// Its name; else the time
        name: Option<String>,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
    /// List them, and the clusters that restores have left
    List,
    /// Make the next generation of the database from one
    Restore {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
    /// Let go of a snapshot, or of a cluster that a restore has left
    Forget {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
}

/// `objects`
#[derive(Debug, Args)]
pub struct Objects {
    /// What to do
    #[command(subcommand)]
    pub command: ObjectsCommand,
}

/// What can be done with uploads.
#[derive(Debug, Subcommand)]
pub enum ObjectsCommand {
    /// Bring back an earlier version
    Restore {
        /// The object's key
        key: String,
        /// As it was at this time (RFC 3339); else the version before the present one
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// How it starts
        #[command(flatten)]
        start: Start,
    },
}

/// `cancel`
#[derive(Debug, Args)]
pub struct Cancel {
    /// The run
    pub run: String,
}

/// `logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// The services; else all
    pub services: Vec<String>,
    /// Go on as new lines come
    #[arg(short, long)]
    pub follow: bool,
    /// How far back: `90s`, `15m`, `1h`, `2d`
    #[arg(long, default_value = "1h", value_name = "SPAN")]
    pub since: String,
    /// Only lines that match this CloudWatch filter pattern
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
    /// What the functions of this run have written, instead
    #[arg(long, value_name = "ID", conflicts_with_all = ["services", "follow"])]
    pub run: Option<String>,
}

/// `attach`
#[derive(Debug, Args)]
pub struct Attach {
    /// The run; else the newest
    pub run: Option<String>,
}

/// `runs`
#[derive(Debug, Args)]
pub struct Runs {
    /// What to do
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// What can be asked of runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List them
    List,
    /// Show one: request, plan, timeline, result
    Show {
        /// The run's id
        run: String,
    },
}

/// `output`
#[derive(Debug, Args)]
pub struct Output {
    /// `url`, `name_servers`, `repository`, `database_endpoint`, …
    pub name: Option<String>,
}

/// `state`
#[derive(Debug, Args)]
pub struct State {
    /// What to do
    #[command(subcommand)]
    pub command: StateCommand,
}

/// What can be asked of the state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Every resource with its id
    List,
    /// Everything owned, as one JSON document
    Pull,
    /// One resource
    Show {
        /// Its name, as `state list` prints it
        name: String,
    },
}

/// `bootstrap`
#[derive(Debug, Args)]
pub struct Bootstrap {
    /// Take the engine away
    #[arg(long)]
    pub remove: bool,
    /// With --remove: the run records go too
    #[arg(long, requires = "remove")]
    pub delete_data: bool,
    /// Print what each role of the engine may do
    #[arg(long)]
    pub print_policies: bool,
    /// Make the role that the workflows of a GitHub repository take
    #[arg(long, value_name = "OWNER/REPO", conflicts_with_all = ["remove", "print_policies"])]
    pub github: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `local`
#[derive(Debug, Args)]
pub struct Local {
    /// What to do
    #[command(subcommand)]
    pub command: LocalCommand,
}

/// What can be done with the AWS on this machine.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// Start it
    Start,
    /// Stop it; what it holds is forgotten
    Stop,
    /// Empty it
    Reset,
    /// Push a sample image to the stack's repository
    Push {
        /// Its tag
        #[arg(long, default_value = "latest")]
        tag: String,
    },
}

/// `completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        super::Cli::command().debug_assert();
    }
}
