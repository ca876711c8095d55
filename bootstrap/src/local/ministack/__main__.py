"""Starts MiniStack, the AWS on this machine, corrected where it differs from AWS.

    python DIRECTORY --key FILE [--test-hooks]   starts it, with a key of its own that it writes to FILE
    python DIRECTORY --list                      prints what is corrected, one fact a line

This is the one place for such corrections: the engine knows nothing of them. Each is a function of its own
in `corrections`, under the fact that makes it necessary: what AWS does and MiniStack 1.5.33 does not.
`docs/ministack-upstream.md` offers them to MiniStack. `door` keeps out who has no key. `test_hooks` is what only
this repository's tests ask.
"""

import pathlib
import sys

from ministack import app

import corrections
import door
import patching
import test_hooks


def main(arguments: list[str]) -> None:
    """Applies the corrections, and the test hooks where they are asked for, and runs MiniStack to its end."""
    if "--list" in arguments:
        print("\n".join(fact for fact, _ in corrections.ALL))
        return
    for _, apply in corrections.ALL:
        apply()
    if "--test-hooks" in arguments:
        test_hooks.install()
    patching.install()
    # Last, so that nothing is answered past it.
    door.install(pathlib.Path(arguments[arguments.index("--key") + 1]))
    sys.argv[1:] = []  # MiniStack reads the command line too.
    app.main()


if __name__ == "__main__":
    main(sys.argv[1:])
