"""The list of corrections, in the order in which they are applied."""

from collections.abc import Callable

ALL: list[tuple[str, Callable[[], None]]] = []


def correction(fact: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Registers a correction under the fact that makes it necessary, `service: what AWS does`."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        ALL.append((fact, apply))
        return apply

    return register
