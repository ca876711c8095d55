//! Task definitions: what the tasks of a service are.

use std::collections::BTreeMap;

use aws::failed;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, KeyValuePair, LinuxParameters, LogConfiguration,
    LogDriver, NetworkMode, OsFamily, PortMapping, RuntimePlatform, Secret, Tag,
    TaskDefinition as RawDefinition, TaskDefinitionField, Tmpfs, TransportProtocol,
};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::naming::{self, resource};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// What stands at `/tmp`, in MiB.
const TMP_MIB: i32 = 64;

/// A revision of a service's family. AWS never changes one: all of it is its identity, another description
/// is another revision, the service follows, and the old one is left over.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct TaskDefinition {
    pub service: String,
    /// By digest: `sha256:…`.
    pub digest: String,
    /// `ARM64` or `X86_64`.
    pub architecture: String,
    /// Empty: the image's own.
    pub command: Vec<String>,
    pub port: Option<i32>,
    /// CPU units.
    pub cpu: String,
    /// MB.
    pub memory: String,
    /// Plain environment. What AWS has yet to give stands as `{db-cluster/main#endpoint}`.
    pub environment: BTreeMap<String, String>,
    /// Environment out of secrets: ARNs, each pinned to its current version, so that a rotation is a change.
    pub secrets: BTreeMap<String, String>,
    pub log_group: Name,
    /// Read-only root file system, with a tmpfs at `/tmp`.
    pub read_only_root: bool,
    /// `None`: the image's own.
    pub user: Option<String>,
    /// Starts the task.
    pub execution_role: Name,
    /// The app's own.
    pub task_role: Name,
    /// The run of the last restart, where there was one: a label, so that a restart is another revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
}

/// The container's label that a restart changes.
const RESTART_LABEL: &str = "stepstack.restart";

/// An attribute, or what stands for it until AWS has given it.
pub fn known_or_placeholder(names: &Names, name: &Name, attribute: &str) -> String {
    names.attribute(name, attribute).map_or_else(|| placeholder(&name.attribute(attribute)), str::to_owned)
}

/// A secret pinned to its current version (`arn:json-key:stage:version`), or what stands for it.
pub fn pinned(names: &Names, secret: &Name) -> String {
    match (names.id(secret), names.attribute(secret, "version")) {
        (Some(arn), Some(version)) => format!("{arn}:::{version}"),
        _ => placeholder(secret),
    }
}

fn placeholder(name: &Name) -> String {
    format!("{{{name}}}")
}

/// A revision with its tags.
pub struct Raw {
    definition: RawDefinition,
    tags: Vec<Tag>,
}

/// The stack's role behind an ARN, by its AWS name `{app}-{env}-{what}`: a role that was deleted behind our
/// back, and is about to be made again, is still the one that the revision names.
fn role_of(arn: Option<&str>, prefix: &str) -> Name {
    let arn = arn.unwrap_or_default();
    let ours = ["execution", "task"]
        .into_iter()
        .find(|what| arn.rsplit('/').next() == Some(naming::role(prefix, what).as_str()));
    ours.map_or_else(|| Name::foreign(arn), resource::role)
}

/// The service's log group, by its AWS name, likewise.
fn log_group_of(name: &str, prefix: &str, service: &str) -> Name {
    if name == naming::service_log_group(prefix, service) {
        resource::log_group(service)
    } else {
        Name::foreign(name)
    }
}

