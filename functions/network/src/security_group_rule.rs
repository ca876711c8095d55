//! The rules of security groups.

use std::fmt;

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroupRule as RawRule,
    SecurityGroupRuleRequest, SecurityGroupRuleUpdate, UserIdGroupPair,
};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::names::id_of;
use crate::permissions::{change, describe};
use crate::route_table::EVERYWHERE;
use crate::security_group::SecurityGroup;
use crate::tags::specification;

/// One rule of one of our groups. All that it lets through is its identity: another port is another rule, and
/// the old one goes in the removing pass. So a rule that somebody adds by hand is a left-over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecurityGroupRule {
    /// Whose rule it is.
    pub group: Name,
    /// Whether it lets in or out.
    pub direction: Direction,
    /// What it lets through.
    pub traffic: Traffic,
    /// From where, or to where.
    pub peer: Peer,
    /// For people.
    pub description: String,
}

/// Which way a rule lets traffic through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Into the group.
    In,
    /// Out of it.
    Out,
}

/// What a rule lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for everything.
    protocol: String,
    /// The first port; -1 with everything.
    from_port: i32,
    /// The last port; -1 with everything.
    to_port: i32,
}

impl Traffic {
    /// One TCP port.
    pub fn tcp(port: u16) -> Self {
        Self { protocol: "tcp".to_owned(), from_port: port.into(), to_port: port.into() }
    }

    /// Everything.
    pub fn everything() -> Self {
        Self { protocol: "-1".to_owned(), from_port: -1, to_port: -1 }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, from_port, to_port } = self;
        match protocol.as_str() {
            "-1" => f.write_str("everything"),
            "tcp" if from_port == to_port => write!(f, "{from_port}"),
            _ => write!(f, "{protocol}-{from_port}-{to_port}"),
        }
    }
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// The members of a group.
    Group(Name),
    /// IPv4 addresses.
    Cidr(String),
    /// IPv6 addresses.
    CidrV6(String),
    /// A managed list of addresses.
    PrefixList(String),
}

impl Peer {
    /// Everybody, over IPv4; the VPC has no other addresses.
    pub fn internet() -> Self {
        Self::Cidr(EVERYWHERE.to_owned())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Group(name) => f.write_str(name.what()),
            Peer::Cidr(cidr) if cidr == EVERYWHERE => f.write_str("internet"),
            Peer::Cidr(other) | Peer::CidrV6(other) | Peer::PrefixList(other) => f.write_str(other),
        }
    }
}

impl SecurityGroupRule {
    /// Lets `traffic` into `group` from `peer`.
    pub fn way_in(group: &Name, traffic: Traffic, peer: Peer, description: impl Into<String>) -> Self {
        Self {
            group: group.clone(),
            direction: Direction::In,
            traffic,
            peer,
            description: description.into(),
        }
    }

    /// Lets `traffic` out of `group` to `peer`.
    pub fn way_out(group: &Name, traffic: Traffic, peer: Peer, description: impl Into<String>) -> Self {
        Self {
            group: group.clone(),
            direction: Direction::Out,
            traffic,
            peer,
            description: description.into(),
        }
    }
}

impl Resource for SecurityGroupRule {
    type Client = Client;
    type Raw = RawRule;

