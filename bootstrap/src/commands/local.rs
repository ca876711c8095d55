//! `local`: the AWS on this machine.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::local::{Server, push_sample};
use crate::session::{Session, local as local_config};
use crate::show;

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

pub(crate) async fn local(global: &Global, local: &Local) -> Result<Code> {
    let say = |text: String, value: serde_json::Value| {
        if global.json { show::json(&value) } else { show::line(&text) }
    };
    match &local.command {
        LocalCommand::Start => {
            let config = local_config().await?;
            let endpoint = config.endpoint_url().unwrap_or_default();
            say(format!("MiniStack answers at {endpoint}."), json!({ "endpoint": endpoint }));
        }
        LocalCommand::Stop => {
            let stopped = tokio::task::spawn_blocking(|| Server::from_environment().stop());
            let stopped = stopped.await.map_err(|error| CliError::failed(error.to_string()))??;
            let text = if stopped {
                "MiniStack is stopped, and what it held is forgotten."
            } else {
                "MiniStack does not run."
            };
            say(text.to_owned(), json!({ "stopped": stopped }));
        }
        LocalCommand::Reset => {
            let reset = tokio::task::spawn_blocking(|| Server::from_environment().reset());
            reset.await.map_err(|error| CliError::failed(error.to_string()))??;
            say("MiniStack is empty.".to_owned(), json!({ "reset": true }));
        }
        LocalCommand::Push { tag } => {
            let session = Session::open(&Global { local: true, ..global.clone() }).await?;
            let ecr = aws_sdk_ecr::Client::new(&session.config);
            let marker = jiff::Timestamp::now().to_string();
            let (repository, digest) =
                (session.stack(), push_sample(&ecr, &session.stack(), tag, &marker).await?);
            say(
                format!("Pushed {repository}:{tag} as {digest}."),
                json!({ "repository": repository, "tag": tag, "digest": digest }),
            );
        }
    }
    Ok(Code::Done)
}