impl Resource for TaskDefinition {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::TASK_DEFINITION;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let every = scope.every_stack();
        let definitions = scope.arn("ecs", &format!("task-definition/{}", every.prefix()));
        let role = |what| scope.global("iam", &format!("role{}{}", every.role_path(), every.role(what)));
        vec![
            Permission::on(
                &["ecs:DeleteTaskDefinitions", "ecs:RegisterTaskDefinition", "ecs:TagResource"],
                [definitions],
            ),
            Permission::unscoped(
                &["ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"],
                "these actions take no resource",
            ),
            Permission::on(&["iam:PassRole"], ["execution", "task"].map(role)).when(
                "StringEquals",
                "iam:PassedToService",
                ["ecs-tasks.amazonaws.com".to_owned()],
            ),
        ]
    }

    fn name(&self) -> Name {
        Name::hashed(Self::KIND, &self.service, self)
    }

    fn needs(&self) -> Vec<Need> {
        let named = [&self.log_group, &self.execution_role, &self.task_role].into_iter().cloned();
        named.chain([resource::repository()]).map(Need::Exists).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        // All active revisions of the environment's families: the described ones, and what is left over.
        let pages = client.list_task_definitions().into_paginator().items().send();
        let arns = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ecs:ListTaskDefinitions"))?;
        let prefix = ctx.aws_names().task_family("");
        let ours = arns
            .into_iter()
            .filter(|arn| arn.rsplit('/').next().is_some_and(|part| part.starts_with(&prefix)));
        let describe = ours.map(|arn| async move {
            let describe =
                client.describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags);
            let found = describe.send().await.map_err(failed("ecs:DescribeTaskDefinition")).optional()?;
            Ok::<_, Error>(found.and_then(|found| {
                Some(Raw { tags: found.tags.unwrap_or_default(), definition: found.task_definition? })
            }))
        });
        Ok(futures_util::future::try_join_all(describe).await?.into_iter().flatten().collect())
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let owned = ctx.owned(
            raw.tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())),
        )?;
        let service = owned.base().split_once('/').map_or("", |(_, service)| service);
        if raw.definition.family()? != ctx.aws_names().task_family(service) {
            return None;
        }
        // Registering is never idempotent: of two with one name the first revision is the one.
        let created = Some(i64::from(raw.definition.revision()));
        Some(Identity { created, ..Identity::ours(owned, raw.definition.task_definition_arn()?) })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let definition = raw.definition;
        let container =
            required(definition.container_definitions().first(), "task definition", "a container")?;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let log_options = container.log_configuration().and_then(LogConfiguration::options);
        let log_group =
            log_options.and_then(|options| options.get("awslogs-group")).map_or("", String::as_str);
        let environment = container
            .environment()
            .iter()
            .filter_map(|pair| Some((pair.name()?.to_owned(), pair.value()?.to_owned())));
        let service = text(container.name());
        let family = text(definition.family());
        let prefix = family.strip_suffix(&format!("-{service}")).unwrap_or_default();
        let platform = definition.runtime_platform().and_then(RuntimePlatform::cpu_architecture);
        Ok(State::Settled(Self {
            log_group: log_group_of(log_group, prefix, &service),
            service,
            digest: container
                .image()
                .and_then(|image| image.split_once('@'))
                .map_or_else(String::new, |(_, digest)| digest.to_owned()),
            architecture: platform.map_or_else(String::new, |architecture| architecture.as_str().to_owned()),
            command: container.command().to_vec(),
            port: container.port_mappings().first().and_then(PortMapping::container_port),
            cpu: text(definition.cpu()),
            memory: text(definition.memory()),
            environment: environment.collect(),
            secrets: container
                .secrets()
                .iter()
                .map(|secret| (secret.name().to_owned(), secret.value_from().to_owned()))
                .collect(),
            read_only_root: container.readonly_root_filesystem() == Some(true),
            user: container.user().map(str::to_owned),
            execution_role: role_of(definition.execution_role_arn(), prefix),
            task_role: role_of(definition.task_role_arn(), prefix),
            restart: container.docker_labels().and_then(|labels| labels.get(RESTART_LABEL)).cloned(),
        }))
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        self.register(&ctx, &client, &names).await
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self != now).then(|| {
            format!("AWS never changes a task definition, and {} is not as it was registered.", self.service)
        })
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let deregister = client.deregister_task_definition().task_definition(&id).send().await;
        deregister.map_err(failed("ecs:DeregisterTaskDefinition")).optional()?;
        // An INACTIVE revision stays in listings for ever unless it is deleted.
        let delete = client.delete_task_definitions().task_definitions(id).send().await;
        delete.map_err(failed("ecs:DeleteTaskDefinitions"))?;
        Ok(Gone::Now)
    }
}

