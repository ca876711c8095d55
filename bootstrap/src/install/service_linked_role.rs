//! Service-linked roles: in an account that never used a service, its first create fails or races without
//! one (aws-facts.md section 2, row 2). They are the account's, not ours: made when missing, never deleted.

use aws::failed;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Role as RawRole;
use serde::Serialize;
use statemachine::Result;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};

/// The services whose roles a stack needs.
pub const SERVICES: [&str; 4] = [
    "ecs.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "rds.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
];

/// The service-linked role of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceLinkedRole {
    /// `ecs.amazonaws.com`
    pub service: String,
}

impl ServiceLinkedRole {
    /// The role of `service`.
    pub fn new(service: &str) -> Self {
        Self { service: service.to_owned() }
    }
}

impl Resource for ServiceLinkedRole {
    type Client = Client;
    type Raw = RawRole;

    const KIND: &'static str = "service-linked-role";
    const USES_THEIRS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let role = |service: &&str| scope.global("iam", &format!("role/aws-service-role/{service}/*"));
        vec![
            Permission::on(&["iam:CreateServiceLinkedRole"], SERVICES.iter().map(role)),
            Permission::unscoped(&["iam:ListRoles"], "the listing goes by a path and takes no resource"),
        ]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, &self.service)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(_: &Context, client: &Client, _: &Names) -> Result<Vec<RawRole>> {
        let roles = client.list_roles().path_prefix("/aws-service-role/").into_paginator().items().send();
        roles.collect::<Result<Vec<_>, _>>().await.map_err(failed("iam:ListRoles"))
    }

    fn identify(_: &Context, raw: &RawRole, _: &Names) -> Option<Identity> {
        let service = service(raw)?;
        SERVICES.contains(&service).then(|| Identity::theirs(Name::new(Self::KIND, service), raw.role_name()))
    }

    fn read(raw: RawRole, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self::new(service(&raw).unwrap_or_default())))
    }

    async fn create(self, Call { client, .. }: Call<Client>) -> Result<Made> {
        let create = client.create_service_linked_role().aws_service_name(&self.service).send().await;
        match create.map_err(failed("iam:CreateServiceLinkedRole")) {
            Ok(_) => Ok(Made::settled(self.service)),
            // AWS or another installer was faster.
            Err(error) if error.message.contains("has been taken") => Ok(Made::settled(self.service)),
            Err(error) => Err(error),
        }
    }

    async fn delete(_: String, _: Option<Self>, _: Call<Client>) -> Result<Gone> {
        Ok(Gone::Now)
    }
}

/// `ecs.amazonaws.com` of the path `/aws-service-role/ecs.amazonaws.com/`.
fn service(raw: &RawRole) -> Option<&str> {
    raw.path().strip_prefix("/aws-service-role/")?.strip_suffix('/')
}
