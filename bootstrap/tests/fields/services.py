"""The services and their autoscaling."""

from probe import LOWER, REGION, TAGS, WORLD, client, compare, refused, tags


def services():
    ecs = client("ecs")
    settings = [{"name": "containerInsights", "value": "disabled"}]
    made = ecs.create_cluster(
        clusterName="probe",
        tags=LOWER,
        settings=settings,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
    )
    compare("ecs cluster made", {"clusterName": "probe", "status": "ACTIVE"}, made["cluster"])
    came = ecs.describe_clusters(clusters=["probe"], include=["TAGS", "SETTINGS", "CONFIGURATIONS"])["clusters"][0]
    compare(
        "ecs cluster",
        {
            "settings": settings,
            "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
        },
        came,
    )
    tags("ecs cluster", came.get("tags"))
    absent = ecs.describe_clusters(clusters=["absent"])
    compare("ecs cluster absent", {"reason": "MISSING"}, (absent["failures"] or [{}])[0])

    container = {
        "name": "api",
        "image": WORLD.get("image", "image"),
        "essential": True,
        "readonlyRootFilesystem": True,
        "command": ["litestar", "run"],
        "environment": [{"name": "ENV", "value": "one"}],
        "user": "1000",
        "secrets": [{"name": "PGPASSWORD", "valueFrom": f"{WORLD.get('secret')}:::{WORLD.get('version')}"}],
        "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
        "linuxParameters": {
            "initProcessEnabled": True,
            "tmpfs": [{"containerPath": "/tmp", "size": 64, "mountOptions": ["mode=1777"]}],
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": "/probe/one", "awslogs-region": REGION, "awslogs-stream-prefix": "api"},
        },
        "healthCheck": {"command": ["CMD", "true"], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 0},
        "stopTimeout": 30,
    }
    sent = {
        "family": "probe-api",
        "cpu": "256",
        "memory": "512",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "taskRoleArn": WORLD.get("role", "role"),
        "executionRoleArn": WORLD.get("role", "role"),
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "ephemeralStorage": {"sizeInGiB": 21},
    }
    definition = ecs.register_task_definition(containerDefinitions=[container], tags=LOWER, **sent)["taskDefinition"][
        "taskDefinitionArn"
    ]
    came = ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])
    compare("ecs task definition", {**sent, "status": "ACTIVE", "revision": 1}, came["taskDefinition"])
    compare("ecs container", container, came["taskDefinition"]["containerDefinitions"][0])
    tags("ecs task definition", came.get("tags"))

    network = {
        "awsvpcConfiguration": {
            "subnets": WORLD.get("subnets", []),
            "securityGroups": [WORLD.get("group", "sg-1")],
            "assignPublicIp": "DISABLED",
        }
    }
    balancers = [{"targetGroupArn": WORLD.get("target", "target"), "containerName": "api", "containerPort": 8000}]
    deployment = {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
    }
    sent = {
        "serviceName": "api",
        "desiredCount": 1,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "taskDefinition": definition,
        "networkConfiguration": network,
        "loadBalancers": balancers,
        "deploymentConfiguration": deployment,
        "availabilityZoneRebalancing": "ENABLED",
        "healthCheckGracePeriodSeconds": 30,
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": True,
        "schedulingStrategy": "REPLICA",
    }
    ecs.create_service(cluster="probe", clientToken="one", tags=LOWER, deploymentController={"type": "ECS"}, **sent)
    came = ecs.describe_services(cluster="probe", services=["api"], include=["TAGS"])["services"][0]
    compare("ecs service", {**sent, "status": "ACTIVE", "runningCount": 1, "pendingCount": 0}, came)
    tags("ecs service", came.get("tags"))
    first = came["deployments"][0]
    compare(
        "ecs deployment",
        {
            "status": "PRIMARY",
            "rolloutState": "COMPLETED",
            "taskDefinition": definition,
            "desiredCount": 1,
            "runningCount": 1,
        },
        first,
    )
    second = ecs.register_task_definition(family="probe-api", containerDefinitions=[container])["taskDefinition"][
        "taskDefinitionArn"
    ]
    changed = {
        "desiredCount": 2,
        "taskDefinition": second,
        "availabilityZoneRebalancing": "DISABLED",
        "healthCheckGracePeriodSeconds": 60,
        "enableExecuteCommand": False,
        "deploymentConfiguration": {**deployment, "maximumPercent": 150},
    }
    ecs.update_service(cluster="probe", service="api", **changed)
    came = ecs.describe_services(cluster="probe", services=["api"])["services"][0]
    compare(
        "ecs service, changed",
        {**changed, "runningCount": 2, "networkConfiguration": network, "propagateTags": "SERVICE"},
        came,
    )
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


def autoscaling():
    scaling = client("application-autoscaling")
    key = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/probe/api",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    arn = scaling.register_scalable_target(MinCapacity=1, MaxCapacity=4, Tags=TAGS, **key)["ScalableTargetARN"]
    came = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=["service/probe/api"])[
        "ScalableTargets"
    ]
    compare(
        "autoscaling target",
        {**key, "MinCapacity": 1, "MaxCapacity": 4, "ScalableTargetARN": arn},
        came[0] if came else {},
    )
    tags("autoscaling target", scaling.list_tags_for_resource(ResourceARN=arn)["Tags"])
    tracking = {
        "TargetValue": 60.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
    }
    scaling.put_scaling_policy(
        PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracking, **key
    )
    came = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId="service/probe/api")["ScalingPolicies"]
    compare(
        "autoscaling policy",
        {**key, "PolicyName": "cpu", "TargetTrackingScalingPolicyConfiguration": tracking},
        came[0] if came else {},
    )
    scaling.delete_scaling_policy(PolicyName="cpu", **key)
    refused(
        "autoscaling policy absent",
        "ObjectNotFoundException",
        lambda: scaling.delete_scaling_policy(PolicyName="cpu", **key),
    )
    scaling.deregister_scalable_target(**key)
    compare(
        "autoscaling target",
        {"left": []},
        {"left": scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]},
    )
    refused("autoscaling target absent", "ObjectNotFoundException", lambda: scaling.deregister_scalable_target(**key))
