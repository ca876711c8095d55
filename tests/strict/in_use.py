"""Deletes of what is in use are refused, with AWS's codes. Who uses what is asked of the emulator."""

from collections.abc import Iterator
from typing import Any

import slow_ingress
from rules import after, before
from wire import Call, Value
from world import Refused, World


def dependency(what: str) -> Refused:
    return Refused("DependencyViolation", f"{what} has dependencies and cannot be deleted.")


class Interface:
    """A network interface that a service of AWS keeps in somebody's network."""

    def __init__(
        self, owner: str, vpc: str | None, subnets: list[str], groups: list[str], is_public: bool = False
    ) -> None:
        self.owner, self.vpc, self.subnets, self.groups, self.is_public = owner, vpc, subnets, groups, is_public


def interfaces(world: World) -> Iterator[Any]:
    """All of them: of load balancers (also of those just deleted), NAT gateways, interface endpoints,
    database instances and tasks."""
    yield from _of_balancers(world)
    for gateway in world.ask("ec2", "DescribeNatGateways").get("NatGateways", []):
        if gateway["State"] != "deleted":
            yield Interface(gateway["NatGatewayId"], gateway["VpcId"], [gateway["SubnetId"]], [], True)
    for endpoint in world.ask("ec2", "DescribeVpcEndpoints").get("VpcEndpoints", []):
        if endpoint.get("VpcEndpointType") == "Interface":
            groups = [group["GroupId"] for group in endpoint.get("Groups", [])]
            yield Interface(endpoint["VpcEndpointId"], endpoint["VpcId"], endpoint.get("SubnetIds", []), groups)
    yield from _of_databases(world)
    yield from _of_tasks(world)


def _of_balancers(world: World) -> Iterator[Any]:
    live = world.ask("elbv2", "DescribeLoadBalancers").get("LoadBalancers", [])
    for one in live + slow_ingress.lingering(world):
        subnets = [zone["SubnetId"] for zone in one.get("AvailabilityZones", [])]
        name = f"ELB {one['LoadBalancerArn'].partition('loadbalancer/')[2]}"
        yield Interface(
            name, one["VpcId"], subnets, one.get("SecurityGroups", []), one.get("Scheme") == "internet-facing"
        )


def _of_databases(world: World) -> Iterator[Any]:
    """An instance has one interface; which of its group's subnets it is in, nobody can choose."""
    instances = world.ask("rds", "DescribeDBInstances").get("DBInstances", [])
    clusters = (
        {one["DBClusterIdentifier"]: one for one in world.ask("rds", "DescribeDBClusters").get("DBClusters", [])}
        if instances
        else {}
    )
    for instance in instances:
        place = clusters.get(instance.get("DBClusterIdentifier"), instance)
        groups = [group["VpcSecurityGroupId"] for group in place.get("VpcSecurityGroups", [])]
        group = instance.get("DBSubnetGroup", {})
        name = group.get("DBSubnetGroupName") or place.get("DBSubnetGroup")
        found = (
            world.found("rds", "DescribeDBSubnetGroups", DBSubnetGroupName=name).get("DBSubnetGroups", [group])
            if name
            else [group]
        )
        subnets = [subnet["SubnetIdentifier"] for subnet in found[0].get("Subnets", [])]
        yield Interface(instance["DBInstanceIdentifier"], found[0].get("VpcId"), subnets, groups)


def _of_tasks(world: World) -> Iterator[Any]:
    for cluster in world.ask("ecs", "ListClusters").get("clusterArns", []):
        for service in services(world, cluster):
            network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
            if service["runningCount"] or service["desiredCount"]:
                is_public = network.get("assignPublicIp") == "ENABLED"
                yield Interface(
                    f"tasks of {service['serviceName']}",
                    None,
                    network.get("subnets", []),
                    network.get("securityGroups", []),
                    is_public,
                )


def services(world: World, cluster: str) -> list[Value]:
    """The services of a cluster that are not gone; a draining one is there."""
    names = world.ask("ecs", "ListServices", cluster=cluster).get("serviceArns", [])
    found = world.ask("ecs", "DescribeServices", cluster=cluster, services=names).get("services", []) if names else []
    return [one for one in found if one["status"] != "INACTIVE"]


@before("ec2", "DeleteSubnet")
def delete_subnet(world: World, call: Call) -> None:
    name = call.params.get("SubnetId", "")
    for one in interfaces(world):
        if name in one.subnets:
            raise dependency(f"The subnet '{name}' (interface of {one.owner})")


