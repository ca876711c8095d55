"""Load balancers and target groups."""

from collections.abc import Callable

from ministack.services import alb, ec2

from corrections.register import correction
from patching import Answer, Json, Original, Parameters, wrap


@correction("elb: a load balancer is in the VPC of its subnets")
def keep_load_balancer_vpc() -> None:
    def show(original: Original, balancer: Json) -> str:
        subnets = [ec2._subnets[one] for one in balancer["Subnets"] if one in ec2._subnets]
        return original({**balancer, "VpcId": subnets[0]["VpcId"]} if subnets else balancer)

    wrap(alb, "_lb_xml", show)


@correction("elb: a target group shows the protocol's version, the address type, and who uses it by a rule")
def complete_target_groups() -> None:
    def create(original: Original, parameters: Parameters) -> Answer:
        before = set(alb._tgs)
        answer = original(parameters)
        made = set(alb._tgs) - before
        for new in made:
            alb._tgs[new]["_version"] = alb._p(parameters, "ProtocolVersion") or "HTTP1"
            alb._tgs[new]["_address"] = alb._p(parameters, "IpAddressType") or "ipv4"
        if answer[0] != 200:
            return answer
        groups = "".join(alb._tg_xml(alb._tgs[new]) for new in made)
        return alb._xml(200, "CreateTargetGroup", f"<TargetGroups>{groups}</TargetGroups>")

    def show(original: Original, group: Json) -> str:
        arn = group["TargetGroupArn"]
        balancers = list(group.get("LoadBalancerArns", []))
        for rule in alb._rules.values():
            listener = alb._listeners.get(rule.get("ListenerArn"))
            used = any(action.get("TargetGroupArn") == arn for action in rule.get("Actions", []))
            if listener and used and listener["LoadBalancerArn"] not in balancers:
                balancers.append(listener["LoadBalancerArn"])
        text = original({**group, "LoadBalancerArns": balancers})
        extra = (
            f"<ProtocolVersion>{group.get('_version', 'HTTP1')}</ProtocolVersion>"
            f"<IpAddressType>{group.get('_address', 'ipv4')}</IpAddressType>"
        )
        return text.removesuffix("</member>") + extra + "</member>"

    wrap(alb, "_tg_xml", show)
    wrap(alb, "_create_tg", create)


@correction("elb: a forward action shows its ForwardConfig")
def show_forward_config() -> None:
    def show(original: Original, action: Json) -> str:
        text: str = original(action)
        if action["Type"] == "forward" and "TargetGroupArn" in action:
            group = f"<TargetGroupArn>{action['TargetGroupArn']}</TargetGroupArn>"
            member = f"<member>{group}<Weight>1</Weight></member>"
            sticky = "<TargetGroupStickinessConfig><Enabled>false</Enabled></TargetGroupStickinessConfig>"
            config = f"<ForwardConfig><TargetGroups>{member}</TargetGroups>{sticky}</ForwardConfig>"
            text = f"{text.removesuffix('</member>')}{config}</member>"
        return text

    wrap(alb, "_action_xml", show)


@correction("elb: describing what is not there by name or ARN is refused")
def refuse_absent() -> None:
    def refuse(listing: str, code: str, parameter: str, known: Callable[[], set[str]]) -> None:
        def describe(original: Original, parameters: Parameters) -> Answer:
            for one in alb._parse_member_list(parameters, parameter):
                if one not in known():
                    return alb._error(code, f"One or more of these are not found: {one}")
            return original(parameters)

        wrap(alb, listing, describe)

    def names() -> set[str]:
        return {one["TargetGroupName"] for one in alb._tgs.values()}

    refuse("_describe_tgs", "TargetGroupNotFound", "Names", names)
    refuse("_describe_tgs", "TargetGroupNotFound", "TargetGroupArns", lambda: set(alb._tgs))
    refuse("_describe_listeners", "ListenerNotFound", "ListenerArns", lambda: set(alb._listeners))
    refuse("_describe_rules", "RuleNotFound", "RuleArns", lambda: set(alb._rules))
