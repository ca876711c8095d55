//! What the engine's roles may do: no wildcard actions, `*` only where AWS knows no other resource, every
//! trust bound to the account, and all of it within IAM's sizes.

use std::collections::BTreeSet;

use bootstrap::install::{policies, role};
use serde_json::Value;
use statemachine::definition::FUNCTIONS;
use statemachine::permission::Scope;

/// The most characters of a role's inline policies, white space left out (IAM quotas).
const INLINE_MOST: usize = 10_240;
/// The most characters of a managed policy.
const MANAGED_MOST: usize = 6_144;

/// Actions that AWS grants on `*` alone, or whose resource cannot be named before it exists. A new one is
/// put here by hand, after a look at AWS's service authorization reference.
const ON_EVERYTHING: &[&str] = &[
    "acm:ListCertificates",
    "acm:RequestCertificate",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:ListServices",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "events:ListRules",
    "iam:ListRoles",
    "lambda:ListFunctions",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "rds:DescribeDBEngineVersions",
    "route53:CreateHostedZone",
    "route53:ListHostedZonesByName",
    "secretsmanager:GetRandomPassword",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];

fn scope() -> Scope {
    Scope { app: "arive".to_owned(), account: "123456789012".to_owned(), region: "us-east-1".to_owned() }
}

/// The longest names that the configuration allows.
fn longest() -> Scope {
    let app = "an-app-of-20-letters".to_owned();
    Scope { app, account: "123456789012".to_owned(), region: "ap-southeast-2".to_owned() }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// Role, actions and resources of every statement that allows something.
fn allowed(scope: &Scope) -> Vec<(String, Vec<String>, Vec<String>)> {
    let owned = |value: &Value| strings(value).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut allowed = Vec::new();
    for (role, policy) in policies(scope) {
        for statement in policy["Statement"].as_array().expect("statements") {
            if statement["Effect"] == "Allow" {
                allowed.push((role.clone(), owned(&statement["Action"]), owned(&statement["Resource"])));
            }
        }
    }
    allowed
}

#[test]
fn every_part_of_the_engine_has_a_policy() {
    let names: Vec<String> = policies(&scope()).into_iter().map(|(name, _)| name).collect();
    for part in FUNCTIONS.iter().chain(&["states", "events"]) {
        assert!(names.contains(&format!("stepstack-arive-{part}")), "{part} has none of {names:?}");
    }
    assert!(names.contains(&"boundary".to_owned()) && names.contains(&"installer".to_owned()), "{names:?}");
}

#[test]
fn every_function_may_do_more_than_log_and_report() {
    let of = |part: &str| {
        let mut all = policies(&scope()).into_iter();
        all.find(|(name, _)| *name == format!("stepstack-arive-{part}")).expect("a policy").1
    };
    for function in FUNCTIONS {
        let statements = of(function)["Statement"].as_array().expect("statements").clone();
        let common = |action: &str| {
            action.starts_with("logs:") || ["s3:GetObject", "s3:ListBucket", "s3:PutObject"].contains(&action)
        };
        let own = statements.iter().flat_map(|statement| strings(&statement["Action"]));
        assert!(own.into_iter().any(|action| !common(action)), "{function} has no permission of its own");
    }
}

#[test]
fn no_action_is_a_wildcard() {
    for (role, actions, _) in allowed(&scope()) {
        for action in actions {
            let (service, operation) = action.split_once(':').unwrap_or_else(|| panic!("{role}: {action}"));
            assert!(!service.contains('*') && !operation.contains('*'), "{role} may {action}");
        }
    }
}

#[test]
fn everything_is_the_resource_only_of_actions_that_know_no_other() {
    let known: BTreeSet<&str> = ON_EVERYTHING.iter().copied().collect();
    let mut unknown = BTreeSet::new();
    for (role, actions, resources) in &allowed(&scope()) {
        if resources.iter().any(|resource| resource == "*") {
            for action in actions {
                if !known.contains(action.as_str()) {
                    unknown.insert(format!("{role}: {action}"));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "granted on everything, and not in the list: {unknown:#?}");
}

#[test]
fn no_function_touches_the_engine_itself() {
    let engine = scope().engine_path();
    let changes = |action: &str| action.starts_with("iam:") && !action.starts_with("iam:Get");
    for (role, actions, resources) in allowed(&scope()) {
        if role == "installer" {
            continue;
        }
        let writes: Vec<&String> = actions.iter().filter(|action| changes(action)).collect();
        let on_engine = resources.iter().any(|resource| resource.contains(&engine));
        let passes_only = writes.iter().all(|action| *action == "iam:PassRole");
        assert!(!on_engine || passes_only, "{role} may {writes:?} on {resources:?}");
        for action in ["lambda:UpdateFunctionCode", "states:UpdateStateMachine", "iam:CreatePolicyVersion"] {
            assert!(!actions.iter().any(|known| known == action), "{role} may {action}");
        }
    }
}

#[test]
fn stack_roles_never_reach_iam_or_the_provisioner() {
    let (_, boundary) = policies(&scope()).into_iter().find(|(name, _)| name == "boundary").expect("it");
    let statements = boundary["Statement"].as_array().expect("statements");
    for statement in statements.iter().filter(|statement| statement["Effect"] == "Allow") {
        for action in strings(&statement["Action"]) {
            let service = action.split(':').next().unwrap_or_default();
            assert!(!["iam", "lambda", "states", "sts"].contains(&service), "the boundary allows {action}");
        }
    }
    let deny = statements.iter().find(|statement| statement["Effect"] == "Deny").expect("a refusal");
    let bucket = format!("arn:aws:s3:::{}", scope().bucket());
    assert_eq!(strings(&deny["Resource"]), [bucket.clone(), format!("{bucket}/*")]);
    assert_eq!(strings(&deny["Action"]), ["s3:*"]);
}

#[test]
fn every_role_is_assumed_for_this_account_alone() {
    for part in FUNCTIONS.iter().chain(&["states", "events"]) {
        let trust = role::wanted(&scope(), part).trust;
        let statements = trust["Statement"].as_array().expect("statements");
        assert_eq!(statements.len(), 1, "{part}");
        assert_eq!(statements[0]["Condition"]["StringEquals"]["aws:SourceAccount"], "123456789012", "{part}");
        let service = match *part {
            "states" => "states.amazonaws.com",
            "events" => "events.amazonaws.com",
            _ => "lambda.amazonaws.com",
        };
        assert_eq!(statements[0]["Principal"]["Service"], service, "{part}");
    }
}

#[test]
fn policies_fit_into_iam() {
    for (role, policy) in policies(&longest()) {
        let most = match role.as_str() {
            "boundary" => MANAGED_MOST,
            // It is printed for people, not put anywhere.
            "installer" => continue,
            _ => INLINE_MOST,
        };
        let length = policy.to_string().len();
        assert!(length <= most, "the policy of {role} has {length} characters");
    }
}

#[test]
fn a_function_of_one_app_reaches_no_other_app() {
    for (role, actions, resources) in allowed(&scope()) {
        for resource in &resources {
            // `…arive*` would be `arive-admin` and `arivederci` too.
            assert!(!resource.contains("arive*"), "{role} may {actions:?} on {resource}");
        }
    }
}