@before("ec2", "DeleteSecurityGroup")
def delete_group(world: World, call: Call) -> None:
    name = call.params.get("GroupId", "")
    groups = world.ask("ec2", "DescribeSecurityGroups").get("SecurityGroups", [])
    own = next((group for group in groups if group["GroupId"] == name), None)
    if own is not None and own["GroupName"] == "default":
        raise Refused("CannotDelete", f'the specified group: "{name}" name: "default" cannot be deleted by a user')
    for group in groups:
        rules = group.get("IpPermissions", []) + group.get("IpPermissionsEgress", [])
        named = [pair.get("GroupId") for rule in rules for pair in rule.get("UserIdGroupPairs", [])]
        if group["GroupId"] != name and name in named:
            raise Refused(
                "DependencyViolation", f"resource {name} has a dependent object (a rule of {group['GroupId']})"
            )
    for one in interfaces(world):
        if name in one.groups:
            raise Refused("DependencyViolation", f"resource {name} has a dependent object (interface of {one.owner})")


@before("ec2", "DetachInternetGateway")
def detach_gateway(world: World, call: Call) -> None:
    vpc = call.params.get("VpcId", "")
    subnets = {one["SubnetId"] for one in world.ask("ec2", "DescribeSubnets").get("Subnets", []) if one["VpcId"] == vpc}
    for one in interfaces(world):
        if one.is_public and (one.vpc == vpc or subnets & set(one.subnets)):
            raise Refused(
                "DependencyViolation",
                f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before "
                f"detaching the gateway. ({one.owner})",
            )


@before("ec2", "DeleteInternetGateway")
def delete_gateway(world: World, call: Call) -> None:
    name = call.params.get("InternetGatewayId", "")
    found = world.found("ec2", "DescribeInternetGateways", InternetGatewayIds=[name]).get("InternetGateways", [])
    if any(one.get("Attachments") for one in found):
        raise dependency(f"The internetGateway '{name}'")


@before("ec2", "DeleteRouteTable")
def delete_route_table(world: World, call: Call) -> None:
    name = call.params.get("RouteTableId", "")
    found = world.found("ec2", "DescribeRouteTables", RouteTableIds=[name]).get("RouteTables", [])
    if any(one.get("Associations") for one in found):
        raise dependency(f"The routeTable '{name}'")


@before("ec2", "DeleteNetworkAcl")
def delete_acl(world: World, call: Call) -> None:
    name = call.params.get("NetworkAclId", "")
    found = world.found("ec2", "DescribeNetworkAcls", NetworkAclIds=[name]).get("NetworkAcls", [])
    if any(one.get("IsDefault") for one in found):
        raise Refused("InvalidParameterValue", f"cannot delete default network ACL {name}")
    if any(one.get("Associations") for one in found):
        raise dependency(f"The networkAcl '{name}'")


@before("ec2", "DeleteVpc")
def delete_vpc(world: World, call: Call) -> None:
    name = call.params.get("VpcId", "")
    mine = [{"Name": "vpc-id", "Values": [name]}]
    gateways = world.ask("ec2", "DescribeInternetGateways").get("InternetGateways", [])
    users = [
        one["InternetGatewayId"] for one in gateways for at in one.get("Attachments", []) if at.get("VpcId") == name
    ]
    users += [one["SubnetId"] for one in world.ask("ec2", "DescribeSubnets", Filters=mine).get("Subnets", [])]
    users += [
        one["GroupId"]
        for one in world.ask("ec2", "DescribeSecurityGroups", Filters=mine).get("SecurityGroups", [])
        if one["GroupName"] != "default"
    ]
    users += [
        one["VpcEndpointId"] for one in world.ask("ec2", "DescribeVpcEndpoints", Filters=mine).get("VpcEndpoints", [])
    ]
    tables = world.ask("ec2", "DescribeRouteTables", Filters=mine).get("RouteTables", [])
    users += [
        one["RouteTableId"] for one in tables if not any(of.get("Main") == "true" for of in one.get("Associations", []))
    ]
    acls = world.ask("ec2", "DescribeNetworkAcls", Filters=mine).get("NetworkAcls", [])
    users += [one["NetworkAclId"] for one in acls if one.get("IsDefault") != "true"]
    users += [one.owner for one in interfaces(world) if one.vpc == name]
    if users:
        raise dependency(f"The vpc '{name}' ({', '.join(users)})")


