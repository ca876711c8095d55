"""RDS: clusters and instances come and go slowly, and refuse what AWS refuses meanwhile."""

from rules import after, before
from wire import Answer, Call, Value
from world import Refused, World


def cluster_of(world: World, name: str) -> Value | None:
    return (
        next(iter(world.found("rds", "DescribeDBClusters", DBClusterIdentifier=name).get("DBClusters", [])), None)
        if name
        else None
    )


def instance_of(world: World, name: str) -> Value | None:
    found = world.found("rds", "DescribeDBInstances", DBInstanceIdentifier=name) if name else {}
    return next(iter(found.get("DBInstances", [])), None)


def show_cluster(world: World, cluster: Value) -> None:
    status = world.status("db-cluster", cluster["DBClusterIdentifier"])
    if status:
        cluster["Status"] = status


def show_instance(world: World, instance: Value) -> None:
    status = world.status("db-instance", instance["DBInstanceIdentifier"])
    if status:
        instance["DBInstanceStatus"] = status
    if status == "creating":
        instance.pop("Endpoint", None)


def refuse_unless_available(world: World, name: str, cluster: Value) -> None:
    """InvalidDBClusterStateFault, as AWS says it while a cluster is on its way."""
    status = world.status("db-cluster", name) or cluster["Status"]
    if status != "available":
        raise Refused("InvalidDBClusterStateFault", f"DB cluster {name} is not in available state (it is {status}).")


@after("rds", "CreateDBCluster", "RestoreDBClusterFromSnapshot")
def create_cluster(world: World, call: Call, value: Value) -> None:
    name = value["DBCluster"]["DBClusterIdentifier"]
    world.begin("db-cluster", name, "creating", world.seconds["db-cluster"])
    show_cluster(world, value["DBCluster"])


@after("rds", "CreateDBInstance")
def create_instance(world: World, call: Call, value: Value) -> None:
    instance = value["DBInstance"]
    # AWS takes the request while the cluster is creating, and begins once it is there.
    cluster = instance.get("DBClusterIdentifier")
    begun = world.until("db-cluster", cluster) if cluster else None
    seconds = world.seconds["db-instance"] + (begun - world.now() if begun else 0)
    world.begin("db-instance", instance["DBInstanceIdentifier"], "creating", seconds)
    show_instance(world, instance)


@after("rds", "DescribeDBClusters")
def describe_clusters(world: World, call: Call, value: Value) -> None:
    for cluster in value.get("DBClusters", []):
        show_cluster(world, cluster)


@after("rds", "DescribeDBInstances")
def describe_instances(world: World, call: Call, value: Value) -> None:
    for instance in value.get("DBInstances", []):
        show_instance(world, instance)


@before("rds", "ModifyDBCluster", "StopDBCluster", "StartDBCluster", "CreateDBClusterSnapshot")
def refuse_changes(world: World, call: Call) -> None:
    name = call.params.get("DBClusterIdentifier", "")
    cluster = cluster_of(world, name)
    if cluster is None:
        return
    if call.operation == "StartDBCluster":
        if world.status("db-cluster", name) or cluster["Status"] != "stopped":
            raise Refused(
                "InvalidDBClusterStateFault",
                f"DbCluster {name} is in {cluster['Status']} state but expected in stopped state.",
            )
        return
    refuse_unless_available(world, name, cluster)


@after("rds", "ModifyDBCluster", "StopDBCluster", "StartDBCluster")
def change_cluster(world: World, call: Call, value: Value) -> None:
    if call.params.keys() <= {"DBClusterIdentifier", "ApplyImmediately", "DeletionProtection"}:
        return  # Protection goes on and off at once: a delete right after it is taken.
    status = {"ModifyDBCluster": "modifying", "StopDBCluster": "stopping", "StartDBCluster": "starting"}[call.operation]
    world.begin("db-cluster", value["DBCluster"]["DBClusterIdentifier"], status, world.seconds["db-cluster-modify"])
    show_cluster(world, value["DBCluster"])


@before("rds", "ModifyDBInstance")
def refuse_instance_changes(world: World, call: Call) -> None:
    name = call.params.get("DBInstanceIdentifier", "")
    status = world.status("db-instance", name)
    if status:
        raise Refused("InvalidDBInstanceState", f"Database instance is not in available state (it is {status}).")


