//! What somebody changes in the console, and what a plan then shows.

use serde_json::json;

use super::hands::{Hand, call, hand};

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
