"""Starts MiniStack, the AWS on this machine, with what it loses or lacks mended.

The one place for such mends: the engine knows nothing of them. Each mend is a function of its own, named
for what AWS does and MiniStack 1.5.33 does not. `python ministack.py --mended` prints their list.

Beside MiniStack's own paths it answers:
  GET  /_stepstack/calls        the calls so far, by `service:Operation`
  POST /_stepstack/calls/reset  forgets them
  GET  /_stepstack/event/FUNCTION  the last event that Step Functions called a function with
  GET  /_stepstack/at-work      how many functions Step Functions waits for
And with AUTH=true, where IAM is enforced:
  GET  /_stepstack/actions      the IAM actions that were allowed so far, by the caller's ARN
  POST /_stepstack/actions/reset  forgets them
  POST /_stepstack/withhold/FUNCTION/ACTION  denies an action to a function's role, until
  POST /_stepstack/withhold                  denies none again
"""

import base64
import collections
import fnmatch
import functools
import hashlib
import json
import os
import re
import sys
import time
import uuid
import xml.sax.saxutils

# Python puts a script's own directory first, where this file would be taken for the package of its name.
sys.path[:] = [place for place in sys.path if place != os.path.dirname(os.path.abspath(__file__))]

from ministack import app
from ministack.core import iam_evaluator
from ministack.services import acm, alb, cloudwatch_logs, ec2, ecr, ecs, eventbridge, iam, rds, s3, secretsmanager, stepfunctions

MENDED = []
MEMORIES = []


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


def text_of(answer):
    return answer[2].decode() if isinstance(answer[2], bytes) else answer[2]


def with_text(answer, text):
    return answer[0], answer[1], text.encode()


def forgotten_on_reset(memory):
    """A mend's own memory, emptied when MiniStack is."""
    MEMORIES.append(memory)
    return memory


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


@mend("ecr: layers are kept, and can be looked for and downloaded")
def keep_layers():
    parts, layers = forgotten_on_reset({}), forgotten_on_reset({})

    def upload(original, data):
        answer = original(data)
        content = base64.b64decode(data.get("layerPartBlob", ""))
        parts[data["uploadId"]] = parts.get(data["uploadId"], b"") + content
        body = {**json.loads(answer[2]), "lastByteReceived": data.get("partLastByte", 0)}
        return with_text(answer, json.dumps(body))

    def complete(original, data):
        content = parts.pop(data["uploadId"], b"")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest not in data.get("layerDigests", []):
            return ecr.error_response_json("InvalidLayerException", f"The layer's digest is {digest}.", 400)
        layers[(data["repositoryName"], digest)] = content
        return original(data)

    def look(original, data):
        answer = original(data)
        body = json.loads(answer[2])
        for layer in body.get("layers", []):
            content = layers.get((data["repositoryName"], layer["layerDigest"]))
            if content is not None:
                layer.update({"layerAvailability": "AVAILABLE", "layerSize": len(content)})
        return with_text(answer, json.dumps(body))

    def address(original, data):
        answer = original(data)
        if answer[0] != 200:
            return answer
        if (data["repositoryName"], data.get("layerDigest")) not in layers:
            return ecr.error_response_json("LayersNotFoundException", f"There is no layer {data.get('layerDigest')}.", 400)
        port = os.environ.get("GATEWAY_PORT", "4566")
        url = f"http://127.0.0.1:{port}/_stepstack/layers/{data['repositoryName']}/{data['layerDigest']}"
        return with_text(answer, json.dumps({**json.loads(answer[2]), "downloadUrl": url}))

    wrap(ecr, "_upload_layer_part", upload)
    wrap(ecr, "_complete_layer_upload", complete)
    wrap(ecr, "_batch_check_layer_availability", look)
    wrap(ecr, "_get_download_url_for_layer", address)

    pre_body = app._handle_pre_body_request

    async def answered(method, path, headers, query_params, request_id):
        if path.startswith("/_stepstack/layers/") and method == "GET":
            repository, _, digest = path.removeprefix("/_stepstack/layers/").rpartition("/")
            content = layers.get((repository, digest))
            return (404, {}, b"") if content is None else (200, {"Content-Type": "application/octet-stream"}, content)
        return await pre_body(method, path, headers, query_params, request_id)

    app._handle_pre_body_request = answered


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


