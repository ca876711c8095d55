//! The VPC.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Vpc as RawVpc, VpcAttributeName, VpcState};
use serde::Serialize;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::{change, create, describe};
use crate::sent_once::sent_once;
use crate::tags::{ours, owned, specification};

/// The stack's VPC. DNS names inside it are on: tasks find the database by name, and interface endpoints
/// take the place of AWS's public names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vpc {
    /// Cannot change.
    pub cidr: String,
    /// Whether instances get DNS names; off by AWS's default.
    pub dns_hostnames: bool,
}

/// The one VPC of a stack.
pub fn name() -> Name {
    resource::vpc()
}

/// A VPC and its attribute, which AWS tells only in a call of its own.
pub struct Raw {
    /// The VPC.
    pub vpc: RawVpc,
    /// Its attribute `enableDnsHostnames`.
    pub dns_hostnames: bool,
}

impl Resource for Vpc {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::VPC;
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:CreateVpc", "vpc");
        permissions.push(describe(&["ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"]));
        permissions.push(change(scope, &["ec2:ModifyVpcAttribute", "ec2:DeleteVpc"], &["vpc"]));
        permissions
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_vpcs().filters(ours(ctx)).into_paginator().items().send();
        let vpcs = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeVpcs"))?;
        let mut raws = Vec::new();
        for vpc in vpcs {
            let attribute = client
                .describe_vpc_attribute()
                .vpc_id(vpc.vpc_id().unwrap_or_default())
                .attribute(VpcAttributeName::EnableDnsHostnames)
                .send()
                .await
                .map_err(failed("ec2:DescribeVpcAttribute"))?;
            let dns_hostnames =
                attribute.enable_dns_hostnames().and_then(AttributeBooleanValue::value).unwrap_or(false);
            raws.push(Raw { vpc, dns_hostnames });
        }
        Ok(raws)
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.vpc.tags())?, raw.vpc.vpc_id()?))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let Raw { vpc, dns_hostnames } = raw;
        let cidr = required(vpc.cidr_block(), "VPC", "a CIDR block")?.to_owned();
        let found = Self { cidr, dns_hostnames };
        match vpc.state() {
            Some(VpcState::Available) => Ok(State::Settled(found)),
            Some(VpcState::Pending) => Ok(State::Changing(Some(found))),
            other => Err(Error::unknown_status("VPC", other.map_or("none", VpcState::as_str))),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self.cidr != now.cidr).then(|| {
            format!(
                "The VPC has the CIDR {} and cannot change to {}. Put the old one back into the file, or make a new environment.",
                now.cidr, self.cidr
            )
        })
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let tags = specification(&ctx, ResourceType::Vpc, &self.name());
        let create = client.create_vpc().cidr_block(&self.cidr).tag_specifications(tags);
        let vpc =
            create.customize().config_override(sent_once()).send().await.map_err(failed("ec2:CreateVpc"))?;
        let id = required(vpc.vpc().and_then(RawVpc::vpc_id), "VPC", "an id")?.to_owned();
        // The id must not be lost with the second call: if that fails, the look after the create finds the
        // attribute missing, and the update sets it. Usable at once: what is put into it does not wait for
        // `available`.
        Ok(match set_dns_hostnames(&client, &id, self.dns_hostnames).await {
            Ok(()) => Made::settled(id),
            Err(_) => Made::started(id),
        })
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        set_dns_hostnames(&client, &id, self.dns_hostnames).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(client.delete_vpc().vpc_id(id).send().await.map_err(failed("ec2:DeleteVpc")), Gone::Now)
    }
}

async fn set_dns_hostnames(client: &Client, id: &str, on: bool) -> Result<()> {
    let value = AttributeBooleanValue::builder().value(on).build();
    let modify = client.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(value);
    modify.send().await.map_err(failed("ec2:ModifyVpcAttribute"))?;
    Ok(())
}
