//! The rules that start runs: by a push of an image, by the clock, or, as the installer makes it, by the upload of
//! a configuration.

mod look;

use aws::{failed, gone};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{RetryPolicy, RuleState, Tag, Target};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

pub use look::{Lookup, Raw, Rules};

/// The one target of a rule.
const TARGET: &str = "state-machine";

/// An EventBridge rule with its one target, the state machine. The event is passed whole: an input
/// transformer does not escape values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRule {
    /// What for: `image-push`, `rotate`, `pause`; `config-upload` of the engine.
    pub what: String,
    /// For people; `None` of a stack's rules, which have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it matches, for a rule that waits for events.
    pub pattern: Option<Value>,
    /// When it starts a run, for one that goes by the clock: `rate(30 days)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Switched on.
    pub enabled: bool,
    /// ARN of the state machine and of the role that starts it; `None` while it has no target, or one that is
    /// given something else than the event.
    pub target: Option<(String, String)>,
    /// What is no part of the description.
    #[serde(skip)]
    pub unlisted: Unlisted,
}

/// What a rule needs when it is made, and what is not read back from it.
#[derive(Clone, Debug, Default)]
pub struct Unlisted {
    /// What must be there before it.
    pub needs: Vec<Need>,
    /// How often and how long a start that fails is tried again; EventBridge's own 24 hours without it.
    pub retry: Option<RetryPolicy>,
}

impl PartialEq for Unlisted {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// `event-rule/image-push`.
pub fn name(what: &str) -> Name {
    Name::new(EventRule::KIND, what)
}

impl EventRule {
    /// The rule that a push starts a deploy by; `None` when no tag is deployed on a push.
    pub fn image_push(ctx: &Context, stack: &Stack) -> Option<Self> {
        if stack.image.deploy_on_push.is_empty() {
            return None;
        }
        let pattern = json!({
            "source": ["aws.ecr"],
            "detail-type": ["ECR Image Action"],
            "detail": {
                "action-type": ["PUSH"],
                "result": ["SUCCESS"],
                "repository-name": [ctx.aws_names().repository()],
                "image-tag": stack.image.deploy_on_push,
            },
        });
        let rule = Self { pattern: Some(pattern), ..Self::of(ctx, "image-push") };
        let needs = vec![Need::Exists(resource::repository())];
        Some(Self { unlisted: Unlisted { needs, ..rule.unlisted }, ..rule })
    }

    /// A rule that starts the operation `what` by the clock.
    pub fn scheduled(ctx: &Context, what: &str, schedule: impl Into<String>) -> Self {
        Self { schedule: Some(schedule.into()), ..Self::of(ctx, what) }
    }

    fn of(ctx: &Context, what: &str) -> Self {
        let scope = ctx.scope();
        let retry =
            RetryPolicy::builder().maximum_retry_attempts(10).maximum_event_age_in_seconds(3_600).build();
        Self {
            what: what.to_owned(),
            description: None,
            pattern: None,
            schedule: None,
            enabled: true,
            target: Some((scope.state_machine(), scope.engine_role_arn("events"))),
            unlisted: Unlisted { needs: Vec::new(), retry: Some(retry) },
        }
    }
}

impl Resource for EventRule {
    type Client = Rules;
    type Raw = Raw;

    const KIND: &'static str = "event-rule";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let rules = scope.arn("events", &format!("rule/stepstack-{}", scope.every_stack().prefix()));
        let actions = [
            "events:DeleteRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
        ];
        vec![
            Permission::on(&actions, [rules]),
            Permission::unscoped(&["events:ListRules"], "the listing goes by a prefix and takes no resource"),
            Permission::on(&["iam:PassRole"], [scope.engine_role_arn("events")]).when(
                "StringEquals",
                "iam:PassedToService",
                ["events.amazonaws.com".to_owned()],
            ),
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        self.unlisted.needs.clone()
    }

    async fn fetch(ctx: &Context, client: &Rules, _: &Names) -> Result<Vec<Raw>> {
        client.look(ctx).await
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let (name, id) = (name(&raw.found.what), &raw.id);
        let identity = if raw.owned { Identity::ours(name, id) } else { Identity::theirs(name, id) };
        Some(identity.with("arn", &raw.arn))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(raw.found))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Rules>) -> Result<Made> {
        let tags = ctx
            .tags(&self.name())
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|error| Error::internal(error.to_string()))?;
        self.put(&client, Some(tags)).await
    }

    async fn update(self, _: Self, _: String, Call { client, .. }: Call<Rules>) -> Result<Made> {
        self.put(&client, None).await
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Rules>) -> Result<Gone> {
        let client = client.events;
        remove_targets(&client, &id, vec![TARGET.to_owned()]).await?;
        let delete =
            || async { client.delete_rule().name(&id).send().await.map_err(failed("events:DeleteRule")) };
        let deleted = match delete().await {
            // Somebody has given it a target of their own.
            Err(error) if error.message.contains("since it has targets") => {
                let targets = client.list_targets_by_rule().rule(&id).send().await;
                let targets = targets.map_err(failed("events:ListTargetsByRule"))?;
                let ids = targets.targets().iter().map(|target| target.id().to_owned()).collect();
                remove_targets(&client, &id, ids).await?;
                delete().await
            }
            other => other,
        };
        gone(deleted, Gone::Now)
    }
}

impl EventRule {
    /// Both calls overwrite, so both may be repeated. Tags go on only when it is made: PutRule ignores them on a
    /// rule that exists.
    async fn put(self, client: &Rules, tags: Option<Vec<Tag>>) -> Result<Made> {
        let rule = client.rule_name(&self.what);
        let put = client
            .events
            .put_rule()
            .name(&rule)
            .set_description(self.description)
            .set_schedule_expression(self.schedule)
            .set_event_pattern(self.pattern.as_ref().map(Value::to_string))
            .state(if self.enabled { RuleState::Enabled } else { RuleState::Disabled })
            .set_tags(tags);
        put.send().await.map_err(failed("events:PutRule"))?;
        if let Some((machine, role)) = self.target {
            let target = Target::builder().id(TARGET).arn(machine).role_arn(role);
            let target = target.set_retry_policy(self.unlisted.retry).build();
            let target = target.map_err(|error| Error::internal(error.to_string()))?;
            put_target(&client.events, &rule, target).await?;
        }
        Ok(Made::settled(rule))
    }
}

async fn put_target(client: &Client, rule: &str, target: Target) -> Result<()> {
    let put = client.put_targets().rule(rule).targets(target).send().await;
    let put = put.map_err(failed("events:PutTargets"))?;
    let Some(entry) = put.failed_entries().first() else { return Ok(()) };
    let message = entry.error_message().unwrap_or("no reason given");
    let code = entry.error_code().unwrap_or_default();
    let text = format!("PutTargets failed: {message} ({code})");
    Err(Error { action: Some("events:PutTargets"), ..Error::new(aws::kind_of(code, message, 400), text) })
}

async fn remove_targets(client: &Client, rule: &str, ids: Vec<String>) -> Result<()> {
    let remove = client.remove_targets().rule(rule).set_ids(Some(ids)).send().await;
    remove.map_err(failed("events:RemoveTargets")).optional()?;
    Ok(())
}
