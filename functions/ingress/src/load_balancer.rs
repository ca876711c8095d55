//! The application load balancer.

use std::collections::{BTreeMap, BTreeSet};

use aws::{failed, gone};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as RawBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerStateEnum,
    LoadBalancerTypeEnum,
};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::tags::{owned, tags};

/// An application load balancer, open to the internet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadBalancer {
    /// `{app}-{env}`, fitted to 32 characters.
    pub balancer_name: String,
    /// The public subnets.
    pub subnets: BTreeSet<Name>,
    /// Its groups.
    pub security_groups: BTreeSet<Name>,
    /// The attributes that we set, by AWS's keys. Others are AWS's own business.
    pub attributes: BTreeMap<String, String>,
}

/// `load-balancer/main`.
pub fn name() -> Name {
    resource::load_balancer()
}

/// The attribute of one that is ours.
const OURS: &str = "ours";

/// The ARN of the stack's load balancer; none of a stranger's that only has its name.
pub fn of_ours(names: &Names) -> Option<&str> {
    names.attribute(&name(), OURS).and_then(|_| names.id(&name()))
}

impl LoadBalancer {
    /// The load balancer of a stack.
    pub fn of(ctx: &Context) -> Self {
        let logs = ctx.aws_names().logs_bucket(&ctx.account);
        let attributes = [
            ("access_logs.s3.bucket", logs.as_str()),
            ("access_logs.s3.enabled", "true"),
            ("access_logs.s3.prefix", "alb"),
            (PROTECTION, "true"),
            ("idle_timeout.timeout_seconds", "60"),
            ("routing.http.desync_mitigation_mode", "defensive"),
            ("routing.http.drop_invalid_header_fields.enabled", "true"),
            ("routing.http2.enabled", "true"),
        ];
        Self {
            balancer_name: ctx.aws_names().load_balancer(),
            subnets: ["public-a", "public-b"].map(resource::subnet).into(),
            security_groups: [resource::security_group("load-balancer")].into(),
            attributes: attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }
}

/// A load balancer with what its description leaves out.
pub struct Raw {
    balancer: RawBalancer,
    owned: Option<Name>,
    attributes: BTreeMap<String, String>,
}

impl Resource for LoadBalancer {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::LOAD_BALANCER;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let balancers =
            scope.arn("elasticloadbalancing", &format!("loadbalancer/app/{}", scope.every_stack().prefix()));
        let actions = [
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:DeleteLoadBalancer",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
        ];
        let describe = [
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
        ];
        vec![
            Permission::on(&actions, [balancers]),
            Permission::unscoped(&describe, "Elastic Load Balancing's Describe actions take no resource"),
            Permission::unscoped(&NETWORK_READS, "EC2's Describe actions take no resource"),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        // Its access logs go to the log bucket, whose policy must be there first.
        let logs = resource::logs_bucket();
        self.subnets.iter().chain(&self.security_groups).cloned().chain([logs]).map(Need::Settled).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let found = client.describe_load_balancers().names(ctx.aws_names().load_balancer()).send().await;
        let found = found.map_err(failed("elasticloadbalancing:DescribeLoadBalancers")).optional()?;
        let Some(balancer) =
            found.and_then(|found| found.load_balancers.unwrap_or_default().into_iter().next())
        else {
            return Ok(Vec::new());
        };
        let arn = balancer.load_balancer_arn().unwrap_or_default().to_owned();
        let attributes = async {
            let all = client.describe_load_balancer_attributes().load_balancer_arn(&arn).send().await;
            let all = all.map_err(failed("elasticloadbalancing:DescribeLoadBalancerAttributes"))?;
            let pair = |one: &LoadBalancerAttribute| Some((one.key()?.to_owned(), one.value()?.to_owned()));
            Ok(all.attributes().iter().filter_map(pair).collect::<BTreeMap<_, _>>())
        };
        let arns = [arn.clone()];
        let (attributes, mut owned) =
            futures_util::future::try_join(attributes, owned(client, ctx, &arns)).await?;
        Ok(vec![Raw { owned: owned.remove(&arn), balancer, attributes }])
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.balancer.load_balancer_arn()?;
        let identity = if raw.owned == Some(name()) {
            Identity::ours(name(), id).with(OURS, "")
        } else {
            Identity::theirs(name(), id)
        };
        Some(with_attributes(identity, &raw.balancer))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let Raw { balancer, owned: _, attributes } = raw;
        let set = |ids: Vec<&str>| ids.into_iter().map(|id| names.name_of(id)).collect::<BTreeSet<_>>();
        let managed = |key: &str| MANAGED.contains(&key);
        let found = Self {
            balancer_name: balancer.load_balancer_name().unwrap_or_default().to_owned(),
            subnets: set(balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id()).collect()),
            security_groups: set(balancer.security_groups().iter().map(String::as_str).collect()),
            attributes: attributes.into_iter().filter(|(key, _)| managed(key)).collect(),
        };
        match balancer.state().and_then(|state| state.code()) {
            Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => {
                Ok(State::Settled(found))
            }
            Some(LoadBalancerStateEnum::Provisioning) => Ok(State::Changing(Some(found))),
            Some(LoadBalancerStateEnum::Failed) => {
                let reason = balancer.state().and_then(|state| state.reason()).unwrap_or("no reason given");
                Ok(State::Failed(reason.to_owned()))
            }
            other => Err(Error::unknown_status(
                "load balancer",
                other.map_or("none", LoadBalancerStateEnum::as_str),
            )),
        }
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let all =
            |some: &BTreeSet<Name>| some.iter().map(|name| names.need(name)).collect::<Result<Vec<_>>>();
        let create = client
            .create_load_balancer()
            .name(&self.balancer_name)
            .r#type(LoadBalancerTypeEnum::Application)
            .scheme(LoadBalancerSchemeEnum::InternetFacing)
            .set_subnets(Some(all(&self.subnets)?))
            .set_security_groups(Some(all(&self.security_groups)?))
            .set_tags(Some(tags(&ctx, &self.name())));
        let made = create.send().await.map_err(failed("elasticloadbalancing:CreateLoadBalancer"))?;
        let balancer = required(made.load_balancers().first(), "load balancer", "itself")?;
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        // What fails here is a difference that the next look finds.
        let set = set_attributes(&client, arn, &self.attributes).await;
        let active = balancer.state().and_then(|state| state.code()) == Some(&LoadBalancerStateEnum::Active);
        let identity = with_attributes(Identity::ours(name(), arn).with(OURS, ""), balancer);
        Ok(Made { id: arn.to_owned(), settled: active && set.is_ok(), attributes: identity.attributes })
    }

