"""The database cluster."""

import time

from probe import UPPER, WORLD, client, compare, refused, tags


def database():
    rds = client("rds")
    versions = rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"]
    for one in versions[-1:]:
        compare(
            "rds engine version", {"MinCapacity": 0.0, "MaxCapacity": 256.0}, one.get("ServerlessV2FeaturesSupport", {})
        )
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
    compare(
        "rds subnet group",
        {"DBSubnetGroupDescription": "d", "VpcId": WORLD.get("vpc"), "SubnetGroupStatus": "Complete"},
        came,
    )
    compare("rds subnet group", {"Subnets": subnets}, {"Subnets": [one["SubnetIdentifier"] for one in came["Subnets"]]})
    tags("rds subnet group", rds.list_tags_for_resource(ResourceName=came["DBSubnetGroupArn"])["TagList"])

    serverless = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    kept = {
        "Engine": "aurora-postgresql",
        "EngineVersion": version["EngineVersion"],
        "DatabaseName": "probe",
        "MasterUsername": "postgres",
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "03:00-04:00",
        "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
        "StorageEncrypted": True,
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "Port": 5432,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    }
    rds.create_db_cluster(
        DBClusterIdentifier="probe-1",
        MasterUserPassword="a" * 32,
        DBSubnetGroupName="probe",
        DBClusterParameterGroupName="probe",
        VpcSecurityGroupIds=[WORLD.get("group", "sg-1")],
        ServerlessV2ScalingConfiguration={**serverless, "SecondsUntilAutoPause": 600},
        EnableIAMDatabaseAuthentication=True,
        EnableCloudwatchLogsExports=["postgresql"],
        Tags=UPPER,
        **kept,
    )
    rds.create_db_instance(
        DBInstanceIdentifier="probe-1-1",
        DBClusterIdentifier="probe-1",
        DBInstanceClass="db.serverless",
        Engine="aurora-postgresql",
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=True,
        CopyTagsToSnapshot=True,
        EnablePerformanceInsights=True,
        PerformanceInsightsRetentionPeriod=7,
        PromotionTier=1,
        CACertificateIdentifier="rds-ca-rsa2048-g1",
        Tags=UPPER,
    )
    came = settled(lambda: rds.describe_db_clusters(DBClusterIdentifier="probe-1")["DBClusters"][0], "Status")
    compare(
        "rds cluster",
        {
            **kept,
            "DBSubnetGroup": "probe",
            "DBClusterParameterGroup": "probe",
            "IAMDatabaseAuthenticationEnabled": True,
            "EnabledCloudwatchLogsExports": ["postgresql"],
            "Status": "available",
            "EngineMode": "provisioned",
            "ServerlessV2ScalingConfiguration": {**serverless, "SecondsUntilAutoPause": 600},
            "MultiAZ": False,
        },
        came,
    )
    groups = [one["VpcSecurityGroupId"] for one in came["VpcSecurityGroups"]]
    compare("rds cluster", {"groups": [WORLD.get("group", "sg-1")]}, {"groups": groups})
    compare(
        "rds cluster",
        {"members": ["probe-1-1"]},
        {"members": [one["DBInstanceIdentifier"] for one in came["DBClusterMembers"]]},
    )
    compare(
        "rds cluster",
        {"named": True},
        {
            "named": came["Endpoint"].startswith("probe-1.cluster-")
            and came["ReaderEndpoint"].startswith("probe-1.cluster-ro-")
        },
    )
    tags("rds cluster", came.get("TagList"))
    tags("rds cluster", rds.list_tags_for_resource(ResourceName=came["DBClusterArn"])["TagList"])
    came = settled(
        lambda: rds.describe_db_instances(DBInstanceIdentifier="probe-1-1")["DBInstances"][0], "DBInstanceStatus"
    )
    compare(
        "rds instance",
        {
            "DBInstanceClass": "db.serverless",
            "Engine": "aurora-postgresql",
            "DBClusterIdentifier": "probe-1",
            "PubliclyAccessible": False,
            "AutoMinorVersionUpgrade": True,
            "CopyTagsToSnapshot": True,
            "PerformanceInsightsEnabled": True,
            "PromotionTier": 1,
            "PerformanceInsightsRetentionPeriod": 7,
            "CACertificateIdentifier": "rds-ca-rsa2048-g1",
            "DBInstanceStatus": "available",
            "StorageEncrypted": True,
        },
        came,
    )
    tags("rds instance", came.get("TagList"))
    compare("rds instance", {"named": True}, {"named": came["Endpoint"]["Address"].startswith("probe-1-1.")})

    rds.modify_db_cluster(
        DBClusterIdentifier="probe-1",
        ApplyImmediately=True,
        DeletionProtection=False,
        BackupRetentionPeriod=3,
        ServerlessV2ScalingConfiguration={"MinCapacity": 1.0, "MaxCapacity": 2.0},
        EnableIAMDatabaseAuthentication=False,
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]},
        CopyTagsToSnapshot=False,
        PreferredBackupWindow="01:00-02:00",
        MasterUserPassword="b" * 32,
    )
    came = settled(lambda: rds.describe_db_clusters(DBClusterIdentifier="probe-1")["DBClusters"][0], "Status")
    compare(
        "rds cluster, changed",
        {
            "DeletionProtection": False,
            "BackupRetentionPeriod": 3,
            "IAMDatabaseAuthenticationEnabled": False,
            "CopyTagsToSnapshot": False,
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 1.0, "MaxCapacity": 2.0},
            "PreferredBackupWindow": "01:00-02:00",
        },
        came,
    )
    compare("rds cluster, changed", {"exports": []}, {"exports": came.get("EnabledCloudwatchLogsExports", [])})
    rds.modify_db_instance(
        DBInstanceIdentifier="probe-1-1",
        ApplyImmediately=True,
        AutoMinorVersionUpgrade=False,
        EnablePerformanceInsights=False,
        PromotionTier=2,
    )
    came = settled(
        lambda: rds.describe_db_instances(DBInstanceIdentifier="probe-1-1")["DBInstances"][0], "DBInstanceStatus"
    )
    compare(
        "rds instance, changed",
        {"AutoMinorVersionUpgrade": False, "PerformanceInsightsEnabled": False, "PromotionTier": 2},
        came,
    )
    rds.modify_db_subnet_group(DBSubnetGroupName="probe", SubnetIds=subnets[:1], DBSubnetGroupDescription="d")
    came = rds.describe_db_subnet_groups(DBSubnetGroupName="probe")["DBSubnetGroups"][0]
    compare(
        "rds subnet group, changed",
        {"Subnets": subnets[:1]},
        {"Subnets": [one["SubnetIdentifier"] for one in came["Subnets"]]},
    )
    for code, call in [
        ("DBClusterNotFoundFault", lambda: rds.describe_db_clusters(DBClusterIdentifier="absent")),
        ("DBInstanceNotFound", lambda: rds.describe_db_instances(DBInstanceIdentifier="absent")),
        ("DBSubnetGroupNotFoundFault", lambda: rds.describe_db_subnet_groups(DBSubnetGroupName="absent")),
        (
            "DBParameterGroupNotFound",
            lambda: rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="absent"),
        ),
        (
            "InvalidDBClusterStateFault",
            lambda: rds.delete_db_cluster(DBClusterIdentifier="probe-1", SkipFinalSnapshot=True),
        ),
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
