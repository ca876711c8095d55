"""Starts MiniStack, the AWS on this machine, with what it loses or lacks mended.

The one place for such mends: the engine knows nothing of them. Each mend is a function of its own, named
for what AWS does and MiniStack 1.5.33 does not. `python ministack.py --mended` prints their list.

Beside MiniStack's own paths it answers:
  GET  /_stepstack/calls        the calls so far, by `service:Operation`
  POST /_stepstack/calls/reset  forgets them
"""

import collections
import functools
import json
import sys
import xml.sax.saxutils

from ministack import app
from ministack.services import acm, alb, ecr, ecs, ec2, eventbridge, rds

MENDED = []


def mend(fact):
    """Registers a mend under the fact that makes it necessary."""

    def register(function):
        MENDED.append(fact)
        function()
        return function

    return register


def wrap(module, name, around):
    """Replaces a function of a module, also where the module's tables of actions hold it."""
    original = getattr(module, name)

    @functools.wraps(original)
    def wrapped(*arguments, **named):
        return around(original, *arguments, **named)

    setattr(module, name, wrapped)
    for table in list(vars(module).values()):
        if isinstance(table, dict):
            for key, value in list(table.items()):
                if value is original:
                    table[key] = wrapped


def escape(text):
    return xml.sax.saxutils.escape(str(text))


@mend("calls are counted by operation")
def count_calls():
    counts = collections.Counter()
    dispatch, pre_body = app._dispatch_service_request, app._handle_pre_body_request

    async def counted(method, path, headers, body, query_params, request_id):
        parameters = app._routing_params(method, path, headers, body, query_params)
        service = app.detect_service(method, path, headers, parameters)
        counts[f"{service}:{app._ct_event_name(service, method, path, headers, parameters)}"] += 1
        return await dispatch(method, path, headers, body, query_params, request_id)

    async def answered(method, path, headers, query_params, request_id):
        if path == "/_stepstack/calls" and method == "GET":
            return 200, {"Content-Type": "application/json"}, json.dumps(counts).encode()
        if path == "/_stepstack/calls/reset" and method == "POST":
            counts.clear()
            return 200, {"Content-Type": "application/json"}, b"{}"
        return await pre_body(method, path, headers, query_params, request_id)

    app._dispatch_service_request = counted
    app._handle_pre_body_request = answered


@mend("ecr: a push emits the event `ECR Image Action`")
def emit_image_action():
    def around(original, data):
        answer = original(data)
        if answer[0] == 200:
            image = json.loads(answer[2])["image"]
            detail = {
                "action-type": "PUSH",
                "result": "SUCCESS",
                "repository-name": data["repositoryName"],
                "image-digest": image["imageId"]["imageDigest"],
                "manifest-media-type": image.get("imageManifestMediaType", ""),
            }
            if data.get("imageTag"):
                detail["image-tag"] = data["imageTag"]
            entry = {"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": json.dumps(detail), "Resources": []}
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
        return answer

    wrap(ecr, "_put_image", around)


@mend("ecr: imageTagMutabilityExclusionFilters come back")
def keep_exclusion_filters():
    field = "imageTagMutabilityExclusionFilters"

    def remember(original, data):
        answer = original(data)
        repository = ecr._repositories.get(data.get("repositoryName", ""))
        if answer[0] == 200 and repository is not None:
            repository[field] = data.get(field, [])
            shown = json.loads(answer[2])
            if "repository" in shown:
                shown["repository"] = ecr._repo_shape(repository)
                return answer[0], answer[1], json.dumps(shown).encode()
        return answer

    def show(original, repository):
        shape = original(repository)
        if repository.get(field):
            shape[field] = repository[field]
        return shape

    wrap(ecr, "_repo_shape", show)
    wrap(ecr, "_create_repository", remember)
    wrap(ecr, "_put_image_tag_mutability", remember)


