//! Plans of the engine: over an empty account, in sync, with one thing changed, and with everything removed.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
use aws_sdk_cloudwatchlogs::operation::list_tags_for_resource::ListTagsForResourceOutput as LogTags;
use aws_sdk_cloudwatchlogs::types::LogGroup as RawGroup;
use aws_sdk_eventbridge::operation::describe_rule::{DescribeRuleError, DescribeRuleOutput};
use aws_sdk_eventbridge::operation::list_tags_for_resource::ListTagsForResourceOutput as RuleTags;
use aws_sdk_eventbridge::operation::list_targets_by_rule::ListTargetsByRuleOutput;
use aws_sdk_eventbridge::types::{RuleState, Target as RuleTarget};
use aws_sdk_iam::operation::get_policy::{GetPolicyError, GetPolicyOutput};
use aws_sdk_iam::operation::get_policy_version::GetPolicyVersionOutput;
use aws_sdk_iam::operation::get_role::GetRoleOutput;
use aws_sdk_iam::operation::get_role_policy::GetRolePolicyOutput;
use aws_sdk_iam::operation::list_roles::ListRolesOutput;
use aws_sdk_iam::types::{Policy, PolicyVersion, Role as RawRole};
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::list_functions::ListFunctionsOutput;
use aws_sdk_lambda::operation::list_versions_by_function::ListVersionsByFunctionOutput;
use aws_sdk_lambda::types::{
    Architecture, EnvironmentResponse, FunctionConfiguration, LastUpdateStatus, Runtime, State,
};
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::operation::get_bucket_policy::GetBucketPolicyOutput;
use aws_sdk_s3::operation::get_bucket_tagging::{GetBucketTaggingError, GetBucketTaggingOutput};
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::operation::get_public_access_block::GetPublicAccessBlockOutput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketVersioningStatus, EventBridgeConfiguration, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectVersion,
    PublicAccessBlockConfiguration,
};
use aws_sdk_sfn::operation::describe_state_machine::{DescribeStateMachineError, DescribeStateMachineOutput};
use aws_sdk_sfn::operation::list_tags_for_resource::ListTagsForResourceOutput as MachineTags;
use aws_sdk_sfn::types::{
    CloudWatchLogsLogGroup, LogDestination, LogLevel, LoggingConfiguration, StateMachineStatus,
    StateMachineType,
};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use aws_smithy_types::DateTime;
use bootstrap::install::{
    Boundary, Clients, Function, FunctionZip, SERVICES, Target, VERSION, bucket, context, engine, event_rule,
    fingerprint, log_group, no_engine, role,
};
use events::EventRule;
use foundation::bucket::{Bucket, Lifecycle};
use foundation::log_group::LogGroup;
use foundation::role::Role;
use statemachine::definition::{FUNCTIONS, definition};
use statemachine::message::StageReport;
use statemachine::resource::{DataPolicy, Name, Names, Options};
use statemachine::{ErrorKind, Result};
use testing::{any_order, client, said, scope};

fn target() -> Target {
    Target { architecture: "arm64".to_owned(), endpoint: None }
}

fn zips() -> Vec<FunctionZip> {
    let zip = |name: &&str| FunctionZip {
        name: (*name).to_owned(),
        path: PathBuf::from(format!("{name}.zip")),
        sha256: format!("hash of {name}"),
    };
    FUNCTIONS.iter().map(zip).collect()
}

/// The same with new code for one function.
fn zips_with_new(function: &str) -> Vec<FunctionZip> {
    let mut zips = zips();
    let zip = zips.iter_mut().find(|zip| zip.name == function).expect("a function");
    "another hash".clone_into(&mut zip.sha256);
    zips
}

fn rule_name(rule: &EventRule) -> String {
    scope().engine_rule(&rule.what)
}

/// Our tags on a part of the engine.
fn tags(name: &str) -> Vec<(String, String)> {
    context(&scope(), Options::default()).tags(&Name::from_tag(name))
}

fn hash_map(name: &str) -> HashMap<String, String> {
    tags(name).into_iter().collect()
}

/// What the account holds.
#[derive(Default)]
struct World {
    bucket: Option<Bucket>,
    bucket_tags: Option<Vec<(String, String)>>,
    objects: usize,
    boundary: Option<Boundary>,
    roles: Vec<Role>,
    log_groups: Vec<LogGroup>,
    functions: Vec<FunctionConfiguration>,
    versions: BTreeMap<String, Vec<FunctionConfiguration>>,
    machine: Option<(DescribeStateMachineOutput, Vec<(String, String)>)>,
    rule: Option<EventRule>,
    service_linked: bool,
}

