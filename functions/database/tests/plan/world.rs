//! A region in which the reference stack's database stands as described, as RDS and Secrets Manager would tell
//! it. Tests change one thing in it.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::operation::list_rules::ListRulesOutput;
use aws_sdk_rds::Client as Rds;
use aws_sdk_rds::operation::describe_db_cluster_parameter_groups::DescribeDbClusterParameterGroupsOutput;
use aws_sdk_rds::operation::describe_db_cluster_parameters::DescribeDbClusterParametersOutput;
use aws_sdk_rds::operation::describe_db_cluster_snapshots::{
    DescribeDBClusterSnapshotsError, DescribeDbClusterSnapshotsOutput,
};
use aws_sdk_rds::operation::describe_db_clusters::{DescribeDBClustersError, DescribeDbClustersOutput};
use aws_sdk_rds::operation::describe_db_engine_versions::DescribeDbEngineVersionsOutput;
use aws_sdk_rds::operation::describe_db_instances::{DescribeDBInstancesError, DescribeDbInstancesOutput};
use aws_sdk_rds::operation::describe_db_subnet_groups::{
    DescribeDBSubnetGroupsError, DescribeDbSubnetGroupsOutput,
};
use aws_sdk_rds::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_rds::types::{
    DbCluster, DbClusterParameterGroup, DbClusterSnapshot, DbEngineVersion, DbInstance, DbSubnetGroup,
    Parameter, ServerlessV2FeaturesSupport, ServerlessV2ScalingConfigurationInfo, Subnet, Tag,
    VpcSecurityGroupMembership,
};
use aws_sdk_secretsmanager::Client as SecretsManager;
use aws_sdk_secretsmanager::operation::describe_secret::{DescribeSecretError, DescribeSecretOutput};
use aws_sdk_secretsmanager::types::Tag as SecretTag;
use aws_smithy_mocks::{MockResponse, Rule, mock};
use database::Clients;
use database::parameter_group::ParameterGroup;
use statemachine::resource::{Name, Names, Resource as _};
use testing::{any_order, client, context, said};

pub(crate) const ENDPOINT: &str = "arive-production-1.cluster-abc.us-east-1.rds.amazonaws.com";
pub(crate) const PASSWORD_NAME: &str = "arive/production/database-password";
pub(crate) const URL_NAME: &str = "arive/production/database-url";

/// What RDS and Secrets Manager have.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// Version, and the least ACUs that it runs at.
    pub(crate) versions: Vec<(&'static str, f64)>,
    pub(crate) subnet_groups: Vec<DbSubnetGroup>,
    pub(crate) parameter_groups: Vec<DbClusterParameterGroup>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) clusters: Vec<DbCluster>,
    pub(crate) instances: Vec<DbInstance>,
    pub(crate) secrets: Vec<DescribeSecretOutput>,
    pub(crate) snapshots: Vec<DbClusterSnapshot>,
    pub(crate) rules: Vec<aws_sdk_eventbridge::types::Rule>,
    /// Tags by ARN, where they are not part of the description.
    pub(crate) tags: BTreeMap<String, Vec<Tag>>,
}

/// What the network stage hands on.
pub(crate) fn network() -> Names {
    let mut names = Names::default();
    for (name, id) in [
        ("subnet/private-a", "subnet-private-a"),
        ("subnet/private-b", "subnet-private-b"),
        ("security-group/database", "sg-database"),
    ] {
        names.insert(Name::from_tag(name), id);
    }
    names
}

