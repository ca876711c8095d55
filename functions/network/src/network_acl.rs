//! The VPC's default network ACL, with SSH shut.

use std::collections::BTreeMap;

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, NetworkAcl as RawAcl, NetworkAclEntry, PortRange, RuleAction};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::describe;
use crate::vpc;

/// The default network ACL: every subnet of ours has it. AWS makes it with the VPC, without tags, and takes it
/// with the VPC: it is ours because the VPC is. AWS's last entry, which denies the rest, is no part of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkAcl {
    /// By number, which is their order.
    pub ingress: BTreeMap<i32, Entry>,
    /// By number, which is their order.
    pub egress: BTreeMap<i32, Entry>,
}

/// An entry of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `allow` or `deny`.
    pub action: String,
    /// IANA's number (6 is TCP), -1 for all.
    pub protocol: String,
    /// From and to; none for protocols without ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<(i32, i32)>,
    /// Whom it is about.
    pub cidr: String,
}

/// AWS's own last entry in each direction: denies what no other allows, and cannot be removed.
const LAST: i32 = 32_767;
/// AWS's own first entry: allows everything.
const EVERYTHING: i32 = 100;
/// Stands before it.
const SSH: i32 = 90;

/// The one network ACL of the stack's VPC.
pub fn name() -> Name {
    Name::new(NetworkAcl::KIND, "main")
}

impl NetworkAcl {
    /// Everything may pass, as by AWS's default, but SSH from outside. RDP stays open: ACLs are stateless, and
    /// NAT gateways use ports like 3389 for answers (security.md).
    pub fn without_ssh() -> Self {
        let entry = |action: &str, protocol: &str, ports| Entry {
            action: action.to_owned(),
            protocol: protocol.to_owned(),
            ports,
            cidr: "0.0.0.0/0".to_owned(),
        };
        let everything = entry("allow", "-1", None);
        Self {
            ingress: BTreeMap::from([
                (SSH, entry("deny", "6", Some((22, 22)))),
                (EVERYTHING, everything.clone()),
            ]),
            egress: BTreeMap::from([(EVERYTHING, everything)]),
        }
    }
}

impl Resource for NetworkAcl {
    type Client = Client;
    type Raw = RawAcl;

    const KIND: &'static str = "network-acl";
    /// Found by the VPC's id.
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let entries =
            ["ec2:CreateNetworkAclEntry", "ec2:ReplaceNetworkAclEntry", "ec2:DeleteNetworkAclEntry"];
        vec![
            describe(&["ec2:DescribeNetworkAcls"]),
            // A VPC's default ACL carries no tags: allowed on ACLs without ours.
            Permission::on(&entries, [scope.arn("ec2", "network-acl/*")]).when(
                "Null",
                "aws:ResourceTag/stepstack:stack",
                ["true".to_owned()],
            ),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name())]
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<RawAcl>> {
        match names.id(&vpc::name()) {
            Some(vpc) => list(client, vpc).await,
            None => Ok(Vec::new()),
        }
    }

    fn identify(_: &Context, raw: &RawAcl, names: &Names) -> Option<Identity> {
        let ours = raw.is_default() == Some(true)
            && raw.vpc_id().is_some()
            && raw.vpc_id() == names.id(&vpc::name());
        ours.then(|| raw.network_acl_id().map(|id| Identity::ours(name(), id))).flatten()
    }

    fn read(raw: RawAcl, _: &Names) -> Result<State<Self>> {
        let mut found = Self { ingress: BTreeMap::new(), egress: BTreeMap::new() };
        for raw in raw.entries() {
            let (number, entry) = read_entry(raw)?;
            let entries = if raw.egress() == Some(true) { &mut found.egress } else { &mut found.ingress };
            if number != LAST {
                entries.insert(number, entry);
            }
        }
        Ok(State::Settled(found))
    }

    /// AWS has made it with the VPC: creating it is bringing its entries to what is wanted.
    async fn create(self, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let acl = list(&client, &names.need(&vpc::name())?).await?.into_iter().next();
        let acl = acl.ok_or_else(|| Error::not_ready("AWS does not show the VPC's network ACL yet"))?;
        let id = required(acl.network_acl_id(), "network ACL", "an id")?.to_owned();
        if let State::Settled(now) = Self::read(acl, &names)? {
            self.bring_from(&now, &id, &client).await?;
        }
        Ok(Made::settled(id))
    }

    async fn update(self, now: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        self.bring_from(&now, &id, &client).await?;
        Ok(Made::settled(id))
    }

    /// It goes with the VPC.
    async fn delete(_: String, _: Option<Self>, _: Call<Client>) -> Result<Gone> {
        Ok(Gone::Now)
    }
}