fn function_arn(what: &str) -> String {
    scope().arn("lambda", &format!("function:{}", scope().function(what)))
}

/// A function as Lambda describes it.
fn configuration(function: &Function, version: &str) -> FunctionConfiguration {
    let variables = function.environment.clone().into_iter().collect();
    FunctionConfiguration::builder()
        .function_name(scope().function(&function.what))
        .function_arn(function_arn(&function.what))
        .version(version)
        .description(&function.description)
        .code_sha256(&function.code_sha256)
        .architectures(Architecture::from(function.architecture.as_str()))
        .runtime(Runtime::from(function.runtime.as_str()))
        .handler(&function.handler)
        .memory_size(function.memory_mb)
        .timeout(function.timeout_s)
        .role(scope().engine_role_arn(&function.what))
        .environment(EnvironmentResponse::builder().set_variables(Some(variables)).build())
        .state(State::Active)
        .last_update_status(LastUpdateStatus::Successful)
        .build()
}

fn machine(versions: impl Fn(&str) -> u32) -> DescribeStateMachineOutput {
    let group = format!("log-group:{}:*", scope().engine_log_group("states"));
    let group = CloudWatchLogsLogGroup::builder().log_group_arn(scope().arn("logs", &group)).build();
    let logging = LoggingConfiguration::builder()
        .level(LogLevel::Error)
        .destinations(LogDestination::builder().cloud_watch_logs_log_group(group).build())
        .build();
    DescribeStateMachineOutput::builder()
        .state_machine_arn(scope().state_machine())
        .name(scope().engine())
        .status(StateMachineStatus::Active)
        .r#type(StateMachineType::Standard)
        .creation_date(DateTime::from_secs(0))
        .definition(definition(|what| format!("{}:{}", function_arn(what), versions(what))))
        .role_arn(scope().engine_role_arn("states"))
        .logging_configuration(logging)
        .build()
        .expect("a machine")
}

fn machine_tags() -> Vec<(String, String)> {
    let mut tags = tags("state-machine/main");
    tags.push(("stepstack:version".to_owned(), VERSION.to_owned()));
    tags.push(("stepstack:fingerprint".to_owned(), fingerprint(&scope(), &zips(), &target())));
    tags
}

impl World {
    /// What a finished installation leaves.
    fn in_sync() -> Self {
        let functions: Vec<Function> =
            zips().iter().map(|zip| Function::new(&scope(), zip, &target())).collect();
        let versions = functions.iter().map(|function| {
            let (latest, first) = (configuration(function, "$LATEST"), configuration(function, "1"));
            (scope().function(&function.what), vec![latest, first])
        });
        Self {
            bucket: Some(bucket::wanted(&scope())),
            bucket_tags: Some(tags("bucket/provisioner")),
            objects: 1,
            boundary: Some(Boundary::new(&scope())),
            roles: FUNCTIONS
                .iter()
                .chain(&["states", "events"])
                .map(|part| role::wanted(&scope(), part))
                .collect(),
            log_groups: FUNCTIONS
                .iter()
                .chain(&["states"])
                .map(|part| log_group::wanted(&scope(), part))
                .collect(),
            versions: versions.collect(),
            functions: functions.iter().map(|function| configuration(function, "$LATEST")).collect(),
            machine: Some((machine(|_| 1), machine_tags())),
            rule: Some(event_rule::wanted(&scope())),
            service_linked: true,
        }
    }

    fn clients(&self) -> Clients {
        Clients {
            s3: client!(aws_sdk_s3, any_order(&self.s3())),
            iam: client!(aws_sdk_iam, any_order(&self.iam())),
            logs: client!(aws_sdk_cloudwatchlogs, any_order(&self.logs())),
            lambda: client!(aws_sdk_lambda, any_order(&self.lambda())),
            sfn: client!(aws_sdk_sfn, any_order(&self.sfn())),
            events: client!(aws_sdk_eventbridge, any_order(&self.events())),
        }
    }

