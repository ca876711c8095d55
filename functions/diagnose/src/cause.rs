//! The cause of a failure, told from what AWS and the tasks said. Pure.

use statemachine::ErrorKind;
use statemachine::message::{Diagnosis, Failure};

use crate::evidence::{Evidence, StoppedTask, Target};

/// Cause, evidence and next step. There is always one: at least AWS's own words.
pub fn diagnose(failure: &Failure, evidence: &Evidence) -> Diagnosis {
    let mut diagnosis = of_call(failure)
        .or_else(|| evidence.stopped_tasks.iter().find_map(of_task))
        .or_else(|| evidence.targets.first().map(of_target))
        .or_else(|| evidence.events.iter().find_map(|event| of_event(event)))
        .unwrap_or_else(|| Diagnosis {
            cause: failure.message.clone(),
            evidence: evidence.events.iter().take(5).cloned().collect(),
            next: failure.next.clone(),
        });
    diagnosis.evidence.extend(evidence.not_seen.iter().map(|what| format!("not looked at: {what}")));
    diagnosis
}

fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// What the failed call itself tells.
fn of_call(failure: &Failure) -> Option<Diagnosis> {
    let told = |cause: String, next: &str| {
        Some(Diagnosis { cause, evidence: vec![failure.message.clone()], next: next.to_owned() })
    };
    let code = failure.code.as_deref().unwrap_or_default();
    if code == "FreeTierRestrictionError" || says(&failure.message, &["free plan", "freetierrestriction"]) {
        return told(
            "This AWS account is on the Free plan, which has no Aurora.".to_owned(),
            "Upgrade the account to the paid plan (Billing console, Free Tier page), or take [database] out of the file. Then run `stepstack apply` again.",
        );
    }
    if says(&failure.message, &["point the name servers", "not delegated"]) {
        return told(
            "The domain's public name servers are not those of its hosted zone, so the certificate cannot be validated.".to_owned(),
            "At your registrar, set the name servers that `stepstack output name_servers` prints. Then run `stepstack apply` again.",
        );
    }
    match failure.kind {
        ErrorKind::Denied => {
            let function = failure.stage.function()?;
            let action = failure.action.as_deref().unwrap_or("an action");
            told(
                format!("The function {function} may not call {action}."),
                "Run `stepstack bootstrap`: it brings the engine's roles up to date. If it is a service control policy or a boundary of your organization, ask whoever owns that.",
            )
        }
        ErrorKind::Quota => told(
            format!("A quota of this account is used up: {}", failure.message),
            "Ask for more in the Service Quotas console, or free what is not needed. Then run `stepstack apply` again.",
        ),
        ErrorKind::Transient
        | ErrorKind::NotReady
        | ErrorKind::Propagating
        | ErrorKind::Missing
        | ErrorKind::Exists
        | ErrorKind::Invalid
        | ErrorKind::Internal => None,
    }
}

