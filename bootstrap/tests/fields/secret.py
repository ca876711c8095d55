"""The database password."""

from probe import UPPER, WORLD, client, compare, refused, tags


def secret():
    secrets = client("secretsmanager")
    password = secrets.get_random_password(PasswordLength=32, ExcludePunctuation=True)["RandomPassword"]
    compare(
        "secret password",
        {"letters and digits": True, "length": 32},
        {"letters and digits": password.isalnum(), "length": len(password)},
    )
    token = "11111111-2222-3333-4444-555555555555"
    made = secrets.create_secret(
        Name="probe/one/password", Description="What for", SecretString="x", ClientRequestToken=token, Tags=UPPER
    )
    compare("secret made", {"VersionId": token, "Name": "probe/one/password"}, made)
    came = secrets.describe_secret(SecretId="probe/one/password")
    compare("secret", {"Description": "What for", "VersionIdsToStages": {token: ["AWSCURRENT"]}}, came)
    tags("secret", came.get("Tags"))
    second = secrets.put_secret_value(
        SecretId="probe/one/password", SecretString="y", ClientRequestToken=token.replace("1", "6")
    )["VersionId"]
    came = secrets.describe_secret(SecretId="probe/one/password")
    compare("secret, changed", {"VersionIdsToStages": {token: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}}, came)
    compare("secret", {"SecretString": "x"}, secrets.get_secret_value(SecretId="probe/one/password", VersionId=token))
    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["probe/one/"]}], IncludePlannedDeletion=True)[
        "SecretList"
    ]
    compare("secret listed", {"names": ["probe/one/password"]}, {"names": [one["Name"] for one in listed]})
    for one in listed[:1]:
        tags("secret listed", one.get("Tags"))
        compare(
            "secret listed",
            {"Description": "What for", "SecretVersionsToStages": {token: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}},
            one,
        )
    secrets.delete_secret(SecretId="probe/one/password", RecoveryWindowInDays=7)
    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["probe/one/"]}], IncludePlannedDeletion=True)[
        "SecretList"
    ]
    compare("secret deleted", {"shown": True}, {"shown": bool(listed and listed[0].get("DeletedDate"))})
    refused(
        "secret deleted",
        "InvalidRequestException",
        lambda: secrets.create_secret(Name="probe/one/password", SecretString="z"),
    )
    secrets.restore_secret(SecretId="probe/one/password")
    refused("secret absent", "ResourceNotFoundException", lambda: secrets.describe_secret(SecretId="absent"))
    WORLD.update(secret=made["ARN"], version=second)
