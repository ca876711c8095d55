"""Has parliament look at the engine's policies, and fails on findings of medium severity or above.

stepstack bootstrap --print-policies > policies.json
python -m venv .venv && .venv/bin/pip install -r security/requirements.txt
.venv/bin/python security/parliament_check.py policies.json
"""

import json
import pathlib
import sys

import parliament

# Findings that are mistaken, by issue and action, each with the reason.
ELSEWHERE = "each kind of resource that the action needs stands in a statement; parliament looks for all in one"
APP_ALONE = "only application load balancers are made; the engine has no network ones"
ACCEPTED = {
    ("RESOURCE_MISMATCH", "states:DescribeExecution"): "parliament knows express executions alone; ours are standard",
    ("RESOURCE_MISMATCH", "route53:ChangeTagsForResource"): "zones are tagged, the engine has no health checks",
    (
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
        "arn:aws:s3:::*",
    ): "the uploads bucket may have any name, so its policy may be set on any of the account's",
    **{
        ("RESOURCE_MISMATCH", f"ec2:{action}"): ELSEWHERE
        for action in (
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "CreateNatGateway",
            "CreateRouteTable",
            "CreateSubnet",
            "CreateVpcEndpoint",
            "ModifySecurityGroupRules",
            "RevokeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
        )
    },
    ("RESOURCE_MISMATCH", "rds:DeleteDBCluster"): ELSEWHERE,
    **{
        ("RESOURCE_MISMATCH", f"elasticloadbalancing:{action}"): APP_ALONE
        for action in (
            "CreateRule",
            "DeleteListener",
            "DeleteRule",
            "ModifyListener",
            "ModifyRule",
            "SetRulePriorities",
        )
    },
}
SEVERITIES = ["MUTED", "INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


def plain(value):
    """Lists of one as the one: IAM takes both, and parliament stumbles over the list in conditions."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return plain(value[0]) if len(value) == 1 else [plain(one) for one in value]
    return value


def main(path):
    bad, looked = 0, 0
    policies = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    for role, policy in policies.items():
        looked += 1
        findings = parliament.analyze_policy_string(json.dumps(plain(policy))).findings
        for finding in map(parliament.enhance_finding, findings):
            details = finding.detail if isinstance(finding.detail, list) else [finding.detail]
            actions = [detail.get("action") for detail in details if isinstance(detail, dict)]
            actions = actions or [word for word in str(finding.detail).split() if word.startswith("arn:")]
            known = actions and all((finding.issue, action) in ACCEPTED for action in actions)
            if known or SEVERITIES.index(finding.severity) < SEVERITIES.index("MEDIUM"):
                continue
            bad += 1
            print(f"{role}: {finding.severity} {finding.issue}: {finding.title} {finding.detail}")
    print(f"{looked} policies, {bad} findings of medium severity or above")
    return 1 if bad or not looked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
