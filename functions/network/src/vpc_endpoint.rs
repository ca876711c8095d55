//! VPC endpoints: the gateway to S3, and the interfaces to AWS where tasks have no way to the internet.

use aws::{failed, gone, kind_of};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ResourceType, State as EndpointState, VpcEndpoint as RawEndpoint, VpcEndpointType};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::names::{id_of, ids_of, sorted};
use crate::permissions::{change, create, describe};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VpcEndpoint {
    /// `s3`, `ecr.api`, …: the end of the service's name.
    pub what: String,
    /// `com.amazonaws.us-east-1.s3`. Cannot change.
    pub service: String,
    /// `Gateway` or `Interface`. Cannot change.
    #[serde(rename = "type")]
    pub kind: String,
    /// Cannot change.
    pub vpc: Name,
    /// Of a gateway: the route tables that lead to it, sorted.
    pub route_tables: Vec<Name>,
    /// Of an interface: where it has an address, sorted.
    pub subnets: Vec<Name>,
    /// Of an interface: who may reach it, sorted.
    pub security_groups: Vec<Name>,
    /// Of an interface: whether the service's public name leads to it inside the VPC.
    pub private_dns: bool,
    /// What may be done through it.
    pub policy: Value,
}

/// `vpc-endpoint/s3`.
pub fn name(what: &str) -> Name {
    Name::new(VpcEndpoint::KIND, what)
}

impl VpcEndpoint {
    /// The gateway to S3, free of charge.
    ///
    /// Its policy lets everybody read what S3 shows them (ECR's layers come from a bucket of AWS's, with
    /// links that AWS has signed), and everything else only to this account's own principals: nobody carries
    /// data out with somebody else's keys.
    pub fn s3(ctx: &Context, route_tables: Vec<Name>) -> Self {
        let reads =
            json!({ "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": "*" });
        Self {
            what: "s3".to_owned(),
            service: service(ctx, "s3"),
            kind: VpcEndpointType::Gateway.as_str().to_owned(),
            vpc: vpc::name(),
            route_tables,
            subnets: Vec::new(),
            security_groups: Vec::new(),
            private_dns: false,
            policy: json!({ "Version": "2012-10-17", "Statement": [reads, own_account(ctx)] }),
        }
    }

    /// An interface to an AWS service, by the end of its name. Only this account's principals pass.
    pub fn interface(ctx: &Context, what: &str, subnets: Vec<Name>, security_groups: Vec<Name>) -> Self {
        Self {
            what: what.to_owned(),
            service: service(ctx, what),
            kind: VpcEndpointType::Interface.as_str().to_owned(),
            vpc: vpc::name(),
            route_tables: Vec::new(),
            subnets,
            security_groups,
            private_dns: true,
            policy: json!({ "Version": "2012-10-17", "Statement": [own_account(ctx)] }),
        }
    }
}

fn service(ctx: &Context, what: &str) -> String {
    format!("com.amazonaws.{}.{what}", ctx.region)
}

fn own_account(ctx: &Context) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": { "StringEquals": { "aws:PrincipalAccount": ctx.account } },
    })
}

impl Resource for VpcEndpoint {
    type Client = Client;
    type Raw = RawEndpoint;

    const KIND: &'static str = "vpc-endpoint";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:CreateVpcEndpoint", "vpc-endpoint");
        permissions.push(describe(&["ec2:DescribeVpcEndpoints"]));
        let partners = ["vpc", "route-table", "subnet", "security-group"];
        permissions.push(change(scope, &["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"], &partners));
        permissions.push(change(
            scope,
            &["ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"],
            &["vpc-endpoint"],
        ));
        // Private DNS is a hosted zone of AWS's that EC2 joins to the VPC in the caller's name.
        let zones = ["arn:aws:route53:::hostedzone/*".to_owned()];
        permissions.push(Permission::on(&["route53:AssociateVPCWithHostedZone"], zones));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        let Self { vpc, route_tables, subnets, security_groups, .. } = self;
        [vpc]
            .into_iter()
            .chain(route_tables)
            .chain(subnets)
            .chain(security_groups)
            .cloned()
            .map(Need::Exists)
            .collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawEndpoint>> {
        let pages = client.describe_vpc_endpoints().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeVpcEndpoints"))
    }

    fn identify(ctx: &Context, raw: &RawEndpoint, _: &Names) -> Option<Identity> {
        let identity = Identity::ours(owned(ctx, raw.tags())?, raw.vpc_endpoint_id()?);
        // A deleted one stays in the listing for a while.
        (state_of(raw.state()) != "deleted").then_some(identity)
    }

