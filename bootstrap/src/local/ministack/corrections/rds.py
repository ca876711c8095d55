"""Clusters, instances and snapshots."""

import uuid

from ministack.services import rds

from corrections.register import correction
from patching import Answer, Json, Original, Parameters, escape, text_of, with_text, wrap


@correction("rds: EnabledCloudwatchLogsExports and SecondsUntilAutoPause of a cluster come back")
def keep_cluster_settings() -> None:
    def members(parameters: Parameters, prefix: str) -> list[str]:
        values: list[str] = []
        while (value := rds._p(parameters, f"{prefix}.member.{len(values) + 1}")) not in (None, ""):
            values.append(value)
        return values

    def remember(original: Original, parameters: Parameters) -> Answer:
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

    def show(original: Original, cluster: Json) -> str:
        text = original(cluster)
        exports = "".join(
            f"<member>{escape(name)}</member>" for name in cluster.get("EnabledCloudwatchLogsExports") or []
        )
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


@correction("rds: a cluster's endpoint keeps its name when it has an instance")
def keep_cluster_endpoint() -> None:
    def show(original: Original, cluster: Json) -> str:
        name, region = cluster["DBClusterIdentifier"], cluster["DBClusterArn"].split(":")[3]
        unique = cluster["DbClusterResourceId"][-12:].lower()
        endpoints = {
            "Endpoint": f"{name}.cluster-{unique}.{region}.rds.amazonaws.com",
            "ReaderEndpoint": f"{name}.cluster-ro-{unique}.{region}.rds.amazonaws.com",
            "Port": 5432 if "postgres" in cluster["Engine"] else cluster.get("Port"),
        }
        return original({**cluster, **endpoints})

    wrap(rds, "_cluster_xml", show)


@correction("rds: engine versions say from how many ACUs Serverless v2 runs, and which logs they export")
def show_serverless_features() -> None:
    def show(original: Original, parameters: Parameters) -> Answer:
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

    wrap(rds, "_describe_engine_versions", show)


@correction("rds: an instance of a cluster has the cluster's encryption, and a name for its endpoint")
def complete_instance() -> None:
    def show(original: Original, instance: Json) -> str:
        cluster = rds._clusters.get(instance.get("DBClusterIdentifier") or "")
        if cluster is not None:
            unique, region = (cluster["DbClusterResourceId"][-12:].lower(), cluster["DBClusterArn"].split(":")[3])
            endpoint = {
                **instance.get("Endpoint", {}),
                "Address": f"{instance['DBInstanceIdentifier']}.{unique}.{region}.rds.amazonaws.com",
                "Port": 5432 if "postgres" in cluster["Engine"] else 3306,
            }
            instance = {**instance, "StorageEncrypted": cluster["StorageEncrypted"], "Endpoint": endpoint}
        return original(instance)

    wrap(rds, "_instance_xml", show)


@correction("rds: ModifyDBInstance keeps AutoMinorVersionUpgrade, PerformanceInsightsEnabled and PromotionTier")
def keep_instance_settings() -> None:
    def modify(original: Original, parameters: Parameters) -> Answer:
        instance = rds._resolve_instance(rds._p(parameters, "DBInstanceIdentifier"))
        if instance is not None:
            if value := rds._p(parameters, "AutoMinorVersionUpgrade"):
                instance["AutoMinorVersionUpgrade"] = value == "true"
            if value := rds._p(parameters, "EnablePerformanceInsights"):
                instance["PerformanceInsightsEnabled"] = value == "true"
            if tier := rds._p(parameters, "PromotionTier"):
                instance["PromotionTier"] = int(tier)
        return original(parameters)

    wrap(rds, "_modify_db_instance", modify)


@correction("rds: DeleteDBCluster makes the final snapshot that it is asked for")
def make_final_snapshot() -> None:
    def delete(original: Original, parameters: Parameters) -> Answer:
        name = rds._p(parameters, "FinalDBSnapshotIdentifier")
        cluster = rds._clusters.get(rds._p(parameters, "DBClusterIdentifier") or "")
        if not name or cluster is None:
            return original(parameters)
        if name in rds._db_cluster_snapshots:
            said = f"Cannot create the snapshot because {name} already exists."
            return rds._error("DBClusterSnapshotAlreadyExistsFault", said, 400)
        tags = list(rds._tags.get(cluster["DBClusterArn"], []))
        answer = original(parameters)
        if answer[0] == 200:
            snapshot = rds._create_cluster_snapshot_internal(name, cluster)
            if cluster.get("CopyTagsToSnapshot"):
                rds._tags[snapshot["DBClusterSnapshotArn"]] = snapshot["TagList"] = tags
        return answer

    wrap(rds, "_delete_db_cluster", delete)


@correction("rds: RestoreDBClusterFromSnapshot makes a cluster with what its snapshot was taken of")
def restore_from_snapshot() -> None:
    def take(original: Original, name: str, cluster: Json) -> Json:
        snapshot: Json = original(name, cluster)
        snapshot["_DatabaseName"] = cluster.get("DatabaseName", "")
        return snapshot

    def restore(parameters: Parameters) -> Answer:
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
        # Through the table: it holds the corrected create.
        answer = table["CreateDBCluster"]({**parameters, **{key: [value] for key, value in taken.items() if value}})
        return with_text(answer, text_of(answer).replace("CreateDBCluster", "RestoreDBClusterFromSnapshot"))

    table = next(
        table for table in vars(rds).values() if isinstance(table, dict) and "CreateDBClusterSnapshot" in table
    )
    wrap(rds, "_create_cluster_snapshot_internal", take)
    table["RestoreDBClusterFromSnapshot"] = restore
