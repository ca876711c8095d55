//! The internet gateway.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{InternetGateway as Raw, ResourceType};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// The VPC's way to and from the internet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InternetGateway {
    /// The VPC it is attached to; `None` while it is attached to nothing.
    pub attached_to: Option<Name>,
}

/// The one internet gateway of a stack.
pub fn name() -> Name {
    Name::new(InternetGateway::KIND, "main")
}

impl Resource for InternetGateway {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "internet-gateway";
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let (gateway, vpc) = (scope.arn("ec2", "internet-gateway/*"), scope.arn("ec2", "vpc/*"));
        let mut permissions = tagged_create(scope, "ec2:CreateInternetGateway", "CreateInternetGateway", &gateway);
        permissions.push(Permission::unscoped(&["ec2:DescribeInternetGateways"], DESCRIBE));
        permissions.push(owned_by_app(
            scope,
            &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
            [gateway, vpc],
        ));
        permissions
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        self.attached_to.iter().cloned().map(Need::Exists).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_internet_gateways().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeInternetGateways"))
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.internet_gateway_id()?))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let attachment = raw.attachments().first();
        let attached_to = attachment.and_then(|attachment| attachment.vpc_id()).map(|id| names.name_of(id));
        // EC2 says `available` for the attachment of an internet gateway, and documents `attached`.
        match attachment.and_then(|attachment| attachment.state()).map_or("available", |state| state.as_str()) {
            "available" | "attached" => Ok(State::Settled(Self { attached_to })),
            "attaching" | "detaching" => Ok(State::Changing(None)),
            "detached" => Ok(State::Settled(Self { attached_to: None })),
            other => Err(Error::unknown_status("internet gateway's attachment", other)),
        }
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let tags = specification(&ctx, ResourceType::InternetGateway, &self.name());
        let create = client.create_internet_gateway().tag_specifications(tags).send().await;
        let gateway = create.map_err(failed("ec2:CreateInternetGateway"))?;
        let id = gateway.internet_gateway().and_then(Raw::internet_gateway_id);
        let id = id.ok_or_else(|| Error::missing_field("internet gateway", "an id"))?.to_owned();
        // An attachment that fails is mended by the next look: it is a field.
        match attach(&client, &id, &ids).await {
            Ok(()) => Ok(Made::settled(id)),
            Err(_) => Ok(Made::started(id)),
        }
    }

    async fn update(self, now: Self, id: String, _: Context, client: Client, ids: Names) -> Result<Made> {
        if let Some(other) = &now.attached_to {
            let vpc = ids.id(other).map_or_else(|| other.to_string(), str::to_owned);
            detach(&client, &id, &vpc).await?;
        }
        attach(&client, &id, &ids).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, now: Option<Self>, _: Context, client: Client, ids: Names) -> Result<Gone> {
        if let Some(vpc) = now.and_then(|now| now.attached_to) {
            let vpc = ids.id(&vpc).map_or_else(|| vpc.to_string(), str::to_owned);
            detach(&client, &id, &vpc).await?;
        }
        let delete = client.delete_internet_gateway().internet_gateway_id(id).send().await;
        gone(delete.map_err(failed("ec2:DeleteInternetGateway")), Gone::Now)
    }
}

async fn attach(client: &Client, id: &str, ids: &Names) -> Result<()> {
    let attach = client.attach_internet_gateway().internet_gateway_id(id).vpc_id(ids.need(&vpc::name())?);
    match attach.send().await.map_err(failed("ec2:AttachInternetGateway")) {
        Ok(_) => Ok(()),
        Err(error) if error.code.as_deref() == Some("Resource.AlreadyAssociated") => Ok(()),
        Err(error) => Err(error),
    }
}

async fn detach(client: &Client, id: &str, vpc: &str) -> Result<()> {
    let detach = client.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send().await;
    match detach.map_err(failed("ec2:DetachInternetGateway")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind == ErrorKind::Missing || error.code.as_deref() == Some("Gateway.NotAttached") => Ok(()),
        Err(error) => Err(error),
    }
}