@mend("ecr: a tag is put once, and immutable ones stay; an image that is not there is an error")
def refuse_images():
    def put(original, data):
        repository, tag = ecr._repositories.get(data.get("repositoryName", "")), data.get("imageTag")
        held = ecr._find_image(data.get("repositoryName", ""), {"imageTag": tag}) if repository and tag else None
        if held:
            digest = data.get("imageDigest") or ecr._image_digest(data.get("imageManifest", ""))
            if held["imageDigest"] == digest:
                said = f"Image with digest '{digest}' and tag '{tag}' already exists in the repository."
                return ecr.error_response_json("ImageAlreadyExistsException", said, 400)
            filters = [one["filter"] for one in repository.get("imageTagMutabilityExclusionFilters") or []]
            excluded = any(fnmatch.fnmatchcase(tag, pattern) for pattern in filters)
            mutability = repository.get("imageTagMutability")
            if mutability == "IMMUTABLE" or mutability == "IMMUTABLE_WITH_EXCLUSION" and not excluded:
                said = f"The image tag '{tag}' already exists and cannot be overwritten: the repository is immutable."
                return ecr.error_response_json("ImageTagAlreadyExistsException", said, 400)
        return original(data)

    def describe(original, data):
        answer = original(data)
        for one in data.get("imageIds") or [] if answer[0] == 200 else []:
            if ecr._find_image(data["repositoryName"], one) is None:
                return ecr.error_response_json("ImageNotFoundException", f"There is no image {json.dumps(one)}.", 400)
        return answer

    wrap(ecr, "_put_image", put)
    wrap(ecr, "_describe_images", describe)


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
        if exports:
            text += f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>"
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


@mend("rds: engine versions say from how many ACUs Serverless v2 runs, and which logs they export")
def show_serverless_features():
    def show(original, parameters):
        answer = original(parameters)
        features = (
            "<ServerlessV2FeaturesSupport><MinCapacity>0.0</MinCapacity><MaxCapacity>256.0</MaxCapacity>"
            "</ServerlessV2FeaturesSupport></DBEngineVersion>"
        )
        text = text_of(answer).replace("</DBEngineVersion>", features)
        if rds._p(parameters, "Engine") == "aurora-postgresql":
            logs = "<ExportableLogTypes><member>postgresql</member></ExportableLogTypes>"
            text = text.replace("<ExportableLogTypes/>", logs)
        return with_text(answer, text)

    wrap(rds, "_describe_engine_versions" if hasattr(rds, "_describe_engine_versions") else "_describe_db_engine_versions", show)


@mend("rds: an instance of a cluster has the cluster's encryption, and a name for its endpoint")
def complete_instance():
    def show(original, instance):
        cluster = rds._clusters.get(instance.get("DBClusterIdentifier") or "")
        if cluster is not None:
            unique, region = cluster["DbClusterResourceId"][-12:].lower(), cluster["DBClusterArn"].split(":")[3]
            endpoint = {
                **instance.get("Endpoint", {}),
                "Address": f"{instance['DBInstanceIdentifier']}.{unique}.{region}.rds.amazonaws.com",
                "Port": 5432 if "postgres" in cluster["Engine"] else 3306,
            }
            instance = {**instance, "StorageEncrypted": cluster["StorageEncrypted"], "Endpoint": endpoint}
        return original(instance)

    wrap(rds, "_instance_xml", show)


@mend("rds: ModifyDBInstance keeps AutoMinorVersionUpgrade, PerformanceInsightsEnabled and PromotionTier")
def keep_instance_settings():
    def modify(original, parameters):
        instance = rds._resolve_instance(rds._p(parameters, "DBInstanceIdentifier"))
        if instance is not None:
            for field, kept in {"AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade", "EnablePerformanceInsights": "PerformanceInsightsEnabled"}.items():
                if value := rds._p(parameters, field):
                    instance[kept] = value == "true"
            if tier := rds._p(parameters, "PromotionTier"):
                instance["PromotionTier"] = int(tier)
        return original(parameters)

    wrap(rds, "_modify_db_instance", modify)


