"""docs/install.md, followed to the letter on a machine of its own, by root who has read nothing else."""

import re
import subprocess

from tests.acceptance.machine import Machine
from tests.documents import section, shell_blocks
from tests.paths import CALLS, ROOT
from tests.waiting import wait_until
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread

PAGE = ROOT / "docs" / "install.md"
#: Where the sources are on that machine.
SOURCES = "/usr/src/tollbook"
CDR_FOLDER = "var/spool/freeswitch/json_cdr"


def build(machine: Machine) -> None:
    """Build the package, in our network; this machine has the sources, and no Tollbook."""
    # A machine that wants less: what is only recommended beside debhelper, such as a compiler, is not needed.
    machine.run("sh", "-c", "echo 'APT::Install-Recommends \"false\";' >/etc/apt/apt.conf.d/less")
    building, _ = blocks("The package")
    run(machine, building, online=True)


def follow_install(machine: Machine) -> None:
    """Go from a machine with PostgreSQL, and a package in the folder of the sources, to the first call, and back."""
    machine.run("useradd", "--system", "freeswitch")  # as FreeSWITCH's own package does
    _, *rest = blocks("The package")
    for block in (*rest, *blocks("The switch")):
        run(machine, block)
    with machine.network(), SwitchThread(port=8021, json_cdr_dir=machine.root / CDR_FOLDER, heartbeat_s=2) as switch:
        (setting_up,) = blocks("Setting up")
        printed = run(machine, setting_up.replace("PASSWORD", switch.password))
        key = re.findall(r"API key of acct_alpha: (sk_\S+)", printed)
        assert key, printed
        switch.wait_for_subscriber(30)
        switch.play([load(CALLS / "outbound_plus_e164")])
        # Once more, with a question for each; what is typed is what it proposes.
        assert "TOLLBOOK_" not in machine.run("tollbook", "setup", stdin="\n" * 20)
        check, look = blocks("The first call")
        run(machine, check)  # which ends with 0 when all is well
        wait_until(lambda: "answered" in from_there(machine, look, KEY=key[0]), 30, every_s=0.5)
        for block in blocks("Backup"):
            (machine.root / CDR_FOLDER / "done").mkdir(exist_ok=True)
            run(machine, block)
    machine.run("systemctl", "stop", "tollbook-listen", "tollbook-api")
    (alone,) = blocks("Without systemd")
    printed = machine.try_run("bash", "-c", f"timeout --kill-after=20 15 {alone}").stdout
    assert "listening on 127.0.0.1:8080" in printed, printed
    remove, _ = blocks("Upgrade, removal")
    run(machine, remove)
    drop_database(machine)


def follow_without_package(machine: Machine) -> None:
    """Install a clone, on a machine that has PostgreSQL, and what the page names; answer what setup asks."""
    install, set_up = blocks("Without the package")
    run(machine, install, online=True)
    with machine.network(), SwitchThread(port=8021, heartbeat_s=2) as switch:
        # The switch's password is the fourth answer; all others are what is proposed.
        printed = run(machine, set_up, stdin="\n\n\n" + switch.password + "\n" * 13)
        assert "operator's API key: sk_" in printed, printed
        switch.wait_for_subscriber(30)


def drop_database(machine: Machine) -> None:
    """Drop the database and the roles, as the page says."""
    _, drop = blocks("Upgrade, removal")
    machine.run("bash", "-euc", drop)
    assert "tollbook" not in machine.run("runuser", "-u", "postgres", "--", "psql", "--list", "--csv")


def blocks(heading: str) -> list[str]:
    """Return the commands below a heading of the page."""
    return shell_blocks(section(PAGE, heading))


def run(machine: Machine, script: str, *, stdin: str = "", online: bool = False) -> str:
    """Run commands as root's shell does, in the folder of the sources."""
    return machine.run("bash", "-euo", "pipefail", "-c", f"cd {SOURCES}\n{script}", stdin=stdin, online=online)


def from_there(machine: Machine, script: str, **environment: str) -> str:
    """Run a command of this machine in the network of that one, which has no curl."""
    command = ["nsenter", f"--target={machine.pid}", "--net", "sh", "-euc", script]
    env = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=True).stdout
