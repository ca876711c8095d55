//! What somebody deletes in the console, and what a plan then shows, or how AWS refuses it.

use serde_json::json;

use super::hands::{Call, Hand, call, hand};
use crate::data_at_stake::FOLLOWERS;

/// Kinds that `data_at_stake` deletes.
pub(super) const DATA: [&str; 2] = ["bucket", "db-cluster"];

/// What AWS lets a person delete, with what has to go before it; round by round.
pub(super) fn deletions() -> Vec<Vec<Hand>> {
    vec![loose_ends(), traffic(), ways_out(), engine_room(), front_door()]
}

/// What nothing else hangs on.
fn loose_ends() -> Vec<Hand> {
    let role = "$role/flow-log";
    let http = json!({ "GroupId": "$security-group/load-balancer", "SecurityGroupRuleIds": ["$security-group-rule/load-balancer-in-80-from-internet"] });
    let event_rule = json!({ "Name": "$event-rule/image-push" });
    let targets = json!({ "Rule": "$event-rule/image-push", "Ids": ["state-machine"] });
    vec![
        hand(
            &["create log-group/worker"],
            [call("logs", "DeleteLogGroup", json!({ "logGroupName": "$log-group/worker" }))],
        ),
        hand(
            &["create role/flow-log"],
            [
                call("iam", "DeleteRolePolicy", json!({ "RoleName": role, "PolicyName": "stepstack" })),
                call("iam", "DeleteRole", json!({ "RoleName": role })),
            ],
        ),
        hand(
            &["create flow-log/main"],
            [call("ec2", "DeleteFlowLogs", json!({ "FlowLogIds": ["$flow-log/main"] }))],
        ),
        hand(
            &["create vpc-endpoint/s3"],
            [call("ec2", "DeleteVpcEndpoints", json!({ "VpcEndpointIds": ["$vpc-endpoint/s3"] }))],
        ),
        hand(
            &["create security-group-rule/load-balancer-in-80-from-internet"],
            [call("ec2", "RevokeSecurityGroupIngress", http)],
        ),
        hand(
            &["create listener/http"],
            [call("elbv2", "DeleteListener", json!({ "ListenerArn": "$listener/http" }))],
        ),
        hand(
            &["create event-rule/image-push"],
            [call("events", "RemoveTargets", targets), call("events", "DeleteRule", event_rule)],
        ),
    ]
}

/// A public service with all that leads to it.
fn traffic() -> Vec<Hand> {
    let service = json!({ "cluster": "$cluster/main", "service": "api", "force": true });
    vec![
        hand(&["create service/api"], [call("ecs", "DeleteService", service)]),
        hand(
            &["create listener-rule/api"],
            [call("elbv2", "DeleteRule", json!({ "RuleArn": "$listener-rule/api" }))],
        ),
        hand(
            &["create target-group/api"],
            [call("elbv2", "DeleteTargetGroup", json!({ "TargetGroupArn": "$target-group/api" }))],
        ),
    ]
}

/// The way out, and the database's instance: the cluster keeps the data.
fn ways_out() -> Vec<Hand> {
    let route = json!({ "RouteTableId": "$route-table/private-b", "DestinationCidrBlock": "0.0.0.0/0" });
    let url = json!({ "SecretId": "$secret/database-url", "ForceDeleteWithoutRecovery": true });
    let instance = json!({ "DBInstanceIdentifier": "$db-instance/main", "SkipFinalSnapshot": true });
    vec![
        hand(&["create route/private-b"], [call("ec2", "DeleteRoute", route)]),
        hand(
            &["create nat-gateway/a", "update route/private-a"],
            [call("ec2", "DeleteNatGateway", json!({ "NatGatewayId": "$nat-gateway/a" }))],
        ),
        hand(&["create db-instance/main"], [call("rds", "DeleteDBInstance", instance)]),
        hand(&["create record/alias-api.tryarive.com"], [alias("DELETE", "$load-balancer/main#dns_name")]),
        // Its ARN is another, so the tasks follow it.
        hand(
            &["create secret/database-url"].into_iter().chain(FOLLOWERS).collect::<Vec<_>>(),
            [call("secretsmanager", "DeleteSecret", url)],
        ),
    ]
}