    fn s3(&self) -> Vec<Rule> {
        use aws_sdk_s3::Client;
        let tagging = match (&self.bucket, &self.bucket_tags) {
            (Some(_), Some(tags)) => {
                let tag = |(key, value): &(String, String)| {
                    aws_sdk_s3::types::Tag::builder().key(key).value(value).build().expect("a tag")
                };
                let tags = tags.iter().map(tag).collect();
                Ok(GetBucketTaggingOutput::builder().set_tag_set(Some(tags)).build().expect("tags"))
            }
            (Some(_), None) => Err("NoSuchTagSet"),
            (None, _) => Err("NoSuchBucket"),
        };
        let mut rules =
            vec![mock!(Client::get_bucket_tagging).then_compute_response(move |_| match &tagging {
                Ok(tags) => MockResponse::Output(tags.clone()),
                Err(code) => MockResponse::Error(GetBucketTaggingError::generic(said(code))),
            })];
        let Some(bucket) = self.bucket.clone() else { return rules };
        let (policy, lifecycle) = (bucket.policy.clone(), bucket.lifecycle.clone());
        let objects = self.objects;
        rules.extend([
            mock!(Client::get_bucket_versioning).then_output(move || {
                let status = bucket.versioned.then_some(BucketVersioningStatus::Enabled);
                GetBucketVersioningOutput::builder().set_status(status).build()
            }),
            mock!(Client::get_public_access_block).then_output(move || {
                let on = bucket.blocks_public_access;
                let block = PublicAccessBlockConfiguration::builder()
                    .block_public_acls(on)
                    .block_public_policy(on)
                    .ignore_public_acls(on)
                    .restrict_public_buckets(on)
                    .build();
                GetPublicAccessBlockOutput::builder().public_access_block_configuration(block).build()
            }),
            mock!(Client::get_bucket_policy).then_output(move || {
                GetBucketPolicyOutput::builder().set_policy(policy.as_ref().map(ToString::to_string)).build()
            }),
            mock!(Client::get_bucket_lifecycle_configuration).then_output(move || {
                let lifecycle = lifecycle.clone().unwrap_or_default();
                GetBucketLifecycleConfigurationOutput::builder()
                    .set_rules(Some(lifecycle_rules(&lifecycle)))
                    .build()
            }),
            mock!(Client::get_bucket_notification_configuration).then_output(move || {
                let on =
                    (bucket.sends_events == Some(true)).then(|| EventBridgeConfiguration::builder().build());
                GetBucketNotificationConfigurationOutput::builder().set_event_bridge_configuration(on).build()
            }),
            mock!(Client::list_object_versions).then_output(move || {
                let version = ObjectVersion::builder().key("runs/production/x/result.json").build();
                ListObjectVersionsOutput::builder().set_versions(Some(vec![version; objects])).build()
            }),
            mock!(Client::list_multipart_uploads)
                .then_output(|| ListMultipartUploadsOutput::builder().build()),
        ]);
        rules
    }

    fn iam(&self) -> Vec<Rule> {
        use aws_sdk_iam::Client;
        let tag = |(key, value): (String, String)| {
            aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag")
        };
        let role = |name: &str, path: &str| {
            RawRole::builder()
                .role_name(name)
                .role_id("AROAEXAMPLE")
                .path(path)
                .arn(scope().global("iam", &format!("role{path}{name}")))
                .create_date(DateTime::from_secs(0))
        };
        let ours: BTreeMap<String, (RawRole, Role)> = self
            .roles
            .iter()
            .map(|wanted| {
                let name = scope().engine_role(&wanted.what);
                let tags = tags(&format!("role/{}", wanted.what)).into_iter().map(tag).collect();
                let raw = role(&name, &scope().engine_path())
                    .assume_role_policy_document(wanted.trust.to_string())
                    .set_tags(Some(tags));
                (name, (raw.build().expect("a role"), wanted.clone()))
            })
            .collect();
        let linked: Vec<RawRole> = SERVICES
            .iter()
            .filter(|_| self.service_linked)
            .map(|service| role(service, &format!("/aws-service-role/{service}/")).build().expect("a role"))
            .collect();
        let (listed, policies) = (ours.clone(), ours.clone());
        let boundary = self.boundary.clone();
        let document = boundary.clone().map(|boundary| boundary.policy.to_string());
        vec![
            mock!(Client::list_roles).then_compute_output(move |request| {
                let engine = request.path_prefix() == Some(scope().engine_path().as_str());
                let ours = listed.values().map(|(raw, _)| raw.clone()).filter(|_| engine);
                let linked = linked.iter().filter(|_| !engine).cloned();
                ListRolesOutput::builder()
                    .set_roles(Some(ours.chain(linked).collect()))
                    .is_truncated(false)
                    .build()
                    .expect("roles")
            }),
            mock!(Client::get_role).then_compute_output(move |request| {
                let (raw, _) = &ours[request.role_name().expect("a name")];
                GetRoleOutput::builder().role(raw.clone()).build()
            }),
            mock!(Client::get_role_policy).then_compute_output(move |request| {
                let name = request.role_name().expect("a name");
                let policy = policies[name].1.policy.clone().expect("a policy");
                GetRolePolicyOutput::builder()
                    .role_name(name)
                    .policy_name("stepstack")
                    .policy_document(policy.to_string())
                    .build()
                    .expect("a policy")
            }),
            mock!(Client::get_policy).then_compute_response(move |_| {
                if boundary.is_none() {
                    let error = said("NoSuchEntity");
                    return MockResponse::Error(GetPolicyError::generic(error));
                }
                let policy = Policy::builder()
                    .policy_name(scope().engine())
                    .arn(scope().boundary())
                    .default_version_id("v1")
                    .set_tags(Some(tags("policy/boundary").into_iter().map(tag).collect()));
                MockResponse::Output(GetPolicyOutput::builder().policy(policy.build()).build())
            }),
            mock!(Client::get_policy_version).then_output(move || {
                let version = PolicyVersion::builder().set_document(document.clone()).build();
                GetPolicyVersionOutput::builder().policy_version(version).build()
            }),
        ]
    }

