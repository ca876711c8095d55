//! Commands in tasks: one of its own, and one that runs.

use std::collections::BTreeSet;
use std::time::Duration;

use aws::failed;
use aws_sdk_ecs::types::DesiredStatus;
use serde_json::json;
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use statemachine::message::{Operation, Parameters, RunResult, StageReport, keys};
use statemachine::resource::{Name, Options};

use super::unknown;
use crate::cli::{Exec, Global, Run};
use crate::commands::logs::page;
use crate::commands::runs::{follow_to_end, started};
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show;

/// How often the log of a running task is read.
const READ_EVERY: Duration = Duration::from_millis(700);

pub(crate) async fn run(global: &Global, run: &Run) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let mut request = session.request(Operation::Run, Options::default());
    request.wait = run.start.wait;
    request.parameters = Parameters {
        command: run.command.clone(),
        services: run.service.clone().into_iter().collect(),
        ..Parameters::default()
    };
    let id = session.start(request).await?;
    if run.start.detach {
        started(&session, &id);
        return Ok(Code::Done);
    }
    let mut log = TaskLog { session: &session, run: &id, seen: BTreeSet::new() };
    let ended = tokio::select! {
        ended = follow_to_end(&session, &id) => ended?,
        () = log.stream() => None,
    };
    // What was written between the last look and the end.
    log.read().await;
    let Some((result, code)) = ended else { return Ok(Code::Done) };
    Ok(exit_code(&result).unwrap_or(code))
}

/// The command's own exit code, where it ran to its end.
fn exit_code(result: &RunResult) -> Option<Code> {
    let code = result.exit_code?;
    Some(Code::Command(u8::try_from(code).unwrap_or(1)))
}

/// The log of a run's task, printed as it comes.
struct TaskLog<'a> {
    session: &'a Session,
    run: &'a str,
    seen: BTreeSet<String>,
}

impl TaskLog<'_> {
    /// Reads until it is dropped.
    async fn stream(&mut self) {
        loop {
            self.read().await;
            tokio::time::sleep(READ_EVERY).await;
        }
    }

    /// Prints what is new. A log that cannot be read is no failure of the command.
    async fn read(&mut self) {
        let key = keys::report(&self.session.environment, self.run, "services");
        let report: Option<StageReport> = self.session.get(&key).await.ok().flatten();
        let task = Name::new("task", "run");
        let of = |attribute: &str| {
            report.as_ref().and_then(|report| report.names.attribute(&task, attribute)).map(str::to_owned)
        };
        let (Some(stream), Some(service)) = (of("log_stream"), of("service")) else { return };
        let group = format!("/ecs/{}-{}-{service}", self.session.scope.app, self.session.environment);
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.session.config);
        let request = client.filter_log_events().log_group_name(group).log_stream_names(stream);
        let Ok(events) = page(request).await else { return };
        for event in events {
            if self.seen.insert(event.event_id().unwrap_or_default().to_owned()) {
                let text = event.message().unwrap_or_default().trim_end();
                if self.session.json { show::note(text) } else { show::line(text) }
            }
        }
    }
}

pub(crate) async fn exec(global: &Global, exec: &Exec) -> Result<Code> {
    let session = Session::open(global, false).await?;
    let stack = session.accepted_stack().await?.ok_or_else(|| {
        let message =
            format!("{} does not exist: it was never applied, or it was destroyed.", session.stack());
        CliError { code: Code::Refused, ..CliError::failed(message) }
    })?;
    allowed(&stack, &exec.service)?;
    let ecs = aws_sdk_ecs::Client::new(&session.config);
    let cluster = format!("{}-{}", session.scope.app, session.environment);
    let tasks = ecs.list_tasks().cluster(&cluster).service_name(&exec.service);
    let tasks = tasks.desired_status(DesiredStatus::Running).send().await;
    let tasks = tasks.map_err(failed("ecs:ListTasks")).optional()?;
    let Some(task) = tasks.as_ref().and_then(|tasks| tasks.task_arns().first()) else {
        let message = format!("No task of {} runs.", exec.service);
        return Err(CliError { code: Code::Refused, ..CliError::failed(message) }
            .help("See why with `stepstack status`."));
    };
    let command = if exec.command.is_empty() { "/bin/sh".to_owned() } else { words(&exec.command) };
    let open = ecs.execute_command().cluster(&cluster).task(task).container(&exec.service);
    let open = open.command(command).interactive(true).send().await.map_err(failed("ecs:ExecuteCommand"))?;
    let opened = open.session().ok_or_else(|| CliError::failed("ECS opened no session."))?;
    let given = json!({
        "SessionId": opened.session_id(), "StreamUrl": opened.stream_url(), "TokenValue": opened.token_value(),
    });
    let target = json!({ "Target": format!("ecs:{cluster}_{}_{}", task.rsplit('/').next().unwrap_or_default(), exec.service) });
    let region = &session.scope.region;
    // As the AWS CLI calls it: the token goes by the environment, where the plugin is new enough to look there.
    let plugin = tokio::process::Command::new("session-manager-plugin")
        .args([
            &given.to_string(),
            region,
            "StartSession",
            "",
            &target.to_string(),
            &format!("https://ssm.{region}.amazonaws.com"),
        ])
        .status()
        .await;
    let plugin = plugin.map_err(|error| {
        CliError::failed(format!("session-manager-plugin does not start: {error}.")).help(
            "Install it: AWS Systems Manager User Guide, \"Install the Session Manager plugin for the AWS CLI\".",
        )
    })?;
    Ok(Code::Command(plugin.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
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
    let message = format!("The file lets nobody into the tasks of {service}.");
    let help = format!(
        "Set `exec = true` and `read_only_root = false` in [services.{service}] and apply; or run the command in a task of its own with `stepstack run`."
    );
    Err(CliError { code: Code::Refused, ..CliError::failed(message) }.help(help))
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
