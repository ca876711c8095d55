//! The engine's roles against what somebody would try who has taken one of its functions over: make a role without
//! the boundary, widen an engine role, pass one. A small evaluator stands for IAM: explicit allow, explicit deny,
//! wildcards, and the condition operators that our policies use.

use std::collections::BTreeMap;

use bootstrap::install::policies;
use serde_json::Value;
use statemachine::definition::FUNCTIONS;
use statemachine::permission::Scope;

const ACCOUNT: &str = "123456789012";

/// What a call says of itself, by condition key.
type Context = BTreeMap<&'static str, String>;

fn scope() -> Scope {
    Scope { app: "arive".to_owned(), account: ACCOUNT.to_owned(), region: "us-east-1".to_owned() }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// IAM's wildcards: `*` for any text, `/` and `:` too, `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .any(|at| matches(rest.as_str(), &text[at..])),
        Some(one) => {
            let mut left = text.chars();
            left.next().is_some_and(|first| one == '?' || one == first)
                && matches(rest.as_str(), left.as_str())
        }
    }
}

/// Whether a statement's conditions hold. A key that the call does not have fails them, but for `Null`.
fn holds(conditions: &Value, context: &Context) -> bool {
    let operators = conditions.as_object().into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| keys.as_object().expect("keys").iter().map(move |key| (operator, key)))
        .all(|(operator, (key, wanted))| {
            let told = context.get(key.as_str());
            let any = |test: &dyn Fn(&str, &str) -> bool| {
                told.is_some_and(|told| strings(wanted).iter().any(|wanted| test(wanted, told)))
            };
            match operator.as_str() {
                "StringEquals" => any(&|wanted, told| wanted == told),
                "StringLike" | "ArnLike" => any(&matches),
                "Null" => strings(wanted).iter().any(|wanted| (*wanted == "true") == told.is_none()),
                other => panic!("an operator that this test does not know: {other}"),
            }
        })
}

/// Whether a role's policy lets it do this.
fn may(role: &str, action: &str, resource: &str, context: &Context) -> bool {
    let (_, policy) = policies(&scope()).into_iter().find(|(name, _)| name == role).expect("a policy");
    let statements = policy["Statement"].as_array().expect("statements").iter();
    let about: Vec<&Value> = statements
        .filter(|statement| strings(&statement["Action"]).iter().any(|pattern| matches(pattern, action)))
        .filter(|statement| strings(&statement["Resource"]).iter().any(|pattern| matches(pattern, resource)))
        .filter(|statement| holds(&statement["Condition"], context))
        .collect();
    about.iter().any(|statement| statement["Effect"] == "Allow")
        && !about.iter().any(|statement| statement["Effect"] == "Deny")
}

/// The roles that somebody could have taken over.
fn functions() -> impl Iterator<Item = String> {
    FUNCTIONS.iter().map(|function| format!("stepstack-arive-{function}"))
}

fn engine_roles() -> Vec<String> {
    let parts = FUNCTIONS.iter().chain(&["states", "events"]);
    parts
        .map(|part| format!("arn:aws:iam::{ACCOUNT}:role/stepstack/arive/engine/stepstack-arive-{part}"))
        .collect()
}

fn stack_role(what: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/stepstack/arive/production/arive-production-{what}")
}

fn with_boundary(name: &str) -> Context {
    Context::from([("iam:PermissionsBoundary", format!("arn:aws:iam::{ACCOUNT}:policy/{name}"))])
}

fn passed_to(service: &str) -> Context {
    Context::from([("iam:PassedToService", format!("{service}.amazonaws.com"))])
}

#[test]
fn a_stack_role_is_made_by_the_foundation_alone_and_with_our_boundary_alone() {
    let (role, ours) = (stack_role("task"), with_boundary("stepstack-arive"));
    for function in functions() {
        let makes = function.ends_with("-foundation");
        for action in ["iam:CreateRole", "iam:PutRolePolicy"] {
            assert_eq!(may(&function, action, &role, &ours), makes, "{function} {action}");
            assert!(
                !may(&function, action, &role, &Context::new()),
                "{function} {action} without a boundary"
            );
            for other in ["stepstack-arive-admin", "AdministratorAccess"] {
                assert!(!may(&function, action, &role, &with_boundary(other)), "{function} {action} {other}");
            }
        }
        assert!(!may(&function, "iam:DeleteRolePermissionsBoundary", &role, &ours), "{function}");
        assert!(
            !may(&function, "iam:PutRolePermissionsBoundary", &role, &with_boundary("other")),
            "{function}"
        );
        assert!(!may(&function, "iam:AttachRolePolicy", &role, &ours), "{function}");
    }
}

#[test]
fn no_function_widens_an_engine_role_its_own_or_another() {
    let changes = [
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
    ];
    for function in functions() {
        for role in engine_roles() {
            for action in changes {
                for context in [Context::new(), with_boundary("stepstack-arive")] {
                    assert!(!may(&function, action, &role, &context), "{function} may {action} on {role}");
                }
            }
        }
    }
}

#[test]
fn no_function_reaches_the_roles_of_an_app_whose_name_begins_alike() {
    let theirs = [
        format!("arn:aws:iam::{ACCOUNT}:role/stepstack/arive-admin/production/arive-admin-production-task"),
        format!("arn:aws:iam::{ACCOUNT}:role/stepstack/arive-admin/engine/stepstack-arive-admin-control"),
        format!("arn:aws:iam::{ACCOUNT}:role/arive-production-task"),
        format!("arn:aws:iam::{ACCOUNT}:role/Administrator"),
        "arn:aws:iam::999999999999:role/stepstack/arive/production/arive-production-task".to_owned(),
    ];
    for function in functions() {
        for role in &theirs {
            for action in
                ["iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole"]
            {
                assert!(
                    !may(&function, action, role, &with_boundary("stepstack-arive")),
                    "{function} may {action} on {role}"
                );
            }
            for service in ["ecs-tasks", "lambda", "events", "vpc-flow-logs"] {
                assert!(
                    !may(&function, "iam:PassRole", role, &passed_to(service)),
                    "{function} passes {role}"
                );
            }
        }
    }
}