@mend("rds: DeleteDBCluster makes the final snapshot that it is asked for")
def make_final_snapshot():
    def delete(original, parameters):
        name = rds._p(parameters, "FinalDBSnapshotIdentifier")
        cluster = rds._clusters.get(rds._p(parameters, "DBClusterIdentifier") or "")
        if not name or cluster is None:
            return original(parameters)
        if name in rds._db_cluster_snapshots:
            return rds._error("DBClusterSnapshotAlreadyExistsFault", f"Cannot create the snapshot because {name} already exists.", 400)
        tags = list(rds._tags.get(cluster["DBClusterArn"], []))
        answer = original(parameters)
        if answer[0] == 200:
            snapshot = rds._create_cluster_snapshot_internal(name, cluster)
            if cluster.get("CopyTagsToSnapshot"):
                rds._tags[snapshot["DBClusterSnapshotArn"]] = snapshot["TagList"] = tags
        return answer

    wrap(rds, "_delete_db_cluster", delete)


@mend("rds: RestoreDBClusterFromSnapshot makes a cluster with what its snapshot was taken of")
def restore_from_snapshot():
    def take(original, name, cluster):
        snapshot = original(name, cluster)
        snapshot["_DatabaseName"] = cluster.get("DatabaseName", "")
        return snapshot

    def restore(parameters):
        name = rds._p(parameters, "SnapshotIdentifier")
        snapshot = rds._db_cluster_snapshots.get(name.rsplit(":", 1)[-1])
        if snapshot is None:
            return rds._error("DBClusterSnapshotNotFoundFault", f"DB cluster snapshot {name} not found.", 404)
        taken = {
            "DatabaseName": snapshot.get("_DatabaseName", ""),
            "EngineVersion": rds._p(parameters, "EngineVersion") or snapshot["EngineVersion"],
            "MasterUsername": snapshot["MasterUsername"],
            "MasterUserPassword": uuid.uuid4().hex,
            "StorageEncrypted": str(snapshot["StorageEncrypted"]).lower(),
        }
        # Through the table: it holds the mended create.
        answer = table["CreateDBCluster"]({**parameters, **{key: [value] for key, value in taken.items() if value}})
        return with_text(answer, text_of(answer).replace("CreateDBCluster", "RestoreDBClusterFromSnapshot"))

    table = next(
        table for table in vars(rds).values() if isinstance(table, dict) and "CreateDBClusterSnapshot" in table
    )
    wrap(rds, "_create_cluster_snapshot_internal", take)
    table["RestoreDBClusterFromSnapshot"] = restore


@mend("secretsmanager: CreateSecret's ClientRequestToken is its version; a name waiting for deletion is refused as that")
def keep_version_token():
    def create(original, data):
        held = secretsmanager._secrets.get(data.get("Name", ""))
        if held and held.get("DeletedDate"):
            said = "You can't create this secret because a secret with this name is already scheduled for deletion."
            return secretsmanager.error_response_json("InvalidRequestException", said, 400)
        answer = original(data)
        token = data.get("ClientRequestToken")
        if answer[0] != 200 or not token:
            return answer
        body = json.loads(answer[2])
        versions = secretsmanager._secrets[data["Name"]]["Versions"]
        versions[token] = versions.pop(body["VersionId"])
        return with_text(answer, json.dumps({**body, "VersionId": token}))

    wrap(secretsmanager, "_create_secret", create)


