"""The register of rules: what is done before a call is sent on, and to its answer after."""

BEFORE, AFTER = {}, {}


def before(service, *operations):
    """Registers a rule that sees a call first. It may refuse it (raise `Refused`) or answer it in the emulator's
    place; nothing means: go on."""

    def register(rule):
        for operation in operations:
            BEFORE.setdefault((service, operation), []).append(rule)
        return rule

    return register


def after(service, *operations):
    """Registers a rule that sees the values of a successful answer and may change them in place."""

    def register(rule):
        for operation in operations:
            AFTER.setdefault((service, operation), []).append(rule)
        return rule

    return register


def has(call):
    key = (call.service, call.operation)
    return key in BEFORE or key in AFTER
