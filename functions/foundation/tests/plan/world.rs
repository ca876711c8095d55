//! An account in which the reference stack's foundation stands as described, as AWS would tell it. Tests
//! change one thing in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
use aws_sdk_cloudwatchlogs::operation::list_tags_for_resource::ListTagsForResourceOutput as LogTags;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use aws_sdk_ecr::operation::describe_images::DescribeImagesOutput;
use aws_sdk_ecr::operation::describe_repositories::{DescribeRepositoriesError, DescribeRepositoriesOutput};
use aws_sdk_ecr::operation::get_lifecycle_policy::{GetLifecyclePolicyError, GetLifecyclePolicyOutput};
use aws_sdk_ecr::operation::list_tags_for_resource::ListTagsForResourceOutput as RepositoryTags;
use aws_sdk_ecr::types::{
    ImageDetail, ImageScanningConfiguration, ImageTagMutability, ImageTagMutabilityExclusionFilter,
    ImageTagMutabilityExclusionFilterType, Repository,
};
use aws_sdk_ecs::operation::describe_clusters::DescribeClustersOutput;
use aws_sdk_ecs::types::{Cluster, ClusterSetting, ClusterSettingName};
use aws_sdk_iam::operation::get_role::{GetRoleError, GetRoleOutput};
use aws_sdk_iam::operation::get_role_policy::{GetRolePolicyError, GetRolePolicyOutput};
use aws_sdk_iam::operation::list_roles::ListRolesOutput;
use aws_sdk_iam::types::{AttachedPermissionsBoundary, Role};
use aws_sdk_s3::operation::get_bucket_cors::{GetBucketCorsError, GetBucketCorsOutput};
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::{
    GetBucketLifecycleConfigurationError, GetBucketLifecycleConfigurationOutput,
};
use aws_sdk_s3::operation::get_bucket_logging::GetBucketLoggingOutput;
use aws_sdk_s3::operation::get_bucket_policy::{GetBucketPolicyError, GetBucketPolicyOutput};
use aws_sdk_s3::operation::get_bucket_tagging::{GetBucketTaggingError, GetBucketTaggingOutput};
use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::operation::get_public_access_block::{GetPublicAccessBlockError, GetPublicAccessBlockOutput};
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketVersioningStatus, CorsRule, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, LoggingEnabled, MultipartUpload, NoncurrentVersionExpiration,
    ObjectVersion, PublicAccessBlockConfiguration,
};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use foundation::{Clients, role};
use statemachine::config::Stack;
use statemachine::resource::Name;
use testing::{any_order, client, context};

pub(crate) const LOGS: &str = "arive-production-logs-123456789012";
pub(crate) const UPLOADS: &str = "arive-uploads-production";

/// What the account has.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// With the text of the inline policy.
    pub(crate) roles: Vec<(Role, Option<String>)>,
    /// With its tags.
    pub(crate) log_groups: Vec<(LogGroup, Tags)>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) repository: Option<(Repository, Tags)>,
    pub(crate) lifecycle: Option<String>,
    pub(crate) images: usize,
}

pub(crate) type Tags = Vec<(String, String)>;

/// A bucket, by what its calls answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    /// Code of the error that whoever asks gets, for somebody else's.
    pub(crate) closed: Option<&'static str>,
    pub(crate) tags: Tags,
    pub(crate) versioning: Option<BucketVersioningStatus>,
    pub(crate) block: Option<PublicAccessBlockConfiguration>,
    pub(crate) policy: Option<String>,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) rules: Vec<LifecycleRule>,
    pub(crate) logging: Option<LoggingEnabled>,
    pub(crate) objects: usize,
    pub(crate) uploads: usize,
}

/// The tags of ours.
pub(crate) fn tags(name: &str) -> Tags {
    context(statemachine::Stage::Foundation).tags(&Name::from_tag(name))
}