/// What a stopped task tells.
fn of_task(task: &StoppedTask) -> Option<Diagnosis> {
    let StoppedTask { service, own, stop_code, stopped_reason, container_reason, exit_code, log } = task;
    let reason = if container_reason.is_empty() {
        stopped_reason.clone()
    } else {
        format!("{stopped_reason} {container_reason}")
    };
    // It was replaced, as it should be, and its exit code tells nothing.
    if says(&reason, &["scaling activity initiated by"]) {
        return None;
    }
    let told = |cause: String, next: &str| {
        let mut evidence = vec![reason.clone()];
        evidence.extend(log.iter().cloned());
        Some(Diagnosis { cause, evidence, next: next.to_owned() })
    };
    let last = log.join("\n");
    if says(&reason, &["resourceinitializationerror"])
        && says(&reason, &["accessdenied", "not authorized"])
        && says(&reason, &["secret"])
    {
        return told(
            format!("A task of {service} may not read a secret that it is to start with."),
            "Look at the execution role in the IAM console: something denies secretsmanager:GetSecretValue (a policy of the organization, a resource policy of the secret). Then run `stepstack apply` again.",
        );
    }
    if says(
        &reason,
        &[
            "i/o timeout",
            "connection issue",
            "context deadline exceeded",
            "no route to host",
            "network is unreachable",
            "dial tcp",
        ],
    ) {
        return told(
            format!("The tasks of {service} have no way out: they reach neither ECR nor Secrets Manager."),
            "Run `stepstack plan`: it shows a missing route, gateway or endpoint. `stepstack apply` mends it.",
        );
    }
    if says(&reason, &["exec format error", "image manifest does not contain descriptor matching platform"])
        || says(&last, &["exec format error"])
    {
        return told(
            format!("The image of {service} was built for another architecture than its tasks run on."),
            "Build it for the architecture that the plan shows, such as `docker build --platform linux/arm64`, and push it again.",
        );
    }
    if says(
        &reason,
        &["cannotpullcontainererror", "pull image manifest", "manifest unknown", "not found: does not exist"],
    ) {
        return told(
            format!("The image of {service} cannot be pulled."),
            "See that the digest is still in the repository (`aws ecr describe-images`), push it again, or deploy another one.",
        );
    }
    if says(&last, &["read-only file system", "erofs"]) {
        return told(
            format!("{service} writes to its file system, which is read-only but for /tmp."),
            "Let it write below /tmp, or set `read_only_root = false` for the service. Then run `stepstack apply`.",
        );
    }
    if says(
        &reason,
        &["failed elb health checks", "failed container health checks", "unhealthy in (target-group"],
    ) {
        return told(
            format!("The tasks of {service} run, and do not answer their health check."),
            "See that the service listens on 0.0.0.0 and its `port`, and that `health_check_path` answers with 200 to 399.",
        );
    }
    if stop_code == "OutOfMemoryError"
        || says(&reason, &["outofmemory", "out of memory"])
        || *exit_code == Some(137)
    {
        return told(
            format!("A task of {service} ran out of memory."),
            "Give the service more `memory` (or less to do), then run `stepstack apply`.",
        );
    }
    match exit_code {
        Some(code) if own.as_deref() == Some("release") => told(
            format!("The release command ended with exit code {code}, so nothing was rolled out."),
            "Its last lines are above. Correct what it complains about and push the image again. The old version runs untouched.",
        ),
        Some(code) if own.is_some() => {
            told(format!("The command ended with exit code {code}."), "Its last lines are above.")
        }
        Some(code) => told(
            format!("The command of {service} ended with exit code {code}."),
            "Its last lines are above. Correct what it complains about, push the image again or change the file, then run `stepstack apply`.",
        ),
        None if !reason.trim().is_empty() => told(
            format!("A task of {service} did not start: {reason}"),
            "Correct what AWS complains about, then run `stepstack apply` again.",
        ),
        None => None,
    }
}

/// What an unhealthy target tells.
fn of_target(target: &Target) -> Diagnosis {
    let Target { service, reason, description, path } = target;
    let next = match reason.as_str() {
        "Target.ResponseCodeMismatch" => {
            format!(
                "Let {path} answer with 200 to 399, or name another path with `health_check_path`. Then run `stepstack apply`."
            )
        }
        "Target.Timeout" => format!(
            "See that the service listens on 0.0.0.0 and its `port`, and that {path} answers within 4 seconds. Then run `stepstack apply`."
        ),
        _ => "See that the service listens on 0.0.0.0 and its `port`. Then run `stepstack apply`.".to_owned(),
    };
    Diagnosis {
        cause: format!("{service} does not answer its health check {path}: {description}."),
        evidence: vec![format!("{reason}: {description}")],
        next,
    }
}

/// What a service's event tells.
fn of_event(event: &str) -> Option<Diagnosis> {
    let told = |cause: &str, next: &str| {
        Some(Diagnosis { cause: cause.to_owned(), evidence: vec![event.to_owned()], next: next.to_owned() })
    };
    if says(event, &["reached the limit on the number of tasks", "you've reached the limit", "vcpu limit"]) {
        return told(
            "The account may run no more Fargate tasks at once.",
            "Ask for more in the Service Quotas console (Fargate On-Demand vCPU), then run `stepstack apply` again.",
        );
    }
    if says(event, &["capacity is unavailable"]) {
        return told(
            "AWS has no Fargate capacity left in these zones.",
            "Wait some minutes, then run `stepstack apply` again.",
        );
    }
    if says(event, &["unable to assume the role", "unable to assume role"]) {
        return told(
            "ECS may not assume a role of the tasks.",
            "Run `stepstack plan`: it shows what was changed about the roles.",
        );
    }
    if says(event, &["is unhealthy in (target-group", "health checks failed"]) {
        return told(
            "The tasks run, and do not answer their health check.",
            "See that the service listens on 0.0.0.0 and its `port`, and that `health_check_path` answers with 200 to 399.",
        );
    }
    None
}
