//! The contract of diagnose: from stage, resource and error, with AWS's own wording, to cause, evidence and
//! next step.

use diagnose::{Evidence, StoppedTask, Target, diagnose};
use statemachine::message::{Diagnosis, Failure};
use statemachine::resource::Name;
use statemachine::{Error, ErrorKind, Stage};

fn failure(stage: Stage, name: &str, kind: ErrorKind, message: &str) -> Failure {
    Failure::of(stage, &Name::from_tag(name), &Error::new(kind, message))
}

fn service_failed() -> Failure {
    failure(
        Stage::Services,
        "service/api",
        ErrorKind::Internal,
        "service/api was changed, and AWS did not keep it",
    )
}

fn of_task(task: StoppedTask) -> Diagnosis {
    let task = StoppedTask { service: "api".to_owned(), ..task };
    diagnose(&service_failed(), &Evidence { stopped_tasks: vec![task], ..Evidence::default() })
}

#[track_caller]
fn check(diagnosis: &Diagnosis, cause: &str, next: &str) {
    assert_eq!(diagnosis.cause, cause);
    assert!(diagnosis.next.contains(next), "{}", diagnosis.next);
    assert!(!diagnosis.evidence.is_empty());
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let diagnosis = of_task(StoppedTask {
        stop_code: "TaskFailedToStart".to_owned(),
        stopped_reason: "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production@sha256:00: not found".to_owned(),
        ..StoppedTask::default()
    });
    check(&diagnosis, "The image of api cannot be pulled.", "push it again");
}

#[test]
fn a_wrong_architecture() {
    let log = vec!["exec /usr/local/bin/litestar: exec format error".to_owned()];
    let ran = of_task(StoppedTask {
        stopped_reason: "Essential container in task exited".to_owned(),
        exit_code: Some(255),
        log,
        ..StoppedTask::default()
    });
    check(&ran, "The image of api was built for another architecture than its tasks run on.", "--platform");
    let pulled = of_task(StoppedTask {
        stopped_reason: "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'".to_owned(),
        ..StoppedTask::default()
    });
    check(
        &pulled,
        "The image of api was built for another architecture than its tasks run on.",
        "--platform",
    );
}

#[test]
fn an_exit_code_with_the_last_lines() {
    let log: Vec<String> = (0..20).map(|line| format!("line {line}")).collect();
    let diagnosis = of_task(StoppedTask {
        stopped_reason: "Essential container in task exited".to_owned(),
        exit_code: Some(3),
        log: log.clone(),
        ..StoppedTask::default()
    });
    check(&diagnosis, "The command of api ended with exit code 3.", "last lines");
    assert_eq!(&diagnosis.evidence[1..], &log[..]);
}

#[test]
fn a_task_that_was_replaced_tells_nothing() {
    let diagnosis = of_task(StoppedTask {
        stop_code: "ServiceSchedulerInitiated".to_owned(),
        stopped_reason: "Scaling activity initiated by (deployment ecs-svc/1234567890123456789)".to_owned(),
        exit_code: Some(0),
        ..StoppedTask::default()
    });
    assert!(!diagnosis.cause.contains("exit code"), "{}", diagnosis.cause);
}

#[test]
fn a_secret_denied() {
    let diagnosis = of_task(StoppedTask {
        stopped_reason: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:us-east-1:123456789012:secret:arive/production/database-url from secrets manager: AccessDeniedException: User is not authorized to perform: secretsmanager:GetSecretValue".to_owned(),
        ..StoppedTask::default()
    });
    check(
        &diagnosis,
        "A task of api may not read a secret that it is to start with.",
        "secretsmanager:GetSecretValue",
    );
}

#[test]
fn no_route_out() {
    let diagnosis = of_task(StoppedTask {
        stopped_reason: "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. RequestError: send request failed caused by: Post \"https://api.ecr.us-east-1.amazonaws.com/\": dial tcp 52.46.1.1:443: i/o timeout".to_owned(),
        ..StoppedTask::default()
    });
    check(
        &diagnosis,
        "The tasks of api have no way out: they reach neither ECR nor Secrets Manager.",
        "stepstack plan",
    );
}

#[test]
fn the_health_check_path() {
    let target = Target {
        service: "api".to_owned(),
        reason: "Target.ResponseCodeMismatch".to_owned(),
        description: "Health checks failed with these codes: [404]".to_owned(),
        path: "/health".to_owned(),
    };
    let diagnosis = diagnose(&service_failed(), &Evidence { targets: vec![target], ..Evidence::default() });
    check(
        &diagnosis,
        "api does not answer its health check /health: Health checks failed with these codes: [404].",
        "health_check_path",
    );
    let stopped = of_task(StoppedTask {
        stopped_reason: "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b)".to_owned(),
        ..StoppedTask::default()
    });
    check(&stopped, "The tasks of api run, and do not answer their health check.", "0.0.0.0");
}

