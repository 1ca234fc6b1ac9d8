"""Who writes below the data directory: its owner alone.

What root wrote there, the services could not write any more: archive folders, the spool, files of recordings' ends.
"""

import grp
import os
import pwd
from pathlib import Path
from typing import Final

from tollbook.env_file import DEFAULT_ENV_FILE, ENV_FILE
from tollbook.errors import WrongUser
from tollbook.process import given_command

#: Who runs the services, unless `tollbook setup --user` says otherwise.
SERVICE_USER: Final = "tollbook"
#: Their data directory is for them, and for their group to read.
DATA_MODE: Final = 0o750


def become_owner(data_dir: Path) -> None:
    """As root, become the user who owns the data directory. Do nothing as anybody else, or where there is no folder.

    For good: a process that could go back could still write as root. Only HOME changes in the environment, so that
    what keeps the name of who gave a command keeps the right one. Raises WrongUser where the kernel forbids it.
    """
    owner = _owner_of(data_dir)
    if owner is None or os.geteuid() != 0 or owner.st_uid == 0:
        return
    user = _user_of(owner.st_uid)
    try:
        if user is None:
            os.setgroups([])
            os.setgid(owner.st_gid)
        else:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
        os.setuid(owner.st_uid)
    except OSError as error:
        raise WrongUser(
            f"{_wrong(data_dir, owner.st_uid)}, and we may not become that user: {error.strerror}"
        ) from None
    if user is not None:
        os.environ["HOME"] = user.pw_dir


def require_owner(data_dir: Path) -> None:
    """Become the owner of the data directory as root; raise WrongUser as anybody else but the owner.

    As root also where there is none, on a machine whose services have a user: what root made, they could not write in.
    A machine without settings of its own is another matter: a container, a demo, a test.
    """
    become_owner(data_dir)
    owner = _owner_of(data_dir)
    if owner is None and os.geteuid() == 0 and ENV_FILE not in os.environ and DEFAULT_ENV_FILE.exists():
        _refuse_to_make(data_dir)
    if owner is None or owner.st_uid == os.geteuid():
        return
    user = _user_of(owner.st_uid)
    whom = f"-u {user.pw_name}" if user is not None else f"-u '#{owner.st_uid}'"
    program = "runuser" if user is not None else "sudo"
    raise WrongUser(f"{_wrong(data_dir, owner.st_uid)}: as root run `{program} {whom} -- {given_command()}`")


def _refuse_to_make(data_dir: Path) -> None:
    try:
        user = pwd.getpwnam(SERVICE_USER)
        group = grp.getgrgid(user.pw_gid).gr_name
    except KeyError:
        return
    raise WrongUser(
        f"{data_dir} does not exist, and in one that root makes {user.pw_name} could not write: as root run"
        f" `install -d -m {DATA_MODE:o} -o {user.pw_name} -g {group} {data_dir}`, or `tollbook setup`"
    )


def _wrong(data_dir: Path, owner: int) -> str:
    names = [user.pw_name if user else f"uid {uid}" for uid in (owner, os.geteuid()) for user in [_user_of(uid)]]
    return f"{data_dir} belongs to {names[0]}, who could not write what {names[1]} writes there"


def _owner_of(data_dir: Path) -> os.stat_result | None:
    """Return whose folder it is; None if there is none, or none that we can see."""
    try:
        return data_dir.stat()
    except OSError:
        return None


def _user_of(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None