@mend("iam: a service-linked role has AWS's name, and a second one is refused as InvalidInput")
def name_service_linked_roles():
    names = {
        "ecs.amazonaws.com": "AWSServiceRoleForECS",
        "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
        "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
        "rds.amazonaws.com": "AWSServiceRoleForRDS",
    }

    def create(original, parameters):
        service = iam._p(parameters, "AWSServiceName")
        name = names.get(service)
        if name is None:
            return original(parameters)
        if name in iam._roles:
            said = f"Service role name {name} has been taken in this account, please try a different suffix."
            return iam._error(400, "InvalidInput", said, ns="iam")
        answer = original(parameters)
        made = f"AWSServiceRoleFor{service.split('.')[0].capitalize()}"
        if answer[0] != 200:
            return answer
        role = iam._roles.pop(made)
        role.update({"RoleName": name, "Arn": role["Arn"].replace(made, name)})
        iam._roles[name] = role
        return with_text(answer, text_of(answer).replace(made, name))

    wrap(iam, "_create_service_linked_role", create)


@mend("s3: the event of an object names its version")
def name_version_in_events():
    versions = {}

    def fire(original, bucket, key, event, *arguments, **named):
        if named.get("version_id") and named.get("sequencer"):
            versions[named["sequencer"]] = named["version_id"]
        try:
            return original(bucket, key, event, *arguments, **named)
        finally:
            versions.pop(named.get("sequencer"), None)

    def dispatch(original, event, *arguments, **named):
        if event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            version = versions.get(detail.get("object", {}).get("sequencer"))
            if version:
                detail["object"]["version-id"] = version
                event = {**event, "Detail": json.dumps(detail)}
        return original(event, *arguments, **named)

    wrap(s3, "_fire_s3_event", fire)
    wrap(eventbridge, "_dispatch_event", dispatch)


@mend("elb: a load balancer is in the VPC of its subnets")
def keep_load_balancer_vpc():
    def show(original, balancer):
        subnets = [ec2._subnets[one] for one in balancer["Subnets"] if one in ec2._subnets]
        return original({**balancer, "VpcId": subnets[0]["VpcId"]} if subnets else balancer)

    wrap(alb, "_lb_xml", show)


@mend("elb: a target group shows the protocol's version, the address type, and who uses it by a rule")
def complete_target_groups():
    def create(original, parameters):
        before = set(alb._tgs)
        answer = original(parameters)
        for new in set(alb._tgs) - before:
            alb._tgs[new]["_version"] = alb._p(parameters, "ProtocolVersion") or "HTTP1"
            alb._tgs[new]["_address"] = alb._p(parameters, "IpAddressType") or "ipv4"
        return with_text(answer, text_of(answer)) if answer[0] != 200 else alb._xml(
            200, "CreateTargetGroup", f"<TargetGroups>{''.join(alb._tg_xml(alb._tgs[new]) for new in set(alb._tgs) - before)}</TargetGroups>"
        )

    def show(original, group):
        arn = group["TargetGroupArn"]
        balancers = list(group.get("LoadBalancerArns", []))
        for rule in alb._rules.values():
            listener = alb._listeners.get(rule.get("ListenerArn"))
            used = any(action.get("TargetGroupArn") == arn for action in rule.get("Actions", []))
            if listener and used and listener["LoadBalancerArn"] not in balancers:
                balancers.append(listener["LoadBalancerArn"])
        text = original({**group, "LoadBalancerArns": balancers})
        extra = f"<ProtocolVersion>{group.get('_version', 'HTTP1')}</ProtocolVersion><IpAddressType>{group.get('_address', 'ipv4')}</IpAddressType>"
        return text.removesuffix("</member>") + extra + "</member>"

    wrap(alb, "_tg_xml", show)
    wrap(alb, "_create_tg", create)


@mend("elb: a forward action shows its ForwardConfig")
def show_forward_config():
    def show(original, action):
        text = original(action)
        if action["Type"] == "forward" and "TargetGroupArn" in action:
            member = f"<member><TargetGroupArn>{action['TargetGroupArn']}</TargetGroupArn><Weight>1</Weight></member>"
            sticky = "<TargetGroupStickinessConfig><Enabled>false</Enabled></TargetGroupStickinessConfig>"
            text = text.removesuffix("</member>") + f"<ForwardConfig><TargetGroups>{member}</TargetGroups>{sticky}</ForwardConfig></member>"
        return text

    wrap(alb, "_action_xml", show)


