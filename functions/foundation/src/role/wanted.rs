//! What is wanted of a stack's roles: who may assume each, and what it may do.

use serde_json::{Value, json};
use statemachine::config::Stack;
use statemachine::naming::bucket_arn;
use statemachine::permission::Scope;
use statemachine::resource::Context;

use super::Role;
use crate::policy::normalized;

/// The three roles of a stack.
pub fn of_stack(ctx: &Context, stack: &Stack) -> Vec<Role> {
    let role = |what: &str, description: &str, trust: Value, statements: Vec<Value>| Role {
        what: what.to_owned(),
        description: Some(description.to_owned()),
        trust,
        policy: Some(normalized(json!({ "Version": "2012-10-17", "Statement": statements }))),
        boundary: Some(ctx.scope().boundary()),
    };
    let scope = ctx.scope();
    let tasks = || trust(&scope, "ecs-tasks.amazonaws.com", &scope.arn("ecs", "*"));
    let flow_logs = trust(&scope, "vpc-flow-logs.amazonaws.com", &scope.arn("ec2", "vpc-flow-log/*"));
    vec![
        role(
            "execution",
            "Starts the tasks: pulls the image, reads the secrets, writes the logs",
            tasks(),
            execution(ctx),
        ),
        role("task", "What the app itself may do", tasks(), task(ctx, stack)),
        role("flow-log", "Writes the VPC's flow log", flow_logs, flow_log(ctx)),
    ]
}

/// Who may assume a role: a service, and that only for what it does in this account and region. Both ARNs are
/// those of the services' own guides.
fn trust(scope: &Scope, service: &str, source: &str) -> Value {
    normalized(json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": service },
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": { "aws:SourceAccount": scope.account },
            "ArnLike": { "aws:SourceArn": source },
        },
    }]}))
}

fn allow(actions: &[&str], resources: &[String]) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn secrets(ctx: &Context) -> Value {
    let secrets = ctx.scope().arn("secretsmanager", &format!("secret:{}", ctx.aws_names().secret("*")));
    allow(&["secretsmanager:GetSecretValue"], &[secrets])
}

fn execution(ctx: &Context) -> Vec<Value> {
    let scope = ctx.scope();
    let repository = scope.arn("ecr", &format!("repository/{}", ctx.aws_names().repository()));
    let logs = format!("{}:log-stream:*", scope.log_group_arn(&ctx.aws_names().service_log_group("*")));
    vec![
        // GetAuthorizationToken is granted on `*` alone.
        allow(&["ecr:GetAuthorizationToken"], &["*".to_owned()]),
        allow(
            &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            &[repository],
        ),
        allow(&["logs:CreateLogStream", "logs:PutLogEvents"], &[logs]),
        secrets(ctx),
    ]
}

fn task(ctx: &Context, stack: &Stack) -> Vec<Value> {
    let mut statements = vec![secrets(ctx)];
    if let Some(uploads) = &stack.uploads {
        let bucket = bucket_arn(&uploads.bucket);
        let objects = [
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
        ];
        statements.push(allow(&objects, &[format!("{bucket}/*")]));
        statements.push(allow(&["s3:ListBucket", "s3:ListBucketMultipartUploads"], &[bucket]));
    }
    if stack.services.values().any(|service| service.exec) {
        let channels = [
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ];
        // Session Manager's channels take no resource.
        statements.push(allow(&channels, &["*".to_owned()]));
    }
    statements
}

fn flow_log(ctx: &Context) -> Vec<Value> {
    let group = ctx.scope().log_group_arn(&ctx.aws_names().flow_log_group());
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"];
    vec![
        allow(&actions, &[group.clone(), format!("{group}:*")]),
        allow(&["logs:DescribeLogGroups"], &["*".to_owned()]),
    ]
}
