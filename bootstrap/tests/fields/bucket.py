"""Buckets."""

import json

from probe import POLICY, UPPER, client, compare, refused, tags


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
    compare(
        "s3 bucket, by default",
        {"ServerSideEncryptionConfiguration": {"SSEAlgorithm": "AES256"}},
        {
            "ServerSideEncryptionConfiguration": came["ServerSideEncryptionConfiguration"]["Rules"][0][
                "ApplyServerSideEncryptionByDefault"
            ]
        },
    )
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)
    compare("s3 bucket", {"ServerSideEncryptionConfiguration": rules}, s3.get_bucket_encryption(Bucket=name))
    policy = json.dumps(POLICY)
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    compare("s3 bucket", {"Policy": POLICY}, {"Policy": json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])})
    cors = [
        {
            "AllowedHeaders": ["*"],
            "AllowedMethods": ["GET", "PUT", "POST"],
            "AllowedOrigins": ["https://example.com"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3000,
        }
    ]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": cors})
    compare("s3 bucket", {"CORSRules": cors}, s3.get_bucket_cors(Bucket=name))
    lifecycle = [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        },
        {
            "ID": "uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
        {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "runs/"}, "Expiration": {"Days": 90}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": lifecycle})
    compare("s3 bucket lifecycle", {"Rules": lifecycle}, s3.get_bucket_lifecycle_configuration(Bucket=name))
    logging = {"TargetBucket": name, "TargetPrefix": "s3/"}
    s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": logging})
    compare("s3 bucket", {"LoggingEnabled": logging}, s3.get_bucket_logging(Bucket=name))
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    compare("s3 bucket", {"EventBridgeConfiguration": {}}, s3.get_bucket_notification_configuration(Bucket=name))
    refused("s3 bucket policy absent", "NoSuchBucketPolicy", lambda: bare_bucket(s3.get_bucket_policy))
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

    first = s3.put_object(
        Bucket=name, Key="a", Body=b"1", IfNoneMatch="*", ContentType="application/json", Metadata={"run": "x"}
    )
    refused(
        "s3 object if-none-match",
        "PreconditionFailed",
        lambda: s3.put_object(Bucket=name, Key="a", Body=b"2", IfNoneMatch="*"),
    )
    second = s3.put_object(Bucket=name, Key="a", Body=b"2", IfMatch=first["ETag"], Metadata={"run": "y"})
    refused(
        "s3 object if-match",
        "PreconditionFailed",
        lambda: s3.put_object(Bucket=name, Key="a", Body=b"3", IfMatch=first["ETag"]),
    )
    compare(
        "s3 object",
        {"ETag": second["ETag"], "VersionId": second["VersionId"], "Metadata": {"run": "y"}},
        s3.get_object(Bucket=name, Key="a"),
    )
    came = s3.get_object(Bucket=name, Key="a", VersionId=first["VersionId"])
    compare("s3 version", {"Body": "1"}, {"Body": came["Body"].read().decode()})
    s3.copy_object(Bucket=name, Key="b/c", CopySource={"Bucket": name, "Key": "a", "VersionId": first["VersionId"]})
    compare(
        "s3 copy of a version", {"Body": "1"}, {"Body": s3.get_object(Bucket=name, Key="b/c")["Body"].read().decode()}
    )
    listed = s3.list_objects_v2(Bucket=name, Prefix="b/", Delimiter="/")
    compare("s3 list", {"keys": ["b/c"]}, {"keys": [one["Key"] for one in listed.get("Contents", [])]})
    compare("s3 versions", {"count": 3}, {"count": len(s3.list_object_versions(Bucket=name)["Versions"])})
    refused("s3 bucket with objects", "BucketNotEmpty", lambda: s3.delete_bucket(Bucket=name))


def bare_bucket(call):
    client("s3").create_bucket(Bucket="probe-bare")
    call(Bucket="probe-bare")
