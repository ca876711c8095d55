//! What each function, the state machine, the rules and the stacks' roles may do. The permissions stand beside the
//! resources that need them; this puts them together.

use std::collections::BTreeMap;

use aws::Function as _;
use serde_json::{Value, json};
use statemachine::Function;
use statemachine::definition::FUNCTIONS;
use statemachine::naming::bucket_arn;
use statemachine::permission::{Permission, Scope};

/// The policy of a part's role: a function, `states` or `events`.
pub(super) fn of(scope: &Scope, part: &str) -> Value {
    document(permissions_of(scope, part))
}

/// The permissions of a part's role.
pub(super) fn permissions_of(scope: &Scope, part: &str) -> Vec<Permission> {
    match part {
        "states" => states(scope),
        "events" => vec![Permission::on(&["states:StartExecution"], [scope.state_machine()])],
        part => {
            let own = Function::named(part).map(|function| own(scope, function)).unwrap_or_default();
            [own, everybody(scope, part)].concat()
        }
    }
}

/// What only this function needs.
fn own(scope: &Scope, function: Function) -> Vec<Permission> {
    match function {
        Function::Control => control::permissions(scope),
        Function::Foundation => foundation::Clients::permissions(scope),
        Function::Network => network::Clients::permissions(scope),
        Function::Certificate => certificate::Clients::permissions(scope),
        Function::Database => database::Clients::permissions(scope),
        Function::Ingress => ingress::Clients::permissions(scope),
        Function::Services => services::Clients::permissions(scope),
        Function::Diagnose => diagnose::permissions(scope),
    }
}

/// What every function needs: its own log, and the run's record and lock.
fn everybody(scope: &Scope, function: &str) -> Vec<Permission> {
    let bucket = scope.bucket_arn();
    let log = format!("{}:*", scope.log_group_arn(&scope.engine_log_group(function)));
    vec![
        Permission::on(&["logs:CreateLogStream", "logs:PutLogEvents"], [log]),
        Permission::on(
            &["s3:GetObject", "s3:PutObject"],
            [format!("{bucket}/locks/*"), format!("{bucket}/runs/*")],
        ),
        // Without it S3 answers "denied" where it means "there is none".
        Permission::on(&["s3:ListBucket"], [bucket]),
    ]
}

/// The state machine: calls versions of our functions, and has its log delivered.
fn states(scope: &Scope) -> Vec<Permission> {
    let versions = FUNCTIONS.iter().map(|what| format!("{}:*", scope.function_arn(what)));
    let delivery = [
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
    ];
    vec![
        Permission::on(&["lambda:InvokeFunction"], versions),
        Permission::unscoped(&delivery, "log deliveries take no resource (Step Functions, logging)"),
    ]
}

/// The permissions boundary: what any role of a stack may at most do. Never IAM, never the provisioner.
pub(super) fn boundary(scope: &Scope) -> Value {
    let objects = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ];
    let pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    let channels = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ];
    let every = scope.every_stack();
    let groups = [every.service_log_groups(), every.flow_log_groups()];
    let groups = groups.map(|group| scope.log_group_arn(&group));
    let allowed = [
        // The file may give the uploads bucket any name, so the account is the limit.
        Permission::on(&objects, [bucket_arn("*")]).when(
            "StringEquals",
            "aws:ResourceAccount",
            [scope.account.clone()],
        ),
        Permission::on(
            &["secretsmanager:GetSecretValue"],
            [scope.arn("secretsmanager", &format!("secret:{}", every.stack()))],
        ),
        Permission::on(&pull, [scope.arn("ecr", &format!("repository/{}", every.repository()))]),
        Permission::unscoped(&["ecr:GetAuthorizationToken"], "the token is the account's"),
        Permission::on(&["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], groups),
        Permission::unscoped(&["logs:DescribeLogGroups"], "the listing takes no resource"),
        Permission::unscoped(&channels, "Session Manager's channels take no resource"),
    ];
    let bucket = scope.bucket_arn();
    let never = json!({ "Effect": "Deny", "Action": "s3:*", "Resource": [bucket, format!("{bucket}/*")] });
    let statements = allowed.iter().map(Permission::statement).chain([never]);
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

/// Who may assume a role: a service, on behalf of this account alone.
pub(super) fn trust(service: &str, account: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": service },
        "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "aws:SourceAccount": account } },
    }]})
}

/// A policy document of these permissions, as short as it can be said: a role's inline policies may have
/// 10,240 characters.
pub(super) fn document(permissions: Vec<Permission>) -> Value {
    statemachine::permission::policy(&shortened(permissions))
}

/// Joins the permissions that differ in their actions alone, then those that differ in their resources
/// alone. Neither grants anything new.
fn shortened(permissions: Vec<Permission>) -> Vec<Permission> {
    type Conditions = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;
    let mut by_resources: BTreeMap<(Vec<String>, Conditions), Permission> = BTreeMap::new();
    for mut permission in permissions {
        permission.resources.sort();
        permission.resources.dedup();
        let key = (permission.resources.clone(), permission.conditions.clone());
        let join = |known: &mut Permission| known.actions.extend(&permission.actions);
        by_resources.entry(key).and_modify(join).or_insert(permission);
    }
    let mut by_actions: BTreeMap<(Vec<&'static str>, Conditions), Permission> = BTreeMap::new();
    for mut permission in by_resources.into_values() {
        permission.actions.sort_unstable();
        permission.actions.dedup();
        let key = (permission.actions.clone(), permission.conditions.clone());
        let join = |known: &mut Permission| known.resources.extend_from_slice(&permission.resources);
        by_actions.entry(key).and_modify(join).or_insert(permission);
    }
    by_actions.into_values().collect()
}