impl NetworkAcl {
    async fn bring_from(&self, now: &Self, id: &str, client: &Client) -> Result<()> {
        for (egress, want, now) in [(false, &self.ingress, &now.ingress), (true, &self.egress, &now.egress)] {
            for (number, entry) in want {
                match now.get(number) {
                    Some(same) if same == entry => {}
                    Some(_) => replace(client, id, egress, *number, entry).await?,
                    None => insert(client, id, egress, *number, entry).await?,
                }
            }
            for number in now.keys().filter(|number| !want.contains_key(number)) {
                let delete =
                    client.delete_network_acl_entry().network_acl_id(id).egress(egress).rule_number(*number);
                delete.send().await.map_err(failed("ec2:DeleteNetworkAclEntry"))?;
            }
        }
        Ok(())
    }
}

async fn insert(client: &Client, id: &str, egress: bool, number: i32, entry: &Entry) -> Result<()> {
    let Entry { action, protocol, ports, cidr } = entry;
    let create = client
        .create_network_acl_entry()
        .network_acl_id(id)
        .egress(egress)
        .rule_number(number)
        .rule_action(RuleAction::from(action.as_str()))
        .protocol(protocol)
        .set_port_range(ports.map(port_range))
        .cidr_block(cidr);
    create.send().await.map_err(failed("ec2:CreateNetworkAclEntry"))?;
    Ok(())
}

async fn replace(client: &Client, id: &str, egress: bool, number: i32, entry: &Entry) -> Result<()> {
    let Entry { action, protocol, ports, cidr } = entry;
    let replace = client
        .replace_network_acl_entry()
        .network_acl_id(id)
        .egress(egress)
        .rule_number(number)
        .rule_action(RuleAction::from(action.as_str()))
        .protocol(protocol)
        .set_port_range(ports.map(port_range))
        .cidr_block(cidr);
    replace.send().await.map_err(failed("ec2:ReplaceNetworkAclEntry"))?;
    Ok(())
}

fn port_range((from, to): (i32, i32)) -> PortRange {
    PortRange::builder().from(from).to(to).build()
}

fn read_entry(raw: &NetworkAclEntry) -> Result<(i32, Entry)> {
    let number = required(raw.rule_number(), "network ACL entry", "a number")?;
    let action = match raw.rule_action() {
        Some(action @ (RuleAction::Allow | RuleAction::Deny)) => action.as_str().to_owned(),
        other => {
            return Err(Error::unknown_status("network ACL entry", other.map_or("none", RuleAction::as_str)));
        }
    };
    let protocol = required(raw.protocol(), "network ACL entry", "a protocol")?.to_owned();
    let ports = raw.port_range().and_then(|ports| Some((ports.from()?, ports.to()?)));
    let cidr = raw.cidr_block().or(raw.ipv6_cidr_block()).unwrap_or_default().to_owned();
    Ok((number, Entry { action, protocol, ports, cidr }))
}

async fn list(client: &Client, vpc: &str) -> Result<Vec<RawAcl>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let describe =
        client.describe_network_acls().filters(filter("vpc-id", vpc)).filters(filter("default", "true"));
    let pages = describe.into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeNetworkAcls"))
}
