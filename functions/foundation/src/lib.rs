//! The foundation function: all that needs nothing, and that others may need early.

pub mod bucket;
pub mod cluster;
pub mod log_group;
pub mod policy;
pub mod repository;
pub mod resources;
pub mod restored_object;
pub mod role;

use aws::Function;
use aws_types::SdkConfig;
use statemachine::message::Document;
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;
use statemachine::{Result, owns};

use crate::bucket::Bucket;
use crate::cluster::Cluster;
use crate::log_group::LogGroup;
use crate::repository::Repository;
use crate::restored_object::RestoredObject;
use crate::role::Role;

/// The function's clients.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each client is named after its service")]
pub struct Clients {
    pub iam: aws_sdk_iam::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub ecs: aws_sdk_ecs::Client,
    pub s3: aws_sdk_s3::Client,
    pub ecr: aws_sdk_ecr::Client,
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Self {
            iam: aws_sdk_iam::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            ecr: aws_sdk_ecr::Client::new(config),
        }
    }

    async fn resources(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Resources<Self>> {
        Ok(resources::foundation(self, ctx, document))
    }
}

owns!(Clients: Role, LogGroup, Cluster, Bucket, Repository, RestoredObject);
