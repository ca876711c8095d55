//! Route tables: one for the public subnets, one for each private one.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, ResourceType, RouteTable as RawTable, RouteTableAssociation,
    RouteTableAssociationStateCode as Association,
};
use serde::Serialize;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::names::{id_of, sorted};
use crate::permissions::{change, create, describe};
use crate::tags::{ours, owned, specification};
use crate::{internet_gateway, vpc};

/// A route table with its associations and, for the public one, the route to the internet gateway. Other
/// routes are not its business: egress's own go through NAT gateways, AWS adds those of the S3 endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteTable {
    /// `public`, `private-a`, `private-b`.
    pub what: String,
    /// Cannot change.
    pub vpc: Name,
    /// The internet gateway that everything outside the VPC is sent to, where it is.
    pub internet: Option<Name>,
    /// Whose table it is, sorted.
    pub subnets: Vec<Name>,
}

/// Everything that no other route is for.
pub(crate) const EVERYWHERE: &str = "0.0.0.0/0";

/// `route-table/public`.
pub fn name(what: &str) -> Name {
    Name::new(RouteTable::KIND, what)
}

impl Resource for RouteTable {
    type Client = Client;
    type Raw = RawTable;

    const KIND: &'static str = "route-table";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let change_actions = [
            "ec2:CreateRoute",
            "ec2:ReplaceRoute",
            "ec2:DeleteRoute",
            "ec2:AssociateRouteTable",
            "ec2:ReplaceRouteTableAssociation",
            "ec2:DisassociateRouteTable",
            "ec2:DeleteRouteTable",
        ];
        let mut permissions = create(scope, "ec2:CreateRouteTable", "route-table");
        permissions.push(describe(&["ec2:DescribeRouteTables"]));
        permissions.push(change(scope, &["ec2:CreateRouteTable"], &["vpc"]));
        permissions.push(change(scope, &change_actions, &["route-table", "subnet"]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = vec![Need::Exists(self.vpc.clone())];
        // A route to a gateway that is not attached is refused.
        needs.extend(self.internet.clone().map(Need::Settled));
        needs.extend(self.subnets.iter().cloned().map(Need::Exists));
        needs
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawTable>> {
        let pages = client.describe_route_tables().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeRouteTables"))
    }

    fn identify(ctx: &Context, raw: &RawTable, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.route_table_id()?))
    }

    fn read(raw: RawTable, names: &Names) -> Result<State<Self>> {
        let id = required(raw.route_table_id(), "route table", "an id")?;
        let vpc = required(raw.vpc_id(), "route table", "a VPC")?;
        let default = raw.routes().iter().find(|route| route.destination_cidr_block() == Some(EVERYWHERE));
        let internet = default.and_then(|route| route.gateway_id()).filter(|id| id.starts_with("igw-"));
        let (mut subnets, mut changing) = (Vec::new(), false);
        for association in raw.associations() {
            let Some(subnet) = association.subnet_id() else { continue };
            match association.association_state().and_then(|state| state.state()) {
                Some(Association::Associated) | None => subnets.push(subnet),
                Some(Association::Associating) => {
                    subnets.push(subnet);
                    changing = true;
                }
                Some(Association::Disassociating) => changing = true,
                Some(Association::Disassociated | Association::Failed) => {}
                Some(other) => {
                    return Err(Error::unknown_status("route table's association", other.as_str()));
                }
            }
        }
        let found = Self {
            what: names.name_of(id).what().to_owned(),
            vpc: names.name_of(vpc),
            internet: internet.map(|id| names.name_of(id)),
            subnets: sorted(names, subnets),
        };
        Ok(if changing { State::Changing(Some(found)) } else { State::Settled(found) })
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self.vpc != now.vpc).then(|| {
            format!(
                "{} is in {}, and a route table cannot move. Delete it, then apply again.",
                self.name(),
                now.vpc
            )
        })
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_route_table()
            .vpc_id(names.need(&vpc::name())?)
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::RouteTable, &self.name()));
        let table = create.send().await.map_err(failed("ec2:CreateRouteTable"))?;
        let id = table.route_table().and_then(RawTable::route_table_id);
        let id = required(id, "route table", "an id")?.to_owned();
        // What a failure leaves out shows as a difference at the next look: the table carries its tags.
        let empty = Self { internet: None, subnets: Vec::new(), ..self.clone() };
        self.bring_from(&empty, &id, &client, &names).await?;
        Ok(Made::settled(id))
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        self.bring_from(&now, &id, &client, &names).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, Call { client, names, .. }: Call<Client>) -> Result<Gone> {
        // A subnet that is gone has taken its association with it.
        let subnets: Vec<Name> = now.map(|now| now.subnets).unwrap_or_default();
        let left = subnets
            .into_iter()
            .filter(|subnet| subnet.kind() != resource::kind::SUBNET || names.id(subnet).is_some());
        let left: Vec<Name> = left.collect();
        disassociate(&client, &id, &left, &names).await?;
        let delete = client.delete_route_table().route_table_id(id);
        gone(delete.send().await.map_err(failed("ec2:DeleteRouteTable")), Gone::Now)
    }
}

