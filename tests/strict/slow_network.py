"""EC2: NAT gateways and interface endpoints are pending for a while, and are deleting for a while."""

from rules import after, before
from wire import Answer, Call, Value
from world import Refused, World


def show_gateway(world: World, gateway: Value) -> None:
    status = world.status("nat-gateway", gateway["NatGatewayId"])
    if status:
        gateway["State"] = status


@after("ec2", "CreateNatGateway")
def create_gateway(world: World, call: Call, value: Value) -> None:
    world.begin("nat-gateway", value["NatGateway"]["NatGatewayId"], "pending", world.seconds["nat-gateway"])
    show_gateway(world, value["NatGateway"])


@after("ec2", "DescribeNatGateways")
def describe_gateways(world: World, call: Call, value: Value) -> None:
    for gateway in value.get("NatGateways", []):
        show_gateway(world, gateway)
    asked = {
        name for one in call.params.get("Filter", []) if one.get("Name") == "state" for name in one.get("Values", [])
    }
    if asked:
        value["NatGateways"] = [one for one in value.get("NatGateways", []) if one["State"] in asked]


@after("ec2", "DescribeRouteTables")
def show_black_holes(world: World, call: Call, value: Value) -> None:
    """A route to a NAT gateway that is gone leads nowhere; the emulator shows it as active."""
    routes = [
        route
        for table in value.get("RouteTables", [])
        for route in table.get("Routes", [])
        if route.get("NatGatewayId")
    ]
    gateways = world.ask("ec2", "DescribeNatGateways").get("NatGateways", []) if routes else []
    live = {one["NatGatewayId"] for one in gateways if one["State"] != "deleted"}
    for route in routes:
        if route["NatGatewayId"] not in live:
            route["State"] = "blackhole"


@before("ec2", "DeleteNatGateway")
def delete_gateway(world: World, call: Call) -> Answer | None:
    name = call.params.get("NatGatewayId", "")
    gateways = world.found("ec2", "DescribeNatGateways", NatGatewayIds=[name]).get("NatGateways", [])
    if not gateways or gateways[0]["State"] == "deleted":
        raise Refused("NatGatewayNotFound", f"NatGateway {name} was not found")
    if world.status("nat-gateway", name) != "deleting":
        end = world.begin("nat-gateway", name, "deleting", world.seconds["nat-gateway-delete"])
        world.later(end, lambda: world.carry_out(call))
    return call.answer({"NatGatewayId": name})


@before("ec2", "CreateRoute", "ReplaceRoute")
def route_to_gateway(world: World, call: Call) -> None:
    """A route to a pending gateway is taken (boto3 #779); one to a gateway on its way out is not."""
    name = call.params.get("NatGatewayId")
    if name:
        gateways = world.found("ec2", "DescribeNatGateways", NatGatewayIds=[name]).get("NatGateways", [])
        if (
            not gateways
            or gateways[0]["State"] in ("deleted", "failed")
            or world.status("nat-gateway", name) == "deleting"
        ):
            raise Refused("InvalidNatGatewayID.NotFound", f"The natGateway ID '{name}' does not exist")


def show_endpoint(world: World, endpoint: Value) -> None:
    status = world.status("vpc-endpoint", endpoint["VpcEndpointId"])
    if status:
        endpoint["State"] = status


@after("ec2", "CreateVpcEndpoint")
def create_endpoint(world: World, call: Call, value: Value) -> None:
    if value["VpcEndpoint"].get("VpcEndpointType") == "Interface":
        world.begin("vpc-endpoint", value["VpcEndpoint"]["VpcEndpointId"], "pending", world.seconds["vpc-endpoint"])
        show_endpoint(world, value["VpcEndpoint"])


@after("ec2", "DescribeVpcEndpoints")
def describe_endpoints(world: World, call: Call, value: Value) -> None:
    for endpoint in value.get("VpcEndpoints", []):
        show_endpoint(world, endpoint)


@before("ec2", "DeleteVpcEndpoints")
def delete_endpoints(world: World, call: Call) -> Answer | None:
    names = call.params.get("VpcEndpointIds", [])
    endpoints = world.found("ec2", "DescribeVpcEndpoints", VpcEndpointIds=names).get("VpcEndpoints", [])
    slow = [one["VpcEndpointId"] for one in endpoints if one.get("VpcEndpointType") == "Interface"]
    if not slow:
        return None
    new = [name for name in names if world.status("vpc-endpoint", name) != "deleting"]
    ends = [world.begin("vpc-endpoint", name, "deleting", world.seconds["vpc-endpoint-delete"]) for name in new]
    if ends:
        world.later(max(ends), lambda: world.ask("ec2", "DeleteVpcEndpoints", VpcEndpointIds=new))
    return call.answer({"Unsuccessful": []})