/// A role as IAM tells of it: documents are percent-encoded.
fn role(role: &role::Role) -> (Role, Option<String>) {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |mut all, byte| {
            write!(all, "%{byte:02X}").expect("writing to a string");
            all
        })
    };
    let tag = |(key, value): (String, String)| {
        aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag")
    };
    let role_name = format!("arive-production-{}", role.what);
    let boundary =
        AttachedPermissionsBoundary::builder().set_permissions_boundary_arn(role.boundary.clone()).build();
    let raw = Role::builder()
        .path("/stepstack/arive/production/")
        .arn(format!("arn:aws:iam::123456789012:role/stepstack/arive/production/{role_name}"))
        .role_name(role_name)
        .role_id("AROAEXAMPLE")
        .create_date(aws_sdk_iam::primitives::DateTime::from_secs(0))
        .set_description(role.description.clone())
        .assume_role_policy_document(encoded(&role.trust.to_string()))
        .permissions_boundary(boundary)
        .set_tags(Some(tags(&format!("role/{}", role.what)).into_iter().map(tag).collect()))
        .build()
        .expect("a role");
    (raw, role.policy.as_ref().map(|policy| encoded(&policy.to_string())))
}

pub(crate) fn log_group(group_name: &str, name: &str, days: i32) -> (LogGroup, Tags) {
    let group = LogGroup::builder()
        .log_group_name(group_name)
        .arn(format!("arn:aws:logs:us-east-1:123456789012:log-group:{group_name}:*"))
        .retention_in_days(days);
    (group.build(), tags(name))
}

pub(crate) fn cluster(status: &str, insights: &str) -> Cluster {
    let setting = ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value(insights);
    let tag = |(key, value)| aws_sdk_ecs::types::Tag::builder().key(key).value(value).build();
    Cluster::builder()
        .cluster_name("arive-production")
        .cluster_arn("arn:aws:ecs:us-east-1:123456789012:cluster/arive-production")
        .status(status)
        .settings(setting.build())
        .set_tags(Some(tags("cluster/main").into_iter().map(tag).collect()))
        .build()
}

pub(crate) fn rule(id: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
    let all = LifecycleRuleFilter::builder().prefix("").build();
    LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(all)
}

pub(crate) fn repository(mutability: ImageTagMutability) -> Repository {
    let filter = ImageTagMutabilityExclusionFilter::builder()
        .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
        .filter("latest")
        .build()
        .expect("a filter");
    Repository::builder()
        .repository_name("arive/production")
        .repository_arn("arn:aws:ecr:us-east-1:123456789012:repository/arive/production")
        .repository_uri("123456789012.dkr.ecr.us-east-1.amazonaws.com/arive/production")
        .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
        .image_tag_mutability(mutability)
        .image_tag_mutability_exclusion_filters(filter)
        .build()
}

