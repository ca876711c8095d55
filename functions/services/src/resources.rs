//! What the stage owns, in the order in which it is made.

use std::collections::{BTreeMap, BTreeSet};

use certificate::record::{Kind, Record, Records};
use events::{EventRule, Rules};
use ingress::listener::Listener;
use statemachine::config::{Egress, Service as Described, Stack};
use statemachine::message::{Document, Operation, Waiting};
use statemachine::naming::resource;
use statemachine::resource::{Context, Name, Names, Resource as _};
use statemachine::tick::Resources;

use crate::Clients;
use crate::image::Image;
use crate::listener_rule::{self, ListenerRule};
use crate::scaling::ScalingTarget;
use crate::service::{GRACE_S, Service, Services, Unlisted};
use crate::target_group::{self, TargetGroup, TargetGroups};
use crate::task::{self, Network, Task, Tasks};
use crate::task_definition::{TaskDefinition, known_or_placeholder, pinned};

/// The stage `services`. Without an image everything is made but task definitions and services.
pub fn services(
    clients: &Clients,
    ctx: &Context,
    document: &Document,
    names: &Names,
    image: Option<&Image>,
) -> Resources<Clients> {
    let stack = document.stack.as_ref();
    let wanted = stack.map(|stack| Wanted { ctx, stack, names, document });
    let definitions =
        wanted.as_ref().zip(image).map(|(wanted, image)| wanted.task_definitions(image)).unwrap_or_default();
    let tasks = wanted.as_ref().zip(image).map(|(wanted, image)| wanted.tasks(image, &definitions));
    let tasks = tasks.unwrap_or_default();
    let services = wanted
        .as_ref()
        .filter(|_| image.is_some())
        .map(|wanted| wanted.services(&definitions, &tasks))
        .unwrap_or_default();
    let scaling = wanted.as_ref().filter(|_| image.is_some()).map(Wanted::scaling).unwrap_or_default();
    let hosts: Vec<String> =
        wanted.iter().flat_map(Wanted::hosts).chain(document.known_hosts.iter().cloned()).collect();
    let records = Records::new(&clients.route53, hosts, wanted.iter().flat_map(Wanted::hosts).collect());
    let scaled = wanted
        .iter()
        .flat_map(|wanted| wanted.stack.services.iter().filter(|(_, service)| wanted.is_scaled(service)));
    let ecs = Services { ecs: clients.ecs.clone(), scaled: scaled.map(|(name, _)| name.clone()).collect() };
    let target_groups = wanted.as_ref().map(Wanted::target_groups).unwrap_or_default();
    let groups = TargetGroups {
        elb: clients.elb.clone(),
        wanted: target_groups.iter().map(|group| (group.service.clone(), group.port)).collect(),
    };
    let lookup = match (&wanted, tasks.is_empty()) {
        (None, _) => task::Lookup::Running,
        (Some(_), true) => task::Lookup::Nothing,
        (Some(_), false) => task::Lookup::OfRun,
    };
    let resources = Resources::new()
        .owns(&groups, target_groups)
        .owns(&clients.elb, wanted.as_ref().and_then(Wanted::https).into_iter().collect())
        .owns(&clients.elb, wanted.as_ref().map(Wanted::listener_rules).unwrap_or_default())
        .owns(&records, wanted.as_ref().map(Wanted::aliases).unwrap_or_default())
        .owns(&clients.ecs, definitions)
        .owns(&Tasks { ecs: clients.ecs.clone(), lookup }, tasks)
        .owns(&ecs, services)
        .owns(&clients.autoscaling, scaling)
        .owns(
            &Rules::of_stack(&clients.events, ctx, &["image-push"]),
            stack.and_then(|stack| EventRule::image_push(ctx, stack)).into_iter().collect(),
        );
    match (image, &wanted) {
        (Some(image), _) => {
            let current = resource::current_image();
            resources
                .output(current.attribute("digest"), image.digest.clone())
                .output(current.attribute("architecture"), image.architecture.clone())
        }
        (None, Some(wanted)) => resources.waits_for_you(wanted.first_push()),
        (None, None) => resources,
    }
}

