//! Target groups: one per public service.

use aws::{failed, gone};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as RawGroup, TargetGroupAttribute, TargetTypeEnum,
};
use ingress::tags::{owned, tags};
use serde::Serialize;
use statemachine::Result;
use statemachine::config::Service;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State, short_hash,
};

/// How long a leaving task keeps its connections, in seconds; AWS's default is 300.
const DEREGISTRATION_S: &str = "15";
const DEREGISTRATION: &str = "deregistration_delay.timeout_seconds";

/// Where a public service's tasks are reached. Port and VPC cannot change: they are its identity, and
/// another port is another group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct TargetGroup {
    pub service: String,
    /// Of the tasks.
    pub port: i32,
    pub health_check_path: String,
    pub health_check_interval_s: i32,
    /// Checks that make a target healthy.
    pub healthy_threshold: i32,
    /// Codes that are well.
    pub healthy_codes: String,
    /// Seconds for which a leaving task keeps its connections.
    pub deregistration_s: String,
}

/// `target-group/api@hash`.
pub fn name(service: &str, port: i32) -> Name {
    resource::target_group(service, port)
}

impl TargetGroup {
    /// The group of a public service.
    pub fn of(service: &str, description: &Service) -> Option<Self> {
        Some(Self {
            service: service.to_owned(),
            port: description.port?.into(),
            health_check_path: description.health_check_path.clone(),
            health_check_interval_s: 5,
            healthy_threshold: 2,
            healthy_codes: "200-399".to_owned(),
            deregistration_s: DEREGISTRATION_S.to_owned(),
        })
    }

    fn group_name(&self, ctx: &Context) -> String {
        ctx.aws_names().target_group(&self.service, &short_hash(&self.port))
    }
}

/// Elastic Load Balancing, and the groups that the file asks for.
#[derive(Clone, Debug)]
pub struct TargetGroups {
    /// The client.
    pub elb: Client,
    /// Service and port of each. CreateTargetGroup returns a stranger's group of the same name, so a name
    /// that is taken has to be seen before.
    pub wanted: Vec<(String, i32)>,
}

/// A group with what its description leaves out.
pub struct Raw {
    group: RawGroup,
    /// By its tags.
    owned: Option<Name>,
    /// The described one in whose place it stands: the one of its AWS name.
    place: Option<Name>,
    deregistration_s: String,
}