@mend("rds: EnabledCloudwatchLogsExports and SecondsUntilAutoPause of a cluster come back")
def keep_cluster_settings():
    def members(parameters, prefix):
        values = []
        while (value := rds._p(parameters, f"{prefix}.member.{len(values) + 1}")) not in (None, ""):
            values.append(value)
        return values

    def remember(original, parameters):
        answer = original(parameters)
        cluster = rds._clusters.get(rds._p(parameters, "DBClusterIdentifier") or "")
        if cluster is None:
            return answer
        exports = set(cluster.get("EnabledCloudwatchLogsExports") or [])
        exports |= set(members(parameters, "EnableCloudwatchLogsExports"))
        exports |= set(members(parameters, "CloudwatchLogsExportConfiguration.EnableLogTypes"))
        exports -= set(members(parameters, "CloudwatchLogsExportConfiguration.DisableLogTypes"))
        cluster["EnabledCloudwatchLogsExports"] = sorted(exports)
        pause = rds._p(parameters, "ServerlessV2ScalingConfiguration.SecondsUntilAutoPause")
        if pause:
            cluster["_SecondsUntilAutoPause"] = pause
        return answer

    def show(original, cluster):
        text = original(cluster)
        exports = "".join(f"<member>{escape(name)}</member>" for name in cluster.get("EnabledCloudwatchLogsExports") or [])
        text = text.replace("<EnabledCloudwatchLogsExports/>", f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>")
        pause = cluster.get("_SecondsUntilAutoPause")
        if pause:
            closing = "</ServerlessV2ScalingConfiguration>"
            text = text.replace(closing, f"<SecondsUntilAutoPause>{escape(pause)}</SecondsUntilAutoPause>{closing}")
        return text

    wrap(rds, "_cluster_xml", show)
    wrap(rds, "_create_db_cluster", remember)
    wrap(rds, "_modify_db_cluster", remember)


@mend("rds: a cluster's endpoint keeps its name when it has an instance")
def keep_cluster_endpoint():
    def show(original, cluster):
        name, region = cluster["DBClusterIdentifier"], cluster["DBClusterArn"].split(":")[3]
        unique = cluster["DbClusterResourceId"][-12:].lower()
        endpoints = {
            "Endpoint": f"{name}.cluster-{unique}.{region}.rds.amazonaws.com",
            "ReaderEndpoint": f"{name}.cluster-ro-{unique}.{region}.rds.amazonaws.com",
            "Port": 5432 if "postgres" in cluster["Engine"] else cluster.get("Port"),
        }
        return original({**cluster, **endpoints})

    wrap(rds, "_cluster_xml", show)


@mend("rds: engine versions say from how many ACUs Serverless v2 runs")
def show_serverless_features():
    def show(original, parameters):
        answer = original(parameters)
        text = answer[2].decode() if isinstance(answer[2], bytes) else answer[2]
        features = (
            "<ServerlessV2FeaturesSupport><MinCapacity>0.0</MinCapacity><MaxCapacity>256.0</MaxCapacity>"
            "</ServerlessV2FeaturesSupport></DBEngineVersion>"
        )
        return answer[0], answer[1], text.replace("</DBEngineVersion>", features).encode()

    wrap(rds, "_describe_engine_versions" if hasattr(rds, "_describe_engine_versions") else "_describe_db_engine_versions", show)


@mend("ec2: DescribeVpcEndpoints filters by tag and VPC, and shows an endpoint's policy, groups and DNS")
def complete_endpoints():
    def create(original, parameters):
        before = set(ec2._vpc_endpoints)
        answer = original(parameters)
        for new in set(ec2._vpc_endpoints) - before:
            endpoint = ec2._vpc_endpoints[new]
            endpoint["_policy"] = ec2._p(parameters, "PolicyDocument") or ""
            endpoint["_groups"] = ec2._parse_member_list(parameters, "SecurityGroupId")
            endpoint["_dns"] = ec2._p(parameters, "PrivateDnsEnabled") or "false"
        return answer

    def modify(original, parameters):
        answer = original(parameters)
        endpoint = ec2._vpc_endpoints.get(ec2._p(parameters, "VpcEndpointId") or "")
        if endpoint is not None:
            if policy := ec2._p(parameters, "PolicyDocument"):
                endpoint["_policy"] = policy
            groups = set(endpoint.get("_groups", [])) | set(ec2._parse_member_list(parameters, "AddSecurityGroupId"))
            endpoint["_groups"] = sorted(groups - set(ec2._parse_member_list(parameters, "RemoveSecurityGroupId")))
        return answer

    def describe(original, parameters):
        filters = ec2._parse_filters(parameters)

        def matches(endpoint):
            if not ec2._resource_matches_tag_filters(endpoint["VpcEndpointId"], filters):
                return False
            return all(endpoint[field] in filters.get(key, [endpoint[field]]) for key, field in {"vpc-id": "VpcId"}.items())

        ids = ec2._parse_member_list(parameters, "VpcEndpointId")
        shown = [one for one in ec2._vpc_endpoints.values() if matches(one) and (not ids or one["VpcEndpointId"] in ids)]
        items = "".join(ec2._vpce_fields_xml(one) for one in shown)
        return ec2._xml(200, "DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{items}</vpcEndpointSet>")

    def show(original, endpoint, *arguments, **named):
        text = original(endpoint, *arguments, **named)
        groups = "".join(f"<item><groupId>{group}</groupId><groupName/></item>" for group in endpoint.get("_groups", []))
        extra = f"<policyDocument>{escape(endpoint.get('_policy', ''))}</policyDocument>" if endpoint.get("_policy") else ""
        extra += f"<groupSet>{groups}</groupSet><privateDnsEnabled>{endpoint.get('_dns', 'false')}</privateDnsEnabled>"
        at = text.rindex("</")
        return text[:at] + extra + text[at:]

    wrap(ec2, "_vpce_fields_xml", show)
    wrap(ec2, "_create_vpc_endpoint", create)
    wrap(ec2, "_describe_vpc_endpoints", describe)
    if hasattr(ec2, "_modify_vpc_endpoint"):
        wrap(ec2, "_modify_vpc_endpoint", modify)


@mend("ec2: a flow log's role, group and interval come back, and its tags in the request's form")
def complete_flow_logs():
    def create(original, parameters):
        before = set(ec2._flow_logs)
        answer = original(parameters)
        for new in set(ec2._flow_logs) - before:
            ec2._flow_logs[new].update({
                "_role": ec2._p(parameters, "DeliverLogsPermissionArn") or "",
                "_group": ec2._p(parameters, "LogGroupName") or "",
                "_interval": ec2._p(parameters, "MaxAggregationInterval") or "600",
            })
            tags, number = [], 1
            while key := ec2._p(parameters, f"TagSpecification.1.Tag.{number}.Key"):
                tags.append({"Key": key, "Value": ec2._p(parameters, f"TagSpecification.1.Tag.{number}.Value") or ""})
                number += 1
            if tags:
                ec2._tags[new] = tags
        return answer

    def describe(original, parameters):
        answer = original(parameters)
        text = answer[2].decode() if isinstance(answer[2], bytes) else answer[2]
        for log in ec2._flow_logs.values():
            extra = (
                f"<deliverLogsPermissionArn>{escape(log.get('_role', ''))}</deliverLogsPermissionArn>"
                f"<logGroupName>{escape(log.get('_group', ''))}</logGroupName>"
                f"<maxAggregationInterval>{log.get('_interval', '600')}</maxAggregationInterval>"
            )
            mark = f"<flowLogId>{log['FlowLogId']}</flowLogId>"
            text = text.replace(mark, mark + extra)
        return answer[0], answer[1], text.encode()

    wrap(ec2, "_create_flow_logs", create)
    wrap(ec2, "_describe_flow_logs", describe)


@mend("ec2: a NAT gateway's address comes back")
def show_nat_address():
    def show(original, parameters):
        answer = original(parameters)
        text = answer[2].decode() if isinstance(answer[2], bytes) else answer[2]
        for nat in ec2._nat_gateways.values():
            if nat.get("AllocationId"):
                address = ec2._addresses.get(nat["AllocationId"], {})
                item = (
                    f"<item><allocationId>{nat['AllocationId']}</allocationId>"
                    f"<publicIp>{address.get('PublicIp', '')}</publicIp><isPrimary>true</isPrimary></item>"
                )
                head, mark, tail = text.partition(f"<natGatewayId>{nat['NatGatewayId']}</natGatewayId>")
                tail = tail.replace("<natGatewayAddressSet/>", f"<natGatewayAddressSet>{item}</natGatewayAddressSet>", 1)
                text = head + mark + tail
        return answer[0], answer[1], text.encode()

    wrap(ec2, "_create_nat_gateway", show)
    wrap(ec2, "_describe_nat_gateways", show)


@mend("ec2: the port range of a network ACL's entry comes back")
def keep_acl_ports():
    def remember(original, parameters):
        answer = original(parameters)
        acl = ec2._network_acls.get(ec2._p(parameters, "NetworkAclId"))
        start = ec2._p(parameters, "PortRange.From")
        if acl and start:
            number, egress = int(ec2._p(parameters, "RuleNumber")), ec2._p(parameters, "Egress") == "true"
            for entry in acl["Entries"]:
                if entry["RuleNumber"] == number and entry["Egress"] == egress:
                    entry["_ports"] = (start, ec2._p(parameters, "PortRange.To"))
        return answer

    def show(original, entry):
        text = original(entry)
        if "_ports" in entry:
            start, end = entry["_ports"]
            ports = f"<portRange><from>{escape(start)}</from><to>{escape(end)}</to></portRange>"
            text = text.replace("</item>", f"{ports}</item>")
        return text

    wrap(ec2, "_network_acl_entry_xml", show)
    wrap(ec2, "_create_network_acl_entry", remember)
    wrap(ec2, "_replace_network_acl_entry", remember)


@mend("ecs: a service's availabilityZoneRebalancing comes back")
def keep_rebalancing():
    def around(original, data):
        answer = original(data)
        body = json.loads(answer[2])
        service = body.get("service")
        if answer[0] == 200 and service:
            wanted = data.get("availabilityZoneRebalancing")
            key = (data.get("cluster", "default").rsplit("/", 1)[-1], service["serviceName"])
            if wanted or key not in rebalancing:
                rebalancing[key] = wanted or "ENABLED"
            service["availabilityZoneRebalancing"] = rebalancing[key]
        return answer[0], answer[1], json.dumps(body).encode()

    def describe(original, data):
        answer = original(data)
        body = json.loads(answer[2])
        for service in body.get("services", []):
            key = (data.get("cluster", "default").rsplit("/", 1)[-1], service["serviceName"])
            service["availabilityZoneRebalancing"] = rebalancing.get(key, "DISABLED")
        return answer[0], answer[1], json.dumps(body).encode()

    rebalancing = {}
    wrap(ecs, "_create_service", around)
    wrap(ecs, "_update_service", around)
    wrap(ecs, "_describe_services", describe)


@mend("acm: a certificate's options come back")
def keep_certificate_options():
    def around(original, data):
        answer = original(data)
        if answer[0] == 200:
            certificate = acm._get_local_certificate(json.loads(answer[2])["CertificateArn"])
            certificate["Options"] = {"CertificateTransparencyLoggingPreference": "ENABLED", **data.get("Options", {})}
        return answer

    wrap(acm, "_request_certificate", around)


@mend("application-autoscaling: scalable targets and policies, in memory")
def answer_autoscaling():
    targets, policies = {}, {}

    def answer(operation, data):
        key = (data.get("ServiceNamespace"), data.get("ResourceId"), data.get("ScalableDimension"))
        if operation == "RegisterScalableTarget":
            arn = f"arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/{abs(hash(key)):x}"
            known = targets.setdefault(key, {"ScalableTargetARN": arn, "CreationTime": 0})
            known.update({name: data[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity", "RoleARN") if name in data})
            return {"ScalableTargetARN": known["ScalableTargetARN"]}
        if operation == "DeregisterScalableTarget":
            targets.pop(key, None)
            return {}
        if operation == "DescribeScalableTargets":
            ids = data.get("ResourceIds") or []
            found = [one for one in targets.values() if not ids or one["ResourceId"] in ids]
            return {"ScalableTargets": found}
        if operation == "PutScalingPolicy":
            policies[(*key, data["PolicyName"])] = {**data, "PolicyARN": f"arn:policy/{data['PolicyName']}", "CreationTime": 0}
            return {"PolicyARN": f"arn:policy/{data['PolicyName']}", "Alarms": []}
        if operation == "DescribeScalingPolicies":
            found = [one for one in policies.values() if data.get("ResourceId") in (None, one["ResourceId"])]
            return {"ScalingPolicies": found}
        if operation == "DeleteScalingPolicy":
            policies.pop((*key, data["PolicyName"]), None)
            return {}
        if operation == "ListTagsForResource":
            return {"Tags": {}}
        return {}

    dispatch = app._dispatch_service_request

    async def dispatched(method, path, headers, body, query_params, request_id):
        target = headers.get("x-amz-target", "")
        if target.startswith("AnyScaleFrontendService."):
            data = answer(target.rsplit(".", 1)[-1], json.loads(body or b"{}"))
            return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(data).encode()
        return await dispatch(method, path, headers, body, query_params, request_id)

    app._dispatch_service_request = dispatched


if __name__ == "__main__":
    if "--mended" in sys.argv:
        print("\n".join(MENDED))
    else:
        app.main()
