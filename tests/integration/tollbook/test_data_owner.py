"""Only the owner of the data directory writes in it: root becomes the owner, others are refused with what to run."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.commands import environment
from tollbook.cli import tollbook
from tollbook.data_owner import require_owner
from tollbook.errors import WrongUser

NOBODY = pwd.getpwnam("nobody")
DAEMON = pwd.getpwnam("daemon")

# What writes below the data directory, or moves files that the services must move again.
WRITING = {
    "listen": [],
    "serve": [],
    "deliver": [],
    "run": [],
    "spool retry": [],
    "archive run": [],
    "archive attach": [],
    "archive compact": [],
    "archive restore": ["2026-11-01"],
    "archive verify": [],
    "import": ["cdr_csv", "/nonexistent"],
    "prune": [],
    "recover": ["/nonexistent"],
    "rerate": ["--unrated"],
    "stats rebuild": [],
    "account erase": ["x", "--reason", "why"],
    "account agent erase": ["x", "--yes"],
}
# These read, or write in the database alone; `export` and `statement` write where they are told to; `setup` and `demo`
# have own rules.
READING = {
    "account add", "account agent add", "account agent list", "account agent remove",
    "account billing", "account disable", "account enable", "account erasures", "account export",
    "account hold", "account list", "account number add", "account number list", "account number remove",
    "account numbering", "account plan", "archive query", "db upgrade", "demo", "doctor", "explain", "key create",
    "key list", "key log", "key revoke", "key rotate",
    "rates explain", "rates export", "rates import", "rates list", "setup", "spool list", "statement",
    "webhook dead-letters", "webhook delete", "webhook disable", "webhook enable", "webhook list", "webhook replay",
    "webhook test",
}  # fmt: skip


def leaves() -> set[str]:
    """Every command that there is."""
    found: set[str] = set()
    waiting: list[tuple[str, click.Command]] = [("", tollbook)]
    while waiting:
        path, command = waiting.pop()
        if not isinstance(command, click.Group):
            found.add(path)
            continue
        context = click.Context(command)
        for name in command.list_commands(context):
            # Not loaded: it would patch the standard library of the tests.
            inner = click.Command(name) if name == "listen" else command.get_command(context, name)
            assert inner is not None
            waiting.append((f"{path} {name}".strip(), inner))
    return found


def of(user: pwd.struct_passwd, folder: Path) -> Path:
    """A data directory that belongs to a user, if we may give it away; else one of root's."""
    if os.geteuid() != 0:
        return Path("/usr")
    folder.mkdir()
    os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def test_every_command_is_one_or_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one is to be thought about: does it write what the services must be able to write again?"""
    monkeypatch.setenv("TOLLBOOK_ENV_FILE", "")
    assert leaves() == WRITING.keys() | READING


# All commands at once, in a process of its own: `listen` first, which would patch the standard library of the others.
RUN_ALL = """
import contextlib, io, json, sys
from tollbook.cli import main
ended = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["tollbook", *command]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        try:
            main()
        except SystemExit as end:
            ended[" ".join(command)] = (end.code, said.getvalue().splitlines()[-1])
print(json.dumps(ended))
"""


def test_another_user_is_refused_with_the_line_to_run(tmp_path: Path) -> None:
    """Before anything is connected to or written."""
    data_dir = of(NOBODY, tmp_path / "data")
    commands = [[*command.split(), *WRITING[command]] for command in WRITING]
    # As another user, who may read everything: the checkout may lie where that user may not look.
    become = [
        shutil.which("setpriv") or "setpriv", "--reuid", str(DAEMON.pw_uid), "--regid", str(DAEMON.pw_gid),
        "--clear-groups", "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search",
    ]  # fmt: skip
    settings = {
        "data_dir": str(data_dir),
        "database_url": "postgresql://127.0.0.1:1/none",
        "esl": "esl://:x@127.0.0.1:1",
    }
    done = subprocess.run(
        [*(become if os.geteuid() == 0 else []), sys.executable, "-c", RUN_ALL, json.dumps(commands)],
        env=environment(**settings), cwd="/", capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    owner = pwd.getpwuid(data_dir.stat().st_uid).pw_name
    ours = DAEMON.pw_name if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    wrong = f"tollbook: {data_dir} belongs to {owner}, who could not write what {ours} writes there"
    lines = map(" ".join, commands)
    assert json.loads(done.stdout) == {
        line: [77, f"{wrong}: as root run `runuser -u {owner} -- tollbook {line}`"] for line in lines
    }


def test_root_becomes_the_owner_for_good(tmp_path: Path) -> None:
    """With the owner's groups and home, and no way back; the name of who gave the command stays. Nobody else can."""
    data_dir = of(NOBODY, tmp_path / "data")
    script = """
import os, sys
from contextlib import suppress
from pathlib import Path
from tollbook.data_owner import become_owner
become_owner(Path(sys.argv[1]))
with suppress(PermissionError):
    os.setuid(0)
print(os.getresuid(), os.getresgid(), sorted(os.getgroups()), os.environ["HOME"], os.environ["LOGNAME"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, data_dir],
        env=environment() | {"LOGNAME": "alice"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    uid, gid, groups, home = os.geteuid(), os.getegid(), sorted(os.getgroups()), os.environ["HOME"]
    if uid == 0:
        uid, gid, home = NOBODY.pw_uid, NOBODY.pw_gid, NOBODY.pw_dir
        groups = sorted(os.getgrouplist(NOBODY.pw_name, gid))
    assert done.stdout == f"{(uid,) * 3} {(gid,) * 3} {groups} {home} alice\n"


def test_root_makes_no_data_directory_where_the_services_have_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could not write in it. Settings of one's own, as those of these tests, are no installation's."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("tollbook.data_owner.SERVICE_USER", "nobody")
    monkeypatch.setattr("tollbook.data_owner.DEFAULT_ENV_FILE", tmp_path / "tollbook.env")
    monkeypatch.delenv("TOLLBOOK_ENV_FILE", raising=False)
    missing = tmp_path / "data"
    require_owner(missing)
    (tmp_path / "tollbook.env").touch()
    with pytest.raises(WrongUser, match=f"`install -d -m 750 -o nobody -g nogroup {missing}`, or `tollbook setup`"):
        require_owner(missing)
    for setting in ("", str(tmp_path / "other.env")):
        monkeypatch.setenv("TOLLBOOK_ENV_FILE", setting)
        require_owner(missing)
    monkeypatch.delenv("TOLLBOOK_ENV_FILE")
    monkeypatch.setattr("tollbook.data_owner.SERVICE_USER", "no-such-user")
    require_owner(missing)
    assert not missing.exists()