pub(crate) fn tags(name: &Name, more: &[(&str, &str)]) -> Vec<Tag> {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let all = context(statemachine::Stage::Database).tags(name).into_iter().chain(more);
    all.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// A secret of ours with a current and a former version.
pub(crate) fn secret(
    secret_name: &str,
    name: &str,
    version: &str,
    more: &[(&str, &str)],
) -> DescribeSecretOutput {
    let tags = tags(&Name::from_tag(name), more);
    let tag = |tag: &Tag| SecretTag::builder().set_key(tag.key.clone()).set_value(tag.value.clone()).build();
    DescribeSecretOutput::builder()
        .arn(format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{secret_name}-AbCdEf"))
        .name(secret_name)
        .version_ids_to_stages(version, vec!["AWSCURRENT".to_owned()])
        .version_ids_to_stages("former", vec!["AWSPREVIOUS".to_owned()])
        .set_tags(Some(tags.iter().map(tag).collect()))
        .build()
}

fn url(endpoint: &str) -> DescribeSecretOutput {
    let facts = [
        ("stepstack:password-version", "v1"),
        ("stepstack:endpoint", endpoint),
        ("stepstack:login", "postgres@arive"),
    ];
    secret(URL_NAME, "secret/database-url", "u1", &facts)
}

pub(crate) fn parameter_group(major: &str) -> (DbClusterParameterGroup, Vec<Tag>) {
    let name = ParameterGroup::of(major).name();
    let group_name = format!("arive-production-{}", name.hash().expect("a group's name has a hash"));
    let group = DbClusterParameterGroup::builder()
        .db_cluster_parameter_group_arn(format!("arn:aws:rds:us-east-1:123456789012:cluster-pg:{group_name}"))
        .db_cluster_parameter_group_name(group_name)
        .db_parameter_group_family(format!("aurora-postgresql{major}"));
    (group.build(), tags(&name, &[]))
}

fn cluster(parameter_group: &DbClusterParameterGroup) -> DbCluster {
    let scaling = ServerlessV2ScalingConfigurationInfo::builder().min_capacity(0.5).max_capacity(4.0);
    let group = VpcSecurityGroupMembership::builder().vpc_security_group_id("sg-database").status("active");
    DbCluster::builder()
        .db_cluster_identifier("arive-production-1")
        .db_cluster_arn("arn:aws:rds:us-east-1:123456789012:cluster:arive-production-1")
        .status("available")
        .engine("aurora-postgresql")
        .engine_version("15.10")
        .database_name("arive")
        .master_username("postgres")
        .endpoint(ENDPOINT)
        .port(5432)
        // AWS remembers the pause of a cluster that no longer sleeps.
        .serverless_v2_scaling_configuration(scaling.seconds_until_auto_pause(300).build())
        .backup_retention_period(7)
        .deletion_protection(true)
        .storage_encrypted(true)
        .iam_database_authentication_enabled(true)
        .enabled_cloudwatch_logs_exports("postgresql")
        .copy_tags_to_snapshot(true)
        .db_subnet_group("arive-production")
        .set_db_cluster_parameter_group(parameter_group.db_cluster_parameter_group_name.clone())
        .vpc_security_groups(group.build())
        .set_tag_list(Some(tags(&Name::new("db-cluster", "main"), &[("stepstack:password-version", "v1")])))
        .build()
}

fn instance() -> DbInstance {
    DbInstance::builder()
        .db_instance_identifier("arive-production-1-1")
        .db_cluster_identifier("arive-production-1")
        .db_instance_status("available")
        .db_instance_class("db.serverless")
        .auto_minor_version_upgrade(true)
        .publicly_accessible(false)
        .copy_tags_to_snapshot(true)
        .promotion_tier(1)
        .set_tag_list(Some(tags(&Name::new("db-instance", "main"), &[])))
        .build()
}

impl World {
    /// A region with some engine versions and nothing of ours.
    pub(crate) fn empty() -> Self {
        let versions = vec![("15.10", 0.5), ("15.12", 0.0), ("16.8", 0.0)];
        // AWS's own groups are always there.
        let theirs = DbClusterParameterGroup::builder()
            .db_cluster_parameter_group_name("default.aurora-postgresql15")
            .db_parameter_group_family("aurora-postgresql15");
        Self { versions, parameter_groups: vec![theirs.build()], ..Self::default() }
    }

    /// The database of the reference stack, as described. Its minor is not the newest: AWS moves that by itself.
    pub(crate) fn in_sync() -> Self {
        let mut world = Self::empty();
        let subnet = |what: &str| Subnet::builder().subnet_identifier(format!("subnet-{what}")).build();
        let arn = "arn:aws:rds:us-east-1:123456789012:subgrp:arive-production";
        let subnets = DbSubnetGroup::builder()
            .db_subnet_group_name("arive-production")
            .db_subnet_group_arn(arn)
            .subnet_group_status("Complete")
            .subnets(subnet("private-b"))
            .subnets(subnet("private-a"));
        world.subnet_groups.push(subnets.build());
        world.tags.insert(arn.to_owned(), tags(&Name::new("db-subnet-group", "main"), &[]));
        let parameters = world.add_parameter_group("15");
        for (name, value) in [("rds.force_ssl", "1"), ("log_lock_waits", "1"), ("work_mem", "65536")] {
            world.parameters.push(Parameter::builder().parameter_name(name).parameter_value(value).build());
        }
        world.clusters.push(cluster(&parameters));
        world.instances.push(instance());
        world.secrets.push(secret(PASSWORD_NAME, "secret/database-password", "v1", &[]));
        world.secrets.push(url(ENDPOINT));
        world
    }

    /// A parameter group of ours for a major version.
    pub(crate) fn add_parameter_group(&mut self, major: &str) -> DbClusterParameterGroup {
        let (group, tags) = parameter_group(major);
        self.tags.insert(group.db_cluster_parameter_group_arn.clone().expect("an ARN"), tags);
        self.parameter_groups.push(group.clone());
        group
    }

    /// Clients that answer from this world, and nothing but reading calls.
    pub(crate) fn clients(&self) -> Clients {
        let rules = self.rules.clone();
        let rules = mock!(aws_sdk_eventbridge::Client::list_rules)
            .then_output(move || ListRulesOutput::builder().set_rules(Some(rules.clone())).build());
        Clients {
            rds: client!(aws_sdk_rds, any_order(&self.rds())),
            secrets: client!(aws_sdk_secretsmanager, any_order(&[self.secrets_manager()])),
            events: client!(aws_sdk_eventbridge, any_order(&[rules])),
        }
    }

    fn rds(&self) -> Vec<Rule> {
        let version = |(version, min_acu): &(&str, f64)| {
            let support = ServerlessV2FeaturesSupport::builder().min_capacity(*min_acu).max_capacity(256.0);
            let version = DbEngineVersion::builder().engine_version(*version);
            version.serverless_v2_features_support(support.build()).build()
        };
        let versions: Vec<_> = self.versions.iter().map(version).collect();
        let (groups, set, tags) = (self.parameter_groups.clone(), self.parameters.clone(), self.tags.clone());
        let (subnet_groups, clusters, instances) =
            (self.subnet_groups.clone(), self.clusters.clone(), self.instances.clone());
        let snapshots = self.snapshots.clone();
        vec![
            mock!(Rds::describe_db_engine_versions).then_output(move || {
                DescribeDbEngineVersionsOutput::builder()
                    .set_db_engine_versions(Some(versions.clone()))
                    .build()
            }),
            mock!(Rds::describe_db_cluster_parameter_groups).then_output(move || {
                let output = DescribeDbClusterParameterGroupsOutput::builder();
                output.set_db_cluster_parameter_groups(Some(groups.clone())).build()
            }),
            mock!(Rds::describe_db_cluster_parameters)
                .match_requests(|request| request.source() == Some("user"))
                .then_output(move || {
                    DescribeDbClusterParametersOutput::builder().set_parameters(Some(set.clone())).build()
                }),
            mock!(Rds::list_tags_for_resource).then_compute_output(move |request| {
                let tags = tags.get(request.resource_name().unwrap_or_default()).cloned();
                ListTagsForResourceOutput::builder().set_tag_list(tags).build()
            }),
            // Asked for one that does not exist, RDS answers with an error and not with an empty list.
            mock!(Rds::describe_db_subnet_groups).then_compute_response(move |_| {
                if subnet_groups.is_empty() {
                    let error = DescribeDBSubnetGroupsError::generic(said("DBSubnetGroupNotFoundFault"));
                    return MockResponse::Error(error);
                }
                let output = DescribeDbSubnetGroupsOutput::builder();
                MockResponse::Output(output.set_db_subnet_groups(Some(subnet_groups.clone())).build())
            }),
            mock!(Rds::describe_db_cluster_snapshots).then_compute_response(move |request| {
                let asked = request.db_cluster_snapshot_identifier();
                match snapshots.iter().find(|one| one.db_cluster_snapshot_identifier() == asked) {
                    Some(found) => MockResponse::Output(
                        DescribeDbClusterSnapshotsOutput::builder()
                            .db_cluster_snapshots(found.clone())
                            .build(),
                    ),
                    None => MockResponse::Error(DescribeDBClusterSnapshotsError::generic(said(
                        "DBClusterSnapshotNotFoundFault",
                    ))),
                }
            }),
            mock!(Rds::describe_db_clusters).then_compute_response(move |request| {
                let asked = request.db_cluster_identifier();
                let mut clusters = clusters.clone();
                clusters.retain(|cluster| cluster.db_cluster_identifier() == asked);
                if clusters.is_empty() {
                    let error = DescribeDBClustersError::generic(said("DBClusterNotFoundFault"));
                    return MockResponse::Error(error);
                }
                let output = DescribeDbClustersOutput::builder();
                MockResponse::Output(output.set_db_clusters(Some(clusters)).build())
            }),
            mock!(Rds::describe_db_instances).then_compute_response(move |request| {
                let asked = request.db_instance_identifier();
                let mut instances = instances.clone();
                instances.retain(|instance| instance.db_instance_identifier() == asked);
                if instances.is_empty() {
                    let error = DescribeDBInstancesError::generic(said("DBInstanceNotFound"));
                    return MockResponse::Error(error);
                }
                let output = DescribeDbInstancesOutput::builder();
                MockResponse::Output(output.set_db_instances(Some(instances)).build())
            }),
        ]
    }

    fn secrets_manager(&self) -> Rule {
        let secrets = self.secrets.clone();
        mock!(SecretsManager::describe_secret).then_compute_response(move |request| {
            match secrets.iter().find(|secret| secret.name() == request.secret_id()) {
                Some(secret) => MockResponse::Output(secret.clone()),
                None => MockResponse::Error(DescribeSecretError::generic(said("ResourceNotFoundException"))),
            }
        })
    }
}
