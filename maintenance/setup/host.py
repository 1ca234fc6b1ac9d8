"""The user that Tollbook runs as on this machine, and what belongs to it."""

import grp
import os
import pwd
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tollbook.data_owner import DATA_MODE, SERVICE_USER
from tollbook.errors import SettingsError
from tollbook.scratch import scratch_folder


@dataclass(frozen=True, kw_only=True)
class ServiceUser:
    """Who runs the services. `group`: whose the file of settings is; None where that is nobody's but ours."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def group(self) -> int | None:
        """The group that reads the settings: None unless root writes them for somebody else."""
        return self.gid if os.geteuid() == 0 and self.uid != 0 else None


def service_user(name: str | None) -> ServiceUser:
    """Return the user that the services run as: the one named; as root `tollbook`; else ourselves.

    Raises SettingsError for a user that there is not, and for another than ourselves where we are not root.
    """
    wanted = name or (SERVICE_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    try:
        found = pwd.getpwnam(wanted)
    except KeyError:
        raise SettingsError(
            f"there is no user {wanted} on this machine: as root run `useradd --system --home-dir /var/lib/tollbook"
            f" --shell /usr/sbin/nologin {wanted}`, or name another user with --user"
        ) from None
    if found.pw_uid != os.geteuid() and os.geteuid() != 0:
        raise SettingsError(f"only root can set up what {wanted} runs: run this as root, or as {wanted}")
    return ServiceUser(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid, home=found.pw_dir)


def make_data_dir(path: Path, user: ServiceUser) -> None:
    """Make the data directory the user's. Raises SettingsError, also for one that is somebody else's."""
    if not path.is_absolute():
        raise SettingsError(f"TOLLBOOK_DATA_DIR={path}: write the whole path, which means the same in every folder")
    try:
        new = not path.exists()
        path.mkdir(mode=DATA_MODE, parents=True, exist_ok=True)
        if new and os.geteuid() == 0:
            # Not what a link leads to: the folder above may be the user's, who could have put one there by now.
            os.chown(path, user.uid, user.gid, follow_symlinks=False)
        owner = path.stat().st_uid
    except OSError as error:
        raise SettingsError(f"TOLLBOOK_DATA_DIR={path} cannot be made: {error.strerror}") from None
    if owner != user.uid:
        raise SettingsError(
            f"TOLLBOOK_DATA_DIR={path} belongs to {_name(owner)}, and {user.name} could not write in it: as root run"
            f" `chown -R {user.name}: {path}`, or name another folder with --data-dir"
        )


@contextmanager
def acting_as(user: ServiceUser) -> Generator[None]:
    """Ask the kernel as this user would for the length of the block; do nothing where we are that user.

    For looking and connecting only: what is written in the block could be undone by root alone.
    """
    if os.geteuid() != 0 or user.uid == 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.initgroups(user.name, user.gid)
        os.setegid(user.gid)
        os.seteuid(user.uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


@contextmanager
def readable_for(path: Path, user: ServiceUser) -> Generator[Path]:
    """Yield a file's path; as root, that of a copy with its name, which the user may read. Raises OSError."""
    if os.geteuid() != 0 or user.uid == 0:
        yield path
        return
    with scratch_folder("tollbook-setup-") as folder:
        copy = Path(shutil.copyfile(path, folder / path.name))
        # The folder stays root's. The user, were it theirs, could put a link in place of what root changes in it.
        copy.chmod(0o440)
        os.chown(copy, -1, user.gid)
        os.chown(folder, -1, user.gid)
        folder.chmod(0o750)
        yield copy


def check_cdr_dir(text: str, user: ServiceUser) -> Path | None:
    """Return the folder of the CDR files; None for none. Raises SettingsError where the user could not work in it.

    `tollbook recover` reads the files and moves them to folders in it.
    """
    if text in ("", "none"):
        return None
    path = Path(text)
    if not path.is_absolute():
        raise SettingsError(f"{path}: write the whole path of the folder, or none")
    with acting_as(user):
        # The effective user's rights, those of its groups and of every folder above among them.
        usable = os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)
        seen = path.is_dir() if usable or os.access(path, os.F_OK, effective_ids=True) else None
    if usable and seen:
        return path
    make = f"as root run `install -d -m 2770 -o freeswitch -g {_group_name(user.gid)} {path}`"
    if seen is None and not path.exists():
        raise SettingsError(
            f"there is no folder {path}: {make}, and let mod_json_cdr write there"
            " (conf/freeswitch/json_cdr.conf.xml); or answer none"
        )
    raise SettingsError(
        f"{user.name} may not read and write in {path}: {make}, and give FreeSWITCH's unit UMask=0027, so that the"
        " group may read each file; or answer none"
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
