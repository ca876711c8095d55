//! `local`: the AWS on this machine.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::local::{Endpoint, REGION, Server, push_sample};
use crate::session::{Session, local_endpoint};
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
    /// Print what points other tools at it: `eval "$(stepstack local env)"`
    Env,
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
            let endpoint = local_endpoint().await?.url;
            say(format!("MiniStack answers at {endpoint}."), json!({ "endpoint": endpoint }));
        }
        LocalCommand::Env => {
            let endpoint = local_endpoint().await?;
            say(exports(&endpoint), as_json(&endpoint));
        }
        LocalCommand::Stop => {
            let stopped =
                tokio::task::spawn_blocking(|| Server::from_environment().and_then(|server| server.stop()));
            let stopped = stopped.await.map_err(|error| CliError::failed(error.to_string()))??;
            let text = if stopped {
                "MiniStack is stopped, and what it held is forgotten."
            } else {
                "MiniStack does not run."
            };
            say(text.to_owned(), json!({ "stopped": stopped }));
        }
        LocalCommand::Reset => {
            let reset =
                tokio::task::spawn_blocking(|| Server::from_environment().and_then(|server| server.reset()));
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

/// Lines for a shell. None of the values has a character that a shell would take for its own.
fn exports(Endpoint { url, key }: &Endpoint) -> String {
    let lines = [
        // Either would go before the key.
        "unset AWS_PROFILE AWS_SESSION_TOKEN".to_owned(),
        format!("export AWS_ENDPOINT_URL={url}"),
        format!("export AWS_ACCESS_KEY_ID={}", key.access_key_id),
        format!("export AWS_SECRET_ACCESS_KEY={}", key.secret_access_key),
        format!("export AWS_REGION={REGION}"),
        // The first version of the AWS CLI looks at this one alone.
        format!("export AWS_DEFAULT_REGION={REGION}"),
    ];
    lines.join("\n")
}

fn as_json(Endpoint { url, key }: &Endpoint) -> serde_json::Value {
    json!({
        "endpoint": url,
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret_access_key,
        "region": REGION,
    })
}
