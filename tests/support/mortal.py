"""Programs that don't outlive the test process, however it ends: what a killed run left kept its port, socket or lock from the next."""

from __future__ import annotations

import pwd


def mortal(*command: object, user: pwd.struct_passwd | None = None) -> list[str]:
    """The command, to be killed by the kernel when the thread that starts it ends (PR_SET_PDEATHSIG; setpriv is util-linux's).

    user: whom it runs as instead of ourselves, in the same step: a change of user afterwards would take the kernel's promise back.
    """
    return ["setpriv", "--pdeathsig", "KILL", *as_user(user), *map(str, command)]


def as_user(user: pwd.struct_passwd | None) -> list[str]:
    """setpriv's arguments for it."""
    return [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
