"""Child processes that never outlive the process that started them, even when that is killed with SIGKILL."""

import ctypes
import os
import pwd
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals, user: pwd.struct_passwd | None = None) -> Callable[[], None]:
    """Return a `preexec_fn` with which the kernel sends the child `number` when its parent dies.

    The child also gets a session of its own, so that Ctrl-C in the terminal reaches the parent alone, which then stops
    its children in order; and it runs as `user` if one is given. Start the child from the main thread: the kernel
    counts the death of the thread that forked.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def become() -> None:
        os.setsid()
        if user is not None:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        libc.prctl(_PR_SET_PDEATHSIG, number)  # after setuid, which clears it

    return become
