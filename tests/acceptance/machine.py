"""A Debian of its own, booted by systemd-nspawn: systemd is its first process, and its network is its own."""

import ctypes
import os
import platform
import shutil
import signal
import ssl
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.paths import ROOT
from tests.waiting import wait_until
from tollbook.process import die_with_parent

# What Debian's installer gives a machine, PostgreSQL, and what the package depends on.
INCLUDED = ("adduser", "debconf", "libstdc++6", "python3", "systemd-sysv")
BOOT_S = 60.0
COMMAND_S = 120.0
# A build downloads what the lock names.
ONLINE_S = 900.0
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
# Of this machine, for what is online in there: how Debian's packages and Python's are reached, if not directly, and
# where the certificates are put that are trusted here.
_ONLINE = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST")
_CERTIFICATES = "run/certificates.pem"
_SHOWN = 6_000
_NAMESPACES = ("mount", "uts", "ipc", "pid", "cgroup")
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h


def debian() -> Path:
    """Return a folder with this machine's release of Debian and PostgreSQL; the first time it takes a minute."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    folder = ROOT / "build" / f"debian-{release}"
    if folder.is_dir():
        return folder
    making = folder.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    making.parent.mkdir(exist_ok=True)
    _run("debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", release, str(making))
    # So that nothing starts a server in a folder that is not booted, where nobody would stop it.
    forbids = making / "usr" / "sbin" / "policy-rc.d"
    forbids.write_text("#!/bin/sh\nexit 101\n")
    forbids.chmod(0o755)
    _run("chroot", str(making), "apt-get", "install", "-qq", "--no-install-recommends", "postgresql")
    forbids.unlink()
    making.rename(folder)
    return folder


def _run(*command: str) -> None:
    # TMPDIR names a folder that the new root has not.
    environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"} | _ENVIRONMENT
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


class Machine:
    """A booted machine. What it writes is in memory, and gone afterwards."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = wait_until(self._first_process, BOOT_S)
        #: Its file system, as seen from here.
        self.root = Path("/proc", str(self.pid), "root")

    def _first_process(self) -> int | None:
        """Return the process that has number 1 in there."""
        assert self._process.poll() is None, "systemd-nspawn has ended"
        children = Path("/proc", str(self._process.pid), "task", str(self._process.pid), "children")
        for child in children.read_text().split():
            try:
                status = Path("/proc", child, "status").read_text()
            except OSError:
                continue
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if numbers.split()[-1] == "1" and len(numbers.split()) > 2:
                return int(child)
        return None

    def try_run(self, *command: str, stdin: str = "", online: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run a command as root to its end; output and errors are one text.

        `online`: in our network, by which Debian's packages are reached; nothing in there can be connected to.
        """
        network, reached = ([], self._reached()) if online else (["--net"], {})
        return subprocess.run(
            ["nsenter", f"--target={self.pid}", *(f"--{name}" for name in _NAMESPACES), *network, *command],
            input=stdin,
            env=_ENVIRONMENT | reached,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=ONLINE_S if online else COMMAND_S,
            check=False,
        )

    def run(self, *command: str, stdin: str = "", online: bool = False) -> str:
        """Run a command as root, and return what it printed; fail when it fails."""
        done = self.try_run(*command, stdin=stdin, online=online)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-_SHOWN:]}"
        return done.stdout

    def _reached(self) -> dict[str, str]:
        """Return the variables by which registries are reached from here, with the certificates that we trust."""
        variables = {name: os.environ[name] for name in _ONLINE if name in os.environ}
        trusted = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
        if trusted is not None:
            shutil.copyfile(trusted, self.root / _CERTIFICATES)
            variables["PIP_CERT"] = f"/{_CERTIFICATES}"
        return variables

    def property_of(self, unit: str, name: str) -> str:
        """Return what systemd knows of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    @contextmanager
    def network(self) -> Generator[None]:
        """Let this thread, and the threads that it starts, use the network of the machine."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as ours, open(f"/proc/{self.pid}/ns/net", "rb") as theirs:
            if libc.setns(theirs.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(ours.fileno(), _NEW_NETWORK)


@contextmanager
def booted(log: Path, *, readable: Mapping[Path, str] = {}, writable: Mapping[Path, str] = {}) -> Generator[Machine]:
    """Boot the machine, with folders of ours at paths of its own, and power it off at the end."""
    command = [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network",
        "--resolv-conf=copy-host", "--volatile=overlay", f"--directory={debian()}", "--console=read-only",
        *(f"--bind-ro={ours}:{there}" for ours, there in readable.items()),
        *(f"--bind={ours}:{there}" for ours, there in writable.items()),
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent(signal.SIGTERM)
        )
    try:
        machine = Machine(process)
        wait_until(lambda: machine.try_run("systemctl", "is-system-running").stdout.strip() == "running", BOOT_S)
        yield machine
    finally:
        process.terminate()  # powers it off
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
