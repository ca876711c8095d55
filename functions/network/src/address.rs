//! Elastic IP addresses of the NAT gateways.

use aws::{failed, gone};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Address as RawAddress, DomainType, ResourceType};
use serde::Serialize;
use statemachine::error::required;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{ErrorKind, Result};

use crate::permissions::{change, create, describe};
use crate::sent_once::sent_once;
use crate::tags::{ours, owned, specification};

/// A fixed public address; AWS chooses it. Others see a stack's tasks come from here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Address {
    /// `a` or `b`: the zone of its NAT gateway.
    pub what: String,
}

/// `address/a`.
pub fn name(what: &str) -> Name {
    Name::new(Address::KIND, what)
}

/// The attribute with the address itself.
const PUBLIC_IP: &str = "public_ip";

impl Resource for Address {
    type Client = Client;
    type Raw = RawAddress;

    const KIND: &'static str = "address";
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let mut permissions = create(scope, "ec2:AllocateAddress", "elastic-ip");
        permissions.push(describe(&["ec2:DescribeAddresses"]));
        permissions.push(change(scope, &["ec2:ReleaseAddress"], &["elastic-ip"]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawAddress>> {
        let answer = client.describe_addresses().filters(ours(ctx)).send().await;
        Ok(answer.map_err(failed("ec2:DescribeAddresses"))?.addresses.unwrap_or_default())
    }

    fn identify(ctx: &Context, raw: &RawAddress, _: &Names) -> Option<Identity> {
        let identity = Identity::ours(owned(ctx, raw.tags())?, raw.allocation_id()?);
        Some(identity.with(PUBLIC_IP, raw.public_ip().unwrap_or_default()))
    }

    fn read(raw: RawAddress, names: &Names) -> Result<State<Self>> {
        let id = required(raw.allocation_id(), "address", "an id")?;
        Ok(State::Settled(Self { what: names.name_of(id).what().to_owned() }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let tags = specification(&ctx, ResourceType::ElasticIp, &self.name());
        let allocate = client.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        let address = allocate
            .customize()
            .config_override(sent_once())
            .send()
            .await
            .map_err(failed("ec2:AllocateAddress"))?;
        let id = required(address.allocation_id(), "address", "an id")?;
        Ok(Made::settled(id).with(PUBLIC_IP, address.public_ip().unwrap_or_default()))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let released =
            client.release_address().allocation_id(&id).send().await.map_err(failed("ec2:ReleaseAddress"));
        match released {
            // What EC2 says about an address that is released already (aws-facts.md section 2, row 12):
            // believe the listing.
            Err(error) if error.code.as_deref() == Some("AuthFailure") => {
                let look = client
                    .describe_addresses()
                    .allocation_ids(&id)
                    .send()
                    .await
                    .map_err(failed("ec2:DescribeAddresses"));
                match look {
                    Err(look) if look.kind == ErrorKind::Missing => Ok(Gone::Now),
                    Err(_) | Ok(_) => Err(error),
                }
            }
            other => gone(other, Gone::Now),
        }
    }
}
