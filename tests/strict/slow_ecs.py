"""ECS: clusters are provisioning for a moment; a deployment is in progress for a while, can fail and be
rolled back; a service that is deleted is draining for a while."""

import copy

import failing_ecs
from failing_ecs import Key
from rules import after, before
from wire import Answer, Call, Value
from world import Refused, World


def place(call: Call) -> Key:
    """The name of the cluster and of the service that a call is about."""
    cluster = call.params.get("cluster", "default").rpartition("/")[2]
    return cluster, call.params.get("service", call.params.get("serviceName", "")).rpartition("/")[2]


def name_of(service: Value) -> Key:
    return service["clusterArn"].rpartition("/")[2], service["serviceName"]


def found(world: World, key: Key) -> Value | None:
    services = world.found("ecs", "DescribeServices", cluster=key[0], services=[key[1]]).get("services", [])
    return services[0] if services and services[0]["status"] != "INACTIVE" else None


class Rollout:
    """A deployment of a service on its way: from `begin` to `end`, then, where it fails, back to the old one
    until `back`."""

    def __init__(self, world: World, service: Value, before_it: Value | None, fails: bool) -> None:
        self.begin, self.end = world.now(), world.now() + world.seconds["service"]
        self.primary, self.old, self.fails = service["deployments"][0], before_it, fails
        self.events: list[Value] = []
        self.back = self.end + world.seconds["service"] / 2 if fails and self.old else self.end

    def show(self, world: World, service: Value) -> None:
        """Changes what the emulator says of the service to what ECS would say now."""
        now, desired = world.now(), service["desiredCount"]
        if self.fails and not self.old and now >= self.end:
            self._show_failed_for_good(service, desired)
        elif now < self.end:
            self._show_in_progress(service, desired)
        elif self.old and now < self.back:
            self._show_rolling_back(service, desired, self.old)
        else:
            self._show_completed(service)
        service["events"] = self.events + service.get("events", [])

    def fail(self, world: World, key: Key, failure: Value) -> None:
        """The circuit breaker: the service runs on with what it ran before, if there was something."""
        name, primary = key[1], self.primary["id"]
        failing_ecs.leave_tasks(world, key, self.primary["taskDefinition"], failure)
        self.events.insert(
            0, failing_ecs.event(f"(service {name}) (deployment {primary}) deployment failed: tasks failed to start.")
        )
        if self.old:
            old = self.old["deployments"][0]["id"]
            self.events.insert(0, failing_ecs.event(f"(service {name}) rolling back to deployment {old}."))
            world.ask("ecs", "UpdateService", cluster=key[0], service=name, taskDefinition=self.old["taskDefinition"])

    def _show_in_progress(self, service: Value, desired: int) -> None:
        running = self.old["runningCount"] if self.old else 0
        new = {
            **copy.deepcopy(self.primary),
            "status": "PRIMARY",
            "rolloutState": "IN_PROGRESS",
            "desiredCount": desired,
            "rolloutStateReason": "ECS deployment in progress.",
            "runningCount": 0,
            "pendingCount": desired,
        }
        service["deployments"] = [new]
        if self.old:
            service["deployments"].append({**self.old["deployments"][0], "status": "ACTIVE", "runningCount": running})
        service.update(runningCount=running, pendingCount=desired)

    def _show_rolling_back(self, service: Value, desired: int, before_it: Value) -> None:
        old = before_it["deployments"][0]
        again = {
            **copy.deepcopy(old),
            "id": self.primary["id"] + "0",
            "status": "PRIMARY",
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": f"ECS deployment circuit breaker: rolling back to deploymentId {old['id']}.",
        }
        service["deployments"] = [again, self._failed("ACTIVE", desired)]
        service.update(
            taskDefinition=before_it["taskDefinition"], runningCount=before_it["runningCount"], pendingCount=0
        )

    def _show_failed_for_good(self, service: Value, desired: int) -> None:
        service["deployments"] = [self._failed("PRIMARY", desired)]
        service.update(runningCount=0, pendingCount=0)

    def _failed(self, status: str, desired: int) -> Value:
        return {
            **copy.deepcopy(self.primary),
            "status": status,
            "rolloutState": "FAILED",
            "desiredCount": 0 if status == "ACTIVE" else desired,
            "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
            "runningCount": 0,
            "pendingCount": 0,
            "failedTasks": 3,
        }

    def _show_completed(self, service: Value) -> None:
        primary = next(one for one in service["deployments"] if one["status"] == "PRIMARY")
        primary.update(
            rolloutState="COMPLETED",
            rolloutStateReason="ECS deployment completed.",
            runningCount=service["runningCount"],
        )
        service["deployments"] = [primary]


def show(world: World, service: Value) -> None:
    key = name_of(service)
    if world.status("service", key) == "DRAINING":
        service.update(status="DRAINING", desiredCount=0)
        return
    rollout = world.note("rollouts").get(key)
    if rollout and service["status"] == "ACTIVE":
        rollout.show(world, service)