impl Resource for TargetGroup {
    type Client = TargetGroups;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::TARGET_GROUP;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let groups =
            scope.arn("elasticloadbalancing", &format!("targetgroup/{}", scope.every_stack().prefix()));
        let actions = [
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:DeleteTargetGroup",
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
        ];
        let describe = [
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetGroupAttributes",
            "elasticloadbalancing:DescribeTargetGroups",
        ];
        vec![
            Permission::on(&actions, [groups]),
            Permission::unscoped(&describe, "Elastic Load Balancing's Describe actions take no resource"),
            // Read in the caller's name by CreateTargetGroup ("Elastic Load Balancing API permissions").
            Permission::unscoped(
                &["ec2:DescribeInternetGateways", "ec2:DescribeVpcs"],
                "EC2's Describe actions take no resource",
            ),
        ]
    }

    fn name(&self) -> Name {
        name(&self.service, self.port)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(resource::vpc())]
    }

    async fn fetch(ctx: &Context, client: &TargetGroups, _: &Names) -> Result<Vec<Raw>> {
        let TargetGroups { elb: client, wanted } = client;
        let pages = client.describe_target_groups().into_paginator().items().send();
        let all = pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(failed("elasticloadbalancing:DescribeTargetGroups"))?;
        let app = format!("{}-", ctx.app);
        let groups: Vec<RawGroup> = all
            .into_iter()
            .filter(|group| group.target_group_name().is_some_and(|name| name.starts_with(&app)))
            .collect();
        let arns: Vec<String> =
            groups.iter().filter_map(|group| group.target_group_arn().map(str::to_owned)).collect();
        let mut names = owned(client, ctx, &arns).await?;
        let placed = groups.into_iter().filter_map(|group| {
            let owned = names.remove(group.target_group_arn()?);
            let place = wanted.iter().find_map(|(service, port)| {
                let taken =
                    group.target_group_name()? == ctx.aws_names().target_group(service, &short_hash(port));
                taken.then(|| name(service, *port))
            });
            (owned.is_some() || place.is_some()).then_some((owned, place, group))
        });
        let raws = placed.map(|(owned, place, group)| async move {
            let attributes = client
                .describe_target_group_attributes()
                .set_target_group_arn(group.target_group_arn().map(str::to_owned));
            let attributes = attributes
                .send()
                .await
                .map_err(failed("elasticloadbalancing:DescribeTargetGroupAttributes"))?;
            let delay = attributes.attributes().iter().find(|one| one.key() == Some(DEREGISTRATION));
            let deregistration_s = delay.and_then(TargetGroupAttribute::value).unwrap_or_default().to_owned();
            Ok(Raw { group, owned, place, deregistration_s })
        });
        futures_util::future::try_join_all(raws).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.group.target_group_arn()?;
        let owned = raw.owned.as_ref().filter(|owned| {
            let named = owned.hash().map(|hash| ctx.aws_names().target_group(service_of(owned), hash));
            named.as_deref() == raw.group.target_group_name()
        });
        let ours = owned.map(|owned| Identity::ours(owned.clone(), id));
        ours.or_else(|| raw.place.as_ref().map(|place| Identity::theirs(place.clone(), id)))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let service = raw.owned.as_ref().or(raw.place.as_ref()).map_or("", service_of).to_owned();
        let group = raw.group;
        Ok(State::Settled(Self {
            service,
            port: group.port().unwrap_or(0),
            health_check_path: group.health_check_path().unwrap_or_default().to_owned(),
            health_check_interval_s: group.health_check_interval_seconds().unwrap_or(0),
            healthy_threshold: group.healthy_threshold_count().unwrap_or(0),
            healthy_codes: group.matcher().and_then(Matcher::http_code).unwrap_or_default().to_owned(),
            deregistration_s: raw.deregistration_s,
        }))
    }

    async fn create(self, Call { ctx, client, names }: Call<TargetGroups>) -> Result<Made> {
        let create = client
            .elb
            .create_target_group()
            .name(self.group_name(&ctx))
            .target_type(TargetTypeEnum::Ip)
            .protocol(ProtocolEnum::Http)
            .port(self.port)
            .vpc_id(names.need(&resource::vpc())?)
            .health_check_path(&self.health_check_path)
            .health_check_interval_seconds(self.health_check_interval_s)
            .health_check_timeout_seconds(self.health_check_interval_s - 1)
            .healthy_threshold_count(self.healthy_threshold)
            .unhealthy_threshold_count(2)
            .matcher(Matcher::builder().http_code(&self.healthy_codes).build())
            .set_tags(Some(tags(&ctx, &self.name())));
        let made = create.send().await.map_err(failed("elasticloadbalancing:CreateTargetGroup"))?;
        let arn = made.target_groups().first().and_then(RawGroup::target_group_arn);
        let arn = required(arn, "target group", "an ARN")?.to_owned();
        match set_deregistration(&client.elb, &arn, &self.deregistration_s).await {
            Ok(()) => Ok(Made::settled(arn)),
            // The next look finds the difference.
            Err(_) => Ok(Made::started(arn)),
        }
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<TargetGroups>) -> Result<Made> {
        let modify = client
            .elb
            .modify_target_group()
            .target_group_arn(&id)
            .health_check_path(&self.health_check_path)
            .health_check_interval_seconds(self.health_check_interval_s)
            .health_check_timeout_seconds(self.health_check_interval_s - 1)
            .healthy_threshold_count(self.healthy_threshold)
            .matcher(Matcher::builder().http_code(&self.healthy_codes).build());
        modify.send().await.map_err(failed("elasticloadbalancing:ModifyTargetGroup"))?;
        set_deregistration(&client.elb, &id, &self.deregistration_s).await?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<TargetGroups>) -> Result<Gone> {
        let delete = client.elb.delete_target_group().target_group_arn(id).send().await;
        gone(delete.map_err(failed("elasticloadbalancing:DeleteTargetGroup")), Gone::Now)
    }
}

/// `api` of `target-group/api@hash`.
fn service_of(name: &Name) -> &str {
    name.base().split_once('/').map_or("", |(_, service)| service)
}

async fn set_deregistration(client: &Client, arn: &str, seconds: &str) -> Result<()> {
    let attribute = TargetGroupAttribute::builder().key(DEREGISTRATION).value(seconds).build();
    let modify =
        client.modify_target_group_attributes().target_group_arn(arn).attributes(attribute).send().await;
    modify.map_err(failed("elasticloadbalancing:ModifyTargetGroupAttributes"))?;
    Ok(())
}
