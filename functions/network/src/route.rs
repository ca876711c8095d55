//! The private tables' default routes. A route carries no tag: it is ours because its table is.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, RouteState};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app};
use crate::route_table::{self, RouteTable};

/// The default route of a private table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// `private-a`: the table's own.
    pub what: String,
    /// The NAT gateway that it leads to.
    pub nat_gateway: Name,
}

/// `route/private-a`.
pub fn name(table: &str) -> Name {
    Name::new(Route::KIND, table)
}

/// A default route as found, with its table.
pub struct Raw {
    table: String,
    target: String,
    blackhole: bool,
}

impl Resource for Route {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "route";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        vec![
            Permission::unscoped(&["ec2:DescribeRouteTables"], DESCRIBE),
            owned_by_app(scope, &["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"], [scope.arn("ec2", "route-table/*")]),
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        // AWS takes a NAT gateway that is still pending.
        vec![Need::Exists(route_table::name(&self.what)), Need::Exists(self.nat_gateway.clone())]
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<Raw>> {
        let tables = names.of_kind(RouteTable::KIND).filter(|(name, _)| name.what().starts_with("private"));
        let tables: Vec<String> = tables.map(|(_, id)| id.to_owned()).collect();
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter::builder().name("route-table-id").set_values(Some(tables)).build();
        let pages = client.describe_route_tables().filters(filter).into_paginator().items().send();
        let tables = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeRouteTables"))?;
        let default_route = |table: &aws_sdk_ec2::types::RouteTable| {
            let route = table.routes().iter().find(|route| route.destination_cidr_block() == Some("0.0.0.0/0"))?;
            let target = route.nat_gateway_id().or(route.gateway_id()).or(route.network_interface_id()).unwrap_or("unknown");
            let blackhole = route.state() == Some(&RouteState::Blackhole);
            Some(Raw { table: table.route_table_id()?.to_owned(), target: target.to_owned(), blackhole })
        };
        Ok(tables.iter().filter_map(default_route).collect())
    }

    fn identify(_: &Context, raw: &Raw, names: &Names) -> Option<Identity> {
        let table = names.name_of(&raw.table);
        Some(Identity::ours(name(table.what()), format!("{} 0.0.0.0/0", raw.table)))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let what = names.name_of(&raw.table).what().to_owned();
        // A blackhole leads to a gateway that is gone, whatever it is called.
        let target = if raw.blackhole { Name::foreign("blackhole") } else { names.name_of(&raw.target) };
        Ok(State::Settled(Self { what, nat_gateway: target }))
    }

    async fn create(self, _: Context, client: Client, ids: Names) -> Result<Made> {
        let table = ids.need(&route_table::name(&self.what))?;
        let create = client.create_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0");
        match create.nat_gateway_id(ids.need(&self.nat_gateway)?).send().await.map_err(failed("ec2:CreateRoute")) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Exists => {}
            Err(error) => return Err(error),
        }
        Ok(Made::settled(format!("{table} 0.0.0.0/0")))
    }

    async fn update(self, _: Self, id: String, _: Context, client: Client, ids: Names) -> Result<Made> {
        let replace = client.replace_route().route_table_id(table_of(&id)).destination_cidr_block("0.0.0.0/0");
        replace.nat_gateway_id(ids.need(&self.nat_gateway)?).send().await.map_err(failed("ec2:ReplaceRoute"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        let delete = client.delete_route().route_table_id(table_of(&id)).destination_cidr_block("0.0.0.0/0").send().await;
        gone(delete.map_err(failed("ec2:DeleteRoute")), Gone::Now)
    }
}

fn table_of(id: &str) -> &str {
    id.split(' ').next().unwrap_or(id)
}
