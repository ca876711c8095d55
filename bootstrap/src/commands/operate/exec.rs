//! `exec`: a command in a task that runs, through ECS Exec and the AWS CLI's session-manager-plugin.

use aws::failed;
use aws_sdk_ecs::types::{Container, DesiredStatus, Task};
use clap::Args;
use serde::Serialize;
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use tokio::process::Command;

use crate::cli::Global;
use crate::commands::missing::{no_environment, unknown};
use crate::error::{CliError, Code, Result};
use crate::session::Session;

/// What opens the session on this side.
const PLUGIN: &str = "session-manager-plugin";

/// `exec`
#[derive(Debug, Args)]
pub struct Exec {
    /// The service
    pub service: String,
    /// The command, word by word; else a shell
    #[arg(last = true)]
    pub command: Vec<String>,
}

/// A session as the plugin takes it (AWS CLI, `awscli/customizations/ecs/executecommand.py`). The token in it
/// opens this one session; like the AWS CLI, we can hand it over by the arguments alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Opened<'a> {
    session_id: &'a str,
    stream_url: &'a str,
    token_value: &'a str,
}

/// What the session is with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    /// `ecs:CLUSTER_TASK_RUNTIME-ID`
    target: String,
}

pub(crate) async fn exec(global: &Global, exec: &Exec) -> Result<Code> {
    let session = Session::open(global).await?;
    let stack = session.accepted_stack().await?.ok_or_else(|| no_environment(&session))?;
    allowed(&stack, &exec.service)?;
    let ecs = aws_sdk_ecs::Client::new(&session.config);
    let cluster = session.aws_names().ecs_cluster();
    let (task, runtime_id) = running(&ecs, &cluster, &exec.service).await?;
    // Before a session is opened that nobody could take up.
    has_plugin().await?;
    let command = if exec.command.is_empty() { "/bin/sh".to_owned() } else { words(&exec.command) };
    let open = ecs.execute_command().cluster(&cluster).task(&task).container(&exec.service);
    let open = open.command(command).interactive(true).send().await.map_err(failed("ecs:ExecuteCommand"))?;
    let opened = open.session().ok_or_else(|| CliError::failed("ECS opened no session."))?;
    let given = Opened {
        session_id: opened.session_id().unwrap_or_default(),
        stream_url: opened.stream_url().unwrap_or_default(),
        token_value: opened.token_value().unwrap_or_default(),
    };
    let target = Target {
        target: format!("ecs:{cluster}_{}_{runtime_id}", task.rsplit('/').next().unwrap_or_default()),
    };
    let region = &session.scope.region;
    let endpoint = format!("https://ecs.{region}.amazonaws.com");
    let mut plugin = Command::new(PLUGIN);
    plugin.args([&json(&given)?, region, "StartSession", "", &json(&target)?, &endpoint]);
    let mut plugin = plugin.spawn().map_err(|error| no_plugin(&error))?;
    let status = loop {
        tokio::select! {
            status = plugin.wait() => break status,
            // Ctrl-C is for the command over there: the plugin passes it on.
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let status = status.map_err(|error| CliError::failed(format!("{PLUGIN} broke off: {error}.")))?;
    Ok(Code::Command(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// A running task of a service, and the runtime id of its container.
async fn running(ecs: &aws_sdk_ecs::Client, cluster: &str, service: &str) -> Result<(String, String)> {
    let list = ecs.list_tasks().cluster(cluster).service_name(service).desired_status(DesiredStatus::Running);
    let list = list.send().await.map_err(failed("ecs:ListTasks")).optional()?;
    let arns = list.and_then(|list| list.task_arns).unwrap_or_default();
    let described = if arns.is_empty() {
        Vec::new()
    } else {
        let describe = ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await;
        describe.map_err(failed("ecs:DescribeTasks"))?.tasks.unwrap_or_default()
    };
    let runtime_id = |task: &Task| {
        let container = task.containers().iter().find(|container| container.name() == Some(service));
        Some((task.task_arn()?.to_owned(), container.and_then(Container::runtime_id)?.to_owned()))
    };
    let mut tasks = described.iter().filter(|task| task.last_status() == Some("RUNNING"));
    tasks.find_map(runtime_id).ok_or_else(|| {
        CliError::refused(format!("No task of {service} runs.")).help("See why with `stepstack status`.")
    })
}

/// Whether the file lets a shell into the service's tasks.
fn allowed(stack: &Stack, service: &str) -> Result<()> {
    let names: Vec<String> = stack.services.keys().cloned().collect();
    let Some(described) = stack.services.get(service) else {
        return Err(unknown("service", service, &names));
    };
    if described.exec {
        return Ok(());
    }
    let error = CliError::refused(format!("The file lets nobody into the tasks of {service}."));
    Err(error.help(format!(
        "Set `exec = true` and `read_only_root = false` in [services.{service}] and apply; or run the command in a task of its own with `stepstack run`."
    )))
}

/// Fails where the plugin cannot be started; without arguments it says that it is there, and ends.
async fn has_plugin() -> Result<()> {
    let tried = Command::new(PLUGIN)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .await;
    tried.map(|_| ()).map_err(|error| no_plugin(&error))
}

fn no_plugin(error: &std::io::Error) -> CliError {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("{PLUGIN} is not installed."),
        _ => format!("{PLUGIN} does not start: {error}."),
    };
    CliError::failed(message).help(
        "Install it as the AWS Systems Manager User Guide says: \"Install the Session Manager plugin for the AWS CLI\".",
    )
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| CliError::failed(error.to_string()))
}

/// Words as one line for a shell: ECS takes a single text.
fn words(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte))
    };
    let quoted = words
        .iter()
        .map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_stay_words() {
        let given = ["sh", "-c", "echo it's $HOME", ""].map(str::to_owned);
        assert_eq!(words(&given), r"sh -c 'echo it'\''s $HOME' ''");
    }
}
