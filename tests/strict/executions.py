"""Step Functions: an execution that has ended can be shown as if that were longer ago, so that a test need not
wait as long as its lock stays closed. Tests that use it wait by themselves until the functions have ended."""

from rules import after
from wire import Call, Value
from world import World


@after("stepfunctions", "DescribeExecution")
def describe_execution(world: World, call: Call, value: Value) -> None:
    if value.get("status") != "RUNNING" and "stopDate" in value:
        value["stopDate"] -= world.seconds["stopped-execution-age"]
