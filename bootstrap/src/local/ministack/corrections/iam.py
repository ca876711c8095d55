"""Service-linked roles."""

from ministack.services import iam

from corrections.register import correction
from patching import Answer, Original, Parameters, text_of, with_text, wrap


@correction("iam: a service-linked role has AWS's name, and a second one is refused as InvalidInput")
def name_service_linked_roles() -> None:
    names = {
        "ecs.amazonaws.com": "AWSServiceRoleForECS",
        "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
        "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
        "rds.amazonaws.com": "AWSServiceRoleForRDS",
    }

    def create(original: Original, parameters: Parameters) -> Answer:
        service: str = iam._p(parameters, "AWSServiceName")
        name = names.get(service)
        if name is None:
            return original(parameters)
        if name in iam._roles:
            said = f"Service role name {name} has been taken in this account, please try a different suffix."
            return iam._error(400, "InvalidInput", said, ns="iam")
        answer = original(parameters)
        made = f"AWSServiceRoleFor{service.partition('.')[0].capitalize()}"
        if answer[0] != 200:
            return answer
        role = iam._roles.pop(made)
        role.update({"RoleName": name, "Arn": role["Arn"].replace(made, name)})
        iam._roles[name] = role
        return with_text(answer, text_of(answer).replace(made, name))

    wrap(iam, "_create_service_linked_role", create)
