//! Listener rules: which host leads to which service.

use std::collections::{BTreeMap, BTreeSet};

use aws::{failed, gone};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, HostHeaderConditionConfig, PathPatternConditionConfig, Rule as RawRule,
    RuleCondition,
};
use ingress::listener::{self, Listener};
use ingress::tags::{owned, tags};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// One rule of a listener.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListenerRule {
    /// The service.
    pub service: String,
    /// The listener: HTTPS with a domain, else HTTP. Cannot change.
    pub listener: Name,
    /// Its place among the rules. Unique on a listener.
    pub priority: i32,
    /// The host; `None` matches every request.
    pub host: Option<String>,
    /// Where it leads.
    pub target_group: Name,
}

/// `listener-rule/api`; the listener is part of the identity.
pub fn name(service: &str, listener: &Name) -> Name {
    Name::hashed(ListenerRule::KIND, service, listener)
}

impl ListenerRule {
    /// The priorities of services' rules, out of their names, so that adding one service seldom moves the
    /// others'. Of two names that lead to one priority the later in the alphabet takes the next free one.
    pub fn priorities<'n>(services: impl IntoIterator<Item = &'n str>) -> BTreeMap<String, i32> {
        let (mut priorities, mut taken) = (BTreeMap::new(), BTreeSet::new());
        let mut names: Vec<&str> = services.into_iter().collect();
        names.sort_unstable();
        for name in names {
            let mut priority = priority_of(name);
            while !taken.insert(priority) {
                priority = priority % PRIORITIES + 1;
            }
            priorities.insert(name.to_owned(), priority);
        }
        priorities
    }
}

/// Priorities are 1 to 50,000; the last thousand are left to people.
const PRIORITIES: i32 = 49_000;

