//! Which rules may be ours, and what is found of each.

use aws::failed;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{Rule, RuleState, Target};
use futures_util::future::{try_join, try_join_all};
use statemachine::error::Optional as _;
use statemachine::resource::Context;
use statemachine::{Error, Result};

use crate::{EventRule, TARGET, Unlisted, name};

/// EventBridge, and which rules are the stage's.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The client.
    pub events: Client,
    /// What comes before [`EventRule::what`] in a rule's name in AWS.
    pub prefix: String,
    /// `image-push`, `rotate`, `pause`.
    pub whats: &'static [&'static str],
    /// How they are looked for.
    pub lookup: Lookup,
}

/// How rules are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By one listing of all that begin alike.
    Listing,
    /// One by one: the leave to list is lacking.
    Each,
}

/// A rule as found.
pub struct Raw {
    pub(super) found: EventRule,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) owned: bool,
}

impl Rules {
    /// The rules of a stack that are for these.
    pub fn of_stack(events: &Client, ctx: &Context, whats: &'static [&'static str]) -> Self {
        let prefix = ctx.aws_names().event_rule("");
        Self { events: events.clone(), prefix, whats, lookup: Lookup::Listing }
    }

    pub(super) fn rule_name(&self, what: &str) -> String {
        format!("{}{what}", self.prefix)
    }

    pub(super) async fn look(&self, ctx: &Context) -> Result<Vec<Raw>> {
        let found = match self.lookup {
            Lookup::Listing => self.list().await?,
            Lookup::Each => {
                let each = self.whats.iter().map(|what| self.describe(what));
                try_join_all(each).await?.into_iter().flatten().collect()
            }
        };
        let ours = found.into_iter().filter_map(|rule| {
            let what = rule.name()?.strip_prefix(&self.prefix)?.to_owned();
            self.whats.contains(&what.as_str()).then_some((what, rule))
        });
        try_join_all(ours.map(|(what, rule)| look_at(ctx, &self.events, what, rule))).await
    }

    async fn list(&self) -> Result<Vec<Rule>> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = self.events.list_rules().name_prefix(&self.prefix).set_next_token(token).send().await;
            let page = page.map_err(failed("events:ListRules"))?;
            found.extend(page.rules.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn describe(&self, what: &str) -> Result<Option<Rule>> {
        let rule = self.events.describe_rule().name(self.rule_name(what)).send().await;
        let rule = rule.map_err(failed("events:DescribeRule")).optional()?;
        Ok(rule.map(|rule| {
            Rule::builder()
                .set_name(rule.name)
                .set_arn(rule.arn)
                .set_description(rule.description)
                .set_event_pattern(rule.event_pattern)
                .set_schedule_expression(rule.schedule_expression)
                .set_state(rule.state)
                .build()
        }))
    }
}

/// A rule with its target and whose it is.
async fn look_at(ctx: &Context, client: &Client, what: String, rule: Rule) -> Result<Raw> {
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
        .find(|target| target.id() == TARGET && is_given_the_event(target))
        .map(|target| (target.arn().to_owned(), target.role_arn().unwrap_or_default().to_owned()));
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let pattern = text(rule.event_pattern()).map(|text| serde_json::from_str(&text)).transpose();
    let pattern =
        pattern.map_err(|error| Error::internal(format!("the pattern of {id} is no JSON: {error}")))?;
    let owned = ctx.owned(tags.iter().flat_map(|tags| tags.tags()).map(|tag| (tag.key(), tag.value())))
        == Some(name(&what));
    let found = EventRule {
        description: text(rule.description()),
        pattern,
        schedule: text(rule.schedule_expression()),
        enabled: is_enabled(&rule)?,
        target,
        what,
        unlisted: Unlisted::default(),
    };
    Ok(Raw { found, id, arn, owned })
}

/// Whether a target is given the event as it came.
fn is_given_the_event(target: &Target) -> bool {
    target.input().is_none() && target.input_path().is_none() && target.input_transformer().is_none()
}

fn is_enabled(rule: &Rule) -> Result<bool> {
    match rule.state() {
        Some(RuleState::Enabled | RuleState::EnabledWithAllCloudtrailManagementEvents) => Ok(true),
        Some(RuleState::Disabled) => Ok(false),
        other => Err(Error::unknown_status("rule", other.map_or("none", RuleState::as_str))),
    }
}
