//! VPC endpoints: the S3 gateway endpoint, and the interface endpoints of `egress = "endpoints"`.

use std::collections::BTreeSet;

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, State as EndpointState, VpcEndpoint as Raw, VpcEndpointType};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A way to one of AWS's services that does not cross the internet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VpcEndpoint {
    /// The service: `s3`, `ecr.api`.
    pub service: String,
    /// Gateway endpoints stand in route tables.
    pub route_tables: BTreeSet<Name>,
    /// Interface endpoints stand in subnets.
    pub subnets: BTreeSet<Name>,
    /// Interface endpoints have groups.
    pub security_groups: BTreeSet<Name>,
    /// The policy, for gateway endpoints.
    pub policy: Option<Value>,
}

/// `vpc-endpoint/s3`.
pub fn name(service: &str) -> Name {
    Name::new(VpcEndpoint::KIND, service)
}

/// S3 for the private route tables. Its policy lets every request through that has credentials behind it.
pub fn s3(route_tables: BTreeSet<Name>) -> VpcEndpoint {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*" }],
    });
    let none = BTreeSet::new();
    VpcEndpoint { service: "s3".to_owned(), route_tables, subnets: none.clone(), security_groups: none, policy: Some(policy) }
}

impl VpcEndpoint {
    fn is_gateway(&self) -> bool {
        self.subnets.is_empty()
    }
}

impl Resource for VpcEndpoint {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "vpc-endpoint";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let endpoint = scope.arn("ec2", "vpc-endpoint/*");
        let parts = ["vpc/*", "subnet/*", "route-table/*", "security-group/*"].map(|part| scope.arn("ec2", part));
        let mut permissions = tagged_create(scope, "ec2:CreateVpcEndpoint", "CreateVpcEndpoint", &endpoint);
        permissions.push(Permission::unscoped(&["ec2:DescribeVpcEndpoints"], DESCRIBE));
        permissions.push(owned_by_app(scope, &["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"], parts));
        permissions.push(owned_by_app(scope, &["ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"], [endpoint]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.service)
    }

    fn needs(&self) -> Vec<Need> {
        let parts = self.route_tables.iter().chain(&self.subnets).chain(&self.security_groups);
        std::iter::once(vpc::name()).chain(parts.cloned()).map(Need::Exists).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_vpc_endpoints().filters(ours(ctx)).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeVpcEndpoints"))?;
        // A deleted endpoint is listed for a while.
        Ok(all.into_iter().filter(|one| one.state() != Some(&EndpointState::Deleted)).collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.vpc_endpoint_id()?))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let service = raw.service_name().ok_or_else(|| Error::missing_field("VPC endpoint", "a service"))?;
        // `com.amazonaws.us-east-1.ecr.api`: the service is what follows the region.
        let service = service.splitn(4, '.').nth(3).unwrap_or(service).to_owned();
        let set = |ids: Vec<&str>| ids.into_iter().map(|id| names.name_of(id)).collect::<BTreeSet<_>>();
        let is_gateway = raw.vpc_endpoint_type() == Some(&VpcEndpointType::Gateway);
        let policy = raw.policy_document().filter(|_| is_gateway).map(serde_json::from_str).transpose();
        let found = Self {
            service,
            route_tables: set(raw.route_table_ids().iter().map(String::as_str).collect()),
            subnets: set(raw.subnet_ids().iter().map(String::as_str).collect()),
            security_groups: set(raw.groups().iter().filter_map(|group| group.group_id()).collect()),
            policy: policy.map_err(|error| Error::internal(format!("an endpoint's policy is no JSON: {error}")))?,
        };
        match raw.state().map(|state| state.as_str().to_ascii_lowercase()).as_deref() {
            Some("available") => Ok(State::Settled(found)),
            Some("pending" | "pendingacceptance" | "partial") => Ok(State::Changing(Some(found))),
            Some("deleting" | "deleted" | "expired") => Ok(State::Deleting),
            Some("failed" | "rejected") => Ok(State::Failed("AWS could not make the endpoint".to_owned())),
            other => Err(Error::unknown_status("VPC endpoint", other.unwrap_or("none"))),
        }
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let all = |names: &BTreeSet<Name>| names.iter().map(|name| ids.need(name)).collect::<Result<Vec<_>>>();
        let is_gateway = self.is_gateway();
        let kind = if is_gateway { VpcEndpointType::Gateway } else { VpcEndpointType::Interface };
        let mut create = client
            .create_vpc_endpoint()
            .vpc_id(ids.need(&vpc::name())?)
            .vpc_endpoint_type(kind)
            .service_name(format!("com.amazonaws.{}.{}", ctx.region, self.service))
            .client_token(ctx.token(&self.name()))
            .set_policy_document(self.policy.as_ref().map(Value::to_string))
            .tag_specifications(specification(&ctx, ResourceType::VpcEndpoint, &self.name()));
        if is_gateway {
            create = create.set_route_table_ids(Some(all(&self.route_tables)?));
        } else {
            create = create.set_subnet_ids(Some(all(&self.subnets)?)).set_security_group_ids(Some(all(&self.security_groups)?));
            create = create.private_dns_enabled(true);
        }
        let endpoint = create.send().await.map_err(failed("ec2:CreateVpcEndpoint"))?;
        let id = endpoint.vpc_endpoint().and_then(Raw::vpc_endpoint_id);
        let id = id.ok_or_else(|| Error::missing_field("VPC endpoint", "an id"))?;
        // A gateway endpoint is a route: nobody waits for it.
        Ok(if is_gateway { Made::settled(id) } else { Made::started(id) })
    }

    async fn update(self, now: Self, id: String, _: Context, client: Client, ids: Names) -> Result<Made> {
        let wanted = |more: &BTreeSet<Name>, less: &BTreeSet<Name>| {
            more.difference(less).map(|name| ids.need(name)).collect::<Result<Vec<_>>>().map(Some)
        };
        // What is to go may be none of ours any more: its id stands for its name then.
        let gone = |less: &BTreeSet<Name>, more: &BTreeSet<Name>| {
            Some(less.difference(more).map(|name| ids.id(name).map_or_else(|| name.to_string(), str::to_owned)).collect())
        };
        client
            .modify_vpc_endpoint()
            .vpc_endpoint_id(&id)
            .set_add_route_table_ids(wanted(&self.route_tables, &now.route_tables)?)
            .set_remove_route_table_ids(gone(&now.route_tables, &self.route_tables))
            .set_add_subnet_ids(wanted(&self.subnets, &now.subnets)?)
            .set_remove_subnet_ids(gone(&now.subnets, &self.subnets))
            .set_add_security_group_ids(wanted(&self.security_groups, &now.security_groups)?)
            .set_remove_security_group_ids(gone(&now.security_groups, &self.security_groups))
            .set_policy_document(self.policy.as_ref().filter(|policy| now.policy.as_ref() != Some(policy)).map(Value::to_string))
            .send()
            .await
            .map_err(failed("ec2:ModifyVpcEndpoint"))?;
        Ok(Made::started(id))
    }

    async fn delete(id: String, now: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        let answer = client.delete_vpc_endpoints().vpc_endpoint_ids(id).send().await.map_err(failed("ec2:DeleteVpcEndpoints"))?;
        if let Some(error) = answer.unsuccessful().iter().find_map(|item| item.error()) {
            let message = error.message().unwrap_or("no reason given");
            return Err(Error::not_ready(format!("DeleteVpcEndpoints failed: {message} ({})", error.code().unwrap_or(""))));
        }
        Ok(if now.is_some_and(|now| now.is_gateway()) { Gone::Now } else { Gone::Going })
    }
}
