"""A function invoked twice with the same event, as a retry of a call whose answer was lost does it."""

import threading

from record import Caller
from world import World

RUNNING: list[threading.Thread] = []


def invoke(world: World, caller: Caller) -> None:
    """Invokes the caller's function once more with the event that it works on, beside the call that runs. Fails
    where Step Functions has not called it."""
    answer = world.send(world.own("GET", f"/_stepstack/event/{caller}"))
    if answer.status != 200:
        raise LookupError(f"Step Functions has not called {caller}")
    # What it answers is nobody's: Step Functions takes the first call's.
    call = {"FunctionName": str(caller), "Payload": answer.body}
    second = threading.Thread(target=world.found, args=("lambda", "Invoke"), kwargs=call, daemon=True)
    RUNNING.append(second)
    second.start()


def wait() -> None:
    """Waits until every second call has ended: only then is what they did all there."""
    while RUNNING:
        RUNNING.pop().join()