impl TaskDefinition {
    async fn register(&self, ctx: &Context, ecs: &Client, names: &Names) -> Result<Made> {
        let tags = ctx
            .tags(&self.name())
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let architecture = CpuArchitecture::from(self.architecture.as_str());
        let register = ecs
            .register_task_definition()
            .family(ctx.aws_names().task_family(&self.service))
            .requires_compatibilities(Compatibility::Fargate)
            .network_mode(NetworkMode::Awsvpc)
            .cpu(&self.cpu)
            .memory(&self.memory)
            .runtime_platform(
                RuntimePlatform::builder()
                    .cpu_architecture(architecture)
                    .operating_system_family(OsFamily::Linux)
                    .build(),
            )
            .execution_role_arn(names.need_attribute(&self.execution_role, "arn")?)
            .task_role_arn(names.need_attribute(&self.task_role, "arn")?)
            .container_definitions(self.container(ctx, names)?)
            .set_tags(Some(tags.collect()));
        // Each call makes another revision: the SDK must not repeat one whose answer was lost.
        let once = aws_sdk_ecs::config::Builder::new().retry_classifier(aws::SentOnce);
        let made = register.customize().config_override(once).send().await;
        let made = made.map_err(failed("ecs:RegisterTaskDefinition"))?;
        let arn = made.task_definition().and_then(RawDefinition::task_definition_arn);
        Ok(Made::settled(required(arn, "task definition", "an ARN")?))
    }

    fn container(&self, ctx: &Context, names: &Names) -> Result<ContainerDefinition> {
        let internal = |error: aws_sdk_ecs::error::BuildError| Error::internal(error.to_string());
        let repository = names.need_attribute(&resource::repository(), "uri")?;
        let unknown =
            self.environment.values().chain(self.secrets.values()).find(|value| is_placeholder(value));
        if let Some(unknown) = unknown {
            return Err(Error::not_ready(format!("{unknown} is not known yet")));
        }
        let environment = self
            .environment
            .iter()
            .map(|(key, value)| KeyValuePair::builder().name(key).value(value).build());
        let secrets = self
            .secrets
            .iter()
            .map(|(key, arn)| Secret::builder().name(key).value_from(arn).build().map_err(internal));
        let log = LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", names.need(&self.log_group)?)
            .options("awslogs-region", &ctx.region)
            .options("awslogs-stream-prefix", &self.service)
            .build()
            .map_err(internal)?;
        let port = self
            .port
            .map(|port| PortMapping::builder().container_port(port).protocol(TransportProtocol::Tcp).build());
        let mut linux = LinuxParameters::builder().init_process_enabled(true);
        if self.read_only_root {
            // A Fargate bind mount is root's, 0755: other users could not write to it.
            linux = linux.tmpfs(
                Tmpfs::builder()
                    .container_path("/tmp")
                    .size(TMP_MIB)
                    .mount_options("mode=1777")
                    .build()
                    .map_err(internal)?,
            );
        }
        Ok(ContainerDefinition::builder()
            .name(&self.service)
            .image(format!("{repository}@{}", self.digest))
            .essential(true)
            .set_command((!self.command.is_empty()).then(|| self.command.clone()))
            .set_port_mappings(port.map(|port| vec![port]))
            .set_environment(Some(environment.collect()))
            .set_secrets(Some(secrets.collect::<Result<Vec<_>>>()?))
            .log_configuration(log)
            .readonly_root_filesystem(self.read_only_root)
            .privileged(false)
            .set_user(self.user.clone())
            .linux_parameters(linux.build())
            .set_docker_labels(self.restart.clone().map(|run| [(RESTART_LABEL.to_owned(), run)].into()))
            .build())
    }
}

/// Told from whatever the file puts into the environment, JSON above all, by the names that it can hold.
fn is_placeholder(value: &str) -> bool {
    ["{db-cluster/main#", "{secret/database-"].iter().any(|begin| value.starts_with(begin))
}
