"""Child processes, our own commands among them, that never outlive who started them, even when that is killed."""

import ctypes
import os
import pwd
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def own_command(arguments: Sequence[str]) -> list[str]:
    """Return what starts `tollbook ARGUMENTS` of this installation, whatever is on the PATH."""
    return [str(Path(sys.executable).with_name("tollbook")), *arguments]


def given_command() -> str:
    """Return the command line that was given, as it can be pasted into a shell."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


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
