//! Who does what in the console, and what a plan then shows, or how AWS refuses it.

use serde_json::{Value, json};

/// A call of AWS.
pub(super) struct Call {
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) params: Value,
}

/// What a person does, and the lines of the plan that show it.
pub(super) struct Hand {
    pub(super) calls: Vec<Call>,
    pub(super) shows: Vec<&'static str>,
}

fn call(service: &'static str, operation: &'static str, params: Value) -> Call {
    Call { service, operation, params }
}

fn hand(shows: &[&'static str], calls: impl IntoIterator<Item = Call>) -> Hand {
    Hand { calls: calls.into_iter().collect(), shows: shows.to_vec() }
}

/// One field of each kind that has a field to drift.
pub(super) fn changes() -> Vec<Hand> {
    [foundation_changes(), network_changes(), data_changes(), traffic_changes()]
        .into_iter()
        .flatten()
        .collect()
}

fn foundation_changes() -> Vec<Hand> {
    let role = json!({ "RoleName": "$role/task", "PolicyName": "stepstack" });
    let retention = json!({ "logGroupName": "$log-group/api", "retentionInDays": 30 });
    let insights = json!([{ "name": "containerInsights", "value": "enabled" }]);
    let scan = json!({ "repositoryName": "$repository/main", "imageScanningConfiguration": { "scanOnPush": false } });
    vec![
        hand(&["update role/task"], [call("iam", "DeleteRolePolicy", role)]),
        hand(&["update log-group/api"], [call("logs", "PutRetentionPolicy", retention)]),
        hand(
            &["update cluster/main"],
            [call(
                "ecs",
                "UpdateClusterSettings",
                json!({ "cluster": "$cluster/main", "settings": insights }),
            )],
        ),
        hand(
            &["update bucket/uploads"],
            [call("s3", "DeleteBucketCors", json!({ "Bucket": "$bucket/uploads" }))],
        ),
        hand(&["update repository/main"], [call("ecr", "PutImageScanningConfiguration", scan)]),
    ]
}

fn network_changes() -> Vec<Hand> {
    let dns = json!({ "VpcId": "$vpc/main", "EnableDnsHostnames": { "Value": false } });
    let public = json!({ "SubnetId": "$subnet/public-a", "MapPublicIpOnLaunch": { "Value": true } });
    let everybody = json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
    let open = json!({ "GroupId": "$default-security-group/main", "IpPermissions": everybody });
    let entry = json!({ "NetworkAclId": "$network-acl/main", "RuleNumber": 90, "Egress": false });
    let route = json!({ "RouteTableId": "$route-table/public", "DestinationCidrBlock": "0.0.0.0/0" });
    let tables =
        json!({ "VpcEndpointId": "$vpc-endpoint/s3", "RemoveRouteTableIds": ["$route-table/private-a"] });
    let aside = json!({
        "RouteTableId": "$route-table/private-b",
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": "$internet-gateway/main",
    });
    let http = json!({ "GroupId": "$security-group/load-balancer", "SecurityGroupRules": [{
        "SecurityGroupRuleId": "$security-group-rule/load-balancer-in-80-from-internet",
        "SecurityGroupRule": {
            "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "0.0.0.0/0", "Description": "mine",
        },
    }] });
    vec![
        // The table is private no longer, and a route of it leads elsewhere.
        hand(
            &["update route-table/private-b", "update route/private-b"],
            [call("ec2", "ReplaceRoute", aside)],
        ),
        hand(
            &["update security-group-rule/load-balancer-in-80-from-internet"],
            [call("ec2", "ModifySecurityGroupRules", http)],
        ),
        hand(&["update vpc/main"], [call("ec2", "ModifyVpcAttribute", dns)]),
        hand(&["update subnet/public-a"], [call("ec2", "ModifySubnetAttribute", public)]),
        hand(&["update default-security-group/main"], [call("ec2", "AuthorizeSecurityGroupIngress", open)]),
        hand(&["update network-acl/main"], [call("ec2", "DeleteNetworkAclEntry", entry)]),
        hand(&["update route-table/public"], [call("ec2", "DeleteRoute", route)]),
        hand(&["update vpc-endpoint/s3"], [call("ec2", "ModifyVpcEndpoint", tables)]),
    ]
}

fn data_changes() -> Vec<Hand> {
    let backups = json!({ "DBClusterIdentifier": "$db-cluster/main", "BackupRetentionPeriod": 1, "ApplyImmediately": true });
    let tier = json!({ "DBInstanceIdentifier": "$db-instance/main", "AutoMinorVersionUpgrade": false, "ApplyImmediately": true });
    let tls = json!({
        "DBClusterParameterGroupName": "$db-parameter-group/main",
        "Parameters": [{ "ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate" }],
    });
    let subnets = json!({
        "DBSubnetGroupName": "$db-subnet-group/main",
        "SubnetIds": ["$subnet/private-a", "$subnet/private-b", "$subnet/public-a"],
    });
    vec![
        hand(&["update db-cluster/main"], [call("rds", "ModifyDBCluster", backups)]),
        hand(&["update db-instance/main"], [call("rds", "ModifyDBInstance", tier)]),
        hand(&["update db-parameter-group/main"], [call("rds", "ModifyDBClusterParameterGroup", tls)]),
        hand(&["update db-subnet-group/main"], [call("rds", "ModifyDBSubnetGroup", subnets)]),
    ]
}

fn traffic_changes() -> Vec<Hand> {
    let attribute = |key: &str, value: &str| json!([{ "Key": key, "Value": value }]);
    let idle = json!({
        "LoadBalancerArn": "$load-balancer/main",
        "Attributes": attribute("idle_timeout.timeout_seconds", "120"),
    });
    let policy = json!({ "ListenerArn": "$listener/https", "SslPolicy": "ELBSecurityPolicy-2016-08" });
    let delay = json!({
        "TargetGroupArn": "$target-group/api",
        "Attributes": attribute("deregistration_delay.timeout_seconds", "300"),
    });
    let priority = json!({ "RulePriorities": [{ "RuleArn": "$listener-rule/api", "Priority": 7 }] });
    let count = json!({ "cluster": "$cluster/main", "service": "worker", "desiredCount": 3 });
    let rule = json!({ "Name": "$event-rule/image-push" });
    vec![
        hand(&["update load-balancer/main"], [call("elbv2", "ModifyLoadBalancerAttributes", idle)]),
        hand(&["update listener/https"], [call("elbv2", "ModifyListener", policy)]),
        hand(&["update target-group/api"], [call("elbv2", "ModifyTargetGroupAttributes", delay)]),
        hand(&["update listener-rule/api"], [call("elbv2", "SetRulePriorities", priority)]),
        hand(&["update service/worker"], [call("ecs", "UpdateService", count)]),
        hand(&["update event-rule/image-push"], [call("events", "DisableRule", rule)]),
    ]
}

/// Kinds that stay as they were made, with the reason.
pub(super) const CONSTANT: [(&str, &str); 10] = [
    ("internet-gateway", "it is attached, or it is not ours"),
    ("security-group", "AWS changes nothing of it; its rules are a kind of their own"),
    ("address", "it is the gateway's, or nobody's"),
    ("nat-gateway", "AWS changes nothing of it"),
    ("flow-log", "AWS changes nothing of it"),
    ("certificate", "AWS changes nothing of it that we set"),
    ("hosted-zone", "its records are a kind of their own"),
    ("record", "one that points elsewhere is a stranger's: it has a test of its own"),
    ("secret", "nobody reads a value to compare it"),
    ("task-definition", "a revision cannot be changed"),
];

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
    let alias = json!({
        "HostedZoneId": "$hosted-zone/main",
        "ChangeBatch": { "Changes": [{ "Action": "DELETE", "ResourceRecordSet": {
            "Name": "api.tryarive.com", "Type": "A", "AliasTarget": {
                "HostedZoneId": "$load-balancer/main#zone_id",
                "DNSName": "$load-balancer/main#dns_name",
                "EvaluateTargetHealth": false,
            },
        } }] },
    });
    let instance = json!({ "DBInstanceIdentifier": "$db-instance/main", "SkipFinalSnapshot": true });
    vec![
        hand(&["create route/private-b"], [call("ec2", "DeleteRoute", route)]),
        hand(
            &["create nat-gateway/a", "update route/private-a"],
            [call("ec2", "DeleteNatGateway", json!({ "NatGatewayId": "$nat-gateway/a" }))],
        ),
        hand(&["create db-instance/main"], [call("rds", "DeleteDBInstance", instance)]),
        hand(&["create record/alias-api.tryarive.com"], [call("route53", "ChangeResourceRecordSets", alias)]),
        // Its ARN is another, so the tasks follow it.
        hand(
            &[
                "create secret/database-url",
                "create task-definition/api",
                "create task-definition/worker",
                "delete task-definition/api",
                "delete task-definition/worker",
                "update service/api",
                "update service/worker",
            ],
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
    let elsewhere = json!({
        "HostedZoneId": "$hosted-zone/main",
        "ChangeBatch": { "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": {
            "Name": "api.tryarive.com", "Type": "A", "AliasTarget": {
                "HostedZoneId": "$load-balancer/main#zone_id",
                "DNSName": "another-1.us-east-1.elb.amazonaws.com",
                "EvaluateTargetHealth": false,
            },
        } }] },
    });
    let change = call("route53", "ChangeResourceRecordSets", elsewhere);
    hand(&["refuse record/alias-api.tryarive.com"], [change])
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
