//! The services function: what runs the app, and what leads to it.

pub mod image;
pub mod listener_rule;
pub mod resources;
pub mod scaling;
pub mod service;
pub mod target_group;
pub mod task;
pub mod task_definition;

use aws::{Function, failed};
use aws_sdk_ecs::types::TaskDefinition as RawDefinition;
use aws_types::SdkConfig;
use certificate::record::Record;
use events::EventRule;
use ingress::listener::Listener;
use statemachine::config::Stack;
use statemachine::error::Optional as _;
use statemachine::message::{self, Document, TakesEffect, Wanted};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;
use statemachine::{Error, ErrorKind, Result, owns};

use crate::image::Image;
use crate::listener_rule::ListenerRule;
use crate::scaling::ScalingTarget;
use crate::service::Service;
use crate::target_group::TargetGroup;
use crate::task::Task;
use crate::task_definition::TaskDefinition;

/// The function's clients.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each client is named after its service")]
pub struct Clients {
    pub ecs: aws_sdk_ecs::Client,
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    pub route53: aws_sdk_route53::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub events: aws_sdk_eventbridge::Client,
    pub autoscaling: aws_sdk_applicationautoscaling::Client,
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self {
            ecs: aws_sdk_ecs::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            route53: aws_sdk_route53::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
            autoscaling: aws_sdk_applicationautoscaling::Client::new(config),
        }
    }

    async fn resources(&self, ctx: &Context, document: &Document, names: &Names) -> Result<Resources<Self>> {
        let image = match &document.stack {
            Some(stack) => self.image(ctx, document, stack, names).await?,
            None => None,
        };
        Ok(resources::services(self, ctx, document, names, image.as_ref()))
    }

    fn reads(scope: &Scope) -> Vec<Permission> {
        let images = scope.arn("ecr", &format!("repository/{}", scope.every_stack().repository()));
        let reads = ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"];
        vec![Permission::on(&reads, [images])]
    }
}

owns!(
    Clients:
    TargetGroup, Listener, ListenerRule, Record, TaskDefinition, Task, Service, ScalingTarget, EventRule,
);

impl Clients {
    /// The image that the services are to run: what the run was given (a deploy's, or the newest good
    /// release), else what runs already, else the newest in the repository. The architecture of a release is
    /// known; otherwise it comes from what runs, where that is the same image, else from ECR.
    ///
    /// # Errors
    ///
    /// A deploy of an image that the repository does not hold; an image for an architecture that Fargate lacks.
    async fn image(
        &self,
        ctx: &Context,
        document: &Document,
        stack: &Stack,
        names: &Names,
    ) -> Result<Option<Image>> {
        let asked = document.image.as_ref().map(Wanted::image);
        if let Some(message::Image { digest, architecture: Some(architecture), .. }) = asked {
            return Ok(Some(Image { digest: digest.clone(), architecture: architecture.clone() }));
        }
        let asked = asked.map(|image| image.digest.clone());
        // In a cluster that this run has made, nothing runs yet.
        let cluster_is_new = document.stages.foundation.made.contains(&resource::cluster());
        let running = if cluster_is_new { None } else { self.running(ctx, stack).await? };
        if let Some(running) =
            running.filter(|running| asked.as_ref().is_none_or(|asked| *asked == running.digest))
        {
            return Ok(Some(running));
        }
        let repository = ctx.aws_names().repository();
        let known = names.id(&resource::repository()).is_some();
        if !known {
            return Ok(None);
        }
        if let Some(digest) = asked {
            match image::architecture(&self.ecr, &repository, &digest).await {
                Ok(architecture) => return Ok(Some(Image { digest, architecture })),
                // The last good release went with an earlier life of the stack. A deploy, however, means it.
                Err(error)
                    if error.kind == ErrorKind::Missing
                        && document.run.operation.facts().takes_effect == TakesEffect::Accepted => {}
                // There is nothing to wait for: the run ends, and says why.
                Err(error) if error.kind == ErrorKind::Missing => {
                    return Err(Error { kind: ErrorKind::Invalid, ..error });
                }
                Err(error) => return Err(error),
            }
        }
        let newest = image::newest(&self.ecr, &repository, &stack.image.deploy_on_push).await?;
        let Some(digest) = newest else { return Ok(None) };
        let architecture = image::architecture(&self.ecr, &repository, &digest).await?;
        Ok(Some(Image { digest, architecture }))
    }

    /// The image of the first service that runs.
    async fn running(&self, ctx: &Context, stack: &Stack) -> Result<Option<Image>> {
        let names: Vec<String> = stack.services.keys().take(10).cloned().collect();
        let services = self
            .ecs
            .describe_services()
            .cluster(ctx.aws_names().ecs_cluster())
            .set_services(Some(names))
            .send()
            .await;
        let services = services.map_err(failed("ecs:DescribeServices")).optional()?;
        let live = services
            .iter()
            .flat_map(|answer| answer.services())
            .find(|service| service.status() == Some("ACTIVE"));
        let Some(definition) = live.and_then(|service| service.task_definition()) else { return Ok(None) };
        let found = self.ecs.describe_task_definition().task_definition(definition).send().await;
        let found = found.map_err(failed("ecs:DescribeTaskDefinition")).optional()?;
        Ok(found.as_ref().and_then(|found| found.task_definition()).and_then(image_of))
    }
}

fn image_of(definition: &RawDefinition) -> Option<Image> {
    let (_, digest) = definition.container_definitions().first()?.image()?.split_once('@')?;
    let architecture = definition.runtime_platform()?.cpu_architecture()?.as_str().to_owned();
    Some(Image { digest: digest.to_owned(), architecture })
}