#[test]
fn a_read_only_file_system() {
    let log = vec!["OSError: [Errno 30] Read-only file system: '/app/cache'".to_owned()];
    let diagnosis = of_task(StoppedTask {
        stopped_reason: "Essential container in task exited".to_owned(),
        exit_code: Some(1),
        log,
        ..StoppedTask::default()
    });
    check(
        &diagnosis,
        "api writes to its file system, which is read-only but for /tmp.",
        "read_only_root = false",
    );
}

#[test]
fn out_of_memory() {
    let diagnosis = of_task(StoppedTask {
        stopped_reason: "Essential container in task exited".to_owned(),
        container_reason: "OutOfMemoryError: Container killed due to memory usage".to_owned(),
        exit_code: Some(137),
        ..StoppedTask::default()
    });
    check(&diagnosis, "A task of api ran out of memory.", "memory");
}

#[test]
fn a_quota() {
    let message = "CreateVpc failed: The maximum number of VPCs has been reached. (VpcLimitExceeded)";
    let diagnosis =
        diagnose(&failure(Stage::Network, "vpc/main", ErrorKind::Quota, message), &Evidence::default());
    check(&diagnosis, &format!("A quota of this account is used up: {message}"), "Service Quotas");
    let events = vec!["(service api) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently.".to_owned()];
    let tasks = diagnose(&service_failed(), &Evidence { events, ..Evidence::default() });
    check(&tasks, "The account may run no more Fargate tasks at once.", "Service Quotas");
}

#[test]
fn a_free_plan_account() {
    let mut failure = failure(
        Stage::Database,
        "db-cluster/main",
        ErrorKind::Quota,
        "CreateDBCluster failed: The specified DB engine is not available on the free plan (FreeTierRestrictionError)",
    );
    failure.code = Some("FreeTierRestrictionError".to_owned());
    check(
        &diagnose(&failure, &Evidence::default()),
        "This AWS account is on the Free plan, which has no Aurora.",
        "paid plan",
    );
}

#[test]
fn a_domain_that_is_not_delegated() {
    let message =
        "At your registrar, point the name servers of tryarive.com to ns-1.awsdns-00.com. They are none now.";
    let diagnosis = diagnose(
        &failure(Stage::Certificate, "certificate/main@abc", ErrorKind::NotReady, message),
        &Evidence::default(),
    );
    check(
        &diagnosis,
        "The domain's public name servers are not those of its hosted zone, so the certificate cannot be validated.",
        "name_servers",
    );
}

#[test]
fn a_missing_permission_names_function_and_action() {
    let mut failure = failure(
        Stage::Egress,
        "nat-gateway/a",
        ErrorKind::Denied,
        "CreateNatGateway failed: You are not authorized to perform this operation. (UnauthorizedOperation)",
    );
    failure.action = Some("ec2:CreateNatGateway".to_owned());
    check(
        &diagnose(&failure, &Evidence::default()),
        "The function network may not call ec2:CreateNatGateway.",
        "stepstack bootstrap",
    );
}

#[test]
fn without_a_known_cause_it_says_what_aws_says_and_what_it_could_not_see() {
    let evidence =
        Evidence { not_seen: vec!["the services' events (denied)".to_owned()], ..Evidence::default() };
    let diagnosis = diagnose(
        &failure(Stage::Ingress, "listener/http", ErrorKind::Invalid, "CreateListener failed: odd (Odd)"),
        &evidence,
    );
    check(&diagnosis, "CreateListener failed: odd (Odd)", "run `stepstack apply` again");
    assert_eq!(diagnosis.evidence, ["not looked at: the services' events (denied)"]);
}

#[test]
fn a_release_command_that_fails() {
    let task = StoppedTask {
        service: "api".to_owned(),
        own: Some("release".to_owned()),
        stop_code: "EssentialContainerExited".to_owned(),
        stopped_reason: "Essential container in task exited".to_owned(),
        exit_code: Some(3),
        log: vec!["Can't locate revision identified by 'ae1027a6acf'".to_owned()],
        ..StoppedTask::default()
    };
    let failed =
        failure(Stage::Services, "task/release", ErrorKind::Invalid, "The release command exited with 3.");
    let diagnosis = diagnose(&failed, &Evidence { stopped_tasks: vec![task], ..Evidence::default() });
    check(
        &diagnosis,
        "The release command ended with exit code 3, so nothing was rolled out.",
        "The old version runs untouched",
    );
    assert!(diagnosis.evidence.iter().any(|line| line.contains("ae1027a6acf")));
}
