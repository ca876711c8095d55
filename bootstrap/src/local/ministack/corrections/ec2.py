"""The network."""

import uuid
from typing import Any

from ministack.services import ec2

from corrections.register import correction
from patching import Answer, Json, Original, Parameters, escape, text_of, with_text, wrap


@correction("ec2: DescribeVpcEndpoints filters by tag and VPC, and shows an endpoint's policy, groups and DNS")
def complete_endpoints() -> None:
    def create(original: Original, parameters: Parameters) -> Answer:
        before = set(ec2._vpc_endpoints)
        answer = original(parameters)
        for new in set(ec2._vpc_endpoints) - before:
            endpoint = ec2._vpc_endpoints[new]
            endpoint["_policy"] = ec2._p(parameters, "PolicyDocument") or ""
            endpoint["_groups"] = ec2._parse_member_list(parameters, "SecurityGroupId")
            endpoint["_dns"] = ec2._p(parameters, "PrivateDnsEnabled") or "false"
        return answer

    def modify(original: Original, parameters: Parameters) -> Answer:
        answer = original(parameters)
        endpoint = ec2._vpc_endpoints.get(ec2._p(parameters, "VpcEndpointId") or "")
        if endpoint is not None:
            if policy := ec2._p(parameters, "PolicyDocument"):
                endpoint["_policy"] = policy
            groups = set(endpoint.get("_groups", [])) | set(ec2._parse_member_list(parameters, "AddSecurityGroupId"))
            endpoint["_groups"] = sorted(groups - set(ec2._parse_member_list(parameters, "RemoveSecurityGroupId")))
        return answer

    def describe(original: Original, parameters: Parameters) -> Answer:
        filters = ec2._parse_filters(parameters)

        def matches(endpoint: Json) -> bool:
            if not ec2._resource_matches_tag_filters(endpoint["VpcEndpointId"], filters):
                return False
            return endpoint["VpcId"] in filters.get("vpc-id", [endpoint["VpcId"]])

        ids = ec2._parse_member_list(parameters, "VpcEndpointId")
        asked = [one for one in ec2._vpc_endpoints.values() if not ids or one["VpcEndpointId"] in ids]
        items = "".join(ec2._vpce_fields_xml(one) for one in asked if matches(one))
        return ec2._xml(200, "DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{items}</vpcEndpointSet>")

    def show(original: Original, endpoint: Json, *arguments: Any, **named: Any) -> str:
        text: str = original(endpoint, *arguments, **named)
        groups = "".join(
            f"<item><groupId>{group}</groupId><groupName/></item>" for group in endpoint.get("_groups", [])
        )
        policy, dns = endpoint.get("_policy"), endpoint.get("_dns", "false")
        extra = f"<policyDocument>{escape(policy)}</policyDocument>" if policy else ""
        extra += f"<groupSet>{groups}</groupSet><privateDnsEnabled>{dns}</privateDnsEnabled>"
        at = text.rindex("</")
        return text[:at] + extra + text[at:]

    wrap(ec2, "_vpce_fields_xml", show)
    wrap(ec2, "_create_vpc_endpoint", create)
    wrap(ec2, "_describe_vpc_endpoints", describe)
    wrap(ec2, "_modify_vpc_endpoint", modify)