#[test]
fn a_role_is_passed_only_to_the_service_that_it_is_for() {
    let services =
        ["ecs-tasks", "vpc-flow-logs", "events", "lambda", "states", "ec2", "rds", "glue", "cloudformation"];
    let mut passed = Vec::new();
    for function in functions() {
        let stack = ["task", "execution", "flow-log"].map(stack_role);
        for role in engine_roles().into_iter().chain(stack) {
            assert!(
                !may(&function, "iam:PassRole", &role, &Context::new()),
                "{function} passes {role} to anybody"
            );
            for service in services {
                if may(&function, "iam:PassRole", &role, &passed_to(service)) {
                    let name = role.rsplit('/').next().unwrap_or_default();
                    passed.push(format!("{function}: {name} to {service}"));
                }
            }
        }
    }
    let expected = [
        "stepstack-arive-network: arive-production-flow-log to vpc-flow-logs",
        "stepstack-arive-database: stepstack-arive-events to events",
        "stepstack-arive-services: stepstack-arive-events to events",
        "stepstack-arive-services: arive-production-task to ecs-tasks",
        "stepstack-arive-services: arive-production-execution to ecs-tasks",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(passed), sorted(expected.map(str::to_owned).into()));
}

#[test]
fn no_function_changes_the_code_the_machine_or_the_boundary() {
    let boundary = format!("arn:aws:iam::{ACCOUNT}:policy/stepstack-arive");
    let function_arn =
        |part: &str| format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:stepstack-arive-{part}");
    let machine = format!("arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:stepstack-arive");
    let mut tries: Vec<(&str, String)> = vec![
        ("iam:CreatePolicyVersion", boundary.clone()),
        ("iam:SetDefaultPolicyVersion", boundary.clone()),
        ("iam:DeletePolicy", boundary),
        ("states:UpdateStateMachine", machine.clone()),
        ("states:StartExecution", machine),
        ("iam:CreateUser", format!("arn:aws:iam::{ACCOUNT}:user/arive-production-x")),
        ("iam:CreateAccessKey", format!("arn:aws:iam::{ACCOUNT}:user/arive-production-x")),
        ("sts:AssumeRole", stack_role("task")),
    ];
    for part in FUNCTIONS {
        for action in
            ["lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:InvokeFunction"]
        {
            tries.push((action, function_arn(part)));
        }
    }
    for function in functions() {
        for (action, resource) in &tries {
            for context in [Context::new(), with_boundary("stepstack-arive")] {
                assert!(!may(&function, action, resource, &context), "{function} may {action} on {resource}");
            }
        }
    }
}

/// Resources that hold no app's name in their ARN, each with what keeps a stranger's safe.
const NAMELESS: &[(&str, &str)] = &[
    ("acm", "certificates have random ids; only ours are deleted, by their tag"),
    ("application-autoscaling", "targets are named by the service that they scale"),
    ("ec2", "ids are random; changes ask for our tag on the resource, or for its rule's group"),
    ("rds", "AWS's own default groups, and listings that take no name"),
    ("route53", "a zone that is used is the user's own, and its records are changed one by one"),
    ("s3", "the file may name the uploads bucket; what changes it asks for our account"),
];

#[test]
fn every_resource_is_this_apps_in_this_account_and_region() {
    for (role, policy) in
        policies(&scope()).into_iter().filter(|(name, _)| functions().any(|one| one == *name))
    {
        for statement in policy["Statement"].as_array().expect("statements") {
            for resource in strings(&statement["Resource"]).into_iter().filter(|resource| *resource != "*") {
                let parts: Vec<&str> = resource.splitn(6, ':').collect();
                let [_, _, service, region, account, rest] = parts[..] else { panic!("no ARN: {resource}") };
                let global = ["iam", "route53", "s3"].contains(&service);
                assert!(region == "us-east-1" || (global && region.is_empty()), "{role}: {resource}");
                let named_by_all = ["route53", "s3"].contains(&service) && account.is_empty();
                assert!(account == ACCOUNT || named_by_all, "{role}: {resource}");
                let is_named = ["arive-", "arive/", "arive:"].iter().any(|name| rest.contains(name))
                    || rest.ends_with("arive");
                let tagged = statement["Condition"].to_string().contains("/stepstack:stack");
                let known = NAMELESS.iter().any(|(nameless, _)| *nameless == service);
                assert!(is_named || tagged || known, "{role}: {resource} is anybody's");
            }
        }
    }
}

#[test]
fn the_evaluator_can_refuse_and_allow() {
    assert!(matches("a*c", "abbc") && matches("*", "") && !matches("a*c", "abcd") && matches("a?c", "abc"));
    let context = Context::from([("k", "v1".to_owned())]);
    let holds = |text: &str| holds(&serde_json::from_str(text).expect("JSON"), &context);
    assert!(holds(r#"{"StringLike": {"k": "v*"}}"#) && !holds(r#"{"StringEquals": {"k": ["v"]}}"#));
    assert!(!holds(r#"{"StringLike": {"other": "*"}}"#) && holds(r#"{"Null": {"other": "true"}}"#));
}
