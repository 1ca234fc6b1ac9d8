"""Child processes that never outlive the process that started them, even when that is killed with -9."""

import ctypes
import os
import pwd
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals, user: pwd.struct_passwd | None = None) -> Callable[[], None]:
    """Make a `preexec_fn`: a session of its own, so that Ctrl-C in the terminal is for us, who then stop the child
    in order; run as `user` when given; and sent `number` by the kernel when we die. Start it from the main thread:
    the kernel counts the death of the thread that forked."""
    libc = ctypes.CDLL(None, use_errno=True)

    def become() -> None:
        os.setsid()
        if user is not None:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        libc.prctl(_PR_SET_PDEATHSIG, number)  # after setuid, which clears it

    return become
