//! The VPC's default security group, which is to have no rules (FSBP EC2.2).

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, SecurityGroup as Raw};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::DESCRIBE;
use crate::vpc;

/// The group that AWS makes with each VPC. It carries no tag of ours: it is ours because its VPC is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefaultSecurityGroup {
    /// Rules in it, both directions; 0 is wanted.
    pub rules: usize,
}

/// A group with its rules, as they are to be revoked.
pub struct Rules {
    group: Raw,
}

impl Resource for DefaultSecurityGroup {
    type Client = Client;
    type Raw = Rules;

    const KIND: &'static str = "default-security-group";
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        vec![
            Permission::unscoped(&["ec2:DescribeSecurityGroups"], DESCRIBE),
            // The group is untagged and cannot be told by its ARN; rules are only ever taken out of it.
            Permission::on(
                &["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"],
                [scope.arn("ec2", "security-group/*")],
            ),
        ]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, "main")
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name())]
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<Rules>> {
        let Some(vpc) = names.id(&vpc::name()) else { return Ok(Vec::new()) };
        Ok(find(client, vpc).await?.into_iter().map(|group| Rules { group }).collect())
    }

    fn identify(_: &Context, raw: &Rules, _: &Names) -> Option<Identity> {
        Some(Identity::ours(Name::new(Self::KIND, "main"), raw.group.group_id()?))
    }

    fn read(raw: Rules, _: &Names) -> Result<State<Self>> {
        let rules = raw.group.ip_permissions().len() + raw.group.ip_permissions_egress().len();
        Ok(State::Settled(Self { rules }))
    }

    async fn create(self, _: Context, client: Client, ids: Names) -> Result<Made> {
        // AWS makes it with the VPC; it only has to be emptied.
        let Some(group) = find(&client, &ids.need(&vpc::name())?).await? else {
            return Err(Error::not_ready("the VPC's default security group is not visible yet"));
        };
        empty(&client, &group).await
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, _: Names) -> Result<Made> {
        let groups = client.describe_security_groups().group_ids(id).send().await.map_err(failed("ec2:DescribeSecurityGroups"))?;
        match groups.security_groups().first() {
            Some(group) => empty(&client, group).await,
            None => Err(Error::missing_field("security group", "itself")),
        }
    }

    async fn delete(_: String, _: Option<Self>, _: Context, _: Client, _: Names) -> Result<Gone> {
        // It goes with the VPC.
        Ok(Gone::Now)
    }
}

async fn find(client: &Client, vpc: &str) -> Result<Option<Raw>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let groups = client.describe_security_groups().filters(filter("vpc-id", vpc)).filters(filter("group-name", "default"));
    let groups = groups.send().await.map_err(failed("ec2:DescribeSecurityGroups"))?;
    Ok(groups.security_groups().first().cloned())
}

async fn empty(client: &Client, group: &Raw) -> Result<Made> {
    let id = group.group_id().ok_or_else(|| Error::missing_field("security group", "an id"))?;
    let set = |permissions: &[IpPermission]| (!permissions.is_empty()).then(|| permissions.to_vec());
    if let Some(ingress) = set(group.ip_permissions()) {
        let revoke = client.revoke_security_group_ingress().group_id(id).set_ip_permissions(Some(ingress)).send().await;
        revoke.map_err(failed("ec2:RevokeSecurityGroupIngress"))?;
    }
    if let Some(egress) = set(group.ip_permissions_egress()) {
        let revoke = client.revoke_security_group_egress().group_id(id).set_ip_permissions(Some(egress)).send().await;
        revoke.map_err(failed("ec2:RevokeSecurityGroupEgress"))?;
    }
    Ok(Made::settled(id))
}
