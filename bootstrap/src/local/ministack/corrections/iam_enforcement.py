"""Policies, where IAM is enforced (MiniStack's AUTH=true)."""

from typing import Any

from ministack import app
from ministack.core import iam_evaluator

from corrections.register import correction
from patching import Original, wrap


@correction("AUTH: an action is allowed where a policy names it; resources and conditions are not looked at")
def project_policies() -> None:
    """MiniStack knows neither the ARNs nor the tags of much that is about to be created, and denies it. So
    what is enforced here is the list of actions; what narrows it is tested on the documents themselves."""

    def first_match(original: Original, context: Any, statements: list[Any], effect: str) -> Any:
        if effect == "Deny":
            return original(context, statements, effect)
        for statement in statements:
            if statement.effect == effect and iam_evaluator._action_matches(
                context.action, statement.actions, statement.not_actions
            ):
                return statement
        return None

    wrap(iam_evaluator, "_first_match", first_match)


@correction("AUTH: what comes over this machine's loopback counts as TLS")
def trust_loopback() -> None:
    """A bucket that takes TLS alone would take nothing here."""

    def pin(original: Original, source_ip: str, secure_transport: bool) -> None:
        original(source_ip, True)

    wrap(app, "pin_request_origin", pin)
