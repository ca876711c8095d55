//! Route tables: one public, one private per zone.

use std::collections::BTreeSet;

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, RouteTable as Raw};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::{internet_gateway, vpc};

/// A route table with its associations. The default route of a private table belongs to the stage `egress`
/// and is no field here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteTable {
    /// `public`, `private-a`, `private-b`.
    pub what: String,
    /// The internet gateway that the default route leads to, for the public one.
    pub internet_gateway: Option<Name>,
    /// The subnets that use it.
    pub subnets: BTreeSet<Name>,
}

/// `route-table/public`.
pub fn name(what: &str) -> Name {
    Name::new(RouteTable::KIND, what)
}

impl Resource for RouteTable {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "route-table";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let table = scope.arn("ec2", "route-table/*");
        let mut permissions = tagged_create(scope, "ec2:CreateRouteTable", "CreateRouteTable", &table);
        permissions.push(Permission::unscoped(&["ec2:DescribeRouteTables"], DESCRIBE));
        permissions.push(owned_by_app(scope, &["ec2:CreateRouteTable"], [scope.arn("ec2", "vpc/*")]));
        permissions.push(owned_by_app(
            scope,
            &["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:DeleteRouteTable"],
            [table.clone()],
        ));
        permissions.push(owned_by_app(
            scope,
            &["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable", "ec2:ReplaceRouteTableAssociation"],
            [table, scope.arn("ec2", "subnet/*")],
        ));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        let gateway = self.internet_gateway.iter().cloned().map(Need::Settled);
        let subnets = self.subnets.iter().cloned().map(Need::Exists);
        std::iter::once(Need::Exists(vpc::name())).chain(gateway).chain(subnets).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_route_tables().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeRouteTables"))
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.route_table_id()?))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let id = raw.route_table_id().ok_or_else(|| Error::missing_field("route table", "an id"))?;
        let routes = raw.routes().iter().filter(|route| route.destination_cidr_block() == Some("0.0.0.0/0"));
        let gateway = routes.filter_map(|route| route.gateway_id()).find(|id| id.starts_with("igw-"));
        let subnets = raw.associations().iter().filter_map(|association| association.subnet_id());
        Ok(State::Settled(Self {
            what: names.name_of(id).what().to_owned(),
            internet_gateway: gateway.map(|id| names.name_of(id)),
            subnets: subnets.map(|id| names.name_of(id)).collect(),
        }))
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let create = client
            .create_route_table()
            .vpc_id(ids.need(&vpc::name())?)
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::RouteTable, &self.name()));
        let table = create.send().await.map_err(failed("ec2:CreateRouteTable"))?;
        let id = table.route_table().and_then(Raw::route_table_id);
        let id = id.ok_or_else(|| Error::missing_field("route table", "an id"))?.to_owned();
        let empty = Self { what: self.what.clone(), internet_gateway: None, subnets: BTreeSet::new() };
        // What fails here is mended by the next look: routes and associations are fields.
        match change(&self, &empty, &id, &client, &ids).await {
            Ok(()) => Ok(Made::settled(id)),
            Err(error) if error.kind == ErrorKind::Denied => Err(error),
            Err(_) => Ok(Made::started(id)),
        }
    }

    async fn update(self, now: Self, id: String, _: Context, client: Client, ids: Names) -> Result<Made> {
        change(&self, &now, &id, &client, &ids).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        let described = client.describe_route_tables().route_table_ids(&id).send().await.map_err(failed("ec2:DescribeRouteTables"));
        let described = match described {
            Ok(described) => described,
            Err(error) if error.kind == ErrorKind::Missing => return Ok(Gone::Now),
            Err(error) => return Err(error),
        };
        for association in described.route_tables().iter().flat_map(Raw::associations).filter_map(|one| one.route_table_association_id()) {
            disassociate(&client, association).await?;
        }
        gone(client.delete_route_table().route_table_id(id).send().await.map_err(failed("ec2:DeleteRouteTable")), Gone::Now)
    }
}

async fn change(want: &RouteTable, now: &RouteTable, id: &str, client: &Client, ids: &Names) -> Result<()> {
    match (&want.internet_gateway, &now.internet_gateway) {
        (Some(gateway), None) => {
            debug_assert_eq!(*gateway, internet_gateway::name());
            let route = client.create_route().route_table_id(id).destination_cidr_block("0.0.0.0/0");
            route.gateway_id(ids.need(gateway)?).send().await.map_err(failed("ec2:CreateRoute"))?;
        }
        (Some(gateway), Some(other)) if gateway != other => {
            let route = client.replace_route().route_table_id(id).destination_cidr_block("0.0.0.0/0");
            route.gateway_id(ids.need(gateway)?).send().await.map_err(failed("ec2:ReplaceRoute"))?;
        }
        (None, Some(_)) => {
            let route = client.delete_route().route_table_id(id).destination_cidr_block("0.0.0.0/0");
            route.send().await.map_err(failed("ec2:DeleteRoute"))?;
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    for subnet in want.subnets.difference(&now.subnets) {
        let associate = client.associate_route_table().route_table_id(id).subnet_id(ids.need(subnet)?);
        match associate.send().await.map_err(failed("ec2:AssociateRouteTable")) {
            Ok(_) => {}
            // It uses another table: by hand, or by a run that was cut off.
            Err(error) if error.code.as_deref() == Some("Resource.AlreadyAssociated") => replace(client, id, &ids.need(subnet)?).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn replace(client: &Client, table: &str, subnet: &str) -> Result<()> {
    let filter = aws_sdk_ec2::types::Filter::builder().name("association.subnet-id").values(subnet).build();
    let tables = client.describe_route_tables().filters(filter).send().await.map_err(failed("ec2:DescribeRouteTables"))?;
    let associations = tables.route_tables().iter().flat_map(Raw::associations);
    let association = associations.filter(|one| one.subnet_id() == Some(subnet)).find_map(|one| one.route_table_association_id());
    let Some(association) = association else { return Err(Error::not_ready(format!("{subnet}'s route table cannot be told"))) };
    let replace = client.replace_route_table_association().association_id(association).route_table_id(table);
    replace.send().await.map_err(failed("ec2:ReplaceRouteTableAssociation"))?;
    Ok(())
}

async fn disassociate(client: &Client, association: &str) -> Result<()> {
    let result = client.disassociate_route_table().association_id(association).send().await;
    match result.map_err(failed("ec2:DisassociateRouteTable")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind == ErrorKind::Missing => Ok(()),
        Err(error) => Err(error),
    }
}
