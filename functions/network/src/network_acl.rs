//! The VPC's default network ACL, with a deny for SSH from the internet (FSBP EC2.21).
//!
//! Not for 3389: ACLs are stateless, and a NAT gateway's answers come back on such ports.

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, NetworkAcl as Raw, PortRange, RuleAction};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::DESCRIBE;
use crate::vpc;

/// The number of our entry: before AWS's own 100, which allows everything.
const RULE: i32 = 22;

/// The ACL that AWS makes with each VPC. It carries no tag of ours: it is ours because its VPC is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkAcl {
    /// Whether TCP port 22 is denied from everywhere.
    pub denies_ssh: bool,
}

impl Resource for NetworkAcl {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "network-acl";
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        vec![
            Permission::unscoped(&["ec2:DescribeNetworkAcls"], DESCRIBE),
            // The default ACL is untagged and cannot be told by its ARN.
            Permission::on(
                &["ec2:CreateNetworkAclEntry", "ec2:ReplaceNetworkAclEntry"],
                [scope.arn("ec2", "network-acl/*")],
            ),
        ]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, "main")
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name())]
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<Raw>> {
        match names.id(&vpc::name()) {
            Some(vpc) => Ok(find(client, vpc).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(Name::new(Self::KIND, "main"), raw.network_acl_id()?))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let denies_ssh = raw.entries().iter().any(|entry| {
            entry.egress() == Some(false)
                && entry.rule_action() == Some(&RuleAction::Deny)
                && entry.cidr_block() == Some("0.0.0.0/0")
                && entry.rule_number() == Some(RULE)
                && entry.port_range().is_none_or(|range| (range.from(), range.to()) == (Some(22), Some(22)))
        });
        Ok(State::Settled(Self { denies_ssh }))
    }

    async fn create(self, _: Context, client: Client, ids: Names) -> Result<Made> {
        let Some(acl) = find(&client, &ids.need(&vpc::name())?).await? else {
            return Err(Error::not_ready("the VPC's default network ACL is not visible yet"));
        };
        let id = acl.network_acl_id().ok_or_else(|| Error::missing_field("network ACL", "an id"))?;
        deny(&client, id).await
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, _: Names) -> Result<Made> {
        deny(&client, &id).await
    }

    async fn delete(_: String, _: Option<Self>, _: Context, _: Client, _: Names) -> Result<Gone> {
        // It goes with the VPC.
        Ok(Gone::Now)
    }
}

async fn find(client: &Client, vpc: &str) -> Result<Option<Raw>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let acls = client.describe_network_acls().filters(filter("vpc-id", vpc)).filters(filter("default", "true")).send().await;
    Ok(acls.map_err(failed("ec2:DescribeNetworkAcls"))?.network_acls().first().cloned())
}

async fn deny(client: &Client, id: &str) -> Result<Made> {
    let ssh = PortRange::builder().from(22).to(22).build();
    let entry = client
        .create_network_acl_entry()
        .network_acl_id(id)
        .rule_number(RULE)
        .protocol("6")
        .rule_action(RuleAction::Deny)
        .egress(false)
        .cidr_block("0.0.0.0/0")
        .port_range(ssh.clone());
    match entry.send().await.map_err(failed("ec2:CreateNetworkAclEntry")) {
        Ok(_) => Ok(Made::settled(id)),
        // Another entry has our number: ours takes its place.
        Err(error) if error.code.as_deref() == Some("NetworkAclEntryAlreadyExists") => {
            let entry = client.replace_network_acl_entry().network_acl_id(id).rule_number(RULE).protocol("6");
            let entry = entry.rule_action(RuleAction::Deny).egress(false).cidr_block("0.0.0.0/0").port_range(ssh);
            entry.send().await.map_err(failed("ec2:ReplaceNetworkAclEntry"))?;
            Ok(Made::settled(id))
        }
        Err(error) => Err(error),
    }
}