@before("ec2", "ReleaseAddress")
def release_address(world: World, call: Call) -> None:
    name = call.params.get("AllocationId", "")
    if name in world.note("released"):
        raise Refused("AuthFailure", "You do not have permission to access the specified resource.")
    found = world.found("ec2", "DescribeAddresses", AllocationIds=[name]).get("Addresses", [])
    if any(one.get("AssociationId") for one in found):
        raise Refused("InvalidIPAddress.InUse", f"Address {found[0].get('PublicIp')} is in use.")


@after("ec2", "DescribeAddresses")
def describe_addresses(world: World, call: Call, value: Value) -> None:
    """The emulator lists nothing where AWS says that there is no such address."""
    found = {one["AllocationId"] for one in value.get("Addresses", [])}
    for name in call.params.get("AllocationIds", []):
        if name not in found:
            raise Refused("InvalidAllocationID.NotFound", f"The allocation ID '{name}' does not exist")


@after("ec2", "ReleaseAddress")
def address_released(world: World, call: Call, value: Value) -> None:
    world.note("released")[call.params.get("AllocationId", "")] = True


def listeners(world: World) -> Iterator[Any]:
    for balancer in world.ask("elbv2", "DescribeLoadBalancers").get("LoadBalancers", []):
        yield from world.ask("elbv2", "DescribeListeners", LoadBalancerArn=balancer["LoadBalancerArn"]).get(
            "Listeners", []
        )


@before("elbv2", "DeleteTargetGroup")
def delete_target_group(world: World, call: Call) -> None:
    name = call.params.get("TargetGroupArn", "")
    for listener in listeners(world):
        rules = world.ask("elbv2", "DescribeRules", ListenerArn=listener["ListenerArn"]).get("Rules", [])
        actions = [action for rule in rules for action in rule.get("Actions", [])] + listener.get("DefaultActions", [])
        if any(name in str(action) for action in actions):
            raise Refused("ResourceInUse", f"Target group '{name}' is currently in use by a listener or a rule")


@before("ecs", "DeleteCluster")
def delete_cluster(world: World, call: Call) -> None:
    name = call.params.get("cluster", "")
    found = world.found("ecs", "DescribeClusters", clusters=[name]).get("clusters", [])
    if not found or found[0]["status"] == "INACTIVE":
        return
    if services(world, name):
        raise Refused("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if world.ask("ecs", "ListTasks", cluster=name).get("taskArns"):
        raise Refused("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")


@before("rds", "DeleteDBSubnetGroup")
def delete_subnet_group(world: World, call: Call) -> None:
    name = call.params.get("DBSubnetGroupName", "")
    for one in world.ask("rds", "DescribeDBInstances").get("DBInstances", []):
        if one.get("DBSubnetGroup", {}).get("DBSubnetGroupName") == name:
            user = one["DBInstanceIdentifier"]
            raise Refused(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance: {user} is still "
                "using it.",
            )
    for one in world.ask("rds", "DescribeDBClusters").get("DBClusters", []):
        if one.get("DBSubnetGroup") == name:
            user = one["DBClusterIdentifier"]
            raise Refused(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database cluster: {user} is still "
                "using it.",
            )


@before("rds", "DeleteDBClusterParameterGroup")
def delete_parameter_group(world: World, call: Call) -> None:
    name = call.params.get("DBClusterParameterGroupName", "")
    if any(
        one.get("DBClusterParameterGroup") == name
        for one in world.ask("rds", "DescribeDBClusters").get("DBClusters", [])
    ):
        raise Refused(
            "InvalidDBParameterGroupState",
            f"One or more database clusters are still members of this parameter group {name}, so the group cannot "
            "be deleted",
        )


@before("events", "DeleteRule")
def delete_rule(world: World, call: Call) -> None:
    name = call.params.get("Name", "")
    bus = {"EventBusName": call.params["EventBusName"]} if call.params.get("EventBusName") else {}
    if world.found("events", "ListTargetsByRule", Rule=name, **bus).get("Targets"):
        raise Refused("ValidationException", "Rule can't be deleted since it has targets.")


@before("ecs", "DeleteTaskDefinitions")
def delete_task_definitions(world: World, call: Call) -> None:
    for name in call.params.get("taskDefinitions", []):
        found = world.found("ecs", "DescribeTaskDefinition", taskDefinition=name).get("taskDefinition", {})
        if found.get("status") == "ACTIVE":
            raise Refused(
                "InvalidParameterException",
                f"The specified task definition is still in ACTIVE status: {name}. Deregister it and try again.",
            )