    fn logs(&self) -> Vec<Rule> {
        use aws_sdk_cloudwatchlogs::Client;
        let arn = |group: &LogGroup| scope().arn("logs", &format!("log-group:{}", group.log_group_name));
        let parts: BTreeMap<String, String> =
            self.log_groups.iter().map(|group| (arn(group), group.what.clone())).collect();
        let groups: Vec<RawGroup> = self
            .log_groups
            .iter()
            .map(|group| {
                RawGroup::builder()
                    .log_group_name(&group.log_group_name)
                    .arn(format!("{}:*", arn(group)))
                    .set_retention_in_days(group.retention_days)
                    .build()
            })
            .collect();
        vec![
            mock!(Client::describe_log_groups).then_compute_output(move |request| {
                let pattern = request.log_group_name_pattern().expect("a pattern");
                let holds =
                    |group: &&RawGroup| group.log_group_name().is_some_and(|name| name.contains(pattern));
                let found = groups.iter().filter(holds).cloned().collect();
                DescribeLogGroupsOutput::builder().set_log_groups(Some(found)).build()
            }),
            mock!(Client::list_tags_for_resource).then_compute_output(move |request| {
                let part = &parts[request.resource_arn().expect("an ARN")];
                LogTags::builder().set_tags(Some(hash_map(&format!("log-group/{part}")))).build()
            }),
        ]
    }

    fn lambda(&self) -> Vec<Rule> {
        use aws_sdk_lambda::Client;
        let functions = self.functions.clone();
        let by_name: BTreeMap<String, FunctionConfiguration> = functions
            .iter()
            .map(|function| (function.function_name().unwrap_or_default().to_owned(), function.clone()))
            .collect();
        let versions = self.versions.clone();
        vec![
            mock!(Client::list_functions).then_output(move || {
                ListFunctionsOutput::builder().set_functions(Some(functions.clone())).build()
            }),
            mock!(Client::get_function).then_compute_output(move |request| {
                let name = request.function_name().expect("a name");
                let what = name.rsplit('-').next().unwrap_or_default();
                GetFunctionOutput::builder()
                    .configuration(by_name[name].clone())
                    .set_tags(Some(hash_map(&format!("function/{what}"))))
                    .build()
            }),
            mock!(Client::list_versions_by_function).then_compute_output(move |request| {
                let all = versions[request.function_name().expect("a name")].clone();
                ListVersionsByFunctionOutput::builder().set_versions(Some(all)).build()
            }),
        ]
    }

    fn sfn(&self) -> Vec<Rule> {
        use aws_sdk_sfn::Client;
        let machine = self.machine.clone();
        let tags = machine.clone().map(|(_, tags)| tags).unwrap_or_default();
        vec![
            mock!(Client::describe_state_machine).then_compute_response(move |_| match &machine {
                Some((machine, _)) => MockResponse::Output(machine.clone()),
                None => {
                    MockResponse::Error(DescribeStateMachineError::generic(said("StateMachineDoesNotExist")))
                }
            }),
            mock!(Client::list_tags_for_resource).then_output(move || {
                let tag = |(key, value): &(String, String)| {
                    aws_sdk_sfn::types::Tag::builder().key(key).value(value).build()
                };
                MachineTags::builder().set_tags(Some(tags.iter().map(tag).collect())).build()
            }),
        ]
    }

