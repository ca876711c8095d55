"""The network: VPC, subnets, routes, groups, addresses, endpoints, flow log."""

import json

from probe import ACCOUNT, POLICY, REGION, UPPER, WORLD, client, compare, specification, tag_filter, tags


def network():
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification("vpc"))["Vpc"]["VpcId"]
    for field in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{field: {"Value": True}})
        compare(
            "ec2 vpc",
            {"Value": True},
            ec2.describe_vpc_attribute(VpcId=vpc, Attribute=field[0].lower() + field[1:])[field],
        )
    came = ec2.describe_vpcs(Filters=tag_filter())["Vpcs"]
    compare("ec2 vpc", {"CidrBlock": "10.0.0.0/16", "State": "available", "IsDefault": False}, came[0])
    tags("ec2 vpc", came[0]["Tags"])

    subnets = []
    for number in (1, 2):
        sent = {"CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": f"us-east-1{'ab'[number - 1]}", "VpcId": vpc}
        subnets.append(ec2.create_subnet(TagSpecifications=specification("subnet"), **sent)["Subnet"]["SubnetId"])
        came = ec2.describe_subnets(SubnetIds=[subnets[-1]], Filters=tag_filter())["Subnets"][0]
        compare("ec2 subnet", {**sent, "MapPublicIpOnLaunch": False, "State": "available"}, came)
        tags("ec2 subnet", came["Tags"])
    WORLD.update(vpc=vpc, subnets=subnets)

    gateway = ec2.create_internet_gateway(TagSpecifications=specification("internet-gateway"))["InternetGateway"][
        "InternetGatewayId"
    ]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    came = ec2.describe_internet_gateways(Filters=tag_filter())["InternetGateways"][0]
    compare("ec2 internet gateway", {"Attachments": [{"State": "available", "VpcId": vpc}]}, came)
    tags("ec2 internet gateway", came["Tags"])

    tables = []
    for number in (1, 2):
        made = ec2.create_route_table(
            VpcId=vpc, ClientToken=f"token-{number}", TagSpecifications=specification("route-table")
        )
        tables.append(made["RouteTable"]["RouteTableId"])
    compare("ec2 route table", {"Tags": UPPER}, made["RouteTable"])
    ec2.create_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = ec2.associate_route_table(RouteTableId=tables[0], SubnetId=subnets[0])["AssociationId"]
    came = ec2.describe_route_tables(RouteTableIds=tables[:1])["RouteTables"][0]
    tags("ec2 route table", came["Tags"])
    route = next((one for one in came["Routes"] if one.get("DestinationCidrBlock") == "0.0.0.0/0"), {})
    compare("ec2 route", {"GatewayId": gateway, "State": "active", "Origin": "CreateRoute"}, route)
    compare(
        "ec2 association",
        {"RouteTableAssociationId": association, "SubnetId": subnets[0], "Main": False},
        came["Associations"][0],
    )

    group = ec2.create_security_group(
        GroupName="probe", Description="What it is for", VpcId=vpc, TagSpecifications=specification("security-group")
    )["GroupId"]
    came = ec2.describe_security_groups(Filters=tag_filter())["SecurityGroups"][0]
    compare("ec2 security group", {"GroupName": "probe", "Description": "What it is for", "VpcId": vpc}, came)
    tags("ec2 security group", came["Tags"])
    sent = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    rule = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{**sent, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "From everywhere"}]}],
        TagSpecifications=specification("security-group-rule"),
    )["SecurityGroupRules"]
    compare("ec2 rule", {"Tags": UPPER, "Description": "From everywhere"}, rule[0])
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{**sent, "UserIdGroupPairs": [{"GroupId": group, "Description": "From itself"}]}],
        TagSpecifications=specification("security-group-rule"),
    )
    ec2.authorize_security_group_egress(
        GroupId=group,
        IpPermissions=[{**sent, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "Out"}]}],
        TagSpecifications=specification("security-group-rule"),
    )
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    by_description = {one.get("Description"): one for one in rules}
    for description, egress, extra in [
        ("From everywhere", False, {"CidrIpv4": "0.0.0.0/0"}),
        ("From itself", False, {"ReferencedGroupInfo": {"GroupId": group}}),
        ("Out", True, {"CidrIpv4": "10.0.0.0/8"}),
    ]:
        one = by_description.get(description, {})
        compare(f"ec2 rule `{description}`", {**sent, "IsEgress": egress, "GroupId": group, **extra}, one)
        tags(f"ec2 rule `{description}`", one.get("Tags"))
    found = ec2.describe_security_group_rules(Filters=tag_filter())["SecurityGroupRules"]
    compare("ec2 rules by tag", {"count": 3}, {"count": len(found)})

    address = ec2.allocate_address(Domain="vpc", TagSpecifications=specification("elastic-ip"))
    came = ec2.describe_addresses(Filters=tag_filter())["Addresses"][0]
    compare("ec2 address", {"AllocationId": address["AllocationId"], "PublicIp": address["PublicIp"]}, came)
    tags("ec2 address", came["Tags"])
    nat = ec2.create_nat_gateway(
        SubnetId=subnets[0],
        AllocationId=address["AllocationId"],
        ClientToken="nat",
        TagSpecifications=specification("natgateway"),
    )["NatGateway"]["NatGatewayId"]
    came = ec2.describe_nat_gateways(Filter=tag_filter())["NatGateways"][0]
    compare(
        "ec2 nat gateway",
        {"NatGatewayId": nat, "SubnetId": subnets[0], "VpcId": vpc, "ConnectivityType": "public"},
        came,
    )
    addresses = came.get("NatGatewayAddresses") or [{}]
    compare("ec2 nat gateway", {"AllocationId": address["AllocationId"], "PublicIp": address["PublicIp"]}, addresses[0])
    tags("ec2 nat gateway", came["Tags"])
    associated = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0].get("AssociationId")
    compare("ec2 address of a nat gateway", {"associated": True}, {"associated": bool(associated)})
    ec2.create_route(RouteTableId=tables[1], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    came = ec2.describe_route_tables(RouteTableIds=tables[1:])["RouteTables"][0]["Routes"]
    compare(
        "ec2 route to nat",
        {"NatGatewayId": nat},
        next((one for one in came if one["DestinationCidrBlock"] == "0.0.0.0/0"), {}),
    )

    policy = json.dumps(POLICY)
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=tables,
        PolicyDocument=policy,
        ClientToken="endpoint",
        TagSpecifications=specification("vpc-endpoint"),
    )["VpcEndpoint"]
    came = ec2.describe_vpc_endpoints(Filters=tag_filter())["VpcEndpoints"][0]
    compare("ec2 gateway endpoint", {"VpcEndpointType": "Gateway", "RouteTableIds": tables, "State": "available"}, came)
    compare("ec2 gateway endpoint", {"Policy": POLICY}, {"Policy": json.loads(came.get("PolicyDocument") or "null")})
    tags("ec2 gateway endpoint", came.get("Tags"))
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], RemoveRouteTableIds=tables[:1])
    came = ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]
    compare("ec2 gateway endpoint, changed", {"RouteTableIds": tables[1:]}, came)
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.ecr.api",
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        SecurityGroupIds=[group],
        PrivateDnsEnabled=True,
        TagSpecifications=specification("vpc-endpoint"),
    )["VpcEndpoint"]
    came = ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]
    compare(
        "ec2 interface endpoint",
        {"VpcEndpointType": "Interface", "SubnetIds": subnets, "PrivateDnsEnabled": True},
        came,
    )
    compare(
        "ec2 interface endpoint", {"Groups": [group]}, {"Groups": [one["GroupId"] for one in came.get("Groups", [])]}
    )
    tags("ec2 interface endpoint", came.get("Tags"))

    acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"][0]
    sent = {
        "RuleNumber": 50,
        "Protocol": "6",
        "RuleAction": "deny",
        "Egress": False,
        "CidrBlock": "0.0.0.0/0",
        "PortRange": {"From": 22, "To": 22},
    }
    ec2.create_network_acl_entry(NetworkAclId=acl["NetworkAclId"], **sent)
    came = ec2.describe_network_acls(NetworkAclIds=[acl["NetworkAclId"]])["NetworkAcls"][0]
    compare("ec2 network acl", {"IsDefault": True}, came)
    compare("ec2 network acl entry", sent, next((one for one in came["Entries"] if one["RuleNumber"] == 50), {}))

    sent = {
        "TrafficType": "REJECT",
        "LogDestinationType": "cloud-watch-logs",
        "LogGroupName": "/probe/flow",
        "DeliverLogsPermissionArn": f"arn:aws:iam::{ACCOUNT}:role/flow",
        "MaxAggregationInterval": 60,
    }
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        ClientToken="flow",
        TagSpecifications=specification("vpc-flow-log"),
        **sent,
    )
    came = ec2.describe_flow_logs(Filters=tag_filter())["FlowLogs"]
    compare("ec2 flow log", {**sent, "ResourceId": vpc, "FlowLogStatus": "ACTIVE"}, came[0] if came else {})
    tags("ec2 flow log", came[0].get("Tags") if came else None)
    WORLD.update(group=group)
