//! The image repository.

use aws::{failed, gone};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    ImageScanningConfiguration, ImageTagMutability, ImageTagMutabilityExclusionFilter,
    ImageTagMutabilityExclusionFilterType, Repository as RawRepository, Tag,
};
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, DataPolicy, Gone, Identity, Made, Name, Names, Need, Resource, State,
};
use statemachine::{Error, ErrorKind, Result};

/// The repository of a stack. Every tag is immutable but those that a push deploys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repository {
    /// `{app}/{env}`.
    pub repository_name: String,
    /// Images are scanned when they are pushed.
    pub scan_on_push: bool,
    /// The only tags that may move, sorted. Of a stranger's making: `*`, `* except latest`.
    pub mutable_tags: Vec<String>,
    /// Only untagged images expire: what runs is tagged `release-{n}`, and can always be pulled.
    pub lifecycle: Option<Value>,
}

impl Repository {
    /// The repository of a stack.
    pub fn new(ctx: &Context, stack: &Stack) -> Self {
        let mut mutable_tags = stack.image.deploy_on_push.clone();
        mutable_tags.sort();
        let lifecycle = json!({ "rules": [{
            "rulePriority": 1,
            "description": "Untagged images go after 14 days",
            "selection": { "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 },
            "action": { "type": "expire" },
        }]});
        Self {
            repository_name: ctx.aws_names().repository(),
            scan_on_push: true,
            mutable_tags,
            lifecycle: Some(lifecycle),
        }
    }
}

/// `repository/main`.
pub fn name() -> Name {
    resource::repository()
}

/// A repository with what its description leaves out.
pub struct Raw {
    repository: RawRepository,
    tags: Vec<Tag>,
    lifecycle: Option<Value>,
    holds_images: bool,
}

impl Resource for Repository {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::REPOSITORY;
    const ADOPTABLE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let repositories = scope.arn("ecr", &format!("repository/{}", scope.every_stack().repository()));
        let actions = [
            "ecr:CreateRepository",
            "ecr:DeleteRepository",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
            "ecr:GetLifecyclePolicy",
            "ecr:ListTagsForResource",
            "ecr:PutImageScanningConfiguration",
            "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy",
            "ecr:TagResource",
        ];
        vec![Permission::on(&actions, [repositories])]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let wanted = ctx.aws_names().repository();
        let found = client.describe_repositories().repository_names(&wanted).send().await;
        let found = found.map_err(failed("ecr:DescribeRepositories")).optional()?;
        let Some(repository) =
            found.and_then(|found| found.repositories.unwrap_or_default().into_iter().next())
        else {
            return Ok(Vec::new());
        };
        let tags = async {
            let tags = client
                .list_tags_for_resource()
                .resource_arn(repository.repository_arn().unwrap_or_default())
                .send()
                .await;
            Ok(tags.map_err(failed("ecr:ListTagsForResource"))?.tags.unwrap_or_default())
        };
        let lifecycle = async {
            let policy = client.get_lifecycle_policy().repository_name(&wanted).send().await;
            let policy = policy.map_err(failed("ecr:GetLifecyclePolicy")).optional()?;
            let text = policy.as_ref().and_then(|policy| policy.lifecycle_policy_text());
            text.map(serde_json::from_str)
                .transpose()
                .map_err(|error| Error::internal(format!("a lifecycle policy is no JSON: {error}")))
        };
        let holds_images = async {
            // Only a removal has to know; every run of a described repository is spared the call.
            if ctx.options.data == DataPolicy::Refuse {
                return Ok(true);
            }
            let images = client.describe_images().repository_name(&wanted).max_results(1).send().await;
            Ok(!images.map_err(failed("ecr:DescribeImages"))?.image_details().is_empty())
        };
        let (tags, lifecycle, holds_images) =
            futures_util::future::try_join3(tags, lifecycle, holds_images).await?;
        Ok(vec![Raw { repository, tags, lifecycle, holds_images }])
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.repository.repository_name()?;
        let ours = ctx.owned(raw.tags.iter().map(|tag| (tag.key(), tag.value()))) == Some(name());
        let identity = if ours { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        let data = if raw.holds_images { Data::Held } else { Data::None };
        let identity = Identity { data, ..identity };
        let uri = raw.repository.repository_uri().unwrap_or_default();
        Some(identity.with("uri", uri).with("arn", raw.repository.repository_arn().unwrap_or_default()))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let filters = raw.repository.image_tag_mutability_exclusion_filters().iter();
        let mut filters: Vec<String> = filters.map(|filter| filter.filter().to_owned()).collect();
        filters.sort();
        let mutable_tags = match raw.repository.image_tag_mutability() {
            Some(ImageTagMutability::Immutable) => Vec::new(),
            Some(ImageTagMutability::ImmutableWithExclusion) => filters,
            Some(ImageTagMutability::Mutable) => vec!["*".to_owned()],
            Some(ImageTagMutability::MutableWithExclusion) => {
                vec![format!("* except {}", filters.join(", "))]
            }
            other => {
                let mutability = other.map_or("none", ImageTagMutability::as_str);
                return Err(Error::unknown_status("repository's tag mutability", mutability));
            }
        };
        Ok(State::Settled(Self {
            repository_name: raw.repository.repository_name().unwrap_or_default().to_owned(),
            scan_on_push: raw
                .repository
                .image_scanning_configuration()
                .is_some_and(ImageScanningConfiguration::scan_on_push),
            mutable_tags,
            lifecycle: raw.lifecycle,
        }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client
            .create_repository()
            .repository_name(&self.repository_name)
            .image_scanning_configuration(scanning(self.scan_on_push))
            .image_tag_mutability(self.mutability())
            .set_image_tag_mutability_exclusion_filters(self.exclusions()?)
            .set_tags(Some(tags(&ctx)?));
        let id = self.repository_name.clone();
        let made = match create.send().await.map_err(failed("ecr:CreateRepository")) {
            // An earlier call got through without our hearing of it: the next look says whose it is.
            Err(error) if error.kind == ErrorKind::Exists => return Ok(Made::started(id)),
            other => other?,
        };
        let repository = made.repository();
        let with = |made: Made| {
            made.with("uri", repository.and_then(RawRepository::repository_uri).unwrap_or_default())
                .with("arn", repository.and_then(RawRepository::repository_arn).unwrap_or_default())
        };
        match put_lifecycle(&client, &self).await {
            Ok(()) => Ok(with(Made::settled(id))),
            // The next look finds the difference.
            Err(_) => Ok(with(Made::started(id))),
        }
    }

    async fn adopt(&self, _: String, Call { ctx, client, names }: Call<Client>) -> Result<()> {
        let arn = names.need_attribute(&name(), "arn")?;
        let tag = client.tag_resource().resource_arn(arn).set_tags(Some(tags(&ctx)?)).send().await;
        tag.map_err(failed("ecr:TagResource"))?;
        Ok(())
    }

    async fn update(self, now: Self, id: String, Call { client, .. }: Call<Client>) -> Result<Made> {
        if self.scan_on_push != now.scan_on_push {
            let put = client.put_image_scanning_configuration().repository_name(&id);
            let put = put.image_scanning_configuration(scanning(self.scan_on_push)).send().await;
            put.map_err(failed("ecr:PutImageScanningConfiguration"))?;
        }
        if self.mutable_tags != now.mutable_tags {
            let put = client
                .put_image_tag_mutability()
                .repository_name(&id)
                .image_tag_mutability(self.mutability());
            let put = put.set_image_tag_mutability_exclusion_filters(self.exclusions()?).send().await;
            put.map_err(failed("ecr:PutImageTagMutability"))?;
        }
        if self.lifecycle != now.lifecycle {
            put_lifecycle(&client, &self).await?;
        }
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { ctx, client, .. }: Call<Client>) -> Result<Gone> {
        let force = ctx.options.data == DataPolicy::Delete;
        let delete = client.delete_repository().repository_name(id).force(force).send().await;
        match delete.map_err(failed("ecr:DeleteRepository")) {
            Err(error) if error.code.as_deref() == Some("RepositoryNotEmptyException") => Err(Error::new(
                ErrorKind::Invalid,
                "The repository holds images. Say --delete-data to delete them, or --keep-data.",
            )),
            other => gone(other, Gone::Now),
        }
    }
}

impl Repository {
    fn mutability(&self) -> ImageTagMutability {
        if self.mutable_tags.is_empty() {
            ImageTagMutability::Immutable
        } else {
            ImageTagMutability::ImmutableWithExclusion
        }
    }

    fn exclusions(&self) -> Result<Option<Vec<ImageTagMutabilityExclusionFilter>>> {
        let filter = |tag: &String| {
            let kind = ImageTagMutabilityExclusionFilterType::Wildcard;
            ImageTagMutabilityExclusionFilter::builder().filter_type(kind).filter(tag).build()
        };
        let filters = self.mutable_tags.iter().map(filter).collect::<Result<Vec<_>, _>>();
        let filters = filters.map_err(|error| Error::internal(error.to_string()))?;
        Ok((!filters.is_empty()).then_some(filters))
    }
}

fn tags(ctx: &Context) -> Result<Vec<Tag>> {
    let tags = ctx.tags(&name()).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| Error::internal(error.to_string()))
}

fn scanning(on: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(on).build()
}

async fn put_lifecycle(client: &Client, want: &Repository) -> Result<()> {
    let Some(lifecycle) = &want.lifecycle else { return Ok(()) };
    let put = client
        .put_lifecycle_policy()
        .repository_name(&want.repository_name)
        .lifecycle_policy_text(lifecycle.to_string());
    put.send().await.map_err(failed("ecr:PutLifecyclePolicy"))?;
    Ok(())
}
