//! The VPC's flow log: what was rejected.

use aws::{failed, gone, kind_of};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    FlowLog as RawFlowLog, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType,
    UnsuccessfulItem,
};
use serde::Serialize;
use statemachine::error::required;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

use crate::permissions::{change, create, describe};
use crate::tags::{ours, owned, specification};
use crate::vpc;

/// The flow log. AWS changes nothing of one in place, and it holds nothing itself: a change makes it anew.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlowLog {
    /// Whose traffic.
    pub vpc: Name,
    /// `REJECT`: what was refused.
    pub traffic: String,
    /// Where it is written.
    pub log_group: Name,
    /// As whom.
    pub role: Name,
    /// Longest time that flows are gathered before they are written, in seconds.
    pub interval_s: i32,
}

/// The one flow log of a stack.
pub fn name() -> Name {
    Name::new(FlowLog::KIND, "main")
}

impl FlowLog {
    /// The VPC's rejects, to the foundation's log group.
    pub fn rejects() -> Self {
        Self {
            vpc: vpc::name(),
            traffic: TrafficType::Reject.as_str().to_owned(),
            log_group: resource::flow_log_group(),
            role: resource::role("flow-log"),
            interval_s: 600,
        }
    }
}

impl Resource for FlowLog {
    type Client = Client;
    type Raw = RawFlowLog;

    const KIND: &'static str = "flow-log";

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let every = scope.every_stack();
        let mut permissions = create(scope, "ec2:CreateFlowLogs", "vpc-flow-log");
        permissions.push(describe(&["ec2:DescribeFlowLogs"]));
        permissions.push(change(scope, &["ec2:CreateFlowLogs"], &["vpc"]));
        permissions.push(change(scope, &["ec2:DeleteFlowLogs"], &["vpc-flow-log"]));
        let role = scope.global("iam", &format!("role{}{}", every.role_path(), every.role("flow-log")));
        let pass = Permission::on(&["iam:PassRole"], [role]);
        permissions.push(pass.when(
            "StringEquals",
            "iam:PassedToService",
            ["vpc-flow-logs.amazonaws.com".to_owned()],
        ));
        permissions
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        [&self.vpc, &self.log_group, &self.role].into_iter().cloned().map(Need::Exists).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<RawFlowLog>> {
        let pages = client.describe_flow_logs().filter(ours(ctx)).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("ec2:DescribeFlowLogs"))
    }

    fn identify(ctx: &Context, raw: &RawFlowLog, _: &Names) -> Option<Identity> {
        Some(Identity::ours(owned(ctx, raw.tags())?, raw.flow_log_id()?))
    }

    fn read(raw: RawFlowLog, names: &Names) -> Result<State<Self>> {
        // A role's id is its name, the last part of its ARN.
        let role =
            raw.deliver_logs_permission_arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
        let found = Self {
            vpc: names.name_of(required(raw.resource_id(), "flow log", "a VPC")?),
            traffic: required(raw.traffic_type(), "flow log", "a kind of traffic")?.as_str().to_owned(),
            log_group: names.name_of(raw.log_group_name().unwrap_or_default()),
            role: names.name_of(role),
            interval_s: required(raw.max_aggregation_interval(), "flow log", "an interval")?,
        };
        match raw.flow_log_status() {
            Some("ACTIVE") => Ok(State::Settled(found)),
            other => Err(Error::unknown_status("flow log", other.unwrap_or("none"))),
        }
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_flow_logs()
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(names.need(&self.vpc)?)
            .traffic_type(TrafficType::from(self.traffic.as_str()))
            .log_destination_type(LogDestinationType::CloudWatchLogs)
            .log_group_name(names.need(&self.log_group)?)
            .deliver_logs_permission_arn(names.need_attribute(&self.role, "arn")?)
            .max_aggregation_interval(self.interval_s)
            .client_token(ctx.token(&self.name()))
            .tag_specifications(specification(&ctx, ResourceType::VpcFlowLog, &self.name()));
        let answer = create.send().await.map_err(failed("ec2:CreateFlowLogs"))?;
        refused("ec2:CreateFlowLogs", answer.unsuccessful())?;
        let id = required(answer.flow_log_ids().first(), "flow log", "an id")?;
        Ok(Made::settled(id))
    }

    async fn update(self, _: Self, id: String, call: Call<Client>) -> Result<Made> {
        Self::delete(id, None, call.clone()).await?;
        self.create(call).await
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let answer =
            client.delete_flow_logs().flow_log_ids(id).send().await.map_err(failed("ec2:DeleteFlowLogs"));
        gone(answer.and_then(|answer| refused("ec2:DeleteFlowLogs", answer.unsuccessful())), Gone::Now)
    }
}

/// What a call could not do stands in an answer that is otherwise a good one.
fn refused(action: &'static str, unsuccessful: &[UnsuccessfulItem]) -> Result<()> {
    let Some(error) = unsuccessful.iter().find_map(UnsuccessfulItem::error) else { return Ok(()) };
    let (code, said) = (error.code().unwrap_or(""), error.message().unwrap_or("no message"));
    let operation = action.trim_start_matches("ec2:");
    let message = format!("{operation} failed: {said} ({code})");
    Err(Error { kind: kind_of(code, said, 400), message, action: Some(action), code: Some(code.to_owned()) })
}