    fn events(&self) -> Vec<Rule> {
        use aws_sdk_eventbridge::Client;
        let rule = self.rule.clone();
        vec![
            mock!(Client::describe_rule).then_compute_response(move |_| match &rule {
                Some(rule) => MockResponse::Output(
                    DescribeRuleOutput::builder()
                        .name(rule_name(rule))
                        .arn(scope().arn("events", &format!("rule/{}", rule_name(rule))))
                        .set_description(rule.description.clone())
                        .set_event_pattern(rule.pattern.as_ref().map(ToString::to_string))
                        .state(if rule.enabled { RuleState::Enabled } else { RuleState::Disabled })
                        .build(),
                ),
                None => MockResponse::Error(DescribeRuleError::generic(said("ResourceNotFoundException"))),
            }),
            mock!(Client::list_targets_by_rule).then_output(|| {
                let target = RuleTarget::builder()
                    .id("state-machine")
                    .arn(scope().state_machine())
                    .role_arn(scope().engine_role_arn("events"))
                    .build()
                    .expect("a target");
                ListTargetsByRuleOutput::builder().targets(target).build()
            }),
            mock!(Client::list_tags_for_resource).then_output(|| {
                let tag = |(key, value): (String, String)| {
                    aws_sdk_eventbridge::types::Tag::builder().key(key).value(value).build().expect("a tag")
                };
                let tags = tags("event-rule/config-upload").into_iter().map(tag).collect();
                RuleTags::builder().set_tags(Some(tags)).build()
            }),
        ]
    }
}

fn lifecycle_rules(want: &Lifecycle) -> Vec<LifecycleRule> {
    let rule = |prefix: &str| {
        let filter = LifecycleRuleFilter::builder().prefix(prefix).build();
        LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter)
    };
    let runs = LifecycleExpiration::builder().set_days(want.runs_days).build();
    let old = NoncurrentVersionExpiration::builder().set_noncurrent_days(want.old_versions_days).build();
    let unfinished = AbortIncompleteMultipartUpload::builder();
    let unfinished = unfinished.set_days_after_initiation(want.unfinished_uploads_days).build();
    let rules = [
        rule("runs/").expiration(runs),
        rule("").noncurrent_version_expiration(old),
        rule("").abort_incomplete_multipart_upload(unfinished),
    ];
    rules.into_iter().map(|rule| rule.build().expect("a rule")).collect()
}

async fn look(world: &World, zips: &[FunctionZip]) -> Result<StageReport> {
    let stage = engine(&world.clients(), &scope(), zips, &target());
    testing::look(stage, &context(&scope(), Options::default()), Names::default()).await
}

async fn removal(world: &World, data: DataPolicy) -> StageReport {
    let options = Options { data, ..Options::default() };
    let stage = no_engine(&world.clients(), &scope());
    let ctx = context(&scope(), options);
    testing::look(stage, &ctx, Names::default()).await.expect("the look")
}

async fn plan(world: &World, zips: &[FunctionZip]) -> String {
    testing::plan(&look(world, zips).await.expect("the look"))
}

/// Hashes change with every change of the engine; what a snapshot shows is that there is one.
fn without_hashes(plan: &str) -> String {
    let hash = |word: &str| {
        let bare = word.trim_matches('"');
        bare.len() == 6 && bare.chars().all(|c| c.is_ascii_hexdigit())
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').map(|word| if hash(word) { "#" } else { word }).collect();
        words.join(" ") + "\n"
    };
    plan.lines().map(line).collect()
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    assert_eq!(plan(&World::in_sync(), &zips()).await, "");
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    insta::assert_snapshot!(plan(&World::default(), &zips()).await);
}

#[tokio::test]
async fn new_code_updates_its_function_and_the_machine_that_calls_it() {
    let plan = plan(&World::in_sync(), &zips_with_new("network")).await;
    insta::assert_snapshot!(without_hashes(&plan));
}