@mend("elb: describing what is not there by name or ARN is refused")
def refuse_absent():
    def around(list_name, code, parameter, known):
        def describe(original, parameters):
            for one in alb._parse_member_list(parameters, parameter):
                if one not in known():
                    return alb._error(code, f"One or more of these are not found: {one}")
            return original(parameters)

        wrap(alb, list_name, describe)

    around("_describe_tgs", "TargetGroupNotFound", "Names", lambda: {one["TargetGroupName"] for one in alb._tgs.values()})
    around("_describe_tgs", "TargetGroupNotFound", "TargetGroupArns", lambda: set(alb._tgs))
    around("_describe_listeners", "ListenerNotFound", "ListenerArns", lambda: set(alb._listeners))
    around("_describe_rules", "RuleNotFound", "RuleArns", lambda: set(alb._rules))


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


@mend("ec2: a NAT gateway's address comes back, and is associated while the gateway lives")
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

    def create(original, parameters):
        answer = original(parameters)
        address = ec2._addresses.get(ec2._p(parameters, "AllocationId") or "")
        if answer[0] == 200 and address is not None:
            address["AssociationId"] = f"eipassoc-{uuid.uuid4().hex[:17]}"
        return answer

    def delete(original, parameters):
        nat = ec2._nat_gateways.get(ec2._p(parameters, "NatGatewayId") or "", {})
        address = ec2._addresses.get(nat.get("AllocationId") or "")
        if address is not None:
            address["AssociationId"] = None
        return original(parameters)

    wrap(ec2, "_create_nat_gateway", show)
    wrap(ec2, "_describe_nat_gateways", show)
    wrap(ec2, "_create_nat_gateway", create)
    wrap(ec2, "_delete_nat_gateway", delete)


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

    rebalancing = forgotten_on_reset({})
    wrap(ecs, "_create_service", around)
    wrap(ecs, "_update_service", around)
    wrap(ecs, "_describe_services", describe)


