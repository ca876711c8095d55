//! The public addresses of NAT gateways.

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Address as Raw, DomainType, ResourceType};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};

/// An Elastic IP address.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Address {
    /// The zone's letter: `a`.
    pub what: String,
}

/// `address/a`.
pub fn name(zone: &str) -> Name {
    Name::new(Address::KIND, zone)
}

impl Resource for Address {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "address";
    const TOKENLESS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let address = scope.arn("ec2", "elastic-ip/*");
        let mut permissions = tagged_create(scope, "ec2:AllocateAddress", "AllocateAddress", &address);
        permissions.push(Permission::unscoped(&["ec2:DescribeAddresses"], DESCRIBE));
        permissions.push(owned_by_app(scope, &["ec2:ReleaseAddress"], [address]));
        permissions
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let all = client.describe_addresses().filters(ours(ctx)).send().await.map_err(failed("ec2:DescribeAddresses"))?;
        Ok(all.addresses.unwrap_or_default())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let identity = Identity::ours(owned(ctx, raw.tags())?, raw.allocation_id()?);
        Some(identity.with("public_ip", raw.public_ip().unwrap_or_default()))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let id = raw.allocation_id().ok_or_else(|| Error::missing_field("address", "an id"))?;
        Ok(State::Settled(Self { what: names.name_of(id).what().to_owned() }))
    }

    async fn create(self, ctx: Context, client: Client, _: Names) -> Result<Made> {
        let tags = specification(&ctx, ResourceType::ElasticIp, &self.name());
        let address = client.allocate_address().domain(DomainType::Vpc).tag_specifications(tags).send().await;
        let address = address.map_err(failed("ec2:AllocateAddress"))?;
        let id = address.allocation_id().ok_or_else(|| Error::missing_field("address", "an id"))?;
        Ok(Made::settled(id).with("public_ip", address.public_ip().unwrap_or_default()))
    }

    async fn update(self, _: Self, _: String, _: Context, _: Client, _: Names) -> Result<Made> {
        Err(Error::internal("an address never changes"))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        match client.release_address().allocation_id(&id).send().await.map_err(failed("ec2:ReleaseAddress")) {
            Ok(_) => Ok(Gone::Now),
            Err(error) if error.kind == ErrorKind::Missing => Ok(Gone::Now),
            // A second release of the same address is answered like this: believe the listing, not the error.
            Err(error) if error.code.as_deref() == Some("AuthFailure") => Ok(Gone::Going),
            Err(error) => Err(error),
        }
    }
}