impl RouteTable {
    async fn bring_from(&self, now: &Self, id: &str, client: &Client, names: &Names) -> Result<()> {
        match (&self.internet, &now.internet) {
            (want, now) if want == now => {}
            (Some(_), None) => match create_route(client, id, names).await {
                // It leads elsewhere.
                Err(error) if error.kind == ErrorKind::Exists => replace_route(client, id, names).await?,
                other => other?,
            },
            (Some(_), Some(_)) => replace_route(client, id, names).await?,
            (None, _) => {
                let delete = client.delete_route().route_table_id(id).destination_cidr_block(EVERYWHERE);
                delete.send().await.map_err(failed("ec2:DeleteRoute"))?;
            }
        }
        for subnet in self.subnets.iter().filter(|subnet| !now.subnets.contains(subnet)) {
            associate(client, id, &names.need(subnet)?).await?;
        }
        let extra: Vec<Name> =
            now.subnets.iter().filter(|subnet| !self.subnets.contains(subnet)).cloned().collect();
        disassociate(client, id, &extra, names).await
    }
}

async fn create_route(client: &Client, id: &str, names: &Names) -> Result<()> {
    let gateway = names.need(&internet_gateway::name())?;
    let create =
        client.create_route().route_table_id(id).destination_cidr_block(EVERYWHERE).gateway_id(gateway);
    create.send().await.map_err(failed("ec2:CreateRoute"))?;
    Ok(())
}

async fn replace_route(client: &Client, id: &str, names: &Names) -> Result<()> {
    let gateway = names.need(&internet_gateway::name())?;
    let replace =
        client.replace_route().route_table_id(id).destination_cidr_block(EVERYWHERE).gateway_id(gateway);
    replace.send().await.map_err(failed("ec2:ReplaceRoute"))?;
    Ok(())
}

/// Gives `subnet` this table, also where somebody has given it another.
async fn associate(client: &Client, id: &str, subnet: &str) -> Result<()> {
    let associate = client.associate_route_table().route_table_id(id).subnet_id(subnet);
    match associate.send().await.map_err(failed("ec2:AssociateRouteTable")) {
        Err(error) if error.code.as_deref() == Some("Resource.AlreadyAssociated") => {
            let filter = Filter::builder().name("association.subnet-id").values(subnet).build();
            let tables = client
                .describe_route_tables()
                .filters(filter)
                .send()
                .await
                .map_err(failed("ec2:DescribeRouteTables"))?;
            let mut associations = tables.route_tables().iter().flat_map(RawTable::associations);
            let association = associations.find(|association| association.subnet_id() == Some(subnet));
            let Some(association) = association.and_then(RouteTableAssociation::route_table_association_id)
            else {
                return Err(error);
            };
            let replace =
                client.replace_route_table_association().association_id(association).route_table_id(id);
            replace.send().await.map_err(failed("ec2:ReplaceRouteTableAssociation"))?;
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// Takes this table from `subnets`. The ids of the associations are only asked for when there are any.
async fn disassociate(client: &Client, id: &str, subnets: &[Name], names: &Names) -> Result<()> {
    if subnets.is_empty() {
        return Ok(());
    }
    let subnets: Vec<String> = subnets.iter().map(|subnet| id_of(names, subnet)).collect();
    let describe = client.describe_route_tables().route_table_ids(id).send().await;
    let tables = match describe.map_err(failed("ec2:DescribeRouteTables")) {
        Err(error) if error.kind == ErrorKind::Missing => return Ok(()),
        other => other?,
    };
    for association in tables.route_tables().iter().flat_map(RawTable::associations) {
        let ours = association.subnet_id().is_some_and(|subnet| subnets.iter().any(|ours| ours == subnet));
        if let (true, Some(association)) = (ours, association.route_table_association_id()) {
            let call = client.disassociate_route_table().association_id(association).send().await;
            gone(call.map_err(failed("ec2:DisassociateRouteTable")), Gone::Now)?;
        }
    }
    Ok(())
}
