//! The rule that a push of an image starts a deploy by.

use aws::{failed, gone};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{RetryPolicy, RuleState, Tag, Target};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// The one target of the rule.
const TARGET: &str = "state-machine";

/// An EventBridge rule with its one target, the state machine. The event is passed whole: an input
/// transformer does not escape values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRule {
    /// Its name in AWS.
    pub rule_name: String,
    /// What it matches; `None` while it matches nothing.
    pub pattern: Option<Value>,
    /// Switched on.
    pub enabled: bool,
    /// ARN of the state machine and of the role that starts it.
    pub target: Option<(String, String)>,
}

/// `event-rule/image-push`.
pub fn name() -> Name {
    Name::new(EventRule::KIND, "image-push")
}

fn rule_name(ctx: &Context) -> String {
    format!("stepstack-{}-image-push", ctx.prefix())
}

impl EventRule {
    /// The rule of a stack; `None` when no tag is deployed on a push.
    pub fn of(ctx: &Context, stack: &Stack) -> Option<Self> {
        if stack.image.deploy_on_push.is_empty() {
            return None;
        }
        let scope = ctx.scope();
        let pattern = json!({
            "source": ["aws.ecr"],
            "detail-type": ["ECR Image Action"],
            "detail": {
                "action-type": ["PUSH"],
                "result": ["SUCCESS"],
                "repository-name": [format!("{}/{}", ctx.app, ctx.environment)],
                "image-tag": stack.image.deploy_on_push,
            },
        });
        let target = Some((scope.state_machine(), scope.engine_role_arn("events")));
        Some(Self { rule_name: rule_name(ctx), pattern: Some(pattern), enabled: true, target })
    }
}

/// A rule as found.
pub struct Raw {
    found: EventRule,
    arn: String,
    owned: bool,
}

impl Resource for EventRule {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "event-rule";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let rules = scope.arn("events", &format!("rule/stepstack-{}-*", scope.app));
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
        vec![
            Permission::on(&actions, [rules]),
            Permission::on(&["iam:PassRole"], [scope.engine_role_arn("events")]).when(
                "StringEquals",
                "iam:PassedToService",
                ["events.amazonaws.com".to_owned()],
            ),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(Name::new("repository", "main"))]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let wanted = rule_name(ctx);
        let rule = client
            .describe_rule()
            .name(&wanted)
            .send()
            .await
            .map_err(failed("events:DescribeRule"))
            .optional()?;
        let Some(rule) = rule else { return Ok(Vec::new()) };
        let arn = rule.arn().unwrap_or_default().to_owned();
        let targets = async {
            client
                .list_targets_by_rule()
                .rule(&wanted)
                .send()
                .await
                .map_err(failed("events:ListTargetsByRule"))
        };
        let tags = async {
            client
                .list_tags_for_resource()
                .resource_arn(&arn)
                .send()
                .await
                .map_err(failed("events:ListTagsForResource"))
        };
        let (targets, tags) = futures_util::future::try_join(targets, tags).await?;
        let target = targets.targets().iter().find(|target| target.id() == TARGET);
        let pattern = rule.event_pattern().map(serde_json::from_str).transpose();
        let pattern = pattern
            .map_err(|error| Error::internal(format!("the pattern of {wanted} is no JSON: {error}")))?;
        let found = EventRule {
            pattern,
            enabled: rule.state() == Some(&RuleState::Enabled),
            target: target
                .map(|target| (target.arn().to_owned(), target.role_arn().unwrap_or_default().to_owned())),
            rule_name: wanted,
        };
        let owned = ctx.owned(tags.tags().iter().map(|tag| (tag.key(), tag.value()))) == Some(name());
        Ok(vec![Raw { found, arn, owned }])
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = &raw.found.rule_name;
        let identity = if raw.owned { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        Some(identity.with("arn", &raw.arn))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(raw.found))
    }

    async fn create(self, ctx: Context, client: Client, _: Names) -> Result<Made> {
        let tags =
            ctx.tags(&name()).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|error| Error::internal(error.to_string()))?;
        self.put(&client, Some(tags)).await
    }

    async fn update(self, _: Self, _: String, _: Context, client: Client, _: Names) -> Result<Made> {
        self.put(&client, None).await
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        let remove = client.remove_targets().rule(&id).ids(TARGET).send().await;
        remove.map_err(failed("events:RemoveTargets")).optional()?;
        gone(client.delete_rule().name(id).send().await.map_err(failed("events:DeleteRule")), Gone::Now)
    }
}

impl EventRule {
    async fn put(self, client: &Client, tags: Option<Vec<Tag>>) -> Result<Made> {
        let put = client
            .put_rule()
            .name(&self.rule_name)
            .set_event_pattern(self.pattern.as_ref().map(Value::to_string))
            .state(if self.enabled { RuleState::Enabled } else { RuleState::Disabled })
            .set_tags(tags);
        put.send().await.map_err(failed("events:PutRule"))?;
        if let Some((machine, role)) = &self.target {
            let retry =
                RetryPolicy::builder().maximum_retry_attempts(10).maximum_event_age_in_seconds(3_600).build();
            let target = Target::builder().id(TARGET).arn(machine).role_arn(role).retry_policy(retry).build();
            let target = target.map_err(|error| Error::internal(error.to_string()))?;
            let put = client.put_targets().rule(&self.rule_name).targets(target).send().await;
            let put = put.map_err(failed("events:PutTargets"))?;
            if let Some(entry) = put.failed_entries().first() {
                let message = entry.error_message().unwrap_or("no reason given");
                let code = entry.error_code().unwrap_or_default();
                let text = format!("PutTargets failed: {message} ({code})");
                return Err(Error {
                    action: Some("events:PutTargets"),
                    ..Error::new(aws::kind_of(code, message, 400), text)
                });
            }
        }
        Ok(Made::settled(self.rule_name))
    }
}