@mend("ecs: a task of its own ends when its command does")
def end_tasks():
    """No container runs here. The command is read instead: `echo WORDS` is its log, `exit N` its exit code."""

    def command_of(task):
        overrides = task.get("overrides", {}).get("containerOverrides", [])
        return " ".join(overrides[0].get("command", [])) if overrides else ""

    def write_log(task, text):
        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
        for container in definition.get("containerDefinitions", []):
            options = (container.get("logConfiguration") or {}).get("options", {})
            group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
            if not group:
                continue
            stream = "/".join([prefix, container["name"], task["taskArn"].rsplit("/", 1)[-1]])
            place = {"logGroupName": group, "logStreamName": stream}
            now = int(time.time() * 1000)
            lines = [words.strip(" \"'") for words in re.findall(r"echo ([^;&]+)", text)]
            cloudwatch_logs._create_log_stream(place)
            if lines:
                events = [{"timestamp": now, "message": line} for line in lines]
                cloudwatch_logs._put_log_events({**place, "logEvents": events})

    def look(original, task, *arguments, **named):
        original(task, *arguments, **named)
        of_service = task.get("group", "").startswith("service:")
        if of_service or task.get("lastStatus") != "RUNNING" or ecs._get_docker():
            return
        began = started.setdefault(task["taskArn"], time.monotonic())
        if time.monotonic() - began < 0.3:
            return
        text = command_of(task)
        write_log(task, text)
        code = re.search(r"\bexit (\d+)", text)
        ecs._mark_task_stopped(
            task["taskArn"], task, "Essential container in task exited", "EssentialContainerExited",
            exit_code=int(code.group(1)) if code else 0,
        )

    started = forgotten_on_reset({})
    wrap(ecs, "_maybe_mark_stopped", look)


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
    targets, policies = forgotten_on_reset({}), forgotten_on_reset({})
    shown = ("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState")

    class Refused(Exception):
        pass

    def answer(operation, data):
        key = tuple(data.get(field) for field in shown[:3])
        named = f"{data.get('ResourceId')}, {data.get('ScalableDimension')}"
        if operation == "RegisterScalableTarget":
            arn = f"arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/{uuid.uuid4().hex[:28]}"
            known = targets.setdefault(key, {"ScalableTargetARN": arn, "CreationTime": 0, "tags": {}})
            known.update({field: data[field] for field in shown if field in data})
            known["tags"].update(data.get("Tags", {}))
            return {"ScalableTargetARN": known["ScalableTargetARN"]}
        if operation == "DescribeScalableTargets":
            ids = data.get("ResourceIds") or []
            found = [one for one in targets.values() if not ids or one["ResourceId"] in ids]
            return {"ScalableTargets": [{field: value for field, value in one.items() if field != "tags"} for one in found]}
        if operation == "DeregisterScalableTarget":
            if targets.pop(key, None) is None:
                raise Refused("ObjectNotFoundException", f"No scalable target found for {named}")
            for policy in [one for one in policies if one[:3] == key]:
                del policies[policy]
            return {}
        if operation == "PutScalingPolicy":
            if key not in targets:
                raise Refused("ObjectNotFoundException", f"No scalable target registered for {named}")
            arn = f"arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:{uuid.uuid4()}:policyName/{data['PolicyName']}"
            before = policies.get((*key, data["PolicyName"]), {"PolicyARN": arn, "CreationTime": 0, "Alarms": []})
            policies[(*key, data["PolicyName"])] = {**before, **data}
            return {"PolicyARN": before["PolicyARN"], "Alarms": []}
        if operation == "DescribeScalingPolicies":
            names = data.get("PolicyNames") or []
            found = [one for one in policies.values() if data.get("ResourceId") in (None, one["ResourceId"])]
            return {"ScalingPolicies": [one for one in found if not names or one["PolicyName"] in names]}
        if operation == "DeleteScalingPolicy":
            if policies.pop((*key, data["PolicyName"]), None) is None:
                raise Refused("ObjectNotFoundException", f"No scaling policy found for {named}")
            return {}
        tagged = next((one for one in targets.values() if one["ScalableTargetARN"] == data.get("ResourceARN")), None)
        if tagged is None:
            raise Refused("ResourceNotFoundException", f"{operation}: there is no {data.get('ResourceARN')}")
        if operation == "ListTagsForResource":
            return {"Tags": tagged["tags"]}
        if operation == "TagResource":
            tagged["tags"].update(data["Tags"])
        if operation == "UntagResource":
            for name in data["TagKeys"]:
                tagged["tags"].pop(name, None)
        return {}

    dispatch = app._dispatch_service_request

    async def dispatched(method, path, headers, body, query_params, request_id):
        target = headers.get("x-amz-target", "")
        if not target.startswith("AnyScaleFrontendService."):
            return await dispatch(method, path, headers, body, query_params, request_id)
        try:
            status, data = 200, answer(target.rsplit(".", 1)[-1], json.loads(body or b"{}"))
        except Refused as refused:
            status, data = 400, {"__type": refused.args[0], "Message": refused.args[1]}
        return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(data).encode()

    app._dispatch_service_request = dispatched


@mend("AUTH: an action is allowed where a policy names it; resources and conditions are not looked at")
def project_policies():
    """MiniStack knows neither the ARNs nor the tags of much that is about to be made, and denies it. So what is
    enforced here is the list of actions; what narrows it is tested on the documents themselves."""

    def first_match(original, context, statements, effect):
        if effect == "Deny":
            return original(context, statements, effect)
        role = context.principal_arn.split("/")[1:2]
        if withheld and context.action == withheld[1] and role and role[0].endswith(f"-{withheld[0]}"):
            return None
        for statement in statements:
            if statement.effect == effect and iam_evaluator._action_matches(
                context.action, statement.actions, statement.not_actions
            ):
                arn = context.principal_arn.split("/")
                allowed.setdefault("/".join(arn[:2]), set()).add(context.action)
                return statement
        return None

    async def answered(method, path, headers, query_params, request_id):
        if path == "/_stepstack/actions" and method == "GET":
            body = {caller: sorted(actions) for caller, actions in sorted(allowed.items())}
            return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()
        if path == "/_stepstack/actions/reset" and method == "POST":
            allowed.clear()
            return 200, {"Content-Type": "application/json"}, b"{}"
        if path.startswith("/_stepstack/withhold") and method == "POST":
            withheld[:] = path.split("/")[3:]
            return 200, {"Content-Type": "application/json"}, b"{}"
        return await pre_body(method, path, headers, query_params, request_id)

    allowed, withheld = {}, []
    pre_body = app._handle_pre_body_request
    app._handle_pre_body_request = answered
    wrap(iam_evaluator, "_first_match", first_match)


