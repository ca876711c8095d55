//! The private subnets' way out: a default route to a NAT gateway.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Route as RawRoute, RouteState};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::nat_gateway::NatGateway;
use crate::permissions::{change, describe};
use crate::route_table::{self, EVERYWHERE};

/// The default route of a private route table. Routes carry no tags: it is ours by its table and by what it
/// points to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// Of which table: `private-a`, `private-b`.
    pub what: String,
    /// Where everything outside the VPC is sent.
    pub nat_gateway: Name,
}

/// `route/private-a`.
pub fn name(what: &str) -> Name {
    Name::new(Route::KIND, what)
}

/// The private route tables, by what they are.
pub const PRIVATE: [&str; 2] = ["private-a", "private-b"];

/// A default route, with its table's id.
#[derive(Debug)]
pub struct Raw {
    /// Of the route table.
    pub table: String,
    /// The route.
    pub route: RawRoute,
}

impl Resource for Route {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "route";
    /// It is ours by what it points to: the change alone does it.
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let actions = ["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"];
        vec![describe(&["ec2:DescribeRouteTables"]), change(scope, &actions, &["route-table"])]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(route_table::name(&self.what)), Need::Settled(self.nat_gateway.clone())]
    }

    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<Raw>> {
        let tables = PRIVATE.into_iter().filter_map(|what| names.id(&route_table::name(what)));
        let tables: Vec<String> = tables.map(str::to_owned).collect();
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter::builder().name("route-table-id").set_values(Some(tables)).build();
        let mut pages = client.describe_route_tables().filters(filter).into_paginator().items().send();
        let mut raws = Vec::new();
        while let Some(table) = pages.next().await {
            let table = table.map_err(failed("ec2:DescribeRouteTables"))?;
            let id = table.route_table_id().unwrap_or_default().to_owned();
            let routes = table.routes.unwrap_or_default().into_iter();
            let default = routes.filter(|route| route.destination_cidr_block() == Some(EVERYWHERE));
            raws.extend(default.map(|route| Raw { table: id.clone(), route }));
        }
        Ok(raws)
    }

    fn identify(_: &Context, raw: &Raw, names: &Names) -> Option<Identity> {
        let table = names.name_of(&raw.table);
        let what = PRIVATE.into_iter().find(|what| route_table::name(what) == table)?;
        // An id of its own: the table's belongs to the table.
        let id = format!("{}|{EVERYWHERE}", raw.table);
        let Raw { route, .. } = raw;
        let leads_to_ours =
            route.nat_gateway_id().is_some_and(|id| names.name_of(id).kind() == NatGateway::KIND);
        // Its NAT gateway is gone, or somebody has opened a private subnet to the internet: neither is a way
        // that anybody could want kept. Another target, such as a transit gateway, may be.
        let leads_nowhere = route.state() == Some(&RouteState::Blackhole);
        let leads_open = route.gateway_id().is_some_and(|id| id.starts_with("igw-"));
        let ours = leads_to_ours || leads_nowhere || leads_open;
        Some(if ours { Identity::ours(name(what), id) } else { Identity::theirs(name(what), id) })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let what = names.name_of(&raw.table).what().to_owned();
        let Raw { route, .. } = raw;
        let target = route
            .nat_gateway_id()
            .or(route.gateway_id())
            .or(route.transit_gateway_id())
            .or(route.network_interface_id());
        let target = target.or(route.vpc_peering_connection_id()).or(route.instance_id());
        let target = required(target, "route", "a target that Stepstack knows")?;
        match route.state() {
            Some(RouteState::Active | RouteState::Blackhole) => {
                Ok(State::Settled(Self { what, nat_gateway: names.name_of(target) }))
            }
            other => Err(Error::unknown_status("route", other.map_or("none", RouteState::as_str))),
        }
    }

    async fn create(self, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let table = names.need(&route_table::name(&self.what))?;
        let create = client
            .create_route()
            .route_table_id(&table)
            .destination_cidr_block(EVERYWHERE)
            .nat_gateway_id(names.need(&self.nat_gateway)?);
        create.send().await.map_err(failed("ec2:CreateRoute"))?;
        Ok(Made::settled(format!("{table}|{EVERYWHERE}")))
    }

    async fn update(self, _: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let replace = client
            .replace_route()
            .route_table_id(table_of(&id))
            .destination_cidr_block(EVERYWHERE)
            .nat_gateway_id(names.need(&self.nat_gateway)?);
        replace.send().await.map_err(failed("ec2:ReplaceRoute"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete = client.delete_route().route_table_id(table_of(&id)).destination_cidr_block(EVERYWHERE);
        gone(delete.send().await.map_err(failed("ec2:DeleteRoute")), Gone::Now)
    }
}

fn table_of(id: &str) -> &str {
    id.split('|').next().unwrap_or(id)
}