/// What both buckets have in common. A policy comes back in S3's own form and order.
fn bucket(bucket_name: &str, name: &str, writers: &str, old_versions_days: i32) -> Bucket {
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .block_public_policy(true)
        .ignore_public_acls(true)
        .restrict_public_buckets(true);
    let tls_only = format!(
        r#"{{"Sid":"TlsOnly","Effect":"Deny","Principal":"*","Action":["s3:*"],"Resource":["arn:aws:s3:::{bucket_name}/*","arn:aws:s3:::{bucket_name}"],"Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}"#
    );
    let old = NoncurrentVersionExpiration::builder().noncurrent_days(old_versions_days).build();
    let unfinished = AbortIncompleteMultipartUpload::builder().days_after_initiation(7).build();
    let rules = [
        rule("unfinished-uploads").abort_incomplete_multipart_upload(unfinished).build(),
        rule("old-versions").noncurrent_version_expiration(old).build(),
    ];
    Bucket {
        tags: tags(name),
        versioning: Some(BucketVersioningStatus::Enabled),
        block: Some(block.build()),
        policy: Some(format!(r#"{{"Version":"2012-10-17","Statement":[{tls_only}{writers}]}}"#)),
        rules: rules.into_iter().map(|rule| rule.expect("a rule")).collect(),
        ..Bucket::default()
    }
}

fn buckets() -> BTreeMap<String, Bucket> {
    let write = |service: &str| {
        format!(
            r#",{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"s3:PutObject","Resource":"arn:aws:s3:::{LOGS}/*","Condition":{{"StringEquals":{{"aws:SourceAccount":"123456789012"}}}}}}"#
        )
    };
    let writers =
        write("logdelivery.elasticloadbalancing.amazonaws.com") + &write("logging.s3.amazonaws.com");
    let mut logs = bucket(LOGS, "bucket/logs", &writers, 30);
    let expiration = LifecycleExpiration::builder().days(90).build();
    logs.rules.push(rule("objects").expiration(expiration).build().expect("a rule"));
    let mut uploads = bucket(UPLOADS, "bucket/uploads", "", 90);
    let cors = CorsRule::builder()
        .allowed_origins("https://tryarive.com")
        .set_allowed_methods(Some(["GET", "PUT", "POST"].map(str::to_owned).to_vec()))
        .allowed_headers("*")
        .expose_headers("ETag")
        .max_age_seconds(3000);
    uploads.cors = vec![cors.build().expect("a rule")];
    let to = LoggingEnabled::builder().target_bucket(LOGS).target_prefix(format!("s3/{UPLOADS}/"));
    uploads.logging = Some(to.build().expect("a target"));
    BTreeMap::from([(LOGS.to_owned(), logs), (UPLOADS.to_owned(), uploads)])
}

impl World {
    /// The foundation of this stack, as described.
    pub(crate) fn in_sync(stack: &Stack) -> Self {
        let ctx = context(statemachine::Stage::Foundation);
        Self {
            roles: role::of_stack(&ctx, stack).iter().map(role).collect(),
            log_groups: vec![
                log_group("/ecs/arive-production-api", "log-group/api", 7),
                log_group("/ecs/arive-production-worker", "log-group/worker", 7),
                log_group("/vpc/arive-production/flow", "log-group/vpc.flow", 365),
                log_group(
                    "/aws/rds/cluster/arive-production-1/postgresql",
                    "log-group/aurora.postgresql",
                    7,
                ),
            ],
            clusters: vec![cluster("ACTIVE", "disabled")],
            buckets: buckets(),
            repository: Some((
                repository(ImageTagMutability::ImmutableWithExclusion),
                tags("repository/main"),
            )),
            lifecycle: Some(
                r#"{"rules":[{"rulePriority":1,"description":"Untagged images go after 14 days","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#
                    .to_owned(),
            ),
            images: 3,
        }
    }

    pub(crate) fn bucket(&mut self, bucket_name: &str) -> &mut Bucket {
        self.buckets.get_mut(bucket_name).expect("the bucket is there")
    }

    pub(crate) fn role(&mut self, what: &str) -> &mut (Role, Option<String>) {
        let mut roles = self.roles.iter_mut();
        roles.find(|(role, _)| role.role_name().ends_with(what)).expect("the role is there")
    }

    /// Clients that answer from this world, and nothing but reading calls.
    pub(crate) fn clients(&self) -> Clients {
        let s3: Vec<Rule> = self.bucket_settings().into_iter().chain(self.bucket_contents()).collect();
        Clients {
            iam: client!(aws_sdk_iam, any_order(&self.iam())),
            logs: client!(aws_sdk_cloudwatchlogs, any_order(&self.logs())),
            ecs: client!(aws_sdk_ecs, any_order(&self.ecs())),
            s3: client!(aws_sdk_s3, any_order(&s3)),
            ecr: client!(aws_sdk_ecr, any_order(&self.ecr())),
        }
    }

    fn iam(&self) -> Vec<Rule> {
        use aws_sdk_iam::Client;
        let missing = || {
            let error = aws_sdk_iam::error::ErrorMetadata::builder();
            error.code("NoSuchEntity").message("It cannot be found.").build()
        };
        let (listed, roles, policies) = (self.roles.clone(), self.roles.clone(), self.roles.clone());
        let is = |role: &Role, asked: Option<&str>| Some(role.role_name()) == asked;
        vec![
            mock!(Client::list_roles)
                .match_requests(|asked| asked.path_prefix() == Some("/stepstack/arive/production/"))
                .then_output(move || {
                    // The listing tells neither tags nor boundary.
                    let bare = |(role, _): &(Role, _)| {
                        let mut role: Role = role.clone();
                        (role.tags, role.permissions_boundary) = (None, None);
                        role
                    };
                    let output = ListRolesOutput::builder();
                    output.set_roles(Some(listed.iter().map(bare).collect())).build().expect("a listing")
                }),
            mock!(Client::get_role).then_compute_response(move |asked| {
                match roles.iter().find(|(role, _)| is(role, asked.role_name())) {
                    Some((role, _)) => {
                        MockResponse::Output(GetRoleOutput::builder().role(role.clone()).build())
                    }
                    None => MockResponse::Error(GetRoleError::generic(missing())),
                }
            }),
            mock!(Client::get_role_policy).then_compute_response(move |asked| {
                let found = policies.iter().find(|(role, _)| is(role, asked.role_name()));
                match found.and_then(|(_, policy)| policy.clone()) {
                    Some(policy) => {
                        let output = GetRolePolicyOutput::builder().policy_name("stepstack");
                        let output = output.role_name("any").policy_document(policy);
                        MockResponse::Output(output.build().expect("a policy"))
                    }
                    None => MockResponse::Error(GetRolePolicyError::generic(missing())),
                }
            }),
        ]
    }

    fn logs(&self) -> Vec<Rule> {
        use aws_sdk_cloudwatchlogs::Client;
        let (groups, tagged) = (self.log_groups.clone(), self.log_groups.clone());
        vec![
            mock!(Client::describe_log_groups).then_compute_output(move |asked| {
                let prefix = asked.log_group_name_prefix().unwrap_or_default();
                let fits = |group: &&LogGroup| group.log_group_name().unwrap_or_default().starts_with(prefix);
                let groups = groups.iter().map(|(group, _)| group).filter(fits).cloned().collect();
                DescribeLogGroupsOutput::builder().set_log_groups(Some(groups)).build()
            }),
            mock!(Client::list_tags_for_resource).then_compute_output(move |asked| {
                let asked = format!("{}:*", asked.resource_arn().unwrap_or_default());
                let found = tagged.iter().find(|(group, _)| group.arn() == Some(&asked));
                let tags = found.map(|(_, tags)| tags.iter().cloned().collect());
                LogTags::builder().set_tags(tags).build()
            }),
        ]
    }

    fn ecs(&self) -> Vec<Rule> {
        let clusters = self.clusters.clone();
        let answer = mock!(aws_sdk_ecs::Client::describe_clusters)
            .match_requests(|asked| asked.clusters() == ["arive-production"])
            .then_output(move || {
                DescribeClustersOutput::builder().set_clusters(Some(clusters.clone())).build()
            });
        vec![answer]
    }

    fn ecr(&self) -> Vec<Rule> {
        use aws_sdk_ecr::Client;
        let missing = |code: &str| {
            let error = aws_sdk_ecr::error::ErrorMetadata::builder();
            error.code(code).message("It does not exist").build()
        };
        let (found, tags) = (self.repository.clone(), self.repository.clone());
        let (lifecycle, images) = (self.lifecycle.clone(), self.images);
        vec![
            mock!(Client::describe_repositories).then_compute_response(move |_| {
                let output = |(repository, _): &(Repository, Tags)| {
                    DescribeRepositoriesOutput::builder().repositories(repository.clone()).build()
                };
                let error = || DescribeRepositoriesError::generic(missing("RepositoryNotFoundException"));
                or_missing(found.as_ref().map(output), error)
            }),
            mock!(Client::list_tags_for_resource).then_output(move || {
                let tag = |(key, value): &(String, String)| {
                    aws_sdk_ecr::types::Tag::builder().key(key).value(value).build().expect("a tag")
                };
                let tags = tags.iter().flat_map(|(_, tags)| tags).map(tag).collect();
                RepositoryTags::builder().set_tags(Some(tags)).build()
            }),
            mock!(Client::get_lifecycle_policy).then_compute_response(move |_| {
                let output =
                    |text: &String| GetLifecyclePolicyOutput::builder().lifecycle_policy_text(text).build();
                let error = || GetLifecyclePolicyError::generic(missing("LifecyclePolicyNotFoundException"));
                or_missing(lifecycle.as_ref().map(output), error)
            }),
            mock!(Client::describe_images).then_output(move || {
                let images = vec![ImageDetail::builder().build(); images.min(1)];
                DescribeImagesOutput::builder().set_image_details(Some(images)).build()
            }),
        ]
    }

    fn bucket_settings(&self) -> Vec<Rule> {
        use aws_sdk_s3::Client;
        let find = || {
            let buckets = self.buckets.clone();
            move |asked: Option<&str>| asked.and_then(|name| buckets.get(name)).cloned().unwrap_or_default()
        };
        let (versioning, block, policy, cors, rules, logging) =
            (find(), find(), find(), find(), find(), find());
        vec![
            mock!(Client::get_bucket_versioning).then_compute_output(move |asked| {
                let status = versioning(asked.bucket()).versioning;
                GetBucketVersioningOutput::builder().set_status(status).build()
            }),
            mock!(Client::get_public_access_block).then_compute_response(move |asked| {
                let error = || GetPublicAccessBlockError::generic(s3("NoSuchPublicAccessBlockConfiguration"));
                let output = |block| {
                    let output = GetPublicAccessBlockOutput::builder();
                    output.public_access_block_configuration(block).build()
                };
                or_missing(block(asked.bucket()).block.map(output), error)
            }),
            mock!(Client::get_bucket_policy).then_compute_response(move |asked| {
                let output = |policy| GetBucketPolicyOutput::builder().policy(policy).build();
                let error = || GetBucketPolicyError::generic(s3("NoSuchBucketPolicy"));
                or_missing(policy(asked.bucket()).policy.map(output), error)
            }),
            mock!(Client::get_bucket_cors).then_compute_response(move |asked| {
                let rules = Some(cors(asked.bucket()).cors).filter(|rules| !rules.is_empty());
                let output = |rules| GetBucketCorsOutput::builder().set_cors_rules(Some(rules)).build();
                let error = || GetBucketCorsError::generic(s3("NoSuchCORSConfiguration"));
                or_missing(rules.map(output), error)
            }),
            mock!(Client::get_bucket_lifecycle_configuration).then_compute_response(move |asked| {
                let rules = Some(rules(asked.bucket()).rules).filter(|rules| !rules.is_empty());
                let output =
                    |rules| GetBucketLifecycleConfigurationOutput::builder().set_rules(Some(rules)).build();
                let error = s3("NoSuchLifecycleConfiguration");
                let error = || GetBucketLifecycleConfigurationError::generic(error);
                or_missing(rules.map(output), error)
            }),
            mock!(Client::get_bucket_logging).then_compute_output(move |asked| {
                let to = logging(asked.bucket()).logging;
                GetBucketLoggingOutput::builder().set_logging_enabled(to).build()
            }),
        ]
    }

    fn bucket_contents(&self) -> Vec<Rule> {
        use aws_sdk_s3::Client;
        let (buckets, versions, uploads) = (self.buckets.clone(), self.buckets.clone(), self.buckets.clone());
        let count = |buckets: &BTreeMap<String, Bucket>, asked: Option<&str>, of: fn(&Bucket) -> usize| {
            asked.and_then(|name| buckets.get(name)).map_or(0, of)
        };
        vec![
            mock!(Client::get_bucket_tagging).then_compute_response(move |asked| {
                let error = |code| MockResponse::Error(GetBucketTaggingError::generic(s3(code)));
                let Some(bucket) = asked.bucket().and_then(|name| buckets.get(name)) else {
                    return error("NoSuchBucket");
                };
                match bucket.closed {
                    Some(code) => error(code),
                    None if bucket.tags.is_empty() => error("NoSuchTagSet"),
                    None => {
                        let tag = |(key, value): &(String, String)| {
                            aws_sdk_s3::types::Tag::builder().key(key).value(value).build().expect("a tag")
                        };
                        let output = GetBucketTaggingOutput::builder();
                        let output = output.set_tag_set(Some(bucket.tags.iter().map(tag).collect()));
                        MockResponse::Output(output.build().expect("tags"))
                    }
                }
            }),
            mock!(Client::list_object_versions).then_compute_output(move |asked| {
                let versions = count(&versions, asked.bucket(), |bucket| bucket.objects);
                let versions = vec![ObjectVersion::builder().key("key").build(); versions.min(1)];
                ListObjectVersionsOutput::builder().set_versions(Some(versions)).build()
            }),
            mock!(Client::list_multipart_uploads).then_compute_output(move |asked| {
                let uploads = count(&uploads, asked.bucket(), |bucket| bucket.uploads);
                let uploads = vec![MultipartUpload::builder().key("key").build(); uploads];
                ListMultipartUploadsOutput::builder().set_uploads(Some(uploads)).build()
            }),
        ]
    }
}

fn s3(code: &str) -> aws_sdk_s3::error::ErrorMetadata {
    aws_sdk_s3::error::ErrorMetadata::builder().code(code).message("S3 says no").build()
}

fn or_missing<O, E>(output: Option<O>, error: impl FnOnce() -> E) -> MockResponse<O, E> {
    output.map_or_else(|| MockResponse::Error(error()), MockResponse::Output)
}
