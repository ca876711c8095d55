"""The hosted zone and the certificate."""

from probe import UPPER, WORLD, client, compare, refused, tags


def zone():
    route53 = client("route53")
    made = route53.create_hosted_zone(
        Name="probe.example", CallerReference="one", HostedZoneConfig={"Comment": "c", "PrivateZone": False}
    )
    compare("route53 zone", {"servers": 4}, {"servers": len(made["DelegationSet"]["NameServers"])})
    zone_id = made["HostedZone"]["Id"].rsplit("/", 1)[-1]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id, AddTags=UPPER)
    tags(
        "route53 zone",
        route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)["ResourceTagSet"]["Tags"],
    )
    came = route53.get_hosted_zone(Id=zone_id)
    compare(
        "route53 zone", {"Name": "probe.example.", "Config": {"Comment": "c", "PrivateZone": False}}, came["HostedZone"]
    )
    compare("route53 zone", {"NameServers": made["DelegationSet"]["NameServers"]}, came["DelegationSet"])
    listed = route53.list_hosted_zones_by_name(DNSName="probe.example")["HostedZones"]
    compare("route53 zone listed", {"names": ["probe.example."]}, {"names": [one["Name"] for one in listed][:1]})
    alias = {
        "HostedZoneId": "Z35SXDOTRQ7X7K",
        "DNSName": "dualstack.lb.us-east-1.elb.amazonaws.com.",
        "EvaluateTargetHealth": True,
    }
    sent = [
        {
            "Name": "_x.api.probe.example.",
            "Type": "CNAME",
            "TTL": 300,
            "ResourceRecords": [{"Value": "_y.acm-validations.aws."}],
        },
        {"Name": "api.probe.example.", "Type": "A", "AliasTarget": alias},
        {"Name": "probe.example.", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"a b"'}]},
    ]
    for one in sent:
        change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": one}], "Comment": "probe"}
        route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change)
    refused(
        "route53 record twice",
        "InvalidChangeBatch",
        lambda: route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change),
    )
    records = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    for one in sent:
        found = [other for other in records if (other["Name"], other["Type"]) == (one["Name"], one["Type"])]
        compare(f"route53 record {one['Type']}", one, found[0] if found else {})
    compare("route53 zone", {"NS and SOA": 2}, {"NS and SOA": sum(one["Type"] in ("NS", "SOA") for one in records)})
    refused("route53 zone with records", "HostedZoneNotEmpty", lambda: route53.delete_hosted_zone(Id=zone_id))


def certificate():
    acm = client("acm")
    options = {"CertificateTransparencyLoggingPreference": "ENABLED"}
    arn = acm.request_certificate(
        DomainName="api.probe.example",
        SubjectAlternativeNames=["www.probe.example"],
        ValidationMethod="DNS",
        IdempotencyToken="one",
        Options=options,
        Tags=UPPER,
    )["CertificateArn"]
    came = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    compare(
        "acm certificate",
        {
            "DomainName": "api.probe.example",
            "SubjectAlternativeNames": ["api.probe.example", "www.probe.example"],
            "Options": options,
            "Type": "AMAZON_ISSUED",
            "Status": "ISSUED",
        },
        came,
    )
    for one in came["DomainValidationOptions"]:
        compare(
            "acm validation",
            {"ValidationMethod": "DNS", "record": True},
            {**one, "record": bool(one.get("ResourceRecord", {}).get("Value"))},
        )
    tags("acm certificate", acm.list_tags_for_certificate(CertificateArn=arn)["Tags"])
    listed = [
        one["CertificateArn"]
        for one in acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1", "RSA_2048"]})["CertificateSummaryList"]
    ]
    compare("acm certificate listed", {"arns": [arn]}, {"arns": listed})
    WORLD.update(certificate=arn)
