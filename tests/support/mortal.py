"""Programs that don't outlive the test process, however it ends: what a killed run left kept its port, socket or lock from the next."""

from __future__ import annotations


def mortal(*command: object) -> list[str]:
    """The command, to be killed by the kernel when the thread that starts it ends (PR_SET_PDEATHSIG; setpriv is util-linux's)."""
    return ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
