"""Creates that the emulator takes and AWS refuses, and repeats that AWS answers with what was made before."""

import ipaddress
import json
from typing import Any

import slow_ingress
from rules import after, before
from wire import Answer, Call, Value
from world import Refused, World

# CPU units and the memory in MB that Fargate has for them.
FARGATE = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}

# How long a token is remembered: ACM says one hour, EC2 much longer than any run.
TOKENS = {
    ("ec2", "CreateRouteTable"): "ClientToken",
    ("ec2", "CreateVpcEndpoint"): "ClientToken",
    ("ec2", "CreateNatGateway"): "ClientToken",
    ("ec2", "CreateFlowLogs"): "ClientToken",
    ("ec2", "CreateNetworkAcl"): "ClientToken",
    ("ecs", "CreateService"): "clientToken",
    ("acm", "RequestCertificate"): "IdempotencyToken",
}
ACM_S = 3600


def _by_token(service: str, operation: str, field: str) -> None:
    @before(service, operation)
    def repeat(world: World, call: Call) -> Answer | None:
        """A repeat with the same token gives what the first one made; with other parameters it is refused."""
        token = call.params.get(field)
        known = world.note("tokens").get((service, operation, token)) if token else None
        if known is None or (service == "acm" and world.now() - known[0] > ACM_S):
            return None
        _, params, value = known
        if params != json.dumps(call.params, sort_keys=True):
            raise Refused("IdempotentParameterMismatch", "The client token was used before, with other parameters.")
        return call.answer(value)

    @after(service, operation)
    def remember(world: World, call: Call, value: Value) -> None:
        if token := call.params.get(field):
            world.note("tokens")[(service, operation, token)] = (
                world.now(),
                json.dumps(call.params, sort_keys=True),
                value,
            )


for (_service, _operation), _field in TOKENS.items():
    _by_token(_service, _operation, _field)


NAMED = {
    "CreateLoadBalancer": ("LoadBalancers", "DescribeLoadBalancers"),
    "CreateTargetGroup": ("TargetGroups", "DescribeTargetGroups"),
}


@before("elbv2", *NAMED)
def same_name(world: World, call: Call) -> Answer | None:
    """The same settings under the same name give what is there already; the emulator refuses them like others."""
    plural, describe = NAMED[call.operation]
    name = call.params.get("Name", "")
    params = world.note("named").get((call.operation, name))
    if params != json.dumps(call.params, sort_keys=True):
        return None
    there = world.found("elbv2", describe, Names=[name]).get(plural, [])
    for balancer in there if plural == "LoadBalancers" else []:
        slow_ingress.show_balancer(world, balancer)
    return call.answer({plural: there}) if there else None


@after("elbv2", *NAMED)
def remember_name(world: World, call: Call, value: Value) -> None:
    world.note("named")[(call.operation, call.params.get("Name", ""))] = json.dumps(call.params, sort_keys=True)


@before("elbv2", "CreateListener")
def same_port(world: World, call: Call) -> None:
    """A port has one listener. AWS's page says that a repeat with the same settings succeeds; what is tried here is
    the refusal, which asks more of the caller."""
    there = world.found("elbv2", "DescribeListeners", LoadBalancerArn=call.params.get("LoadBalancerArn", "")).get(
        "Listeners", []
    )
    if any(str(one.get("Port")) == str(call.params.get("Port")) for one in there):
        raise Refused(
            "DuplicateListener", f"A listener already exists on port {call.params.get('Port')} of this load balancer"
        )


@before("ec2", "CreateSubnet")
def create_subnet(world: World, call: Call) -> None:
    vpc = call.params.get("VpcId", "")
    found = world.found("ec2", "DescribeVpcs", VpcIds=[vpc]).get("Vpcs", [])
    if not found:
        raise Refused("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
    wanted = ipaddress.IPv4Network(call.params["CidrBlock"])
    if not wanted.subnet_of(ipaddress.IPv4Network(found[0]["CidrBlock"])) or not 16 <= wanted.prefixlen <= 28:
        raise Refused("InvalidSubnet.Range", f"The CIDR '{wanted}' is invalid.")
    subnets = world.ask("ec2", "DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}]).get("Subnets", [])
    if any(wanted.overlaps(ipaddress.IPv4Network(one["CidrBlock"])) for one in subnets):
        raise Refused("InvalidSubnet.Conflict", f"The CIDR '{wanted}' conflicts with another subnet")


@before("ec2", "CreateRoute")
def create_route(world: World, call: Call) -> None:
    table = world.found("ec2", "DescribeRouteTables", RouteTableIds=[call.params.get("RouteTableId", "")]).get(
        "RouteTables", []
    )
    wanted = call.params.get("DestinationCidrBlock")
    if wanted and any(route.get("DestinationCidrBlock") == wanted for one in table for route in one.get("Routes", [])):
        raise Refused("RouteAlreadyExists", f"The route identified by {wanted} already exists.")


@before("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(world: World, call: Call) -> None:
    """A rule that is there already, by its key: direction, protocol, ports and peer."""
    group, is_egress = call.params.get("GroupId", ""), call.operation.endswith("Egress")
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = world.found("ec2", "DescribeSecurityGroupRules", Filters=filters).get("SecurityGroupRules", [])
    held = {_rule(one) for one in rules if (one.get("IsEgress") == "true") == is_egress}
    for permission in call.params.get("IpPermissions", []):
        ports = {
            "IpProtocol": permission.get("IpProtocol"),
            "FromPort": permission.get("FromPort"),
            "ToPort": permission.get("ToPort"),
        }
        peers = [{"CidrIpv4": one.get("CidrIp")} for one in permission.get("IpRanges", [])]
        peers += [{"CidrIpv6": one.get("CidrIpv6")} for one in permission.get("Ipv6Ranges", [])]
        peers += [
            {"ReferencedGroupInfo": {"GroupId": one.get("GroupId")}} for one in permission.get("UserIdGroupPairs", [])
        ]
        for peer in peers:
            if _rule({**ports, **peer}) in held:
                raise Refused("InvalidPermission.Duplicate", f"the specified rule already exists in {group}")


def _rule(one: Value) -> tuple[Any, ...]:
    peer = (
        one.get("CidrIpv4")
        or one.get("CidrIpv6")
        or one.get("ReferencedGroupInfo", {}).get("GroupId")
        or one.get("PrefixListId")
    )
    all_ports = one.get("IpProtocol") == "-1"
    return (
        one.get("IpProtocol"),
        None if all_ports else one.get("FromPort"),
        None if all_ports else one.get("ToPort"),
        peer,
    )


@before("rds", "CreateDBCluster")
def create_cluster(world: World, call: Call) -> None:
    name = call.params.get("DBSubnetGroupName", "default")
    if not world.found("rds", "DescribeDBSubnetGroups", DBSubnetGroupName=name).get("DBSubnetGroups"):
        raise Refused("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404)


@before("ecs", "RegisterTaskDefinition")
def register_task_definition(world: World, call: Call) -> None:
    if "FARGATE" not in call.params.get("requiresCompatibilities", []):
        return
    cpu, memory = call.params.get("cpu", ""), call.params.get("memory", "")
    if not (cpu.isdigit() and memory.isdigit() and int(memory) in FARGATE.get(int(cpu), ())):
        raise Refused(
            "ClientException", f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."
        )


@before("ec2", "CreateVpcEndpoint")
def create_endpoint(world: World, call: Call) -> None:
    name = call.params.get("ServiceName", "")
    if not name.startswith("com.amazonaws.us-east-1."):
        raise Refused("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
