//! The ECS cluster.

use aws::{failed, gone};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Cluster as Raw, ClusterField, ClusterSetting, ClusterSettingName, Tag};
use serde::Serialize;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// The cluster of a stack. It runs nothing by itself and costs nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// `{app}-{env}`.
    pub cluster_name: String,
    /// `disabled`: Container Insights costs by metric (security.md).
    pub container_insights: String,
}

impl Cluster {
    /// The cluster of a stack.
    pub fn new(ctx: &Context) -> Self {
        Self { cluster_name: ctx.aws_names().ecs_cluster(), container_insights: "disabled".to_owned() }
    }
}

/// `cluster/main`.
pub fn name() -> Name {
    resource::cluster()
}

impl Resource for Cluster {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::CLUSTER;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let clusters = scope.arn("ecs", &format!("cluster/{}", scope.every_stack().ecs_cluster()));
        // The name alone would also be that of an app `{app}-admin`: tags tell them apart.
        let stacks = || [scope.every_stack().stack()];
        vec![
            Permission::on(&["ecs:CreateCluster"], [clusters.clone()]).when(
                "StringLike",
                "aws:RequestTag/stepstack:stack",
                stacks(),
            ),
            Permission::on(&["ecs:TagResource"], [clusters.clone()]).when(
                "StringEquals",
                "ecs:CreateAction",
                ["CreateCluster".to_owned()],
            ),
            // Taking one over: not another stack's.
            Permission::on(&["ecs:TagResource"], [clusters.clone()]).when(
                "Null",
                "aws:ResourceTag/stepstack:stack",
                ["true".to_owned()],
            ),
            Permission::on(&["ecs:DeleteCluster", "ecs:UpdateClusterSettings"], [clusters.clone()]).when(
                "StringLike",
                "aws:ResourceTag/stepstack:stack",
                stacks(),
            ),
            Permission::on(&["ecs:DescribeClusters"], [clusters]),
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let describe = client
            .describe_clusters()
            .clusters(ctx.aws_names().ecs_cluster())
            .include(ClusterField::Tags)
            .include(ClusterField::Settings);
        let found = describe.send().await.map_err(failed("ecs:DescribeClusters"))?;
        // A deleted cluster is described as INACTIVE for a while.
        Ok(found
            .clusters
            .unwrap_or_default()
            .into_iter()
            .filter(|cluster| cluster.status() != Some("INACTIVE"))
            .collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let tags =
            raw.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        let id = raw.cluster_name()?;
        let identity = if ctx.owned(tags) == Some(name()) {
            Identity::ours(name(), id)
        } else {
            Identity::theirs(name(), id)
        };
        Some(identity.with("arn", raw.cluster_arn().unwrap_or_default()))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let setting = raw
            .settings()
            .iter()
            .find(|setting| setting.name() == Some(&ClusterSettingName::ContainerInsights));
        let found = Self {
            cluster_name: raw.cluster_name().unwrap_or_default().to_owned(),
            container_insights: setting.and_then(|setting| setting.value()).unwrap_or("disabled").to_owned(),
        };
        match raw.status() {
            Some("ACTIVE") => Ok(State::Settled(found)),
            Some("PROVISIONING") => Ok(State::Changing(Some(found))),
            Some("DEPROVISIONING") => Ok(State::Deleting),
            Some("FAILED") => Ok(State::Failed("AWS could not make the cluster".to_owned())),
            other => Err(Error::unknown_status("ECS cluster", other.unwrap_or("none"))),
        }
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client
            .create_cluster()
            .cluster_name(&self.cluster_name)
            .settings(insights(&self.container_insights))
            .set_tags(Some(tags(&ctx)));
        let cluster = create.send().await.map_err(failed("ecs:CreateCluster"))?;
        let arn = cluster.cluster().and_then(Raw::cluster_arn).unwrap_or_default().to_owned();
        Ok(Made::settled(self.cluster_name).with("arn", arn))
    }

    async fn adopt(&self, _: String, Call { ctx, client, names }: Call<Client>) -> Result<()> {
        let arn = names.need_attribute(&name(), "arn")?;
        let tag = client.tag_resource().resource_arn(arn).set_tags(Some(tags(&ctx))).send().await;
        tag.map_err(failed("ecs:TagResource"))?;
        Ok(())
    }

    async fn update(self, _: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        let update =
            client.update_cluster_settings().cluster(&id).settings(insights(&self.container_insights));
        update.send().await.map_err(failed("ecs:UpdateClusterSettings"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        gone(
            client.delete_cluster().cluster(id).send().await.map_err(failed("ecs:DeleteCluster")),
            Gone::Going,
        )
    }
}

fn tags(ctx: &Context) -> Vec<Tag> {
    ctx.tags(&name()).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn insights(value: &str) -> ClusterSetting {
    ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value(value).build()
}