/// The groups of a service's tasks.
fn security_groups(service: &str) -> BTreeSet<Name> {
    [resource::security_group_of_service(service)].into()
}

struct Wanted<'a> {
    ctx: &'a Context,
    stack: &'a Stack,
    names: &'a Names,
    document: &'a Document,
}

impl Wanted<'_> {
    fn is_paused(&self) -> bool {
        self.document.intent.paused.is_some()
    }

    /// Whether autoscaling decides about its count. Not while it is paused, nor when that ends: then the
    /// count is set once.
    fn is_scaled(&self, service: &Described) -> bool {
        let fixed = self.is_paused() || self.document.run.operation == Operation::Resume;
        service.scale.is_some() && !fixed
    }

    fn hosts(&self) -> Vec<String> {
        self.stack.hosts().collect()
    }

    fn listener(&self) -> Name {
        listener_rule::listener(self.stack.domain.is_some())
    }

    fn target_groups(&self) -> Vec<TargetGroup> {
        self.stack.public_services().filter_map(|(name, service)| TargetGroup::of(name, service)).collect()
    }

    /// HTTPS, where there is a domain to have a certificate for.
    fn https(&self) -> Option<Listener> {
        let hosts = self.hosts();
        (self.stack.domain.is_some() && !hosts.is_empty())
            .then(|| Listener::https(certificate::certificate::name(&hosts)))
    }

    fn listener_rules(&self) -> Vec<ListenerRule> {
        let priorities = ListenerRule::priorities(self.stack.public_services().map(|(name, _)| name));
        let rule = |(name, service): (&str, &Described)| {
            Some(ListenerRule {
                service: name.to_owned(),
                listener: self.listener(),
                priority: priorities[name],
                host: service.host.clone(),
                target_group: target_group::name(name, service.port?.into()),
            })
        };
        self.stack.public_services().filter_map(rule).collect()
    }

    fn aliases(&self) -> Vec<Record> {
        let load_balancer = resource::load_balancer();
        self.hosts()
            .iter()
            .map(|host| Record::new(host, Kind::Alias { load_balancer: load_balancer.clone() }))
            .collect()
    }

    fn task_definitions(&self, image: &Image) -> Vec<TaskDefinition> {
        let definition = |(name, service): (&String, &Described)| TaskDefinition {
            service: name.clone(),
            digest: image.digest.clone(),
            architecture: image.architecture.clone(),
            command: service.command.clone(),
            port: service.port.map(i32::from),
            cpu: service.cpu.to_string(),
            memory: service.memory.to_string(),
            environment: self.environment(name, service),
            secrets: self.secrets(),
            log_group: resource::log_group(name),
            read_only_root: service.read_only_root,
            user: service.user.clone(),
            execution_role: resource::role("execution"),
            task_role: resource::role("task"),
            restart: self.document.intent.restarts.get(name).map(|by| by.run.clone()),
        };
        self.stack.services.iter().map(definition).collect()
    }

    /// What every task gets (design.md section 8), and what the file adds.
    fn environment(&self, name: &str, service: &Described) -> BTreeMap<String, String> {
        let config = self.document.config.as_ref();
        let mut environment = self.document.intent.environment(name, &service.environment, config);
        let mut put = |key: &str, value: String| environment.insert(key.to_owned(), value);
        put("ENV", self.stack.environment.clone());
        put("AWS_REGION", self.ctx.region.clone());
        if let Some(uploads) = &self.stack.uploads {
            put("S3_BUCKET", uploads.bucket.clone());
        }
        if let Some(database) = &self.stack.database {
            let cluster = resource::db_cluster();
            put("PGHOST", known_or_placeholder(self.names, &cluster, "endpoint"));
            put("PGPORT", known_or_placeholder(self.names, &cluster, "port"));
            put("PGDATABASE", database.name.clone());
            put("PGUSER", database.username.clone());
            put("PGSSLMODE", "require".to_owned());
        }
        environment
    }

    fn secrets(&self) -> BTreeMap<String, String> {
        let pair = |key: &str, secret: Name| (key.to_owned(), pinned(self.names, &secret));
        match &self.stack.database {
            Some(_) => BTreeMap::from([
                pair("PGPASSWORD", resource::database_password()),
                pair("DATABASE_URL", resource::database_url()),
            ]),
            None => BTreeMap::new(),
        }
    }

    /// The release command of an image that was never released, and the command of a `run`. A rollback runs
    /// no release command: an older image knows nothing of a newer database.
    fn tasks(&self, image: &Image, definitions: &[TaskDefinition]) -> Vec<Task> {
        let run = &self.document.run;
        let before = self.document.before.as_deref().unwrap_or(&self.document.intent);
        let is_new = before.release.as_ref().is_none_or(|release| release.image.digest != image.digest);
        let (name, service, command) = match &self.stack.release {
            _ if run.operation == Operation::Run => {
                let lent = self.stack.release.as_ref().map(|release| &release.service);
                let service = run.parameters.services.first().or(lent).or(self.stack.services.keys().next());
                (task::run(), service, run.parameters.command.clone())
            }
            Some(release) if is_new && run.operation != Operation::Rollback && !self.is_paused() => {
                (task::release(), Some(&release.service), release.command.clone())
            }
            Some(_) | None => return Vec::new(),
        };
        let definition = definitions.iter().find(|definition| Some(&definition.service) == service);
        let task = definition.map(|definition| Task {
            what: name.what().to_owned(),
            service: definition.service.clone(),
            task_definition: definition.name(),
            command,
            failed: None,
            network: Network {
                subnets: self.subnets(),
                security_groups: security_groups(&definition.service),
                public_address: self.is_in_public(),
            },
        });
        task.into_iter().collect()
    }

    fn is_in_public(&self) -> bool {
        self.stack.network.egress == Egress::Public
    }

    /// Where tasks stand.
    fn subnets(&self) -> BTreeSet<Name> {
        let tier = if self.is_in_public() { "public" } else { "private" };
        ["a", "b"].map(|zone| resource::subnet(&format!("{tier}-{zone}"))).into()
    }

    fn services(&self, definitions: &[TaskDefinition], tasks: &[Task]) -> Vec<Service> {
        let after = tasks.iter().map(Task::name).find(|name| *name == task::release());
        let service = |definition: &TaskDefinition| {
            let name = &definition.service;
            let described = &self.stack.services[name];
            let wanted = self.document.intent.count(name, described.count);
            let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
            let target_group = definition.port.map(|port| target_group::name(name, port));
            Service {
                service: name.clone(),
                task_definition: definition.name(),
                desired_count: (!self.is_scaled(described)).then(|| count(wanted)),
                subnets: self.subnets(),
                security_groups: security_groups(name),
                public_address: self.is_in_public(),
                port: definition.port,
                exec: described.exec,
                circuit_breaker: true,
                healthy_percent: (100, 200),
                grace_s: target_group.as_ref().map(|_| GRACE_S),
                rebalances_zones: true,
                failed_rollout: None,
                unlisted: Unlisted {
                    first_count: count(wanted),
                    after: after.clone(),
                    rule: target_group.is_some().then(|| listener_rule::name(name, &self.listener())),
                },
                target_group,
            }
        };
        definitions.iter().map(service).collect()
    }

    fn scaling(&self) -> Vec<ScalingTarget> {
        let target = |(name, service): (&String, &Described)| {
            Some(ScalingTarget::of(name, service.scale.as_ref()?, self.is_paused()))
        };
        self.stack.services.iter().filter_map(target).collect()
    }

    fn first_push(&self) -> Waiting {
        let repository = resource::repository();
        let uri = self.names.attribute(&repository, "uri").unwrap_or("REPOSITORY").to_owned();
        let registry = uri.split('/').next().unwrap_or_default().to_owned();
        let tag = self.stack.image.deploy_on_push.first().map_or("latest", String::as_str);
        let region = &self.ctx.region;
        Waiting {
            what: "the first image".to_owned(),
            next: [
                "Push it, and the services start by themselves:".to_owned(),
                format!("  aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}"),
                format!("  docker build --platform linux/arm64 -t {uri}:{tag} ."),
                format!("  docker push {uri}:{tag}"),
            ]
            .join("\n"),
        }
    }
}
