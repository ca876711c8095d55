"""The load balancer."""

from probe import UPPER, WORLD, client, compare, refused, tags


def load_balancer():
    elb = client("elbv2")
    sent = {"Name": "probe", "Scheme": "internet-facing", "Type": "application", "IpAddressType": "ipv4"}
    made = elb.create_load_balancer(
        Subnets=WORLD.get("subnets", []), SecurityGroups=[WORLD.get("group", "sg-1")], Tags=UPPER, **sent
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    came = elb.describe_load_balancers(Names=["probe"])["LoadBalancers"][0]
    renamed = {"LoadBalancerName": "probe", **{key: value for key, value in sent.items() if key != "Name"}}
    compare(
        "elb load balancer",
        {
            **renamed,
            "SecurityGroups": [WORLD.get("group", "sg-1")],
            "State": {"Code": "active"},
            "VpcId": WORLD.get("vpc"),
        },
        came,
    )
    zones = [one["SubnetId"] for one in came["AvailabilityZones"]]
    compare("elb load balancer", {"subnets": WORLD.get("subnets", [])}, {"subnets": zones})
    compare(
        "elb load balancer",
        {"CanonicalHostedZoneId": True, "DNSName": True},
        {key: bool(came.get(key)) for key in ("CanonicalHostedZoneId", "DNSName")},
    )
    tags("elb load balancer", elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])
    attributes = {
        "deletion_protection.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": "probe-one",
        "access_logs.s3.prefix": "lb",
        "idle_timeout.timeout_seconds": "60",
        "routing.http2.enabled": "true",
        "routing.http.xff_header_processing.mode": "append",
    }
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs(attributes))
    compare(
        "elb load balancer attributes", attributes, unpaired(elb.describe_load_balancer_attributes(LoadBalancerArn=arn))
    )

    sent = {
        "Protocol": "HTTP",
        "Port": 8000,
        "VpcId": WORLD.get("vpc"),
        "TargetType": "ip",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 4,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
        "ProtocolVersion": "HTTP1",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "IpAddressType": "ipv4",
    }
    target = elb.create_target_group(Name="probe", Tags=UPPER, **sent)["TargetGroups"][0]["TargetGroupArn"]
    compare(
        "elb target group",
        {"TargetGroupName": "probe", **sent},
        elb.describe_target_groups(Names=["probe"])["TargetGroups"][0],
    )
    tags("elb target group", elb.describe_tags(ResourceArns=[target])["TagDescriptions"][0]["Tags"])
    attributes = {
        "deregistration_delay.timeout_seconds": "15",
        "stickiness.enabled": "false",
        "load_balancing.algorithm.type": "round_robin",
        "slow_start.duration_seconds": "0",
    }
    elb.modify_target_group_attributes(TargetGroupArn=target, Attributes=pairs(attributes))
    compare(
        "elb target group attributes", attributes, unpaired(elb.describe_target_group_attributes(TargetGroupArn=target))
    )
    elb.modify_target_group(
        TargetGroupArn=target, HealthCheckPath="/up", HealthCheckIntervalSeconds=10, Matcher={"HttpCode": "200-299"}
    )
    came = elb.describe_target_groups(TargetGroupArns=[target])["TargetGroups"][0]
    compare(
        "elb target group, changed",
        {"HealthCheckPath": "/up", "HealthCheckIntervalSeconds": 10, "Matcher": {"HttpCode": "200-299"}},
        came,
    )

    redirect = {
        "Type": "redirect",
        "RedirectConfig": {
            "Protocol": "HTTPS",
            "Port": "443",
            "Host": "#{host}",
            "Path": "/#{path}",
            "Query": "#{query}",
            "StatusCode": "HTTP_301",
        },
    }
    fixed = {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not here"},
    }
    http = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[redirect], Tags=UPPER)[
        "Listeners"
    ][0]["ListenerArn"]
    policy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    https = elb.create_listener(
        LoadBalancerArn=arn,
        Protocol="HTTPS",
        Port=443,
        SslPolicy=policy,
        Certificates=[{"CertificateArn": WORLD.get("certificate")}],
        DefaultActions=[fixed],
        Tags=UPPER,
    )["Listeners"][0]["ListenerArn"]
    listeners = {one["ListenerArn"]: one for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
    compare("elb listener 80", {"Protocol": "HTTP", "Port": 80, "LoadBalancerArn": arn}, listeners.get(http, {}))
    compare("elb listener 443", {"Protocol": "HTTPS", "Port": 443, "SslPolicy": policy}, listeners.get(https, {}))
    compare("elb listener 80", redirect, listeners[http]["DefaultActions"][0])
    compare("elb listener 443", fixed, listeners[https]["DefaultActions"][0])
    compare(
        "elb listener 443",
        {"certificates": [WORLD.get("certificate")]},
        {"certificates": [one["CertificateArn"] for one in listeners[https].get("Certificates", [])]},
    )
    for one in (http, https):
        tags("elb listener", elb.describe_tags(ResourceArns=[one])["TagDescriptions"][0]["Tags"])
    elb.modify_listener(ListenerArn=http, DefaultActions=[fixed])
    compare(
        "elb listener, changed", fixed, elb.describe_listeners(ListenerArns=[http])["Listeners"][0]["DefaultActions"][0]
    )

    forward = {
        "Type": "forward",
        "TargetGroupArn": target,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": target, "Weight": 1}]},
    }
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["api.probe.example"]}}
    rule = elb.create_rule(
        ListenerArn=https,
        Priority=10,
        Conditions=[host],
        Actions=[{"Type": "forward", "TargetGroupArn": target}],
        Tags=UPPER,
    )["Rules"][0]["RuleArn"]
    came = next((one for one in elb.describe_rules(ListenerArn=https)["Rules"] if one["RuleArn"] == rule), {})
    compare("elb rule", {"Priority": "10", "IsDefault": False}, came)
    compare("elb rule action", forward, (came.get("Actions") or [{}])[0])
    compare("elb rule condition", {**host, "Values": ["api.probe.example"]}, (came.get("Conditions") or [{}])[0])
    tags("elb rule", elb.describe_tags(ResourceArns=[rule])["TagDescriptions"][0]["Tags"])
    came = elb.describe_target_groups(TargetGroupArns=[target])["TargetGroups"][0]
    compare("elb target group in use", {"LoadBalancerArns": [arn]}, came)
    elb.modify_rule(
        RuleArn=rule, Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["www.probe.example"]}}]
    )
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
