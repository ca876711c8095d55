//! The rule of the upload trigger: a configuration put into the provisioner's bucket starts the state
//! machine, the event passed whole.

use aws::{failed, gone};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::types::{RuleState, Target};
use futures_util::future::try_join;
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use super::{role, state_machine, tags};

/// Id of the rule's one target.
const TARGET: &str = "state-machine";

/// The rule with its one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRule {
    /// `stepstack-{app}-config-upload`
    pub rule_name: String,
    /// For people.
    pub description: String,
    /// Which events.
    pub pattern: Value,
    /// Whether it does anything.
    pub enabled: bool,
    /// What it starts; `None` while it has no target.
    pub starts: Option<Name>,
    /// The role with which it does.
    pub role: Option<Name>,
    /// Whether the event is passed as it came.
    pub whole: bool,
}

/// A rule, its targets and the name that its tags give it.
pub struct Raw {
    rule: DescribeRuleOutput,
    targets: Vec<Target>,
    owned: Option<Name>,
}

fn name() -> Name {
    Name::new(EventRule::KIND, "config-upload")
}

fn rule_name(scope: &Scope) -> String {
    format!("{}-config-upload", scope.engine())
}

impl EventRule {
    /// The rule of an app's engine.
    pub fn new(scope: &Scope) -> Self {
        // A copy within the bucket (`CopyObject`) is our own, of an accepted configuration.
        let uploads = ["PutObject", "POST Object", "CompleteMultipartUpload"];
        Self {
            rule_name: rule_name(scope),
            description: "Starts a run when a configuration is uploaded".to_owned(),
            pattern: json!({
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": { "name": [scope.bucket()] },
                    "object": { "key": [{ "prefix": "environments/" }] },
                    "reason": uploads,
                },
            }),
            enabled: true,
            starts: Some(state_machine::name()),
            role: Some(role::name("events")),
            whole: true,
        }
    }
}

impl Resource for EventRule {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "event-rule";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let actions = [
            "events:DeleteRule",
            "events:DescribeRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
        ];
        vec![Permission::on(&actions, [scope.arn("events", &format!("rule/{}", rule_name(scope)))])]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        self.starts.iter().chain(&self.role).cloned().map(Need::Settled).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let rule_name = rule_name(&ctx.scope());
        let rule =
            client.describe_rule().name(&rule_name).send().await.map_err(failed("events:DescribeRule"));
        let Some(rule) = rule.optional()? else { return Ok(Vec::new()) };
        let targets = async {
            let targets = client.list_targets_by_rule().rule(&rule_name).send().await;
            targets.map_err(failed("events:ListTargetsByRule"))
        };
        let tags = async {
            let tags = client.list_tags_for_resource().resource_arn(rule.arn().unwrap_or_default());
            tags.send().await.map_err(failed("events:ListTagsForResource"))
        };
        let (targets, tags) = try_join(targets, tags).await?;
        let owned = ctx.owned(tags.tags().iter().map(|tag| (tag.key(), tag.value())));
        Ok(vec![Raw { rule, targets: targets.targets.unwrap_or_default(), owned }])
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.rule.name()?;
        let ours = raw.owned.as_ref() == Some(&name());
        Some(if ours { Identity::ours(name(), id) } else { Identity::theirs(name(), id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let pattern = serde_json::from_str(raw.rule.event_pattern().unwrap_or("null"))
            .map_err(|error| Error::internal(format!("the pattern of a rule is no JSON: {error}")))?;
        let enabled = match raw.rule.state() {
            Some(RuleState::Enabled | RuleState::EnabledWithAllCloudtrailManagementEvents) => true,
            Some(RuleState::Disabled) => false,
            other => {
                let other = other.map_or("none", RuleState::as_str);
                return Err(Error::unknown_status("rule", other));
            }
        };
        let target = raw.targets.first();
        let plain = |target: &Target| {
            target.input().is_none() && target.input_path().is_none() && target.input_transformer().is_none()
        };
        Ok(State::Settled(Self {
            rule_name: raw.rule.name().unwrap_or_default().to_owned(),
            description: raw.rule.description().unwrap_or_default().to_owned(),
            pattern,
            enabled,
            starts: target.map(|target| names.name_of(target.arn())),
            role: target.and_then(Target::role_arn).map(|arn| names.name_of(tags::role_name(arn))),
            whole: target.is_some_and(plain),
        }))
    }

    async fn create(self, Call { ctx, client, ids }: Call<Client>) -> Result<Made> {
        put(&self, Some(&ctx), &client, &ids).await
    }

    async fn update(self, _: Self, _: String, Call { client, ids, .. }: Call<Client>) -> Result<Made> {
        put(&self, None, &client, &ids).await
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let targets = client.list_targets_by_rule().rule(&id).send().await;
        let targets = targets.map_err(failed("events:ListTargetsByRule")).optional()?;
        let Some(targets) = targets else { return Ok(Gone::Now) };
        let targets: Vec<String> = targets.targets().iter().map(|target| target.id().to_owned()).collect();
        if !targets.is_empty() {
            let remove = client.remove_targets().rule(&id).set_ids(Some(targets)).send().await;
            remove.map_err(failed("events:RemoveTargets")).optional()?;
        }
        gone(client.delete_rule().name(id).send().await.map_err(failed("events:DeleteRule")), Gone::Now)
    }
}

/// Both calls overwrite, so both may be repeated. Tags go on only when it is made (`ctx`): PutRule ignores
/// them on a rule that exists.
async fn put(want: &EventRule, ctx: Option<&Context>, client: &Client, ids: &Names) -> Result<Made> {
    let tags = ctx.map(|ctx| tags::events(ctx, &name())).transpose()?;
    let put = client
        .put_rule()
        .name(&want.rule_name)
        .description(&want.description)
        .event_pattern(want.pattern.to_string())
        .state(if want.enabled { RuleState::Enabled } else { RuleState::Disabled })
        .set_tags(tags);
    put.send().await.map_err(failed("events:PutRule"))?;
    if let (Some(starts), Some(role)) = (&want.starts, &want.role) {
        let target = Target::builder()
            .id(TARGET)
            .arn(ids.need(starts)?)
            .role_arn(ids.need_attribute(role, "arn")?)
            .build()
            .map_err(tags::incomplete)?;
        let put = client.put_targets().rule(&want.rule_name).targets(target).send().await;
        let put = put.map_err(failed("events:PutTargets"))?;
        if let Some(entry) = put.failed_entries().first() {
            let (code, why) =
                (entry.error_code().unwrap_or_default(), entry.error_message().unwrap_or("no reason"));
            let message = format!("PutTargets failed: {why} ({code})");
            return Err(Error::new(aws::kind_of(code, why, 400), message));
        }
    }
    Ok(Made::settled(&want.rule_name))
}