@correction("ec2: a flow log's role, group and interval come back, and its tags in the request's form")
def complete_flow_logs() -> None:
    def create(original: Original, parameters: Parameters) -> Answer:
        before = set(ec2._flow_logs)
        answer = original(parameters)
        for new in set(ec2._flow_logs) - before:
            ec2._flow_logs[new].update(
                {
                    "_role": ec2._p(parameters, "DeliverLogsPermissionArn") or "",
                    "_group": ec2._p(parameters, "LogGroupName") or "",
                    "_interval": ec2._p(parameters, "MaxAggregationInterval") or "600",
                }
            )
            tags, number = [], 1
            while key := ec2._p(parameters, f"TagSpecification.1.Tag.{number}.Key"):
                tags.append({"Key": key, "Value": ec2._p(parameters, f"TagSpecification.1.Tag.{number}.Value") or ""})
                number += 1
            if tags:
                ec2._tags[new] = tags
        return answer

    def describe(original: Original, parameters: Parameters) -> Answer:
        answer = original(parameters)
        text = text_of(answer)
        for log in ec2._flow_logs.values():
            extra = (
                f"<deliverLogsPermissionArn>{escape(log.get('_role', ''))}</deliverLogsPermissionArn>"
                f"<logGroupName>{escape(log.get('_group', ''))}</logGroupName>"
                f"<maxAggregationInterval>{log.get('_interval', '600')}</maxAggregationInterval>"
            )
            mark = f"<flowLogId>{log['FlowLogId']}</flowLogId>"
            text = text.replace(mark, mark + extra)
        return with_text(answer, text)

    wrap(ec2, "_create_flow_logs", create)
    wrap(ec2, "_describe_flow_logs", describe)


@correction("ec2: a NAT gateway's address comes back, and is associated while the gateway lives")
def show_nat_address() -> None:
    def show(original: Original, parameters: Parameters) -> Answer:
        answer = original(parameters)
        text = text_of(answer)
        for nat in ec2._nat_gateways.values():
            if nat.get("AllocationId"):
                address = ec2._addresses.get(nat["AllocationId"], {})
                item = (
                    f"<item><allocationId>{nat['AllocationId']}</allocationId>"
                    f"<publicIp>{address.get('PublicIp', '')}</publicIp><isPrimary>true</isPrimary></item>"
                )
                head, mark, tail = text.partition(f"<natGatewayId>{nat['NatGatewayId']}</natGatewayId>")
                tail = tail.replace(
                    "<natGatewayAddressSet/>", f"<natGatewayAddressSet>{item}</natGatewayAddressSet>", 1
                )
                text = head + mark + tail
        return with_text(answer, text)

    def create(original: Original, parameters: Parameters) -> Answer:
        answer = original(parameters)
        address = ec2._addresses.get(ec2._p(parameters, "AllocationId") or "")
        if answer[0] == 200 and address is not None:
            address["AssociationId"] = f"eipassoc-{uuid.uuid4().hex[:17]}"
        return answer

    def delete(original: Original, parameters: Parameters) -> Answer:
        nat = ec2._nat_gateways.get(ec2._p(parameters, "NatGatewayId") or "", {})
        address = ec2._addresses.get(nat.get("AllocationId") or "")
        if address is not None:
            address["AssociationId"] = None
        return original(parameters)

    wrap(ec2, "_create_nat_gateway", show)
    wrap(ec2, "_describe_nat_gateways", show)
    wrap(ec2, "_create_nat_gateway", create)
    wrap(ec2, "_delete_nat_gateway", delete)


@correction("ec2: the port range of a network ACL's entry comes back")
def keep_acl_ports() -> None:
    def remember(original: Original, parameters: Parameters) -> Answer:
        answer = original(parameters)
        acl = ec2._network_acls.get(ec2._p(parameters, "NetworkAclId"))
        start = ec2._p(parameters, "PortRange.From")
        if acl and start:
            number, egress = int(ec2._p(parameters, "RuleNumber")), ec2._p(parameters, "Egress") == "true"
            for entry in acl["Entries"]:
                if entry["RuleNumber"] == number and entry["Egress"] == egress:
                    entry["_ports"] = (start, ec2._p(parameters, "PortRange.To"))
        return answer

    def show(original: Original, entry: Json) -> str:
        text = original(entry)
        if "_ports" in entry:
            start, end = entry["_ports"]
            ports = f"<portRange><from>{escape(start)}</from><to>{escape(end)}</to></portRange>"
            text = text.replace("</item>", f"{ports}</item>")
        return text

    wrap(ec2, "_network_acl_entry_xml", show)
    wrap(ec2, "_create_network_acl_entry", remember)
    wrap(ec2, "_replace_network_acl_entry", remember)
