//! The rules that start runs: by a push of an image, or by the clock.

use aws::{failed, gone};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{RetryPolicy, Rule, RuleState, Tag, Target};
use futures_util::future::{try_join, try_join_all};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// The one target of a rule.
const TARGET: &str = "state-machine";

/// An EventBridge rule with its one target, the state machine. The event is passed whole: an input
/// transformer does not escape values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRule {
    /// What for: `image-push`, `rotate`, `pause`.
    pub what: String,
    /// What it matches, for a rule that waits for events.
    pub pattern: Option<Value>,
    /// When it starts a run, for one that goes by the clock: `rate(30 days)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Switched on.
    pub enabled: bool,
    /// ARN of the state machine and of the role that starts it.
    pub target: Option<(String, String)>,
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
        Some(Self { pattern: Some(pattern), ..Self::of(ctx, "image-push") })
    }

    /// A rule that starts the operation `what` by the clock.
    pub fn scheduled(ctx: &Context, what: &str, schedule: impl Into<String>) -> Self {
        Self { schedule: Some(schedule.into()), ..Self::of(ctx, what) }
    }

    fn of(ctx: &Context, what: &str) -> Self {
        let scope = ctx.scope();
        let target = Some((scope.state_machine(), scope.engine_role_arn("events")));
        Self { what: what.to_owned(), pattern: None, schedule: None, enabled: true, target }
    }
}

/// EventBridge, and which of the stack's rules are the stage's.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The client.
    pub events: Client,
    /// `image-push`, `rotate`, `pause`.
    pub whats: &'static [&'static str],
}

/// A rule as found.
pub struct Raw {
    found: EventRule,
    id: String,
    arn: String,
    owned: bool,
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
        let repository = self.pattern.as_ref().map(|_| resource::repository());
        repository.into_iter().map(Need::Exists).collect()
    }

    async fn fetch(ctx: &Context, client: &Rules, _: &Names) -> Result<Vec<Raw>> {
        let prefix = ctx.aws_names().event_rule("");
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = client.events.list_rules().name_prefix(&prefix).set_next_token(token).send().await;
            let page = page.map_err(failed("events:ListRules"))?;
            found.extend(page.rules.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let ours = found.into_iter().filter_map(|rule| {
            let what = rule.name()?.strip_prefix(&prefix)?.to_owned();
            client.whats.contains(&what.as_str()).then_some((what, rule))
        });
        try_join_all(ours.map(|(what, rule)| look(ctx, &client.events, what, rule))).await
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
        self.put(&client.events, &ctx, Some(tags)).await
    }

    async fn update(self, _: Self, _: String, Call { ctx, client, .. }: Call<Rules>) -> Result<Made> {
        self.put(&client.events, &ctx, None).await
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Rules>) -> Result<Gone> {
        let remove = client.events.remove_targets().rule(&id).ids(TARGET).send().await;
        remove.map_err(failed("events:RemoveTargets")).optional()?;
        gone(
            client.events.delete_rule().name(id).send().await.map_err(failed("events:DeleteRule")),
            Gone::Now,
        )
    }
}

impl EventRule {
    async fn put(self, client: &Client, ctx: &Context, tags: Option<Vec<Tag>>) -> Result<Made> {
        let rule = ctx.aws_names().event_rule(&self.what);
        let put = client
            .put_rule()
            .name(&rule)
            .set_schedule_expression(self.schedule.clone())
            .set_event_pattern(self.pattern.as_ref().map(Value::to_string))
            .state(if self.enabled { RuleState::Enabled } else { RuleState::Disabled })
            .set_tags(tags);
        put.send().await.map_err(failed("events:PutRule"))?;
        if let Some((machine, role)) = &self.target {
            let retry =
                RetryPolicy::builder().maximum_retry_attempts(10).maximum_event_age_in_seconds(3_600).build();
            let target = Target::builder().id(TARGET).arn(machine).role_arn(role).retry_policy(retry).build();
            let target = target.map_err(|error| Error::internal(error.to_string()))?;
            let put = client.put_targets().rule(&rule).targets(target).send().await;
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
        Ok(Made::settled(rule))
    }
}

/// A rule with its target and whose it is.
async fn look(ctx: &Context, client: &Client, what: String, rule: Rule) -> Result<Raw> {
    let (id, arn) = (rule.name().unwrap_or_default().to_owned(), rule.arn().unwrap_or_default().to_owned());
    let targets = async {
        let list = client.list_targets_by_rule().rule(&id).send().await;
        list.map_err(failed("events:ListTargetsByRule")).optional()
    };
    let tags = async {
        let list = client.list_tags_for_resource().resource_arn(&arn).send().await;
        list.map_err(failed("events:ListTagsForResource")).optional()
    };
    let (targets, tags) = try_join(targets, tags).await?;
    let target = targets
        .iter()
        .flat_map(|targets| targets.targets())
        .find(|target| target.id() == TARGET)
        .map(|target| (target.arn().to_owned(), target.role_arn().unwrap_or_default().to_owned()));
    let pattern = rule.event_pattern().filter(|text| !text.is_empty()).map(serde_json::from_str).transpose();
    let pattern =
        pattern.map_err(|error| Error::internal(format!("the pattern of {id} is no JSON: {error}")))?;
    let owned = ctx.owned(tags.iter().flat_map(|tags| tags.tags()).map(|tag| (tag.key(), tag.value())))
        == Some(name(&what));
    let found = EventRule {
        pattern,
        schedule: rule.schedule_expression().filter(|text| !text.is_empty()).map(str::to_owned),
        enabled: rule.state() == Some(&RuleState::Enabled),
        target,
        what,
    };
    Ok(Raw { found, id, arn, owned })
}
