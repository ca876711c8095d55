//! The VPC's flow log of rejected connections.

use aws::failed;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{FlowLog as Raw, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use serde::Serialize;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result};

use crate::permissions::{DESCRIBE, owned_by_app, tagged_create};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// A flow log to CloudWatch Logs. Nothing of it can change in place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlowLog {
    /// `REJECT`.
    pub traffic: String,
    /// The log group.
    pub log_group: Name,
    /// The role that writes.
    pub role: Name,
    /// Seconds over which it gathers.
    pub interval_s: i32,
}

/// The flow log that every stack has.
pub fn of_rejects() -> FlowLog {
    FlowLog {
        traffic: "REJECT".to_owned(),
        log_group: Name::new("log-group", "flow"),
        role: Name::new("role", "flow-log"),
        interval_s: 600,
    }
}

impl FlowLog {
    fn role_arn(&self) -> Name {
        self.role.attribute("arn")
    }
}

impl Resource for FlowLog {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = "flow-log";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let log = scope.arn("ec2", "vpc-flow-log/*");
        let mut permissions = tagged_create(scope, "ec2:CreateFlowLogs", "CreateFlowLogs", &log);
        permissions.push(Permission::unscoped(&["ec2:DescribeFlowLogs"], DESCRIBE));
        permissions.push(owned_by_app(scope, &["ec2:CreateFlowLogs"], [scope.arn("ec2", "vpc/*")]));
        permissions.push(owned_by_app(scope, &["ec2:DeleteFlowLogs"], [log]));
        let role = scope.global("iam", &format!("role/stepstack/{}/*", scope.app));
        permissions.push(
            Permission::on(&["iam:PassRole"], [role])
                .when("StringEquals", "iam:PassedToService", ["vpc-flow-logs.amazonaws.com".to_owned()]),
        );
        permissions
    }

    fn name(&self) -> Name {
        Name::hashed(Self::KIND, "main", self)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Exists(vpc::name()), Need::Exists(self.log_group.clone()), Need::Exists(self.role.clone())]
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.describe_flow_logs().filter(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeFlowLogs"))
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.flow_log_id()?))
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let role = raw.deliver_logs_permission_arn().unwrap_or_default();
        let wanted = of_rejects();
        let role = if names.id(&wanted.role_arn()) == Some(role) { wanted.role } else { Name::foreign(role) };
        let found = Self {
            traffic: raw.traffic_type().map_or_else(String::new, |kind| kind.as_str().to_owned()),
            log_group: names.name_of(raw.log_group_name().unwrap_or_default()),
            role,
            interval_s: raw.max_aggregation_interval().unwrap_or(600),
        };
        match raw.flow_log_status() {
            Some("ACTIVE") => Ok(State::Settled(found)),
            other => Err(Error::unknown_status("flow log", other.unwrap_or("none"))),
        }
    }

    fn immutable(&self, now: &Self) -> Option<String> {
        (self != now).then(|| "A flow log cannot change. Delete it in the console; the next apply makes it anew.".to_owned())
    }

    async fn create(self, ctx: Context, client: Client, ids: Names) -> Result<Made> {
        let create = client
            .create_flow_logs()
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(ids.need(&vpc::name())?)
            .traffic_type(TrafficType::Reject)
            .log_destination_type(LogDestinationType::CloudWatchLogs)
            .log_group_name(ids.need(&self.log_group)?)
            .deliver_logs_permission_arn(ids.need(&self.role_arn())?)
            .max_aggregation_interval(self.interval_s)
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::VpcFlowLog, &self.name()));
        let made = create.send().await.map_err(failed("ec2:CreateFlowLogs"))?;
        if let Some(error) = made.unsuccessful().iter().find_map(|item| item.error()) {
            let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or("no reason given"));
            let mut failure = Error::new(aws::kind_of(code, message, 400), format!("CreateFlowLogs failed: {message} ({code})"));
            if message.contains("Log Destination") || message.contains("assume") {
                failure.kind = ErrorKind::Propagating;
            }
            return Err(failure);
        }
        let id = made.flow_log_ids().first().ok_or_else(|| Error::missing_field("flow log", "an id"))?;
        Ok(Made::settled(id))
    }

    async fn update(self, _: Self, _: String, _: Context, _: Client, _: Names) -> Result<Made> {
        Err(Error::internal("a flow log never changes"))
    }

    async fn delete(id: String, _: Option<Self>, _: Context, client: Client, _: Names) -> Result<Gone> {
        let deleted = client.delete_flow_logs().flow_log_ids(id).send().await.map_err(failed("ec2:DeleteFlowLogs"));
        match deleted {
            Ok(_) => Ok(Gone::Now),
            Err(error) if error.kind == ErrorKind::Missing => Ok(Gone::Now),
            Err(error) => Err(error),
        }
    }
}