    const KIND: &'static str = "security-group-rule";
    /// Found by the groups' ids.
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let rules = [
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:ModifySecurityGroupRules",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
        ];
        let made_by = ["AuthorizeSecurityGroupIngress".to_owned(), "AuthorizeSecurityGroupEgress".to_owned()];
        let arn = scope.arn("ec2", "security-group-rule/*");
        vec![
            describe(&["ec2:DescribeSecurityGroupRules"]),
            // Each of these is checked on the group too, and only our groups pass. One that somebody added by
            // hand has no tags, and goes all the same.
            Permission::on(&rules, [arn.clone()]),
            change(scope, &rules, &["security-group"]),
            Permission::on(&["ec2:CreateTags"], [arn]).when("StringEquals", "ec2:CreateAction", made_by),
        ]
    }

    /// `security-group-rule/service-api-in-8000-from-load-balancer`.
    fn name(&self) -> Name {
        let Self { group, direction, traffic, peer, description: _ } = self;
        let (direction, toward) = match direction {
            Direction::In => ("in", "from"),
            Direction::Out => ("out", "to"),
        };
        Name::new(Self::KIND, format!("{}-{direction}-{traffic}-{toward}-{peer}", group.what()))
    }

    fn needs(&self) -> Vec<Need> {
        let peer = match &self.peer {
            Peer::Group(name) => Some(name.clone()),
            Peer::Cidr(_) | Peer::CidrV6(_) | Peer::PrefixList(_) => None,
        };
        [Some(self.group.clone()), peer].into_iter().flatten().map(Need::Exists).collect()
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<RawRule>> {
        let groups: Vec<String> = names.of_kind(SecurityGroup::KIND).map(|(_, id)| id.to_owned()).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter::builder().name("group-id").set_values(Some(groups)).build();
        let pages = client.describe_security_group_rules().filters(filter).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeSecurityGroupRules"))
    }

    fn identify(_: &Context, raw: &RawRule, names: &Names) -> Option<Identity> {
        let rule = from_raw(raw, names).ok()?;
        let in_our_group = rule.group.kind() == SecurityGroup::KIND;
        in_our_group.then(|| raw.security_group_rule_id().map(|id| Identity::ours(rule.name(), id))).flatten()
    }

    fn read(raw: RawRule, names: &Names) -> Result<State<Self>> {
        from_raw(&raw, names).map(State::Settled)
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let (group, permission) = (names.need(&self.group)?, self.permission(&names));
        let tags = specification(&ctx, ResourceType::SecurityGroupRule, &self.name());
        let rules = match self.direction {
            Direction::In => {
                let call = client.authorize_security_group_ingress().group_id(group);
                let answer = call.ip_permissions(permission).tag_specifications(tags).send().await;
                answer
                    .map(|answer| answer.security_group_rules)
                    .map_err(failed("ec2:AuthorizeSecurityGroupIngress"))
            }
            Direction::Out => {
                let call = client.authorize_security_group_egress().group_id(group);
                let answer = call.ip_permissions(permission).tag_specifications(tags).send().await;
                answer
                    .map(|answer| answer.security_group_rules)
                    .map_err(failed("ec2:AuthorizeSecurityGroupEgress"))
            }
        };
        let rules = match rules {
            Err(error) if error.kind == ErrorKind::Exists => {
                return Err(Error {
                    kind: ErrorKind::NotReady,
                    message: format!("{}; looking again", error.message),
                    ..error
                });
            }
            other => other?.unwrap_or_default(),
        };
        let id = rules.first().and_then(RawRule::security_group_rule_id);
        Ok(Made::settled(required(id, "security group rule", "an id")?))
    }

    /// Only the description can differ.
    async fn update(self, _: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let request = self.request(&names);
        let update = SecurityGroupRuleUpdate::builder()
            .security_group_rule_id(&id)
            .security_group_rule(request)
            .build();
        let modify = client
            .modify_security_group_rules()
            .group_id(names.need(&self.group)?)
            .security_group_rules(update);
        modify.send().await.map_err(failed("ec2:ModifySecurityGroupRules"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, Call { client, names, .. }: Call<Client>) -> Result<Gone> {
        let now = now.ok_or_else(|| Error::internal("a security group rule can always be read"))?;
        let group = names.need(&now.group)?;
        match now.direction {
            Direction::In => {
                let revoke =
                    client.revoke_security_group_ingress().group_id(group).security_group_rule_ids(id);
                gone(revoke.send().await.map_err(failed("ec2:RevokeSecurityGroupIngress")), Gone::Now)
            }
            Direction::Out => {
                let revoke =
                    client.revoke_security_group_egress().group_id(group).security_group_rule_ids(id);
                gone(revoke.send().await.map_err(failed("ec2:RevokeSecurityGroupEgress")), Gone::Now)
            }
        }
    }
}

impl SecurityGroupRule {
    fn permission(&self, names: &Names) -> IpPermission {
        let Self { traffic, peer, description, .. } = self;
        let permission = IpPermission::builder().ip_protocol(&traffic.protocol);
        let permission = match traffic.protocol.as_str() {
            "-1" => permission,
            _ => permission.from_port(traffic.from_port).to_port(traffic.to_port),
        };
        match peer {
            Peer::Group(name) => permission.user_id_group_pairs(
                UserIdGroupPair::builder().group_id(id_of(names, name)).description(description).build(),
            ),
            Peer::Cidr(cidr) => {
                permission.ip_ranges(IpRange::builder().cidr_ip(cidr).description(description).build())
            }
            Peer::CidrV6(cidr) => {
                permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).description(description).build())
            }
            Peer::PrefixList(list) => permission.prefix_list_ids(
                PrefixListId::builder().prefix_list_id(list).description(description).build(),
            ),
        }
        .build()
    }

    fn request(&self, names: &Names) -> SecurityGroupRuleRequest {
        let Self { group: _, direction: _, traffic, peer, description } = self;
        let request = SecurityGroupRuleRequest::builder()
            .ip_protocol(&traffic.protocol)
            .from_port(traffic.from_port)
            .to_port(traffic.to_port)
            .description(description);
        match peer {
            Peer::Group(name) => request.referenced_group_id(id_of(names, name)),
            Peer::Cidr(cidr) => request.cidr_ipv4(cidr),
            Peer::CidrV6(cidr) => request.cidr_ipv6(cidr),
            Peer::PrefixList(list) => request.prefix_list_id(list),
        }
        .build()
    }
}

fn from_raw(raw: &RawRule, names: &Names) -> Result<SecurityGroupRule> {
    let referenced = raw
        .referenced_group_info()
        .and_then(|group| group.group_id())
        .map(|id| Peer::Group(names.name_of(id)));
    let peer = referenced
        .or_else(|| raw.cidr_ipv4().map(|cidr| Peer::Cidr(cidr.to_owned())))
        .or_else(|| raw.cidr_ipv6().map(|cidr| Peer::CidrV6(cidr.to_owned())))
        .or_else(|| raw.prefix_list_id().map(|list| Peer::PrefixList(list.to_owned())));
    let direction = if required(raw.is_egress(), "security group rule", "a direction")? {
        Direction::Out
    } else {
        Direction::In
    };
    Ok(SecurityGroupRule {
        group: names.name_of(required(raw.group_id(), "security group rule", "a group")?),
        direction,
        traffic: Traffic {
            protocol: required(raw.ip_protocol(), "security group rule", "a protocol")?.to_owned(),
            from_port: raw.from_port().unwrap_or(-1),
            to_port: raw.to_port().unwrap_or(-1),
        },
        peer: required(peer, "security group rule", "a source or target")?,
        description: raw.description().unwrap_or_default().to_owned(),
    })
}
