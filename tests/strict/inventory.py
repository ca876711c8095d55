"""Everything that the emulator holds, by names that do not depend on chance: two runs that made the same have
the same inventory."""

from collections.abc import Iterator
from typing import Any

import twice
from wire import Value
from world import World

TAG = "stepstack:name"


def name_of(item: Value, *fields: str) -> str:
    """The name in a thing's tags, else the first of these fields."""
    for tag in item.get("Tags", item.get("TagSet", item.get("TagList", []))) or []:
        if tag.get("Key") == TAG:
            return tag["Value"]
    return next((item[field] for field in fields if item.get(field)), "?")


def listed(world: World) -> list[str]:
    twice.wait()
    return sorted([*_network(world), *_ingress(world), *_databases(world), *_tasks(world), *_rest(world)])


def _network(world: World) -> Iterator[Any]:
    kinds = {
        "Vpcs": ("DescribeVpcs", ("CidrBlock",)),
        "Subnets": ("DescribeSubnets", ("CidrBlock",)),
        "InternetGateways": ("DescribeInternetGateways", ()),
        "RouteTables": ("DescribeRouteTables", ()),
        "Addresses": ("DescribeAddresses", ()),
        "VpcEndpoints": ("DescribeVpcEndpoints", ("ServiceName",)),
        "FlowLogs": ("DescribeFlowLogs", ()),
        "NetworkAcls": ("DescribeNetworkAcls", ("IsDefault",)),
    }
    for kind, (operation, fields) in kinds.items():
        for item in world.ask("ec2", operation).get(kind, []):
            yield f"{kind} {name_of(item, *fields)}"
            for route in item.get("Routes", []) if kind == "RouteTables" else []:
                target = next((key for key in ("GatewayId", "NatGatewayId") if route.get(key)), "other")
                yield f"route of {name_of(item)} {route.get('DestinationCidrBlock', 'list')} {target}"
    for gateway in world.ask("ec2", "DescribeNatGateways").get("NatGateways", []):
        if gateway["State"] != "deleted":
            yield f"NatGateways {name_of(gateway)}"
    groups = {
        one["GroupId"]: name_of(one, "GroupName")
        for one in world.ask("ec2", "DescribeSecurityGroups").get("SecurityGroups", [])
    }
    yield from (f"SecurityGroups {name}" for name in groups.values())
    for rule in world.ask("ec2", "DescribeSecurityGroupRules").get("SecurityGroupRules", []):
        peer = rule.get("CidrIpv4") or groups.get(rule.get("ReferencedGroupInfo", {}).get("GroupId"), "?")
        yield f"rule of {groups.get(rule['GroupId'])} {rule.get('IsEgress')} {rule.get('FromPort')} {peer}"


def _ingress(world: World) -> Iterator[Any]:
    for balancer in world.ask("elbv2", "DescribeLoadBalancers").get("LoadBalancers", []):
        yield f"load balancer {balancer['LoadBalancerName']}"
        for listener in world.ask("elbv2", "DescribeListeners", LoadBalancerArn=balancer["LoadBalancerArn"]).get(
            "Listeners", []
        ):
            yield f"listener {listener.get('Port')}"
            for rule in world.ask("elbv2", "DescribeRules", ListenerArn=listener["ListenerArn"]).get("Rules", []):
                yield f"listener rule {listener.get('Port')} {rule.get('Priority')}"
    for group in world.ask("elbv2", "DescribeTargetGroups").get("TargetGroups", []):
        yield f"target group {group['TargetGroupName']}"
    for certificate in world.ask("acm", "ListCertificates").get("CertificateSummaryList", []):
        yield f"certificate {certificate['DomainName']}"
    for zone in world.ask("route53", "ListHostedZones").get("HostedZones", []):
        yield f"zone {zone['Name']}"
        zone_id = zone["Id"].rpartition("/")[2]
        for record in world.ask("route53", "ListResourceRecordSets", HostedZoneId=zone_id).get(
            "ResourceRecordSets", []
        ):
            yield f"record {record['Type']} {record['Name']}"


def _databases(world: World) -> Iterator[Any]:
    kinds = {
        "DBClusters": ("DescribeDBClusters", "DBClusterIdentifier"),
        "DBInstances": ("DescribeDBInstances", "DBInstanceIdentifier"),
        "DBSubnetGroups": ("DescribeDBSubnetGroups", "DBSubnetGroupName"),
        "DBClusterParameterGroups": ("DescribeDBClusterParameterGroups", "DBClusterParameterGroupName"),
    }
    for kind, (operation, field) in kinds.items():
        yield from (f"{kind} {item[field]}" for item in world.ask("rds", operation).get(kind, []))
    # Final snapshots carry their run's id: they are counted.
    snapshots = world.ask("rds", "DescribeDBClusterSnapshots", SnapshotType="manual").get("DBClusterSnapshots", [])
    yield from (f"snapshot of {one['DBClusterIdentifier']}" for one in snapshots)
    for secret in world.ask("secretsmanager", "ListSecrets").get("SecretList", []):
        yield f"secret {secret['Name']}"


def _tasks(world: World) -> Iterator[Any]:
    for cluster in world.ask("ecs", "ListClusters").get("clusterArns", []):
        yield f"cluster {cluster.rpartition('/')[2]}"
        names = world.ask("ecs", "ListServices", cluster=cluster).get("serviceArns", [])
        for service in (
            world.ask("ecs", "DescribeServices", cluster=cluster, services=names).get("services", []) if names else []
        ):
            if service["status"] != "INACTIVE":
                yield f"service {service['serviceName']} {service['desiredCount']}"
    for arn in world.ask("ecs", "ListTaskDefinitions", status="ACTIVE").get("taskDefinitionArns", []):
        yield f"task definition {arn.rpartition('/')[2].partition(':')[0]}"


def _rest(world: World) -> Iterator[Any]:
    for role in world.ask("iam", "ListRoles").get("Roles", []):
        yield f"role {role['Path']}{role['RoleName']}"
        for policy in world.ask("iam", "ListRolePolicies", RoleName=role["RoleName"]).get("PolicyNames", []):
            yield f"policy of {role['RoleName']} {policy}"
    yield from (f"bucket {one['Name']}" for one in world.ask("s3", "ListBuckets").get("Buckets", []))
    yield from (
        f"repository {one['repositoryName']}"
        for one in world.ask("ecr", "DescribeRepositories").get("repositories", [])
    )
    for group in world.ask("logs", "DescribeLogGroups").get("logGroups", []):
        if not group["logGroupName"].startswith("/aws/lambda/"):
            yield f"log group {group['logGroupName']} {group.get('retentionInDays')}"
    for rule in world.ask("events", "ListRules").get("Rules", []):
        targets = world.ask("events", "ListTargetsByRule", Rule=rule["Name"]).get("Targets", [])
        yield f"rule {rule['Name']} {len(targets)}"