    async fn update(self, now: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let all =
            |some: &BTreeSet<Name>| some.iter().map(|name| names.need(name)).collect::<Result<Vec<_>>>();
        if self.subnets != now.subnets {
            let set = client.set_subnets().load_balancer_arn(&id).set_subnets(Some(all(&self.subnets)?));
            set.send().await.map_err(failed("elasticloadbalancing:SetSubnets"))?;
        }
        if self.security_groups != now.security_groups {
            let set = client
                .set_security_groups()
                .load_balancer_arn(&id)
                .set_security_groups(Some(all(&self.security_groups)?));
            set.send().await.map_err(failed("elasticloadbalancing:SetSecurityGroups"))?;
        }
        if self.attributes != now.attributes {
            set_attributes(&client, &id, &self.attributes).await?;
        }
        Ok(Made::started(id))
    }

    async fn delete(id: String, now: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let protected = now.is_none_or(|now| now.attributes.get(PROTECTION).is_some_and(|on| on == "true"));
        if protected {
            match set_attributes(&client, &id, &BTreeMap::from([(PROTECTION.to_owned(), "false".to_owned())]))
                .await
            {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::Missing => return Ok(Gone::Now),
                Err(error) => return Err(error),
            }
        }
        let delete = client.delete_load_balancer().load_balancer_arn(id).send().await;
        // Its network interfaces outlive it by minutes: groups and subnets wait for them by themselves.
        gone(delete.map_err(failed("elasticloadbalancing:DeleteLoadBalancer")), Gone::Now)
    }
}

const PROTECTION: &str = "deletion_protection.enabled";
/// What Elastic Load Balancing reads in the caller's name in CreateLoadBalancer and SetSubnets ("Elastic Load
/// Balancing API permissions" in its user guide). The emulator does not ask for them.
const NETWORK_READS: [&str; 6] = [
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
];
/// The attributes that we set.
const MANAGED: [&str; 8] = [
    "access_logs.s3.bucket",
    "access_logs.s3.enabled",
    "access_logs.s3.prefix",
    PROTECTION,
    "idle_timeout.timeout_seconds",
    "routing.http.desync_mitigation_mode",
    "routing.http.drop_invalid_header_fields.enabled",
    "routing.http2.enabled",
];

fn with_attributes(identity: Identity, balancer: &RawBalancer) -> Identity {
    let arn = balancer.load_balancer_arn().unwrap_or_default();
    let full_name = arn.split_once(":loadbalancer/").map_or("", |(_, name)| name);
    identity
        .with("dns_name", balancer.dns_name().unwrap_or_default())
        .with("zone_id", balancer.canonical_hosted_zone_id().unwrap_or_default())
        .with("full_name", full_name)
}

async fn set_attributes(client: &Client, arn: &str, attributes: &BTreeMap<String, String>) -> Result<()> {
    let one =
        |(key, value): (&String, &String)| LoadBalancerAttribute::builder().key(key).value(value).build();
    let modify = client.modify_load_balancer_attributes().load_balancer_arn(arn);
    let modify = modify.set_attributes(Some(attributes.iter().map(one).collect())).send().await;
    modify.map_err(failed("elasticloadbalancing:ModifyLoadBalancerAttributes"))?;
    Ok(())
}