fn priority_of(service: &str) -> i32 {
    let sum = service.bytes().fold(7_i32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum.rem_euclid(PRIORITIES) + 1
}

/// A rule and the name that its tags give it.
pub struct Raw {
    rule: RawRule,
    owned: Name,
    listener: String,
}

impl Resource for ListenerRule {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "listener-rule";
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let parts = ["listener/app", "listener-rule/app"];
        let parts = parts.map(|part| {
            scope.arn("elasticloadbalancing", &format!("{part}/{}", scope.every_stack().prefix()))
        });
        let actions = [
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateRule",
            "elasticloadbalancing:DeleteRule",
            "elasticloadbalancing:ModifyRule",
            "elasticloadbalancing:SetRulePriorities",
        ];
        vec![
            Permission::on(&actions, parts),
            Permission::unscoped(
                &["elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTags"],
                "Elastic Load Balancing's Describe actions take no resource",
            ),
        ]
    }

    fn name(&self) -> Name {
        name(&self.service, &self.listener)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(self.listener.clone()), Need::Exists(self.target_group.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, names: &Names) -> Result<Vec<Raw>> {
        let listeners = names.of_kind(Listener::KIND).map(|(_, arn)| async move {
            let rules = client.describe_rules().listener_arn(arn).send().await;
            let rules = rules.map_err(failed("elasticloadbalancing:DescribeRules")).optional()?;
            let rules = rules.and_then(|rules| rules.rules).unwrap_or_default();
            let rules = rules.into_iter().filter(|rule| rule.is_default() != Some(true));
            Ok::<_, Error>(rules.map(|rule| (rule, arn.to_owned())).collect::<Vec<_>>())
        });
        let rules: Vec<(RawRule, String)> =
            futures_util::future::try_join_all(listeners).await?.into_iter().flatten().collect();
        let arns: Vec<String> =
            rules.iter().filter_map(|(rule, _)| rule.rule_arn().map(str::to_owned)).collect();
        let mut names = owned(client, ctx, &arns).await?;
        let raw = |(rule, listener): (RawRule, String)| {
            Some(Raw { owned: names.remove(rule.rule_arn()?)?, rule, listener })
        };
        Ok(rules.into_iter().filter_map(raw).collect())
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(raw.owned.clone(), raw.rule.rule_arn()?))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let hosts = raw.rule.conditions().iter().filter_map(|condition| condition.host_header_config());
        let hosts: Vec<&str> =
            hosts.flat_map(HostHeaderConditionConfig::values).map(String::as_str).collect();
        let host = (!hosts.is_empty()).then(|| hosts.join(", "));
        let target = raw.rule.actions().iter().find_map(|action| {
            let forwarded = action
                .forward_config()
                .and_then(|forward| forward.target_groups().first()?.target_group_arn());
            action.target_group_arn().or(forwarded)
        });
        Ok(State::Settled(Self {
            service: raw.owned.base().split_once('/').map_or("", |(_, service)| service).to_owned(),
            listener: names.name_of(&raw.listener),
            priority: raw.rule.priority().and_then(|priority| priority.parse().ok()).unwrap_or(0),
            host,
            target_group: names.name_of(target.unwrap_or_default()),
        }))
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_rule()
            .listener_arn(names.need(&self.listener)?)
            .priority(self.priority)
            .conditions(self.condition())
            .actions(self.action(&names)?)
            .set_tags(Some(tags(&ctx, &self.name())));
        let made = create.send().await.map_err(failed("elasticloadbalancing:CreateRule"))?;
        let arn = made.rules().first().and_then(RawRule::rule_arn);
        Ok(Made::settled(required(arn, "listener rule", "an ARN")?))
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let modify =
            client.modify_rule().rule_arn(&id).conditions(self.condition()).actions(self.action(&names)?);
        modify.send().await.map_err(failed("elasticloadbalancing:ModifyRule"))?;
        if self.priority != now.priority {
            let pair = aws_sdk_elasticloadbalancingv2::types::RulePriorityPair::builder()
                .rule_arn(&id)
                .priority(self.priority)
                .build();
            let set = client.set_rule_priorities().rule_priorities(pair).send().await;
            set.map_err(failed("elasticloadbalancing:SetRulePriorities"))?;
        }
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(
            client.delete_rule().rule_arn(id).send().await.map_err(failed("elasticloadbalancing:DeleteRule")),
            Gone::Now,
        )
    }
}

impl ListenerRule {
    fn condition(&self) -> RuleCondition {
        match &self.host {
            Some(host) => RuleCondition::builder()
                .field("host-header")
                .host_header_config(HostHeaderConditionConfig::builder().values(host).build())
                .build(),
            None => RuleCondition::builder()
                .field("path-pattern")
                .path_pattern_config(PathPatternConditionConfig::builder().values("/*").build())
                .build(),
        }
    }

    fn action(&self, names: &Names) -> Result<Action> {
        Ok(Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .target_group_arn(names.need(&self.target_group)?)
            .build())
    }
}

/// The listener that public services stand behind.
pub fn listener(has_domain: bool) -> Name {
    listener::name(if has_domain { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_services_have_one_priority() {
        // As many as a load balancer's quota of rules, and more than enough to collide.
        let names: Vec<String> =
            (1..1_000_u32).map(|number| format!("s{:08x}", number.wrapping_mul(2_654_435_761))).collect();
        let priorities = ListenerRule::priorities(names.iter().map(String::as_str));
        let taken: BTreeSet<i32> = priorities.values().copied().collect();
        assert_eq!(taken.len(), names.len());
        assert!(taken.iter().all(|priority| (1..=PRIORITIES).contains(priority)));
        let collide = names.iter().filter(|name| priority_of(name) != priorities[*name]).count();
        assert!(collide > 0, "the names are enough to show it");
    }

    #[test]
    fn a_new_service_leaves_the_others_where_they_are() {
        let before = ListenerRule::priorities(["api", "web"]);
        let after = ListenerRule::priorities(["admin", "api", "web"]);
        assert!(before.iter().all(|(name, priority)| after[name] == *priority));
    }
}