#[tokio::test]
async fn a_version_that_the_machine_does_not_call_yet_is_a_change_of_the_machine() {
    let mut world = World::in_sync();
    let function = Function::new(&scope(), &zips()[0], &target());
    let versions = world.versions.get_mut("stepstack-arive-control").expect("versions");
    versions.push(configuration(&function, "10"));
    versions.push(configuration(&function, "9"));
    insta::assert_snapshot!(without_hashes(&plan(&world, &zips()).await));
    world.machine = Some((machine(|what| if what == "control" { 10 } else { 1 }), machine_tags()));
    assert_eq!(plan(&world, &zips()).await, "");
}

#[tokio::test]
async fn what_was_changed_by_hand_is_changed_back() {
    let mut world = World::in_sync();
    let bucket = world.bucket.as_mut().expect("the bucket");
    bucket.blocks_public_access = false;
    bucket.sends_events = Some(false);
    world.log_groups[0].retention_days = None;
    world.roles[0].trust["Statement"][0]["Condition"] = serde_json::Value::Null;
    world.rule.as_mut().expect("the rule").enabled = false;
    insta::assert_snapshot!(plan(&world, &zips()).await);
}

#[tokio::test]
async fn an_older_engine_is_told_by_its_tag() {
    let mut world = World::in_sync();
    let (_, tags) = world.machine.as_mut().expect("the machine");
    tags.iter_mut().find(|(key, _)| key == "stepstack:version").expect("the tag").1 = "0.0.9".to_owned();
    let plan = plan(&world, &zips()).await.replace(VERSION, "(this version)");
    insta::assert_snapshot!(plan);
}

#[tokio::test]
async fn a_bucket_without_tags_is_one_whose_making_was_cut_off() {
    let world = World { bucket_tags: None, ..World::in_sync() };
    insta::assert_snapshot!(plan(&world, &zips()).await);
    let empty = World { objects: 0, ..World { bucket_tags: None, ..World::in_sync() } };
    let removed = testing::plan(&removal(&empty, DataPolicy::Refuse).await);
    assert!(removed.starts_with("- bucket/provisioner\n"), "{removed}");
    let strangers = Some(vec![("team".to_owned(), "data".to_owned())]);
    let world = World { bucket_tags: strangers, ..World::in_sync() };
    insta::assert_snapshot!(plan(&world, &zips()).await);
}

#[tokio::test]
async fn a_function_that_lambda_works_on_is_waited_for() {
    let mut world = World::in_sync();
    world.functions[0].last_update_status = Some(LastUpdateStatus::InProgress);
    insta::assert_snapshot!(plan(&world, &zips()).await);
    world.functions[0].last_update_status = Some(LastUpdateStatus::Failed);
    let plan = plan(&world, &zips()).await;
    assert!(plan.contains("~ function/control  code_sha256: \"\" -> \"hash of control\""), "{plan}");
}

#[tokio::test]
async fn a_status_that_is_not_listed_ends_the_look() {
    let mut world = World::in_sync();
    world.functions[0].state = Some(State::from("Dreaming"));
    let error = look(&world, &zips()).await.expect_err("an unknown status");
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.message.contains("Dreaming"), "{error}");
}

#[tokio::test]
async fn a_removal_takes_everything_but_what_the_account_needs_or_data_holds() {
    let world = World::in_sync();
    let refused = testing::plan(&removal(&world, DataPolicy::Refuse).await);
    assert!(refused.starts_with("! bucket/provisioner  bucket/provisioner is not empty."), "{refused}");
    let kept = testing::plan(&removal(&world, DataPolicy::Keep).await);
    assert!(kept.starts_with("= bucket/provisioner"), "{kept}");
    insta::assert_snapshot!(testing::plan(&removal(&world, DataPolicy::Delete).await));
    let empty = World { objects: 0, ..World::in_sync() };
    let plan = testing::plan(&removal(&empty, DataPolicy::Refuse).await);
    assert!(plan.starts_with("- bucket/provisioner\n"), "{plan}");
    assert_eq!(testing::plan(&removal(&World::default(), DataPolicy::Refuse).await), "");
}

#[test]
fn the_fingerprint_tells_engines_apart() {
    let here = fingerprint(&scope(), &zips(), &target());
    assert_eq!(here, fingerprint(&scope(), &zips(), &target()));
    assert_ne!(here, fingerprint(&scope(), &zips_with_new("database"), &target()));
    let elsewhere = Target { endpoint: Some("http://127.0.0.1:4566".to_owned()), ..target() };
    assert_ne!(here, fingerprint(&scope(), &zips(), &elsewhere));
}
