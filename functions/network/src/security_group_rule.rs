//! The rules of our security groups. They are a kind of their own: groups name each other, and rules go
//! before groups.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, ResourceType, SecurityGroupRule as Raw, UserIdGroupPair};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app};
use crate::security_group::SecurityGroup;
use crate::tags::specification;

/// One rule. A rule in one of our groups that nobody describes is a left-over, whoever made it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecurityGroupRule {
    /// The group it is in.
    pub group: Name,
    /// In or out.
    pub direction: Direction,
    /// A TCP port; `None` is every protocol and port.
    pub port: Option<u16>,
    /// From whom, or to whom.
    pub peer: Peer,
    /// For people.
    pub description: String,
}

/// In or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the group's members.
    In,
    /// Out of them.
    Out,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// Addresses.
    Cidr(String),
    /// The members of a group.
    Group(Name),
}

impl SecurityGroupRule {
    /// A rule in `security-group/{group}`.
    pub fn new(group: &Name, direction: Direction, port: Option<u16>, peer: Peer, description: &str) -> Self {
        Self { group: group.clone(), direction, port, peer, description: description.to_owned() }
    }

    /// What it is told by: all but its description.
    fn key(&self) -> String {
        let direction = match self.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        let port = self.port.map_or_else(|| "all".to_owned(), |port| port.to_string());
        let peer = match &self.peer {
            Peer::Cidr(cidr) => cidr.as_str(),
            Peer::Group(name) => name.what(),
        };
        format!("{}-{direction}-{port}-{peer}", self.group.what())
    }
}

fn from_raw(raw: &Raw, names: &Names) -> Option<SecurityGroupRule> {
    let all = raw.ip_protocol() == Some("-1");
    let port = raw.from_port().filter(|_| !all && raw.from_port() == raw.to_port() && raw.ip_protocol() == Some("tcp"));
    let group = raw.referenced_group_info().and_then(|info| info.group_id());
    let peer = match (raw.cidr_ipv4(), group) {
        (Some(cidr), _) => Peer::Cidr(cidr.to_owned()),
        (None, Some(group)) => Peer::Group(names.name_of(group)),
        (None, None) => return None,
    };
    if port.is_none() && !all {
        return None;
    }
    Some(SecurityGroupRule {
        group: names.name_of(raw.group_id()?),
        direction: if raw.is_egress() == Some(true) { Direction::Out } else { Direction::In },
        port: port.and_then(|port| u16::try_from(port).ok()),
        peer,
        description: raw.description().unwrap_or_default().to_owned(),
    })
}