@after("rds", "ModifyDBInstance")
def change_instance(world: World, call: Call, value: Value) -> None:
    world.begin(
        "db-instance", value["DBInstance"]["DBInstanceIdentifier"], "modifying", world.seconds["db-instance-modify"]
    )
    show_instance(world, value["DBInstance"])


@before("rds", "DeleteDBInstance")
def delete_instance(world: World, call: Call) -> Answer | None:
    name = call.params.get("DBInstanceIdentifier", "")
    instance = instance_of(world, name)
    if instance is None:
        return None
    if world.status("db-instance", name) == "deleting":
        raise Refused("InvalidDBInstanceState", f"Instance {name} is already being deleted.")
    if instance.get("DeletionProtection") == "true":
        raise Refused(
            "InvalidParameterCombination",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        )
    # An instance that is still creating goes, too; it is gone no sooner than it had come.
    seconds = world.until("db-instance", name) - world.now() + world.seconds["db-instance-delete"]
    end = world.begin("db-instance", name, "deleting", seconds)
    world.later(end, lambda: world.carry_out(call))
    show_instance(world, instance)
    return call.answer({"DBInstance": instance})


@before("rds", "DeleteDBCluster")
def delete_cluster(world: World, call: Call) -> Answer | None:
    name = call.params.get("DBClusterIdentifier", "")
    cluster = cluster_of(world, name)
    if cluster is None:
        return None
    status = world.status("db-cluster", name)
    if status:
        raise Refused(
            "InvalidDBClusterStateFault", f"DbCluster {name} is in {status} state but expected in available state."
        )
    if cluster.get("DeletionProtection") == "true":
        raise Refused(
            "InvalidParameterCombination",
            "Cannot delete protected Cluster, please disable deletion protection and try again.",
        )
    snapshot = call.params.get("FinalDBSnapshotIdentifier")
    if (call.params.get("SkipFinalSnapshot") == "true") == bool(snapshot):
        raise Refused(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    if snapshot and world.found("rds", "DescribeDBClusterSnapshots", DBClusterSnapshotIdentifier=snapshot).get(
        "DBClusterSnapshots"
    ):
        raise Refused(
            "DBClusterSnapshotAlreadyExistsFault",
            f"Cannot create the cluster snapshot because one with the identifier {snapshot} already exists.",
        )
    members = [member["DBInstanceIdentifier"] for member in cluster.get("DBClusterMembers", [])]
    if any(world.status("db-instance", member) != "deleting" for member in members):
        raise Refused(
            "InvalidDBClusterStateFault",
            "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
        )
    # It goes after its instances.
    begun = max([world.until("db-instance", member) for member in members], default=world.now())
    end = world.begin("db-cluster", name, "deleting", begun - world.now() + world.seconds["db-cluster-delete"])
    world.later(end, lambda: world.carry_out(call))
    show_cluster(world, cluster)
    return call.answer({"DBCluster": cluster})


@after("rds", "CreateDBClusterSnapshot")
def create_snapshot(world: World, call: Call, value: Value) -> None:
    snapshot = value["DBClusterSnapshot"]
    world.begin(
        "db-cluster-snapshot", snapshot["DBClusterSnapshotIdentifier"], "creating", world.seconds["db-cluster-snapshot"]
    )
    show_snapshot(world, snapshot)


@after("rds", "DescribeDBClusterSnapshots")
def describe_snapshots(world: World, call: Call, value: Value) -> None:
    for snapshot in value.get("DBClusterSnapshots", []):
        show_snapshot(world, snapshot)


def show_snapshot(world: World, snapshot: Value) -> None:
    status = world.status("db-cluster-snapshot", snapshot["DBClusterSnapshotIdentifier"])
    if status:
        snapshot["Status"], snapshot["PercentProgress"] = status, "0"


@before("rds", "DeleteDBClusterSnapshot", "RestoreDBClusterFromSnapshot")
def refuse_unfinished_snapshot(world: World, call: Call) -> None:
    name = call.params.get("DBClusterSnapshotIdentifier") or call.params.get("SnapshotIdentifier", "")
    if world.status("db-cluster-snapshot", name):
        raise Refused("InvalidDBClusterSnapshotStateFault", f"The snapshot {name} is not in available state.")