@mend("AUTH: what comes over this machine's loopback counts as TLS")
def trust_loopback():
    """A bucket that takes TLS alone would take nothing here."""

    def pin(original, source_ip, secure_transport):
        original(source_ip, True)

    wrap(app, "pin_request_origin", pin)


@mend("a reset empties the mends' memories too")
def forget_on_reset():
    def reset(original):
        original()
        for memory in MEMORIES:
            memory.clear()

    wrap(app, "_reset_all_state", reset)


@mend("the last event of each function can be asked for, and how many are at work")
def remember_events():
    """Step Functions' history shows no state inside a Parallel. A function that a stopped execution has called
    goes on."""
    events, at_work = forgotten_on_reset({}), {}

    def call(original, function, event):
        events[function.partition(":function:")[2].partition(":")[0]] = event
        this = object()
        at_work[this] = function
        try:
            return original(function, event)
        finally:
            del at_work[this]

    async def answered(method, path, headers, query_params, request_id):
        if path == "/_stepstack/at-work" and method == "GET":
            return 200, {"Content-Type": "application/json"}, json.dumps(len(at_work)).encode()
        if path.startswith("/_stepstack/event/") and method == "GET":
            event = events.get(path.rpartition("/")[2])
            return 200 if event else 404, {"Content-Type": "application/json"}, json.dumps(event).encode()
        return await pre_body(method, path, headers, query_params, request_id)

    pre_body = app._handle_pre_body_request
    app._handle_pre_body_request = answered
    wrap(stepfunctions, "_call_lambda", call)


@mend("calls are counted by operation")
def count_calls():
    """Outermost, so that it sees every call, answered by MiniStack or by a mend."""
    counts = collections.Counter()
    dispatch, pre_body = app._dispatch_service_request, app._handle_pre_body_request

    def operation(method, path, headers, body, query_params):
        target = headers.get("x-amz-target", "")
        if target.startswith("AnyScaleFrontendService."):
            return f"application-autoscaling:{target.rsplit('.', 1)[-1]}"
        parameters = app._routing_params(method, path, headers, body, query_params)
        service = app.detect_service(method, path, headers, parameters)
        name = app._ct_event_name(service, method, path, headers, parameters)
        if service == "s3":
            # A setting of a bucket is named by a query key without value: `?versioning`.
            setting = next((key for key, value in query_params.items() if not any(value) and key not in ("x-id", "prefix")), "")
            name = f"{method.title()}Bucket?{setting}" if setting else name
        elif name.endswith(f".{service}"):
            # A REST service: the path with the names taken out of it.
            places = [place for place in path.split("/") if place.isalpha() and place.islower()]
            name = f"{method} {'/'.join(places)}"
        return f"{service}:{name}"

    async def counted(method, path, headers, body, query_params, request_id):
        counts[operation(method, path, headers, body, query_params)] += 1
        return await dispatch(method, path, headers, body, query_params, request_id)

    async def answered(method, path, headers, query_params, request_id):
        if path == "/_stepstack/calls" and method == "GET":
            return 200, {"Content-Type": "application/json"}, json.dumps(counts, sort_keys=True).encode()
        if path == "/_stepstack/calls/reset" and method == "POST":
            counts.clear()
            return 200, {"Content-Type": "application/json"}, b"{}"
        return await pre_body(method, path, headers, query_params, request_id)

    app._dispatch_service_request = counted
    app._handle_pre_body_request = answered


if __name__ == "__main__":
    if "--mended" in sys.argv:
        print("\n".join(MENDED))
    else:
        app.main()