/// Everything that runs, and the cluster that it runs in; a revision, a role in use and the default's rules.
fn engine_room() -> Vec<Hand> {
    let service = |name: &str| json!({ "cluster": "$cluster/main", "service": name, "force": true });
    let role = "$role/task";
    let policy = json!({ "RoleName": role, "PolicyName": "stepstack" });
    vec![
        hand(&["create service/api"], [call("ecs", "DeleteService", service("api"))]),
        hand(&["create service/worker"], [call("ecs", "DeleteService", service("worker"))]),
        hand(&["create cluster/main"], [call("ecs", "DeleteCluster", json!({ "cluster": "$cluster/main" }))]),
        hand(
            &["create task-definition/worker"],
            [call("ecs", "DeregisterTaskDefinition", json!({ "taskDefinition": "$task-definition/worker" }))],
        ),
        hand(
            &["create role/task"],
            [call("iam", "DeleteRolePolicy", policy), call("iam", "DeleteRole", json!({ "RoleName": role }))],
        ),
    ]
}

/// The load balancer with its listeners, and the images.
fn front_door() -> Vec<Hand> {
    let open = json!({
        "LoadBalancerArn": "$load-balancer/main",
        "Attributes": [{ "Key": "deletion_protection.enabled", "Value": "false" }],
    });
    let balancer = json!({ "LoadBalancerArn": "$load-balancer/main" });
    let repository = json!({ "repositoryName": "$repository/main", "force": true });
    vec![
        hand(
            &[
                "create load-balancer/main",
                "create listener/http",
                "create listener/https",
                "create listener-rule/api",
                "update record/alias-api.tryarive.com",
            ],
            [
                call("elbv2", "ModifyLoadBalancerAttributes", open),
                call("elbv2", "DeleteLoadBalancer", balancer),
            ],
        ),
        hand(&["create repository/main"], [call("ecr", "DeleteRepository", repository)]),
    ]
}

/// A record of ours that somebody points at another load balancer.
pub(super) fn led_astray() -> Hand {
    let elsewhere = alias("UPSERT", "another-1.us-east-1.elb.amazonaws.com");
    hand(&["refuse record/alias-api.tryarive.com"], [elsewhere])
}

/// Changes the service's record.
fn alias(action: &str, dns_name: &str) -> Call {
    let target = json!({
        "HostedZoneId": "$load-balancer/main#zone_id", "DNSName": dns_name, "EvaluateTargetHealth": false,
    });
    let set = json!({ "Name": "api.tryarive.com", "Type": "A", "AliasTarget": target });
    let changes = json!([{ "Action": action, "ResourceRecordSet": set }]);
    let params = json!({ "HostedZoneId": "$hosted-zone/main", "ChangeBatch": { "Changes": changes } });
    call("route53", "ChangeResourceRecordSets", params)
}

/// What AWS refuses while the stack stands, and the error's code.
pub(super) fn refusals() -> Vec<(&'static str, Call, &'static str)> {
    let balancers = json!({ "GroupId": "$security-group/load-balancer" });
    let default = json!({ "GroupId": "$default-security-group/main" });
    let gateway = json!({ "VpcId": "$vpc/main", "InternetGatewayId": "$internet-gateway/main" });
    let subnets = json!({ "DBSubnetGroupName": "$db-subnet-group/main" });
    let parameters = json!({ "DBClusterParameterGroupName": "$db-parameter-group/main" });
    let (used, dependency) = ("ResourceInUseException", "DependencyViolation");
    let ec2 = |operation, params| call("ec2", operation, params);
    vec![
        ("vpc", ec2("DeleteVpc", json!({ "VpcId": "$vpc/main" })), dependency),
        ("subnet", ec2("DeleteSubnet", json!({ "SubnetId": "$subnet/private-a" })), dependency),
        ("internet-gateway", ec2("DetachInternetGateway", gateway), dependency),
        ("security-group", ec2("DeleteSecurityGroup", balancers), dependency),
        ("default-security-group", ec2("DeleteSecurityGroup", default), "CannotDelete"),
        (
            "network-acl",
            ec2("DeleteNetworkAcl", json!({ "NetworkAclId": "$network-acl/main" })),
            "InvalidParameterValue",
        ),
        (
            "route-table",
            ec2("DeleteRouteTable", json!({ "RouteTableId": "$route-table/private-a" })),
            dependency,
        ),
        ("address", ec2("ReleaseAddress", json!({ "AllocationId": "$address/a" })), "InvalidIPAddress.InUse"),
        (
            "certificate",
            call("acm", "DeleteCertificate", json!({ "CertificateArn": "$certificate/main" })),
            used,
        ),
        (
            "hosted-zone",
            call("route53", "DeleteHostedZone", json!({ "Id": "$hosted-zone/main" })),
            "HostedZoneNotEmpty",
        ),
        ("db-subnet-group", call("rds", "DeleteDBSubnetGroup", subnets), "InvalidDBSubnetGroupStateFault"),
        (
            "db-parameter-group",
            call("rds", "DeleteDBClusterParameterGroup", parameters),
            "InvalidDBParameterGroupState",
        ),
    ]
}
