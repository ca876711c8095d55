"""Load balancers are provisioning for a while, and leave their interfaces behind for a while; certificates
are issued once their validation record stands in the zone."""

from rules import after, before
from wire import Answer, Call, Value
from world import Refused, World


def show_balancer(world: World, balancer: Value) -> None:
    status = world.status("load-balancer", balancer["LoadBalancerArn"])
    if status:
        balancer["State"] = {"Code": status}


@after("elbv2", "CreateLoadBalancer")
def create_balancer(world: World, call: Call, value: Value) -> None:
    for balancer in value["LoadBalancers"]:
        known = world.note("load-balancers")
        if balancer["LoadBalancerArn"] not in known:
            known[balancer["LoadBalancerArn"]] = True
            world.begin("load-balancer", balancer["LoadBalancerArn"], "provisioning", world.seconds["load-balancer"])
        show_balancer(world, balancer)


@after("elbv2", "DescribeLoadBalancers")
def describe_balancers(world: World, call: Call, value: Value) -> None:
    for balancer in value.get("LoadBalancers", []):
        show_balancer(world, balancer)


@before("elbv2", "DeleteLoadBalancer")
def delete_balancer(world: World, call: Call) -> None:
    arn = call.params.get("LoadBalancerArn", "")
    balancers = world.found("elbv2", "DescribeLoadBalancers", LoadBalancerArns=[arn]).get("LoadBalancers", [])
    if not balancers:
        return
    attributes = world.ask("elbv2", "DescribeLoadBalancerAttributes", LoadBalancerArn=arn).get("Attributes", [])
    if any(one["Key"] == "deletion_protection.enabled" and one["Value"] == "true" for one in attributes):
        raise Refused(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    end = world.begin("load-balancer-interfaces", arn, "in-use", world.seconds["load-balancer-interfaces"])
    world.note("lingering")[arn] = (end, balancers[0])


def lingering(world: World) -> list[Value]:
    """Load balancers that are gone and whose interfaces are not."""
    now = world.now()
    return [balancer for end, balancer in world.note("lingering").values() if now < end]


# The certificate's way: no record for a moment, then the record, then pending until it stands in the zone.


def is_validated(world: World, certificate: Value) -> bool:
    """Whether the validation records stand in a public zone, as ACM would find them."""
    records = [one.get("ResourceRecord") for one in certificate.get("DomainValidationOptions", [])]
    return all(record and stands(world, record) for record in records)


def stands(world: World, record: Value) -> bool:
    name = record["Name"].rstrip(".").lower()
    for zone in world.ask("route53", "ListHostedZones").get("HostedZones", []):
        if not f".{name}.".endswith(f".{zone['Name'].lower()}"):
            continue
        zone_id = zone["Id"].rpartition("/")[2]
        sets = world.ask("route53", "ListResourceRecordSets", HostedZoneId=zone_id).get("ResourceRecordSets", [])
        for one in sets:
            values = [value["Value"].rstrip(".") for value in one.get("ResourceRecords", [])]
            if (
                one["Name"].rstrip(".").lower() == name
                and one["Type"] == record["Type"]
                and record["Value"].rstrip(".") in values
            ):
                return True
    return False


def look_at_certificates(world: World) -> None:
    """Starts the time to the issue for each certificate whose record has come to stand."""
    for arn, known in world.note("certificates").items():
        if known["issued"] is None:
            certificate = world.found("acm", "DescribeCertificate", CertificateArn=arn).get("Certificate")
            if certificate and is_validated(world, certificate):
                known["issued"] = world.begin("certificate", arn, "validating", world.seconds["certificate"])


def is_issued(world: World, arn: str) -> bool:
    known = world.note("certificates").get(arn)
    return known is None or (known["issued"] is not None and known["issued"] <= world.now())


@after("acm", "RequestCertificate")
def request_certificate(world: World, call: Call, value: Value) -> None:
    end = world.begin("certificate-record", value["CertificateArn"], "no record", world.seconds["certificate-record"])
    world.note("certificates").setdefault(value["CertificateArn"], {"record": end, "issued": None})
    # The record may stand already, from a former certificate of the same name.
    look_at_certificates(world)


@after("route53", "ChangeResourceRecordSets")
def change_records(world: World, call: Call, value: Value) -> None:
    look_at_certificates(world)


@after("acm", "DescribeCertificate")
def describe_certificate(world: World, call: Call, value: Value) -> None:
    certificate = value["Certificate"]
    known = world.note("certificates").get(certificate["CertificateArn"])
    if known is None or is_issued(world, certificate["CertificateArn"]):
        return
    certificate["Status"] = "PENDING_VALIDATION"
    for name in ("IssuedAt", "NotBefore", "NotAfter", "Serial", "Issuer"):
        certificate.pop(name, None)
    for option in certificate.get("DomainValidationOptions", []):
        option["ValidationStatus"] = "PENDING_VALIDATION"
        if world.now() < known["record"]:
            option.pop("ResourceRecord", None)


@before("acm", "ListCertificates")
def list_certificates(world: World, call: Call) -> Answer | None:
    """The emulator filters by its own status, which is `ISSUED` at once: the filter is applied here."""
    wanted = call.params.get("CertificateStatuses")
    summaries = world.ask("acm", "ListCertificates").get("CertificateSummaryList", [])
    for one in summaries:
        if not is_issued(world, one["CertificateArn"]):
            one["Status"] = "PENDING_VALIDATION"
    return call.answer({"CertificateSummaryList": [one for one in summaries if not wanted or one["Status"] in wanted]})


@before("acm", "DeleteCertificate")
def forget_certificate(world: World, call: Call) -> None:
    arn = call.params.get("CertificateArn", "")
    balancers = world.ask("elbv2", "DescribeLoadBalancers").get("LoadBalancers", [])
    for balancer in balancers:
        listeners = world.found("elbv2", "DescribeListeners", LoadBalancerArn=balancer["LoadBalancerArn"]).get(
            "Listeners", []
        )
        if any(one.get("CertificateArn") == arn for listener in listeners for one in listener.get("Certificates", [])):
            raise Refused("ResourceInUseException", f"Certificate {arn} in account 000000000000 is in use.")
    world.note("certificates").pop(arn, None)


@before("elbv2", "CreateListener", "ModifyListener", "AddListenerCertificates")
def refuse_unissued(world: World, call: Call) -> None:
    for one in call.params.get("Certificates", []):
        arn = one.get("CertificateArn", "")
        if not world.found("acm", "DescribeCertificate", CertificateArn=arn):
            raise Refused("CertificateNotFound", f"Certificate '{arn}' not found")
        if not is_issued(world, arn):
            raise Refused(
                "UnsupportedCertificate",
                f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a "
                "supported key size.",
            )