def roll_out(world: World, service: Value, before_it: Value | None) -> None:
    key = name_of(service)
    failure = world.failing_services.get(key[1])
    if failure is not None:
        times = failure.get("times", 1) - 1
        if times:
            world.failing_services[key[1]] = {**failure, "times": times}
        else:
            del world.failing_services[key[1]]
    rollout = Rollout(world, service, before_it, failure is not None)
    world.note("rollouts")[key] = rollout
    world.record.phase("service", key, "failing" if rollout.fails else "rolling out", rollout.begin, rollout.back)
    if failure is not None:
        world.later(rollout.end, lambda: rollout.fail(world, key, failure))


@after("ecs", "CreateService")
def create_service(world: World, call: Call, value: Value) -> None:
    roll_out(world, value["service"], None)
    show(world, value["service"])


@before("ecs", "CreateService")
def refuse_create(world: World, call: Call) -> None:
    key = place(call)
    if world.status("service", key) == "DRAINING":
        raise Refused("InvalidParameterException", "Unable to Start a service that is still Draining.")
    for balancer in call.params.get("loadBalancers", []):
        group = balancer.get("targetGroupArn", "")
        groups = world.found("elbv2", "DescribeTargetGroups", TargetGroupArns=[group]).get("TargetGroups", [])
        if not groups or not groups[0].get("LoadBalancerArns"):
            raise Refused(
                "InvalidParameterException",
                f"The target group with targetGroupArn {group} does not have an associated load balancer.",
            )
    if not world.found("ecs", "DescribeTaskDefinition", taskDefinition=call.params.get("taskDefinition", "")):
        raise Refused("ClientException", "Unable to describe task definition.")


@before("ecs", "UpdateService")
def update_service(world: World, call: Call) -> None:
    key = place(call)
    service = found(world, key)
    if service is None or world.status("service", key) == "DRAINING":
        raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
    show(world, service)
    world.note("before-update")[key] = service


@after("ecs", "UpdateService")
def after_update(world: World, call: Call, value: Value) -> None:
    service, key = value["service"], name_of(value["service"])
    before_it = world.note("before-update").pop(key)
    if service["taskDefinition"] != before_it["taskDefinition"] or call.params.get("forceNewDeployment"):
        # What has not come to run is nothing to go back to.
        roll_out(world, service, before_it if before_it["deployments"][0]["rolloutState"] == "COMPLETED" else None)
    elif service["desiredCount"] != before_it["desiredCount"]:
        count_up(world, service, before_it)
    show(world, service)


def count_up(world: World, service: Value, before_it: Value) -> None:
    """Another count begins no deployment; the tasks come and go for a while all the same."""
    world.begin("service-count", name_of(service), "changing", world.seconds["service"])
    world.note("counts")[name_of(service)] = before_it["runningCount"]


@after("ecs", "DescribeServices")
def describe_services(world: World, call: Call, value: Value) -> None:
    for service in value.get("services", []):
        show(world, service)
        key = name_of(service)
        if service["status"] == "ACTIVE" and world.status("service-count", key):
            service["runningCount"] = world.note("counts")[key]
            service["pendingCount"] = max(0, service["desiredCount"] - service["runningCount"])
            for deployment in service["deployments"][:1]:
                deployment.update(runningCount=service["runningCount"], pendingCount=service["pendingCount"])


@before("ecs", "DeleteService")
def delete_service(world: World, call: Call) -> Answer | None:
    key = place(call)
    service = found(world, key)
    if service is None or (service["desiredCount"] > 0 and not call.params.get("force")):
        return None
    if world.status("service", key) != "DRAINING":
        world.note("rollouts").pop(key, None)
        end = world.begin("service", key, "DRAINING", world.seconds["service-delete"])
        world.later(end, lambda: world.carry_out(call))
    show(world, service)
    return call.answer({"service": service})


@after("ecs", "CreateCluster")
def create_cluster(world: World, call: Call, value: Value) -> None:
    name = value["cluster"]["clusterName"]
    known = world.note("ecs-clusters")
    if name not in known:
        known[name] = True
        world.begin("ecs-cluster", name, "PROVISIONING", world.seconds["ecs-cluster"])
    show_cluster(world, value["cluster"])


@after("ecs", "DescribeClusters")
def describe_clusters(world: World, call: Call, value: Value) -> None:
    for cluster in value.get("clusters", []):
        show_cluster(world, cluster)


@after("ecs", "DeleteCluster")
def delete_cluster(world: World, call: Call, value: Value) -> None:
    world.note("ecs-clusters").pop(value["cluster"]["clusterName"], None)


def show_cluster(world: World, cluster: Value) -> None:
    status = world.status("ecs-cluster", cluster["clusterName"])
    if status and cluster["status"] == "ACTIVE":
        cluster["status"] = status