    fn read(raw: RawEndpoint, names: &Names) -> Result<State<Self>> {
        let policy = raw.policy_document().map(serde_json::from_str::<Value>).transpose();
        let groups = raw.groups().iter().filter_map(|group| group.group_id());
        let kind = raw.vpc_endpoint_type().map(VpcEndpointType::as_str);
        let found = Self {
            what: names.name_of(required(raw.vpc_endpoint_id(), "VPC endpoint", "an id")?).what().to_owned(),
            service: required(raw.service_name(), "VPC endpoint", "a service")?.to_owned(),
            kind: required(kind, "VPC endpoint", "a type")?.to_owned(),
            vpc: names.name_of(required(raw.vpc_id(), "VPC endpoint", "a VPC")?),
            route_tables: sorted(names, raw.route_table_ids().iter().map(String::as_str)),
            subnets: sorted(names, raw.subnet_ids().iter().map(String::as_str)),
            security_groups: sorted(names, groups),
            private_dns: raw.private_dns_enabled().unwrap_or(false),
            policy: policy
                .map_err(|_| Error::internal("AWS described a VPC endpoint's policy that is no JSON"))?
                .unwrap_or_default(),
        };
        match state_of(raw.state()).as_str() {
            "available" => Ok(State::Settled(found)),
            "pending" | "partial" => Ok(State::Changing(Some(found))),
            "deleting" | "deleted" => Ok(State::Deleting),
            "failed" | "rejected" | "expired" => {
                let said = raw.last_error().and_then(|error| error.message()).unwrap_or("no reason given");
                Ok(State::Failed(said.to_owned()))
            }
            other => Err(Error::unknown_status("VPC endpoint", other)),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        ((&self.service, &self.kind, &self.vpc) != (&now.service, &now.kind, &now.vpc)).then(|| {
            format!(
                "{} leads from {} to {}, and cannot change that. Delete it, then apply again.",
                self.name(),
                now.vpc,
                now.service
            )
        })
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let interface = self.kind == VpcEndpointType::Interface.as_str();
        let create = client
            .create_vpc_endpoint()
            .vpc_id(names.need(&self.vpc)?)
            .service_name(&self.service)
            .vpc_endpoint_type(VpcEndpointType::from(self.kind.as_str()))
            .set_route_table_ids(some(ids_of(&names, &self.route_tables)))
            .set_subnet_ids(some(ids_of(&names, &self.subnets)))
            .set_security_group_ids(some(ids_of(&names, &self.security_groups)))
            .set_private_dns_enabled(interface.then_some(self.private_dns))
            .policy_document(self.policy.to_string())
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::VpcEndpoint, &self.name()));
        let answer = create.send().await.map_err(failed("ec2:CreateVpcEndpoint"))?;
        let endpoint = answer.vpc_endpoint();
        let id = required(endpoint.and_then(RawEndpoint::vpc_endpoint_id), "VPC endpoint", "an id")?;
        Ok(match state_of(endpoint.and_then(RawEndpoint::state)).as_str() {
            "available" => Made::settled(id),
            _ => Made::started(id),
        })
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let more = |want: &[Name], now: &[Name]| -> Vec<String> {
            want.iter().filter(|name| !now.contains(name)).map(|name| id_of(&names, name)).collect()
        };
        let modify = client
            .modify_vpc_endpoint()
            .vpc_endpoint_id(&id)
            .set_add_route_table_ids(some(more(&self.route_tables, &now.route_tables)))
            .set_remove_route_table_ids(some(more(&now.route_tables, &self.route_tables)))
            .set_add_subnet_ids(some(more(&self.subnets, &now.subnets)))
            .set_remove_subnet_ids(some(more(&now.subnets, &self.subnets)))
            .set_add_security_group_ids(some(more(&self.security_groups, &now.security_groups)))
            .set_remove_security_group_ids(some(more(&now.security_groups, &self.security_groups)))
            .set_private_dns_enabled((self.private_dns != now.private_dns).then_some(self.private_dns))
            .set_policy_document((self.policy != now.policy).then(|| self.policy.to_string()));
        modify.send().await.map_err(failed("ec2:ModifyVpcEndpoint"))?;
        Ok(Made::started(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let action = "ec2:DeleteVpcEndpoints";
        let answer =
            client.delete_vpc_endpoints().vpc_endpoint_ids(&id).send().await.map_err(failed(action))?;
        // What it could not delete stands in an answer that is otherwise a good one.
        let refused = answer.unsuccessful().iter().find_map(|item| item.error()).map(|error| {
            let (code, said) = (error.code().unwrap_or(""), error.message().unwrap_or("no message"));
            let message = format!("DeleteVpcEndpoints failed: {said} ({code})");
            Error {
                kind: kind_of(code, said, 400),
                message,
                action: Some(action),
                code: Some(code.to_owned()),
            }
        });
        gone(refused.map_or(Ok(()), Err), Gone::Going)
    }
}

/// EC2 writes these states in lower case, its API model in upper.
fn state_of(state: Option<&EndpointState>) -> String {
    state.map_or("none", EndpointState::as_str).to_lowercase()
}

/// An empty list is not sent at all.
fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}
