"""Prints every field that AWS keeps and the emulator does not, one a line, of what the product asks AWS for.

Usage: python fields.py ENDPOINT

Each check makes a resource as the product makes it, reads it back as the product reads it, and compares. A
call that the emulator does not know, or that fails, is printed too. Nothing is printed when all come back.
"""

import base64
import io
import json
import sys
import time
import zipfile

import botocore.config
import botocore.exceptions
import botocore.session

ENDPOINT = sys.argv[1]
ACCOUNT, REGION = "000000000000", "us-east-1"
TAGS = {"stepstack:stack": "probe/one", "stepstack:name": "a thing"}
UPPER = [{"Key": key, "Value": value} for key, value in TAGS.items()]
LOWER = [{"key": key, "value": value} for key, value in TAGS.items()]
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "One", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::a/*"]}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }],
}

SESSION = botocore.session.Session()
CLIENTS = {}
CHECKS = []


def client(name):
    if name not in CLIENTS:
        CLIENTS[name] = SESSION.create_client(
            name,
            region_name=REGION,
            endpoint_url=ENDPOINT,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )
    return CLIENTS[name]


def check(function):
    CHECKS.append(function)
    return function


def lost(subject, field, sent, came):
    print(f"{subject}: {field}: sent {show(sent)}, came back {show(came)}")


def show(value):
    return json.dumps(value, sort_keys=True, default=str)


def compare(subject, sent, came):
    """Every field sent is there with the same value. Lists are compared as sets: AWS keeps no order either."""
    for field, value in sent.items():
        other = came.get(field) if isinstance(came, dict) else None
        if isinstance(value, dict) and isinstance(other, dict):
            compare(f"{subject}: {field}", value, other)
        elif isinstance(value, list) and isinstance(other, list) and sorted(map(show, value)) == sorted(map(show, other)):
            continue
        elif value != other:
            lost(subject, field, value, other)


def tags(subject, came):
    """Tags in any of the three forms that AWS has for them."""
    if isinstance(came, list):
        came = {one.get("Key", one.get("key")): one.get("Value", one.get("value")) for one in came}
    compare(f"{subject}: tags", TAGS, came or {})


def refused(subject, code, call):
    """AWS refuses this call with this code, and the product reads the code."""
    try:
        call()
        lost(subject, "error", code, None)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != code:
            lost(subject, "error", code, error.response["Error"]["Code"])


def specification(kind):
    return [{"ResourceType": kind, "Tags": UPPER}]


def tag_filter():
    return [{"Name": "tag:stepstack:stack", "Values": ["probe/one"]}]


WORLD = {}


@check
def network():
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification("vpc"))["Vpc"]["VpcId"]
    for field in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{field: {"Value": True}})
        compare("ec2 vpc", {"Value": True}, ec2.describe_vpc_attribute(VpcId=vpc, Attribute=field[0].lower() + field[1:])[field])
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

    gateway = ec2.create_internet_gateway(TagSpecifications=specification("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    came = ec2.describe_internet_gateways(Filters=tag_filter())["InternetGateways"][0]
    compare("ec2 internet gateway", {"Attachments": [{"State": "available", "VpcId": vpc}]}, came)
    tags("ec2 internet gateway", came["Tags"])

    tables = []
    for number in (1, 2):
        made = ec2.create_route_table(VpcId=vpc, ClientToken=f"token-{number}", TagSpecifications=specification("route-table"))
        tables.append(made["RouteTable"]["RouteTableId"])
    compare("ec2 route table", {"Tags": UPPER}, made["RouteTable"])
    ec2.create_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = ec2.associate_route_table(RouteTableId=tables[0], SubnetId=subnets[0])["AssociationId"]
    came = ec2.describe_route_tables(RouteTableIds=tables[:1])["RouteTables"][0]
    tags("ec2 route table", came["Tags"])
    route = next((one for one in came["Routes"] if one.get("DestinationCidrBlock") == "0.0.0.0/0"), {})
    compare("ec2 route", {"GatewayId": gateway, "State": "active", "Origin": "CreateRoute"}, route)
    compare("ec2 association", {"RouteTableAssociationId": association, "SubnetId": subnets[0], "Main": False}, came["Associations"][0])

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
        SubnetId=subnets[0], AllocationId=address["AllocationId"], ClientToken="nat", TagSpecifications=specification("natgateway")
    )["NatGateway"]["NatGatewayId"]
    came = ec2.describe_nat_gateways(Filter=tag_filter())["NatGateways"][0]
    compare("ec2 nat gateway", {"NatGatewayId": nat, "SubnetId": subnets[0], "VpcId": vpc, "ConnectivityType": "public"}, came)
    addresses = came.get("NatGatewayAddresses") or [{}]
    compare("ec2 nat gateway", {"AllocationId": address["AllocationId"], "PublicIp": address["PublicIp"]}, addresses[0])
    tags("ec2 nat gateway", came["Tags"])
    associated = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0].get("AssociationId")
    compare("ec2 address of a nat gateway", {"associated": True}, {"associated": bool(associated)})
    ec2.create_route(RouteTableId=tables[1], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    came = ec2.describe_route_tables(RouteTableIds=tables[1:])["RouteTables"][0]["Routes"]
    compare("ec2 route to nat", {"NatGatewayId": nat}, next((one for one in came if one["DestinationCidrBlock"] == "0.0.0.0/0"), {}))

    policy = json.dumps(POLICY)
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", VpcEndpointType="Gateway", RouteTableIds=tables,
        PolicyDocument=policy, ClientToken="endpoint", TagSpecifications=specification("vpc-endpoint"),
    )["VpcEndpoint"]
    came = ec2.describe_vpc_endpoints(Filters=tag_filter())["VpcEndpoints"][0]
    compare("ec2 gateway endpoint", {"VpcEndpointType": "Gateway", "RouteTableIds": tables, "State": "available"}, came)
    compare("ec2 gateway endpoint", {"Policy": POLICY}, {"Policy": json.loads(came.get("PolicyDocument") or "null")})
    tags("ec2 gateway endpoint", came.get("Tags"))
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], RemoveRouteTableIds=tables[:1])
    came = ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]
    compare("ec2 gateway endpoint, changed", {"RouteTableIds": tables[1:]}, came)
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.ecr.api", VpcEndpointType="Interface", SubnetIds=subnets,
        SecurityGroupIds=[group], PrivateDnsEnabled=True, TagSpecifications=specification("vpc-endpoint"),
    )["VpcEndpoint"]
    came = ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]
    compare("ec2 interface endpoint", {"VpcEndpointType": "Interface", "SubnetIds": subnets, "PrivateDnsEnabled": True}, came)
    compare("ec2 interface endpoint", {"Groups": [group]}, {"Groups": [one["GroupId"] for one in came.get("Groups", [])]})
    tags("ec2 interface endpoint", came.get("Tags"))

    acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"][0]
    sent = {"RuleNumber": 50, "Protocol": "6", "RuleAction": "deny", "Egress": False, "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 22, "To": 22}}
    ec2.create_network_acl_entry(NetworkAclId=acl["NetworkAclId"], **sent)
    came = ec2.describe_network_acls(NetworkAclIds=[acl["NetworkAclId"]])["NetworkAcls"][0]
    compare("ec2 network acl", {"IsDefault": True}, came)
    compare("ec2 network acl entry", sent, next((one for one in came["Entries"] if one["RuleNumber"] == 50), {}))

    sent = {
        "TrafficType": "REJECT", "LogDestinationType": "cloud-watch-logs", "LogGroupName": "/probe/flow",
        "DeliverLogsPermissionArn": f"arn:aws:iam::{ACCOUNT}:role/flow", "MaxAggregationInterval": 60,
    }
    ec2.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", ClientToken="flow", TagSpecifications=specification("vpc-flow-log"), **sent)
    came = ec2.describe_flow_logs(Filters=tag_filter())["FlowLogs"]
    compare("ec2 flow log", {**sent, "ResourceId": vpc, "FlowLogStatus": "ACTIVE"}, came[0] if came else {})
    tags("ec2 flow log", came[0].get("Tags") if came else None)
    WORLD.update(group=group)


@check
def roles():
    iam = client("iam")
    boundary = iam.create_policy(
        PolicyName="probe-boundary", Path="/stepstack/probe/", PolicyDocument=json.dumps(POLICY), Description="d", Tags=UPPER
    )["Policy"]["Arn"]
    came = iam.get_policy(PolicyArn=boundary)["Policy"]
    compare("iam policy", {"Path": "/stepstack/probe/", "Description": "d", "DefaultVersionId": "v1"}, came)
    tags("iam policy", came.get("Tags"))
    compare("iam policy", {"Document": POLICY}, iam.get_policy_version(PolicyArn=boundary, VersionId="v1")["PolicyVersion"])
    iam.create_policy_version(PolicyArn=boundary, PolicyDocument=json.dumps(POLICY), SetAsDefault=True)
    compare("iam policy, changed", {"DefaultVersionId": "v2"}, iam.get_policy(PolicyArn=boundary)["Policy"])
    compare("iam policy", {"count": 2}, {"count": len(iam.list_policy_versions(PolicyArn=boundary)["Versions"])})

    iam.create_role(
        RoleName="probe", Path="/stepstack/probe/one/", AssumeRolePolicyDocument=json.dumps(TRUST), Description="What for",
        MaxSessionDuration=7200, PermissionsBoundary=boundary, Tags=UPPER,
    )
    iam.put_role_policy(RoleName="probe", PolicyName="inline", PolicyDocument=json.dumps(POLICY))
    came = iam.get_role(RoleName="probe")["Role"]
    compare("iam role", {
        "Path": "/stepstack/probe/one/", "Description": "What for", "MaxSessionDuration": 7200, "AssumeRolePolicyDocument": TRUST,
        "PermissionsBoundary": {"PermissionsBoundaryArn": boundary},
    }, came)
    tags("iam role", came.get("Tags"))
    tags("iam role", iam.list_role_tags(RoleName="probe")["Tags"])
    compare("iam role", {"PolicyDocument": POLICY}, iam.get_role_policy(RoleName="probe", PolicyName="inline"))
    compare("iam role", {"PolicyNames": ["inline"]}, iam.list_role_policies(RoleName="probe"))
    listed = iam.list_roles(PathPrefix="/stepstack/probe/")["Roles"]
    compare("iam role listed", {"names": ["probe"]}, {"names": [one["RoleName"] for one in listed]})
    iam.update_role(RoleName="probe", Description="Other", MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName="probe", PolicyDocument=json.dumps(POLICY))
    came = iam.get_role(RoleName="probe")["Role"]
    compare("iam role, changed", {"Description": "Other", "MaxSessionDuration": 3600, "AssumeRolePolicyDocument": POLICY}, came)
    iam.update_assume_role_policy(RoleName="probe", PolicyDocument=json.dumps(TRUST))
    refused("iam role absent", "NoSuchEntity", lambda: iam.get_role(RoleName="absent"))
    refused("iam role twice", "EntityAlreadyExists", lambda: iam.create_role(RoleName="probe", AssumeRolePolicyDocument=json.dumps(TRUST)))
    refused("iam role in use", "DeleteConflict", lambda: iam.delete_role(RoleName="probe"))
    refused("iam policy absent", "NoSuchEntity", lambda: iam.get_role_policy(RoleName="probe", PolicyName="absent"))
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    refused("iam service-linked role twice", "InvalidInput", lambda: iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com"))
    WORLD.update(role=f"arn:aws:iam::{ACCOUNT}:role/stepstack/probe/one/probe")


@check
def log_group():
    logs = client("logs")
    logs.create_log_group(logGroupName="/probe/one", tags=TAGS)
    logs.put_retention_policy(logGroupName="/probe/one", retentionInDays=7)
    came = logs.describe_log_groups(logGroupNamePrefix="/probe/one")["logGroups"][0]
    compare("logs group", {"retentionInDays": 7, "logGroupClass": "STANDARD"}, came)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/probe/one"
    compare("logs group", {"arn": f"{arn}:*", "logGroupArn": arn}, came)
    tags("logs group", logs.list_tags_for_resource(resourceArn=arn)["tags"])
    refused("logs group twice", "ResourceAlreadyExistsException", lambda: logs.create_log_group(logGroupName="/probe/one"))
    refused("logs group absent", "ResourceNotFoundException", lambda: logs.delete_log_group(logGroupName="/absent"))


@check
def repository():
    ecr = client("ecr")
    filters = [{"filterType": "WILDCARD", "filter": "latest"}]
    sent = {
        "repositoryName": "probe/one", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters, "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    compare("ecr repository made", sent, ecr.create_repository(tags=UPPER, **sent)["repository"])
    came = ecr.describe_repositories(repositoryNames=["probe/one"])["repositories"][0]
    compare("ecr repository", sent, came)
    tags("ecr repository", ecr.list_tags_for_resource(resourceArn=came["repositoryArn"])["tags"])
    policy = json.dumps({"rules": [{
        "rulePriority": 1, "description": "d", "action": {"type": "expire"},
        "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
    }]})
    ecr.put_lifecycle_policy(repositoryName="probe/one", lifecyclePolicyText=policy)
    compare("ecr repository", {"lifecyclePolicyText": policy}, ecr.get_lifecycle_policy(repositoryName="probe/one"))
    other = [{"filterType": "WILDCARD", "filter": "main"}]
    ecr.put_image_tag_mutability(
        repositoryName="probe/one", imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=other
    )
    ecr.put_image_scanning_configuration(repositoryName="probe/one", imageScanningConfiguration={"scanOnPush": False})
    came = ecr.describe_repositories(repositoryNames=["probe/one"])["repositories"][0]
    changed = {"imageTagMutabilityExclusionFilters": other, "imageScanningConfiguration": {"scanOnPush": False}}
    compare("ecr repository, changed", changed, came)
    refused("ecr repository absent", "RepositoryNotFoundException", lambda: ecr.describe_repositories(repositoryNames=["absent"]))
    refused("ecr policy absent", "LifecyclePolicyNotFoundException", no_lifecycle)
    image(ecr)


def no_lifecycle():
    client("ecr").create_repository(repositoryName="probe/bare")
    client("ecr").get_lifecycle_policy(repositoryName="probe/bare")


def image(ecr):
    import hashlib

    def digest(content):
        return "sha256:" + hashlib.sha256(content).hexdigest()

    config = json.dumps({"architecture": "arm64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    begun = ecr.initiate_layer_upload(repositoryName="probe/one")["uploadId"]
    ecr.upload_layer_part(repositoryName="probe/one", uploadId=begun, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config)
    made = ecr.complete_layer_upload(repositoryName="probe/one", uploadId=begun, layerDigests=[digest(config)])
    compare("ecr layer", {"layerDigest": digest(config)}, made)
    came = ecr.batch_check_layer_availability(repositoryName="probe/one", layerDigests=[digest(config)])
    compare("ecr layer", {"layerAvailability": "AVAILABLE"}, (came["layers"] or [{}])[0])
    url = ecr.get_download_url_for_layer(repositoryName="probe/one", layerDigest=digest(config))["downloadUrl"]
    compare("ecr layer", {"content": config.decode()}, {"content": get(url)})

    media = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": {"digest": digest(config), "size": len(config)}, "layers": []})
    put = {"repositoryName": "probe/one", "imageManifest": manifest, "imageManifestMediaType": media}
    made = ecr.put_image(**put, imageTag="v1")["image"]
    compare("ecr image made", {"imageId": {"imageDigest": digest(manifest.encode()), "imageTag": "v1"}}, made)
    ecr.put_image(**put, imageTag="release-1")
    came = ecr.batch_get_image(repositoryName="probe/one", imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=[media])["images"]
    compare("ecr image", {"imageManifest": manifest, "imageManifestMediaType": media}, came[0] if came else {})
    came = ecr.describe_images(repositoryName="probe/one", imageIds=[{"imageDigest": digest(manifest.encode())}])["imageDetails"][0]
    compare("ecr image", {"imageTags": ["release-1", "v1"], "imageManifestMediaType": media}, came)
    refused("ecr tag and digest twice", "ImageAlreadyExistsException", lambda: ecr.put_image(**put, imageTag="v1"))
    refused("ecr image absent", "ImageNotFoundException", lambda: ecr.describe_images(repositoryName="probe/one", imageIds=[{"imageTag": "absent"}]))
    refused("ecr repository with images", "RepositoryNotEmptyException", lambda: ecr.delete_repository(repositoryName="probe/one"))
    WORLD.update(image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/probe/one@{digest(manifest.encode())}")


def get(url):
    import urllib.request

    # Without the mend it is a host of AWS's, which this program has no business with.
    if not url.startswith("http://127.0.0.1:"):
        return None
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


@check
def bucket():
    s3, name = client("s3"), "probe-one"
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced")
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": UPPER})
    tags("s3 bucket", s3.get_bucket_tagging(Bucket=name)["TagSet"])
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    compare("s3 bucket", {"Status": "Enabled"}, s3.get_bucket_versioning(Bucket=name))
    came = s3.get_bucket_ownership_controls(Bucket=name)
    compare("s3 bucket", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}, came)
    blocked = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=blocked)
    compare("s3 bucket", {"PublicAccessBlockConfiguration": blocked}, s3.get_public_access_block(Bucket=name))
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
    came = s3.get_bucket_encryption(Bucket=name)
    compare("s3 bucket, by default", {"ServerSideEncryptionConfiguration": {"SSEAlgorithm": "AES256"}}, {
        "ServerSideEncryptionConfiguration": came["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    })
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)
    compare("s3 bucket", {"ServerSideEncryptionConfiguration": rules}, s3.get_bucket_encryption(Bucket=name))
    policy = json.dumps(POLICY)
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    compare("s3 bucket", {"Policy": POLICY}, {"Policy": json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])})
    cors = [{
        "AllowedHeaders": ["*"], "AllowedMethods": ["GET", "PUT", "POST"], "AllowedOrigins": ["https://example.com"],
        "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 3000,
    }]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": cors})
    compare("s3 bucket", {"CORSRules": cors}, s3.get_bucket_cors(Bucket=name))
    lifecycle = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        {"ID": "uploads", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "runs/"}, "Expiration": {"Days": 90}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": lifecycle})
    compare("s3 bucket lifecycle", {"Rules": lifecycle}, s3.get_bucket_lifecycle_configuration(Bucket=name))
    logging = {"TargetBucket": name, "TargetPrefix": "s3/"}
    s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": logging})
    compare("s3 bucket", {"LoggingEnabled": logging}, s3.get_bucket_logging(Bucket=name))
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    compare("s3 bucket", {"EventBridgeConfiguration": {}}, s3.get_bucket_notification_configuration(Bucket=name))
    refused("s3 bucket policy absent", "NoSuchBucketPolicy", lambda: bare_bucket(lambda **named: s3.get_bucket_policy(**named)))
    for code, call in [
        ("NoSuchCORSConfiguration", s3.get_bucket_cors),
        ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration),
        ("NoSuchTagSet", s3.get_bucket_tagging),
        ("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block),
    ]:
        refused(f"s3 bucket without {call.__name__}", code, lambda call=call: bare_bucket(call))
    refused("s3 bucket absent", "NoSuchBucket", lambda: s3.get_bucket_tagging(Bucket="absent-bucket"))
    made = s3.create_bucket(Bucket="probe-tagged", CreateBucketConfiguration={"Tags": UPPER})
    tags("s3 bucket with tags", s3.get_bucket_tagging(Bucket="probe-tagged")["TagSet"])
    compare("s3 bucket", {"Location": "/probe-tagged"}, made)

    first = s3.put_object(Bucket=name, Key="a", Body=b"1", IfNoneMatch="*", ContentType="application/json", Metadata={"run": "x"})
    refused("s3 object if-none-match", "PreconditionFailed", lambda: s3.put_object(Bucket=name, Key="a", Body=b"2", IfNoneMatch="*"))
    second = s3.put_object(Bucket=name, Key="a", Body=b"2", IfMatch=first["ETag"], Metadata={"run": "y"})
    refused("s3 object if-match", "PreconditionFailed", lambda: s3.put_object(Bucket=name, Key="a", Body=b"3", IfMatch=first["ETag"]))
    compare("s3 object", {"ETag": second["ETag"], "VersionId": second["VersionId"], "Metadata": {"run": "y"}}, s3.get_object(Bucket=name, Key="a"))
    came = s3.get_object(Bucket=name, Key="a", VersionId=first["VersionId"])
    compare("s3 version", {"Body": "1"}, {"Body": came["Body"].read().decode()})
    s3.copy_object(Bucket=name, Key="b/c", CopySource={"Bucket": name, "Key": "a", "VersionId": first["VersionId"]})
    compare("s3 copy of a version", {"Body": "1"}, {"Body": s3.get_object(Bucket=name, Key="b/c")["Body"].read().decode()})
    listed = s3.list_objects_v2(Bucket=name, Prefix="b/", Delimiter="/")
    compare("s3 list", {"keys": ["b/c"]}, {"keys": [one["Key"] for one in listed.get("Contents", [])]})
    compare("s3 versions", {"count": 3}, {"count": len(s3.list_object_versions(Bucket=name)["Versions"])})
    refused("s3 bucket with objects", "BucketNotEmpty", lambda: s3.delete_bucket(Bucket=name))


def bare_bucket(call):
    client("s3").create_bucket(Bucket="probe-bare")
    call(Bucket="probe-bare")


@check
def zone():
    route53 = client("route53")
    made = route53.create_hosted_zone(Name="probe.example", CallerReference="one", HostedZoneConfig={"Comment": "c", "PrivateZone": False})
    compare("route53 zone", {"servers": 4}, {"servers": len(made["DelegationSet"]["NameServers"])})
    zone_id = made["HostedZone"]["Id"].rsplit("/", 1)[-1]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id, AddTags=UPPER)
    tags("route53 zone", route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)["ResourceTagSet"]["Tags"])
    came = route53.get_hosted_zone(Id=zone_id)
    compare("route53 zone", {"Name": "probe.example.", "Config": {"Comment": "c", "PrivateZone": False}}, came["HostedZone"])
    compare("route53 zone", {"NameServers": made["DelegationSet"]["NameServers"]}, came["DelegationSet"])
    listed = route53.list_hosted_zones_by_name(DNSName="probe.example")["HostedZones"]
    compare("route53 zone listed", {"names": ["probe.example."]}, {"names": [one["Name"] for one in listed][:1]})
    alias = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": "dualstack.lb.us-east-1.elb.amazonaws.com.", "EvaluateTargetHealth": True}
    sent = [
        {"Name": "_x.api.probe.example.", "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": "_y.acm-validations.aws."}]},
        {"Name": "api.probe.example.", "Type": "A", "AliasTarget": alias},
        {"Name": "probe.example.", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"a b"'}]},
    ]
    for one in sent:
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": one}], "Comment": "probe"}
        route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change)
    refused("route53 record twice", "InvalidChangeBatch", lambda: route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change))
    records = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    for one in sent:
        found = [other for other in records if (other["Name"], other["Type"]) == (one["Name"], one["Type"])]
        compare(f"route53 record {one['Type']}", one, found[0] if found else {})
    compare("route53 zone", {"NS and SOA": 2}, {"NS and SOA": sum(one["Type"] in ("NS", "SOA") for one in records)})
    refused("route53 zone with records", "HostedZoneNotEmpty", lambda: route53.delete_hosted_zone(Id=zone_id))


@check
def certificate():
    acm = client("acm")
    options = {"CertificateTransparencyLoggingPreference": "ENABLED"}
    arn = acm.request_certificate(
        DomainName="api.probe.example", SubjectAlternativeNames=["www.probe.example"], ValidationMethod="DNS",
        IdempotencyToken="one", Options=options, Tags=UPPER,
    )["CertificateArn"]
    came = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    compare("acm certificate", {
        "DomainName": "api.probe.example", "SubjectAlternativeNames": ["api.probe.example", "www.probe.example"],
        "Options": options, "Type": "AMAZON_ISSUED", "Status": "ISSUED",
    }, came)
    for one in came["DomainValidationOptions"]:
        compare("acm validation", {"ValidationMethod": "DNS", "record": True}, {**one, "record": bool(one.get("ResourceRecord", {}).get("Value"))})
    tags("acm certificate", acm.list_tags_for_certificate(CertificateArn=arn)["Tags"])
    listed = [one["CertificateArn"] for one in acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1", "RSA_2048"]})["CertificateSummaryList"]]
    compare("acm certificate listed", {"arns": [arn]}, {"arns": listed})
    WORLD.update(certificate=arn)


@check
def database():
    rds = client("rds")
    versions = rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"]
    for one in versions[-1:]:
        compare("rds engine version", {"MinCapacity": 0.0, "MaxCapacity": 256.0}, one.get("ServerlessV2FeaturesSupport", {}))
        compare("rds engine version", {"ExportableLogTypes": ["postgresql"], "Status": "available"}, one)
    version = next(one for one in versions if one["EngineVersion"].startswith("15."))
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="probe", DBParameterGroupFamily="aurora-postgresql15", Description="d", Tags=UPPER
    )
    sent = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="probe", Parameters=[sent])
    came = rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="probe")["DBClusterParameterGroups"][0]
    compare("rds parameter group", {"DBParameterGroupFamily": "aurora-postgresql15", "Description": "d"}, came)
    tags("rds parameter group", rds.list_tags_for_resource(ResourceName=came["DBClusterParameterGroupArn"])["TagList"])
    found = rds.describe_db_cluster_parameters(DBClusterParameterGroupName="probe", Source="user")["Parameters"]
    compare("rds parameter", sent, next((one for one in found if one["ParameterName"] == "rds.force_ssl"), {}))

    subnets = WORLD.get("subnets", [])
    rds.create_db_subnet_group(DBSubnetGroupName="probe", DBSubnetGroupDescription="d", SubnetIds=subnets, Tags=UPPER)
    came = rds.describe_db_subnet_groups(DBSubnetGroupName="probe")["DBSubnetGroups"][0]
    compare("rds subnet group", {"DBSubnetGroupDescription": "d", "VpcId": WORLD.get("vpc"), "SubnetGroupStatus": "Complete"}, came)
    compare("rds subnet group", {"Subnets": subnets}, {"Subnets": [one["SubnetIdentifier"] for one in came["Subnets"]]})
    tags("rds subnet group", rds.list_tags_for_resource(ResourceName=came["DBSubnetGroupArn"])["TagList"])

    serverless = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    kept = {
        "Engine": "aurora-postgresql", "EngineVersion": version["EngineVersion"], "DatabaseName": "probe", "MasterUsername": "postgres",
        "BackupRetentionPeriod": 7, "PreferredBackupWindow": "03:00-04:00", "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
        "StorageEncrypted": True, "DeletionProtection": True, "CopyTagsToSnapshot": True, "Port": 5432,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    }
    rds.create_db_cluster(
        DBClusterIdentifier="probe-1", MasterUserPassword="a" * 32, DBSubnetGroupName="probe", DBClusterParameterGroupName="probe",
        VpcSecurityGroupIds=[WORLD.get("group", "sg-1")], ServerlessV2ScalingConfiguration={**serverless, "SecondsUntilAutoPause": 600},
        EnableIAMDatabaseAuthentication=True, EnableCloudwatchLogsExports=["postgresql"], Tags=UPPER, **kept,
    )
    rds.create_db_instance(
        DBInstanceIdentifier="probe-1-1", DBClusterIdentifier="probe-1", DBInstanceClass="db.serverless", Engine="aurora-postgresql",
        PubliclyAccessible=False, AutoMinorVersionUpgrade=True, CopyTagsToSnapshot=True, EnablePerformanceInsights=True,
        PerformanceInsightsRetentionPeriod=7, PromotionTier=1, CACertificateIdentifier="rds-ca-rsa2048-g1", Tags=UPPER,
    )
    came = settled(lambda: rds.describe_db_clusters(DBClusterIdentifier="probe-1")["DBClusters"][0], "Status")
    compare("rds cluster", {
        **kept, "DBSubnetGroup": "probe", "DBClusterParameterGroup": "probe", "IAMDatabaseAuthenticationEnabled": True,
        "EnabledCloudwatchLogsExports": ["postgresql"], "Status": "available", "EngineMode": "provisioned",
        "ServerlessV2ScalingConfiguration": {**serverless, "SecondsUntilAutoPause": 600}, "MultiAZ": False,
    }, came)
    groups = [one["VpcSecurityGroupId"] for one in came["VpcSecurityGroups"]]
    compare("rds cluster", {"groups": [WORLD.get("group", "sg-1")]}, {"groups": groups})
    compare("rds cluster", {"members": ["probe-1-1"]}, {"members": [one["DBInstanceIdentifier"] for one in came["DBClusterMembers"]]})
    compare("rds cluster", {"named": True}, {"named": came["Endpoint"].startswith("probe-1.cluster-") and came["ReaderEndpoint"].startswith("probe-1.cluster-ro-")})
    tags("rds cluster", came.get("TagList"))
    tags("rds cluster", rds.list_tags_for_resource(ResourceName=came["DBClusterArn"])["TagList"])
    came = settled(lambda: rds.describe_db_instances(DBInstanceIdentifier="probe-1-1")["DBInstances"][0], "DBInstanceStatus")
    compare("rds instance", {
        "DBInstanceClass": "db.serverless", "Engine": "aurora-postgresql", "DBClusterIdentifier": "probe-1", "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": True, "CopyTagsToSnapshot": True, "PerformanceInsightsEnabled": True, "PromotionTier": 1,
        "PerformanceInsightsRetentionPeriod": 7, "CACertificateIdentifier": "rds-ca-rsa2048-g1", "DBInstanceStatus": "available",
        "StorageEncrypted": True,
    }, came)
    tags("rds instance", came.get("TagList"))
    compare("rds instance", {"named": True}, {"named": came["Endpoint"]["Address"].startswith("probe-1-1.")})

    rds.modify_db_cluster(
        DBClusterIdentifier="probe-1", ApplyImmediately=True, DeletionProtection=False, BackupRetentionPeriod=3,
        ServerlessV2ScalingConfiguration={"MinCapacity": 1.0, "MaxCapacity": 2.0}, EnableIAMDatabaseAuthentication=False,
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]}, CopyTagsToSnapshot=False,
        PreferredBackupWindow="01:00-02:00", MasterUserPassword="b" * 32,
    )
    came = settled(lambda: rds.describe_db_clusters(DBClusterIdentifier="probe-1")["DBClusters"][0], "Status")
    compare("rds cluster, changed", {
        "DeletionProtection": False, "BackupRetentionPeriod": 3, "IAMDatabaseAuthenticationEnabled": False, "CopyTagsToSnapshot": False,
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 1.0, "MaxCapacity": 2.0}, "PreferredBackupWindow": "01:00-02:00",
    }, came)
    compare("rds cluster, changed", {"exports": []}, {"exports": came.get("EnabledCloudwatchLogsExports", [])})
    rds.modify_db_instance(DBInstanceIdentifier="probe-1-1", ApplyImmediately=True, AutoMinorVersionUpgrade=False, EnablePerformanceInsights=False, PromotionTier=2)
    came = settled(lambda: rds.describe_db_instances(DBInstanceIdentifier="probe-1-1")["DBInstances"][0], "DBInstanceStatus")
    compare("rds instance, changed", {"AutoMinorVersionUpgrade": False, "PerformanceInsightsEnabled": False, "PromotionTier": 2}, came)
    rds.modify_db_subnet_group(DBSubnetGroupName="probe", SubnetIds=subnets[:1], DBSubnetGroupDescription="d")
    came = rds.describe_db_subnet_groups(DBSubnetGroupName="probe")["DBSubnetGroups"][0]
    compare("rds subnet group, changed", {"Subnets": subnets[:1]}, {"Subnets": [one["SubnetIdentifier"] for one in came["Subnets"]]})
    for code, call in [
        ("DBClusterNotFoundFault", lambda: rds.describe_db_clusters(DBClusterIdentifier="absent")),
        ("DBInstanceNotFound", lambda: rds.describe_db_instances(DBInstanceIdentifier="absent")),
        ("DBSubnetGroupNotFoundFault", lambda: rds.describe_db_subnet_groups(DBSubnetGroupName="absent")),
        ("DBParameterGroupNotFound", lambda: rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="absent")),
        ("InvalidDBClusterStateFault", lambda: rds.delete_db_cluster(DBClusterIdentifier="probe-1", SkipFinalSnapshot=True)),
    ]:
        refused("rds", code, call)
    rds.create_db_cluster_snapshot(DBClusterIdentifier="probe-1", DBClusterSnapshotIdentifier="probe-final", Tags=UPPER)
    came = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="probe-final")["DBClusterSnapshots"][0]
    compare("rds snapshot", {"Status": "available", "SnapshotType": "manual", "DBClusterIdentifier": "probe-1"}, came)
    tags("rds snapshot", came.get("TagList"))
    rds.delete_db_instance(DBInstanceIdentifier="probe-1-1", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="probe-1", FinalDBSnapshotIdentifier="probe-last")
    came = rds.describe_db_cluster_snapshots(DBClusterIdentifier="probe-1")["DBClusterSnapshots"]
    names = sorted(one["DBClusterSnapshotIdentifier"] for one in came)
    compare("rds cluster deleted", {"snapshots": ["probe-final", "probe-last"]}, {"snapshots": names})


def settled(read, status):
    """Reads until the status is `available`, for two seconds at most."""
    for _ in range(20):
        came = read()
        if came[status] == "available":
            break
        time.sleep(0.1)
    return came


@check
def secret():
    secrets = client("secretsmanager")
    password = secrets.get_random_password(PasswordLength=32, ExcludePunctuation=True)["RandomPassword"]
    compare("secret password", {"letters and digits": True, "length": 32}, {"letters and digits": password.isalnum(), "length": len(password)})
    token = "11111111-2222-3333-4444-555555555555"
    made = secrets.create_secret(Name="probe/one/password", Description="What for", SecretString="x", ClientRequestToken=token, Tags=UPPER)
    compare("secret made", {"VersionId": token, "Name": "probe/one/password"}, made)
    came = secrets.describe_secret(SecretId="probe/one/password")
    compare("secret", {"Description": "What for", "VersionIdsToStages": {token: ["AWSCURRENT"]}}, came)
    tags("secret", came.get("Tags"))
    second = secrets.put_secret_value(SecretId="probe/one/password", SecretString="y", ClientRequestToken=token.replace("1", "6"))["VersionId"]
    came = secrets.describe_secret(SecretId="probe/one/password")
    compare("secret, changed", {"VersionIdsToStages": {token: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}}, came)
    compare("secret", {"SecretString": "x"}, secrets.get_secret_value(SecretId="probe/one/password", VersionId=token))
    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["probe/one/"]}], IncludePlannedDeletion=True)["SecretList"]
    compare("secret listed", {"names": ["probe/one/password"]}, {"names": [one["Name"] for one in listed]})
    for one in listed[:1]:
        tags("secret listed", one.get("Tags"))
        compare("secret listed", {"Description": "What for", "SecretVersionsToStages": {token: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}}, one)
    secrets.delete_secret(SecretId="probe/one/password", RecoveryWindowInDays=7)
    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["probe/one/"]}], IncludePlannedDeletion=True)["SecretList"]
    compare("secret deleted", {"shown": True}, {"shown": bool(listed and listed[0].get("DeletedDate"))})
    refused("secret deleted", "InvalidRequestException", lambda: secrets.create_secret(Name="probe/one/password", SecretString="z"))
    secrets.restore_secret(SecretId="probe/one/password")
    refused("secret absent", "ResourceNotFoundException", lambda: secrets.describe_secret(SecretId="absent"))
    WORLD.update(secret=made["ARN"], version=second)


@check
def load_balancer():
    elb = client("elbv2")
    sent = {"Name": "probe", "Scheme": "internet-facing", "Type": "application", "IpAddressType": "ipv4"}
    made = elb.create_load_balancer(Subnets=WORLD.get("subnets", []), SecurityGroups=[WORLD.get("group", "sg-1")], Tags=UPPER, **sent)
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    came = elb.describe_load_balancers(Names=["probe"])["LoadBalancers"][0]
    renamed = {"LoadBalancerName": "probe", **{key: value for key, value in sent.items() if key != "Name"}}
    compare("elb load balancer", {**renamed, "SecurityGroups": [WORLD.get("group", "sg-1")], "State": {"Code": "active"}, "VpcId": WORLD.get("vpc")}, came)
    zones = [one["SubnetId"] for one in came["AvailabilityZones"]]
    compare("elb load balancer", {"subnets": WORLD.get("subnets", [])}, {"subnets": zones})
    compare("elb load balancer", {"CanonicalHostedZoneId": True, "DNSName": True}, {key: bool(came.get(key)) for key in ("CanonicalHostedZoneId", "DNSName")})
    tags("elb load balancer", elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])
    attributes = {
        "deletion_protection.enabled": "true", "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive", "access_logs.s3.enabled": "true", "access_logs.s3.bucket": "probe-one",
        "access_logs.s3.prefix": "lb", "idle_timeout.timeout_seconds": "60", "routing.http2.enabled": "true",
        "routing.http.xff_header_processing.mode": "append",
    }
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs(attributes))
    compare("elb load balancer attributes", attributes, unpaired(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)))

    sent = {
        "Protocol": "HTTP", "Port": 8000, "VpcId": WORLD.get("vpc"), "TargetType": "ip", "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4, "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2, "Matcher": {"HttpCode": "200"}, "ProtocolVersion": "HTTP1", "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True, "IpAddressType": "ipv4",
    }
    target = elb.create_target_group(Name="probe", Tags=UPPER, **sent)["TargetGroups"][0]["TargetGroupArn"]
    compare("elb target group", {"TargetGroupName": "probe", **sent}, elb.describe_target_groups(Names=["probe"])["TargetGroups"][0])
    tags("elb target group", elb.describe_tags(ResourceArns=[target])["TagDescriptions"][0]["Tags"])
    attributes = {
        "deregistration_delay.timeout_seconds": "15", "stickiness.enabled": "false", "load_balancing.algorithm.type": "round_robin",
        "slow_start.duration_seconds": "0",
    }
    elb.modify_target_group_attributes(TargetGroupArn=target, Attributes=pairs(attributes))
    compare("elb target group attributes", attributes, unpaired(elb.describe_target_group_attributes(TargetGroupArn=target)))
    elb.modify_target_group(TargetGroupArn=target, HealthCheckPath="/up", HealthCheckIntervalSeconds=10, Matcher={"HttpCode": "200-299"})
    came = elb.describe_target_groups(TargetGroupArns=[target])["TargetGroups"][0]
    compare("elb target group, changed", {"HealthCheckPath": "/up", "HealthCheckIntervalSeconds": 10, "Matcher": {"HttpCode": "200-299"}}, came)

    redirect = {"Type": "redirect", "RedirectConfig": {
        "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301",
    }}
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not here"}}
    http = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[redirect], Tags=UPPER)["Listeners"][0]["ListenerArn"]
    policy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    https = elb.create_listener(
        LoadBalancerArn=arn, Protocol="HTTPS", Port=443, SslPolicy=policy, Certificates=[{"CertificateArn": WORLD.get("certificate")}],
        DefaultActions=[fixed], Tags=UPPER,
    )["Listeners"][0]["ListenerArn"]
    listeners = {one["ListenerArn"]: one for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
    compare("elb listener 80", {"Protocol": "HTTP", "Port": 80, "LoadBalancerArn": arn}, listeners.get(http, {}))
    compare("elb listener 443", {"Protocol": "HTTPS", "Port": 443, "SslPolicy": policy}, listeners.get(https, {}))
    compare("elb listener 80", redirect, listeners[http]["DefaultActions"][0])
    compare("elb listener 443", fixed, listeners[https]["DefaultActions"][0])
    compare("elb listener 443", {"certificates": [WORLD.get("certificate")]}, {"certificates": [one["CertificateArn"] for one in listeners[https].get("Certificates", [])]})
    for one in (http, https):
        tags("elb listener", elb.describe_tags(ResourceArns=[one])["TagDescriptions"][0]["Tags"])
    elb.modify_listener(ListenerArn=http, DefaultActions=[fixed])
    compare("elb listener, changed", fixed, elb.describe_listeners(ListenerArns=[http])["Listeners"][0]["DefaultActions"][0])

    forward = {"Type": "forward", "TargetGroupArn": target, "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": target, "Weight": 1}]}}
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["api.probe.example"]}}
    rule = elb.create_rule(
        ListenerArn=https, Priority=10, Conditions=[host], Actions=[{"Type": "forward", "TargetGroupArn": target}], Tags=UPPER
    )["Rules"][0]["RuleArn"]
    came = next((one for one in elb.describe_rules(ListenerArn=https)["Rules"] if one["RuleArn"] == rule), {})
    compare("elb rule", {"Priority": "10", "IsDefault": False}, came)
    compare("elb rule action", forward, (came.get("Actions") or [{}])[0])
    compare("elb rule condition", {**host, "Values": ["api.probe.example"]}, (came.get("Conditions") or [{}])[0])
    tags("elb rule", elb.describe_tags(ResourceArns=[rule])["TagDescriptions"][0]["Tags"])
    came = elb.describe_target_groups(TargetGroupArns=[target])["TargetGroups"][0]
    compare("elb target group in use", {"LoadBalancerArns": [arn]}, came)
    elb.modify_rule(RuleArn=rule, Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["www.probe.example"]}}])
    came = elb.describe_rules(RuleArns=[rule])["Rules"][0]
    compare("elb rule, changed", {"HostHeaderConfig": {"Values": ["www.probe.example"]}}, came["Conditions"][0])
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 20}])
    compare("elb rule, changed", {"Priority": "20"}, elb.describe_rules(RuleArns=[rule])["Rules"][0])
    elb.set_subnets(LoadBalancerArn=arn, Subnets=WORLD.get("subnets", []))
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[WORLD.get("group", "sg-1")])
    for code, call in [
        ("LoadBalancerNotFound", lambda: elb.describe_load_balancers(Names=["absent"])),
        ("TargetGroupNotFound", lambda: elb.describe_target_groups(Names=["absent"])),
        ("ListenerNotFound", lambda: elb.describe_listeners(ListenerArns=[http + "0"])),
    ]:
        refused("elb absent", code, call)
    WORLD.update(target=target)


def pairs(values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


def unpaired(answer):
    return {one["Key"]: one["Value"] for one in answer["Attributes"]}


@check
def services():
    ecs = client("ecs")
    settings = [{"name": "containerInsights", "value": "disabled"}]
    made = ecs.create_cluster(clusterName="probe", tags=LOWER, settings=settings, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 0}])
    compare("ecs cluster made", {"clusterName": "probe", "status": "ACTIVE"}, made["cluster"])
    came = ecs.describe_clusters(clusters=["probe"], include=["TAGS", "SETTINGS", "CONFIGURATIONS"])["clusters"][0]
    compare("ecs cluster", {"settings": settings, "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]}, came)
    tags("ecs cluster", came.get("tags"))
    absent = ecs.describe_clusters(clusters=["absent"])
    compare("ecs cluster absent", {"reason": "MISSING"}, (absent["failures"] or [{}])[0])

    container = {
        "name": "api", "image": WORLD.get("image", "image"), "essential": True, "readonlyRootFilesystem": True,
        "command": ["litestar", "run"], "environment": [{"name": "ENV", "value": "one"}], "user": "1000",
        "secrets": [{"name": "PGPASSWORD", "valueFrom": f"{WORLD.get('secret')}:::{WORLD.get('version')}"}],
        "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
        "linuxParameters": {"initProcessEnabled": True, "tmpfs": [{"containerPath": "/tmp", "size": 64, "mountOptions": ["mode=1777"]}]},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/probe/one", "awslogs-region": REGION, "awslogs-stream-prefix": "api"}},
        "healthCheck": {"command": ["CMD", "true"], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 0},
        "stopTimeout": 30,
    }
    sent = {
        "family": "probe-api", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "taskRoleArn": WORLD.get("role", "role"), "executionRoleArn": WORLD.get("role", "role"),
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}, "ephemeralStorage": {"sizeInGiB": 21},
    }
    definition = ecs.register_task_definition(containerDefinitions=[container], tags=LOWER, **sent)["taskDefinition"]["taskDefinitionArn"]
    came = ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])
    compare("ecs task definition", {**sent, "status": "ACTIVE", "revision": 1}, came["taskDefinition"])
    compare("ecs container", container, came["taskDefinition"]["containerDefinitions"][0])
    tags("ecs task definition", came.get("tags"))

    network = {"awsvpcConfiguration": {"subnets": WORLD.get("subnets", []), "securityGroups": [WORLD.get("group", "sg-1")], "assignPublicIp": "DISABLED"}}
    balancers = [{"targetGroupArn": WORLD.get("target", "target"), "containerName": "api", "containerPort": 8000}]
    deployment = {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200, "minimumHealthyPercent": 100,
    }
    sent = {
        "serviceName": "api", "desiredCount": 1, "launchType": "FARGATE", "platformVersion": "LATEST", "taskDefinition": definition,
        "networkConfiguration": network, "loadBalancers": balancers, "deploymentConfiguration": deployment,
        "availabilityZoneRebalancing": "ENABLED", "healthCheckGracePeriodSeconds": 30, "enableECSManagedTags": True,
        "propagateTags": "SERVICE", "enableExecuteCommand": True, "schedulingStrategy": "REPLICA",
    }
    ecs.create_service(cluster="probe", clientToken="one", tags=LOWER, deploymentController={"type": "ECS"}, **sent)
    came = ecs.describe_services(cluster="probe", services=["api"], include=["TAGS"])["services"][0]
    compare("ecs service", {**sent, "status": "ACTIVE", "runningCount": 1, "pendingCount": 0}, came)
    tags("ecs service", came.get("tags"))
    first = came["deployments"][0]
    compare("ecs deployment", {"status": "PRIMARY", "rolloutState": "COMPLETED", "taskDefinition": definition, "desiredCount": 1, "runningCount": 1}, first)
    second = ecs.register_task_definition(family="probe-api", containerDefinitions=[container])["taskDefinition"]["taskDefinitionArn"]
    changed = {
        "desiredCount": 2, "taskDefinition": second, "availabilityZoneRebalancing": "DISABLED", "healthCheckGracePeriodSeconds": 60,
        "enableExecuteCommand": False, "deploymentConfiguration": {**deployment, "maximumPercent": 150},
    }
    ecs.update_service(cluster="probe", service="api", **changed)
    came = ecs.describe_services(cluster="probe", services=["api"])["services"][0]
    compare("ecs service, changed", {**changed, "runningCount": 2, "networkConfiguration": network, "propagateTags": "SERVICE"}, came)
    compare("ecs deployments", {"of": [second]}, {"of": [one["taskDefinition"] for one in came["deployments"]]})
    arns = [one.rsplit("/", 1)[-1] for one in ecs.list_services(cluster="probe")["serviceArns"]]
    compare("ecs services listed", {"names": ["api"]}, {"names": arns})
    tasks = ecs.list_tasks(cluster="probe", serviceName="api")["taskArns"]
    compare("ecs tasks", {"count": 2}, {"count": len(tasks)})
    listed = ecs.list_task_definitions(familyPrefix="probe-api", status="ACTIVE")["taskDefinitionArns"]
    compare("ecs task definitions", {"count": 2}, {"count": len(listed)})
    ecs.deregister_task_definition(taskDefinition=definition)
    ecs.delete_task_definitions(taskDefinitions=[definition])
    ecs.update_service(cluster="probe", service="api", desiredCount=0)
    ecs.delete_service(cluster="probe", service="api", force=True)
    came = ecs.describe_services(cluster="probe", services=["api"])["services"]
    compare("ecs service deleted", {"gone": True}, {"gone": all(one["status"] != "ACTIVE" for one in came)})
    absent = ecs.describe_services(cluster="probe", services=["absent"])
    compare("ecs service absent", {"reason": "MISSING"}, (absent["failures"] or [{}])[0])


@check
def autoscaling():
    scaling = client("application-autoscaling")
    key = {"ServiceNamespace": "ecs", "ResourceId": "service/probe/api", "ScalableDimension": "ecs:service:DesiredCount"}
    arn = scaling.register_scalable_target(MinCapacity=1, MaxCapacity=4, Tags=TAGS, **key)["ScalableTargetARN"]
    came = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=["service/probe/api"])["ScalableTargets"]
    compare("autoscaling target", {**key, "MinCapacity": 1, "MaxCapacity": 4, "ScalableTargetARN": arn}, came[0] if came else {})
    tags("autoscaling target", scaling.list_tags_for_resource(ResourceARN=arn)["Tags"])
    tracking = {
        "TargetValue": 60.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "ScaleInCooldown": 300, "ScaleOutCooldown": 60,
    }
    scaling.put_scaling_policy(PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracking, **key)
    came = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId="service/probe/api")["ScalingPolicies"]
    compare("autoscaling policy", {**key, "PolicyName": "cpu", "TargetTrackingScalingPolicyConfiguration": tracking}, came[0] if came else {})
    scaling.delete_scaling_policy(PolicyName="cpu", **key)
    refused("autoscaling policy absent", "ObjectNotFoundException", lambda: scaling.delete_scaling_policy(PolicyName="cpu", **key))
    scaling.deregister_scalable_target(**key)
    compare("autoscaling target", {"left": []}, {"left": scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]})
    refused("autoscaling target absent", "ObjectNotFoundException", lambda: scaling.deregister_scalable_target(**key))


@check
def functions():
    lambdas = client("lambda")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\nexit 1\n")
    sent = {
        "FunctionName": "probe", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": WORLD.get("role", "role"),
        "Description": "What for", "Timeout": 90, "MemorySize": 256, "Architectures": ["x86_64"], "PackageType": "Zip",
        "Environment": {"Variables": {"STEPSTACK_BUCKET": "b"}}, "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/probe/one", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN"},
        "EphemeralStorage": {"Size": 512},
    }
    made = lambdas.create_function(Code={"ZipFile": content.getvalue()}, Tags=TAGS, Publish=True, **sent)
    compare("lambda function made", {"Version": "1"}, made)
    came = updated(lambdas)
    compare("lambda function", {**sent, "State": "Active", "LastUpdateStatus": "Successful"}, came["Configuration"])
    tags("lambda function", came.get("Tags"))
    import hashlib

    digest = base64.b64encode(hashlib.sha256(content.getvalue()).digest()).decode()
    compare("lambda function", {"CodeSha256": digest}, came["Configuration"])
    lambdas.update_function_configuration(FunctionName="probe", Timeout=60, Environment={"Variables": {"STEPSTACK_BUCKET": "c"}}, MemorySize=128)
    came = updated(lambdas)["Configuration"]
    compare("lambda function, changed", {"Timeout": 60, "MemorySize": 128, "Environment": {"Variables": {"STEPSTACK_BUCKET": "c"}}}, came)
    compare("lambda version", {"Version": "2"}, lambdas.publish_version(FunctionName="probe", Description="two"))
    compare("lambda version again", {"Version": "2"}, lambdas.publish_version(FunctionName="probe"))
    came = lambdas.get_function_configuration(FunctionName="probe", Qualifier="1")
    compare("lambda version 1", {"Timeout": 90, "Version": "1", "CodeSha256": digest}, came)
    versions = [one["Version"] for one in lambdas.list_versions_by_function(FunctionName="probe")["Versions"]]
    compare("lambda versions", {"Versions": ["$LATEST", "1", "2"]}, {"Versions": versions})
    lambdas.create_alias(FunctionName="probe", Name="live", FunctionVersion="1", Description="d")
    compare("lambda alias", {"FunctionVersion": "1", "Description": "d"}, lambdas.get_alias(FunctionName="probe", Name="live"))
    lambdas.delete_alias(FunctionName="probe", Name="live")
    lambdas.delete_function(FunctionName="probe", Qualifier="1")
    refused("lambda function absent", "ResourceNotFoundException", lambda: lambdas.get_function(FunctionName="absent"))
    refused("lambda function twice", "ResourceConflictException", lambda: lambdas.create_function(Code={"ZipFile": content.getvalue()}, **sent))
    WORLD.update(function=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:probe:2")


def updated(lambdas):
    """Reads until the function is ready, for two seconds at most."""
    for _ in range(20):
        came = lambdas.get_function(FunctionName="probe")
        if came["Configuration"]["State"] == "Active" and came["Configuration"]["LastUpdateStatus"] == "Successful":
            break
        time.sleep(0.1)
    return came


@check
def state_machine():
    states = client("stepfunctions")
    definition = json.dumps({"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}})
    logging = {
        "level": "ERROR", "includeExecutionData": False,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/probe/one:*"}}],
    }
    sent = {"definition": definition, "roleArn": WORLD.get("role", "role"), "type": "STANDARD", "loggingConfiguration": logging}
    arn = states.create_state_machine(name="probe", tags=LOWER, **sent)["stateMachineArn"]
    compare("state machine", {**sent, "name": "probe", "status": "ACTIVE"}, states.describe_state_machine(stateMachineArn=arn))
    tags("state machine", states.list_tags_for_resource(resourceArn=arn)["tags"])
    other = definition.replace("One", "Two")
    states.update_state_machine(stateMachineArn=arn, definition=other, loggingConfiguration={"level": "OFF", "includeExecutionData": False})
    compare("state machine, changed", {"definition": other, "loggingConfiguration": {"level": "OFF"}, "roleArn": sent["roleArn"]}, states.describe_state_machine(stateMachineArn=arn))
    run = states.start_execution(stateMachineArn=arn, name="one", input=json.dumps({"a": 1}))["executionArn"]
    time.sleep(0.3)
    compare("execution", {"status": "SUCCEEDED", "input": json.dumps({"a": 1}), "name": "one"}, states.describe_execution(executionArn=run))
    refused("execution twice", "ExecutionAlreadyExists", lambda: states.start_execution(stateMachineArn=arn, name="one", input="{}"))
    refused("execution absent", "ExecutionDoesNotExist", lambda: states.describe_execution(executionArn=run + "0"))
    refused("state machine absent", "StateMachineDoesNotExist", lambda: states.describe_state_machine(stateMachineArn=arn + "0"))
    WORLD.update(machine=arn)


@check
def events():
    bridge = client("events")
    pattern = {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": {"action-type": ["PUSH"], "repository-name": ["probe/one"]}}
    arn = bridge.put_rule(Name="probe", EventPattern=json.dumps(pattern), State="ENABLED", Description="d", Tags=UPPER)["RuleArn"]
    came = bridge.describe_rule(Name="probe")
    compare("events rule", {"State": "ENABLED", "Description": "d"}, came)
    compare("events rule", {"EventPattern": pattern}, {"EventPattern": json.loads(came["EventPattern"])})
    tags("events rule", bridge.list_tags_for_resource(ResourceARN=arn)["Tags"])
    target = {"Id": "machine", "Arn": WORLD.get("machine", "machine"), "RoleArn": WORLD.get("role", "role"), "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600}}
    failed = bridge.put_targets(Rule="probe", Targets=[target])
    compare("events target made", {"FailedEntryCount": 0}, failed)
    compare("events target", {"Targets": [target]}, bridge.list_targets_by_rule(Rule="probe"))
    bridge.disable_rule(Name="probe")
    compare("events rule disabled", {"State": "DISABLED"}, bridge.describe_rule(Name="probe"))
    bridge.enable_rule(Name="probe")
    listed = [one["Name"] for one in bridge.list_rules(NamePrefix="probe")["Rules"]]
    compare("events rule listed", {"names": ["probe"]}, {"names": listed})
    refused("events rule absent", "ResourceNotFoundException", lambda: bridge.describe_rule(Name="absent"))
    pushed()


def pushed():
    """A pushed image starts the execution that its rule names; so does an object put into the bucket."""
    ecr, states, s3 = client("ecr"), client("stepfunctions"), client("s3")
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:0", "size": 1}, "layers": []})
    ecr.put_image(repositoryName="probe/one", imageManifest=manifest, imageTag="pushed")
    event = next_input(states, lambda event: event.get("source") == "aws.ecr")
    compare("ecr push event", {"detail-type": "ECR Image Action", "account": ACCOUNT, "region": REGION}, event)
    compare("ecr push event", {"action-type": "PUSH", "result": "SUCCESS", "repository-name": "probe/one", "image-tag": "pushed"}, event.get("detail", {}))
    compare("ecr push event", {"digest": True}, {"digest": str(event.get("detail", {}).get("image-digest")).startswith("sha256:")})

    bridge = client("events")
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": ["probe-one"]}, "object": {"key": [{"prefix": "environments/"}]}}}
    bridge.put_rule(Name="probe-s3", EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule="probe-s3", Targets=[{"Id": "machine", "Arn": WORLD.get("machine", "machine"), "RoleArn": WORLD.get("role", "role")}])
    put = s3.put_object(Bucket="probe-one", Key="environments/one.toml", Body=b"x")
    event = next_input(states, lambda event: event.get("source") == "aws.s3")
    compare("s3 event", {"reason": "PutObject", "bucket": {"name": "probe-one"}}, event.get("detail", {}))
    compare("s3 event object", {"key": "environments/one.toml", "version-id": put["VersionId"]}, event.get("detail", {}).get("object", {}))


def next_input(states, wanted):
    for _ in range(20):
        for one in states.list_executions(stateMachineArn=WORLD["machine"])["executions"]:
            event = json.loads(states.describe_execution(executionArn=one["executionArn"])["input"])
            if wanted(event):
                return event
        time.sleep(0.1)
    return {}


for one in CHECKS:
    try:
        one()
    except Exception as error:  # A failing call is what this program is there to print.
        print(f"{one.__name__}: {type(error).__name__}: {error}")