impl Resource for SecurityGroupRule {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "security-group-rule";
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let (group, rule) = (scope.arn("ec2", "security-group/*"), scope.arn("ec2", "security-group-rule/*"));
        let actions: &[&'static str] = &[
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
            "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
        ];
        let created = ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"].map(str::to_owned);
        vec![
            Permission::unscoped(&["ec2:DescribeSecurityGroupRules"], DESCRIBE),
            owned_by_app(scope, actions, [group]),
            Permission::on(&["ec2:CreateTags"], [rule.clone()]).when("StringEquals", "ec2:CreateAction", created),
            // A rule that is being made has no tag of ours yet; its group has.
            Permission::on(&["ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"], [rule]),
        ]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, self.key())
    }

    fn needs(&self) -> Vec<Need> {
        let peer = match &self.peer {
            Peer::Group(name) => Some(Need::Exists(name.clone())),
            Peer::Cidr(_) => None,
        };
        std::iter::once(Need::Exists(self.group.clone())).chain(peer).collect()
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<Raw>> {
        let groups: Vec<String> = names.of_kind(SecurityGroup::KIND).map(|(_, id)| id.to_owned()).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter::builder().name("group-id").set_values(Some(groups)).build();
        let pages = client.describe_security_group_rules().filters(filter).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSecurityGroupRules"))
    }

    fn identify(_: &Context, raw: &Raw, names: &Names) -> Option<Identity> {
        let id = raw.security_group_rule_id()?;
        if names.name_of(raw.group_id()?).kind() != SecurityGroup::KIND {
            return None;
        }
        let name = from_raw(raw, names).map_or_else(|| Name::new(Self::KIND, id), |rule| rule.name());
        Some(Identity::ours(name, id))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let unreadable = || SecurityGroupRule {
            // A rule of a form that we never make: only its group and direction matter, to revoke it.
            group: names.name_of(raw.group_id().unwrap_or_default()),
            direction: if raw.is_egress() == Some(true) { Direction::Out } else { Direction::In },
            port: None,
            peer: Peer::Cidr(raw.cidr_ipv6().or(raw.prefix_list_id()).unwrap_or("unknown").to_owned()),
            description: raw.description().unwrap_or_default().to_owned(),
        };
        Ok(State::Settled(from_raw(&raw, names).unwrap_or_else(unreadable)))
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let group = ids.need(&self.group)?;
        let tags = specification(&ctx, ResourceType::SecurityGroupRule, &self.name());
        let permission = self.permission(&ids)?;
        let rule = match self.direction {
            Direction::In => {
                let call = client.authorize_security_group_ingress().group_id(group).ip_permissions(permission).tag_specifications(tags);
                let made = call.send().await.map_err(failed("ec2:AuthorizeSecurityGroupIngress"));
                made.map(|made| made.security_group_rules().first().and_then(Raw::security_group_rule_id).map(str::to_owned))
            }
            Direction::Out => {
                let call = client.authorize_security_group_egress().group_id(group).ip_permissions(permission).tag_specifications(tags);
                let made = call.send().await.map_err(failed("ec2:AuthorizeSecurityGroupEgress"));
                made.map(|made| made.security_group_rules().first().and_then(Raw::security_group_rule_id).map(str::to_owned))
            }
        };
        match rule {
            Ok(Some(id)) => Ok(Made::settled(id)),
            // The answer of an earlier call was lost: look for its rule.
            Ok(None) => Ok(Made::started(self.name().to_string())),
            Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(self.name().to_string())),
            Err(error) => Err(error),
        }
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, ids: Names) -> Result<Made> {
        let group = ids.need(&self.group)?;
        let described = aws_sdk_ec2::types::SecurityGroupRuleDescription::builder()
            .security_group_rule_id(&id)
            .description(&self.description)
            .build();
        match self.direction {
            Direction::In => {
                let call = client.update_security_group_rule_descriptions_ingress().group_id(group);
                let call = call.security_group_rule_descriptions(described).send().await;
                call.map_err(failed("ec2:UpdateSecurityGroupRuleDescriptionsIngress"))?;
            }
            Direction::Out => {
                let call = client.update_security_group_rule_descriptions_egress().group_id(group);
                let call = call.security_group_rule_descriptions(described).send().await;
                call.map_err(failed("ec2:UpdateSecurityGroupRuleDescriptionsEgress"))?;
            }
        }
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, _: Context, client: Client, ids: Names) -> Result<Gone> {
        let now = now.ok_or_else(|| Error::internal("a rule is always readable"))?;
        let group = ids.need(&now.group)?;
        match now.direction {
            Direction::In => {
                let call = client.revoke_security_group_ingress().group_id(group).security_group_rule_ids(id).send().await;
                gone(call.map_err(failed("ec2:RevokeSecurityGroupIngress")), Gone::Now)
            }
            Direction::Out => {
                let call = client.revoke_security_group_egress().group_id(group).security_group_rule_ids(id).send().await;
                gone(call.map_err(failed("ec2:RevokeSecurityGroupEgress")), Gone::Now)
            }
        }
    }
}

impl SecurityGroupRule {
    fn permission(&self, ids: &Names) -> Result<IpPermission> {
        let permission = match self.port {
            Some(port) => IpPermission::builder().ip_protocol("tcp").from_port(port.into()).to_port(port.into()),
            None => IpPermission::builder().ip_protocol("-1"),
        };
        let permission = match &self.peer {
            Peer::Cidr(cidr) => {
                permission.ip_ranges(IpRange::builder().cidr_ip(cidr).description(&self.description).build())
            }
            Peer::Group(name) => permission.user_id_group_pairs(
                UserIdGroupPair::builder().group_id(ids.need(name)?).description(&self.description).build(),
            ),
        };
        Ok(permission.build())
    }
}
