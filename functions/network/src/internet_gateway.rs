//! The internet gateway, with its attachment to the VPC.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttachmentStatus, InternetGateway as RawGateway, ResourceType};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::names::id_of;
use crate::permissions::{change, create, describe};
use crate::sent_once::sent_once;
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// The way between the VPC and the internet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InternetGateway {
    /// The VPC it is attached to.
    pub vpc: Option<Name>,
}

/// The one internet gateway of a stack.
pub fn name() -> Name {
    Name::new(InternetGateway::KIND, "main")
}

impl Resource for InternetGateway {
    type Client = Client;
    type Raw = RawGateway;

    const KIND: &'static str = "internet-gateway";
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:CreateInternetGateway", "internet-gateway");
        permissions.push(describe(&["ec2:DescribeInternetGateways"]));
        let attach = ["ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"];
        permissions.push(change(scope, &attach, &["internet-gateway", "vpc"]));
        permissions
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawGateway>> {
        let pages = client.describe_internet_gateways().filters(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeInternetGateways"))
    }

    fn identify(ctx: &Context, raw: &RawGateway, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.internet_gateway_id()?))
    }

    fn read(raw: RawGateway, names: &Names) -> Result<State<Self>> {
        let Some(attachment) = raw.attachments().first() else {
            return Ok(State::Settled(Self { vpc: None }));
        };
        let vpc = required(attachment.vpc_id(), "internet gateway's attachment", "a VPC")?;
        let found = Self { vpc: Some(names.name_of(vpc)) };
        match attachment.state() {
            Some(AttachmentStatus::Attached) => Ok(State::Settled(found)),
            // EC2 says `available` of an internet gateway's attachment, which its API model does not list.
            Some(other) if other.as_str() == "available" => Ok(State::Settled(found)),
            Some(AttachmentStatus::Attaching | AttachmentStatus::Detaching) => {
                Ok(State::Changing(Some(found)))
            }
            Some(AttachmentStatus::Detached) => Ok(State::Settled(Self { vpc: None })),
            other => Err(Error::unknown_status(
                "internet gateway's attachment",
                other.map_or("none", AttachmentStatus::as_str),
            )),
        }
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let tags = specification(&ctx, ResourceType::InternetGateway, &self.name());
        let create = client.create_internet_gateway().tag_specifications(tags);
        let gateway = create
            .customize()
            .config_override(sent_once())
            .send()
            .await
            .map_err(failed("ec2:CreateInternetGateway"))?;
        let id = gateway.internet_gateway().and_then(RawGateway::internet_gateway_id);
        let id = required(id, "internet gateway", "an id")?.to_owned();
        // The id must not be lost with the second call: if that fails, the look after the create finds the
        // gateway unattached, and the update attaches it.
        Ok(match attach(&client, &id, &names).await {
            Ok(()) => Made::settled(id),
            Err(_) => Made::started(id),
        })
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        if let Some(other) = &now.vpc {
            detach(&client, &id, &id_of(&names, other)).await?;
        }
        match attach(&client, &id, &names).await {
            // By a call whose answer was lost, or by somebody, to something: look.
            Err(error) if error.code.as_deref() == Some("Resource.AlreadyAssociated") => {
                Ok(Made::started(id))
            }
            other => other.map(|()| Made::settled(id)),
        }
    }

    async fn delete(id: String, now: Option<Self>, Call { client, names, .. }: Call<Client>) -> Result<Gone> {
        if let Some(vpc) = now.and_then(|now| now.vpc) {
            match detach(&client, &id, &id_of(&names, &vpc)).await {
                // A repeat finds it detached, or gone.
                Err(error) if error.code.as_deref() == Some("Gateway.NotAttached") => {}
                other => {
                    if gone(other, Gone::Going)? == Gone::Now {
                        return Ok(Gone::Now);
                    }
                }
            }
        }
        let delete = client.delete_internet_gateway().internet_gateway_id(id);
        gone(delete.send().await.map_err(failed("ec2:DeleteInternetGateway")), Gone::Now)
    }
}

async fn attach(client: &Client, id: &str, names: &Names) -> Result<()> {
    let attach = client.attach_internet_gateway().internet_gateway_id(id).vpc_id(names.need(&vpc::name())?);
    attach.send().await.map_err(failed("ec2:AttachInternetGateway"))?;
    Ok(())
}

async fn detach(client: &Client, id: &str, vpc: &str) -> Result<()> {
    let detach = client.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
    detach.send().await.map_err(failed("ec2:DetachInternetGateway"))?;
    Ok(())
}
