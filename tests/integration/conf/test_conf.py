"""What an operator copies from conf/ is accepted by what reads it: systemd, Tollbook's settings, FreeSWITCH's XML."""

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from esl_listener.service import DRAIN_TIMEOUT_S
from export_app.server.http_server import GRACEFUL_TIMEOUT_S
from tests.paths import ROOT
from tollbook.config import Settings, load_settings
from tollbook.errors import SettingsError, SwitchRefused

CONF = ROOT / "conf"
UNITS = sorted((CONF / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
EXAMPLE = CONF / "tollbook.env.example"
INSTALLED = "/opt/tollbook/.venv/bin/tollbook"
SETTINGS = {f"TOLLBOOK_{name.upper()}" for name in Settings.model_fields}


def name_of(path: Path) -> str:
    return path.name


def section(unit: Path, name: str) -> dict[str, str]:
    """The keys of a section; no unit of ours repeats one, or breaks a line."""
    _, _, rest = unit.read_text().partition(f"[{name}]\n")
    lines = [line for line in rest.partition("\n[")[0].splitlines() if line and not line.startswith("#")]
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines)
    return found


def seconds(text: str) -> int:
    """What systemd reads in `45s`, `3min` or `1h`."""
    match = re.fullmatch(r"(\d+)(s|min|h)", text)
    assert match, text
    return int(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]]


def example_lines() -> dict[str, tuple[bool, str]]:
    """Every TOLLBOOK_ setting of the example: whether it is on, and its value as systemd and sh read it."""
    found: dict[str, tuple[bool, str]] = {}
    for line in EXAMPLE.read_text().splitlines():
        if match := re.fullmatch(r"(#?)(TOLLBOOK_[A-Z0-9_]+)=('?)(.*)\3", line):
            assert match[2] not in found, f"{match[2]} stands twice"
            found[match[2]] = (not match[1], match[4])
    return found


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that this machine sets for Tollbook is seen here."""
    for name in os.environ:
        if name.startswith("TOLLBOOK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOLLBOOK_ENV_FILE", "")


@pytest.fixture(scope="module")
def systemd_analyze() -> str:
    """systemd's own checker. It fails here, and never skips, when it is missing."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("systemd-analyze is missing: install it with `apt-get install --no-install-recommends systemd`")
    return program


@pytest.fixture
def units_here(tmp_path: Path) -> list[Path]:
    """Copies of the units whose program and user exist on this machine."""
    for unit in UNITS:
        text = unit.read_text().replace(INSTALLED, "/bin/true")
        (tmp_path / unit.name).write_text(re.sub(r"^(User|Group)=tollbook$", r"\1=root", text, flags=re.MULTILINE))
    return sorted(tmp_path.iterdir())


def test_systemd_accepts_the_units(systemd_analyze: str, units_here: list[Path]) -> None:
    """`systemd-analyze verify` finds nothing to say: no unknown key, no bad value, no missing unit."""
    command = [systemd_analyze, "verify", "--recursive-errors=no", *units_here]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_check_of_units_sees_a_wrong_key(systemd_analyze: str, units_here: list[Path]) -> None:
    """The check above can fail: a misspelt key is reported."""
    unit = next(path for path in units_here if path.name == "tollbook-listen.service")
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchDogSecs="))
    command = [systemd_analyze, "verify", "--recursive-errors=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "WatchDogSecs" in done.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_services_share_user_state_and_settings(unit: Path) -> None:
    """All services run as `tollbook`, keep files in /var/lib/tollbook and read the same settings."""
    service = section(unit, "Service")
    assert (service["User"], service["Group"], service["StateDirectory"]) == ("tollbook", "tollbook", "tollbook")
    assert service["Environment"] == "TOLLBOOK_DATA_DIR=/var/lib/tollbook"
    assert service["EnvironmentFile"] == "/etc/tollbook/tollbook.env"
    assert INSTALLED in service["ExecStart"]


def test_services_are_confined_alike() -> None:
    """What confines one service confines all: from UMask to the system call filter, the same lines."""
    confined = [re.search(r"^UMask=.*?^SystemCallErrorNumber=\w+$", path.read_text(), re.S | re.M) for path in SERVICES]
    assert len({match and match[0] for match in confined}) == 1
    assert confined[0] is not None


@pytest.mark.parametrize("name", ["listen", "api"])
def test_services_do_not_restart_what_no_restart_mends(name: str) -> None:
    """A wrong setting (78) and a refused password (77) end the service; all else is tried again, for ever."""
    unit = CONF / "systemd" / f"tollbook-{name}.service"
    service = section(unit, "Service")
    assert service["Restart"] == "always"
    assert section(unit, "Unit")["StartLimitIntervalSec"] == "0"
    prevented = set(map(int, service["RestartPreventExitStatus"].split()))
    assert prevented == {SettingsError.exit_code, SwitchRefused.exit_code}


def test_a_stop_is_given_the_time_it_takes() -> None:
    """systemd waits longer than the listener drains and than the API finishes requests."""
    listen = section(CONF / "systemd" / "tollbook-listen.service", "Service")
    api = section(CONF / "systemd" / "tollbook-api.service", "Service")
    assert seconds(listen["TimeoutStopSec"]) > DRAIN_TIMEOUT_S + 30  # 30 s: goodbye to a switch that does not answer
    assert seconds(api["TimeoutStopSec"]) > GRACEFUL_TIMEOUT_S


def test_the_schema_is_upgraded_in_one_place() -> None:
    """Only the listener's unit upgrades the schema."""
    upgrading = [unit.name for unit in UNITS if "upgrade" in "".join(section(unit, "Service").values())]
    assert upgrading == ["tollbook-listen.service"]


@pytest.mark.parametrize(
    ("code", "pauses"), [("0", False), ("1", False), ("KILL", False), ("69", True), ("75", True), ("78", False)]
)
def test_only_what_a_restart_cannot_mend_soon_is_paused_for(code: str, pauses: bool) -> None:
    """A listener that crashed is back within a second; without a switch or PostgreSQL it is tried every 5 s."""
    service = section(CONF / "systemd" / "tollbook-listen.service", "Service")
    assert service["RestartSec"] == "500ms"
    script = re.fullmatch(r"/bin/sh -c '(.*)'", service["ExecStopPost"])
    assert script
    command = script[1].replace("$$", "$").replace("sleep", "echo")
    environment = {"EXIT_STATUS": code}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, timeout=10, check=True)
    assert done.stdout == (b"5\n" if pauses else b"")


def test_the_example_names_every_setting_and_no_other() -> None:
    """Each field of Settings, and TOLLBOOK_ENV_FILE, stands once in the example, after a comment."""
    assert set(example_lines()) == SETTINGS | {"TOLLBOOK_ENV_FILE"}
    lines = EXAMPLE.read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"#?TOLLBOOK_[A-Z0-9_]+=", line):
            assert before.startswith("# "), f"{line} is not explained"


def test_settings_that_are_off_in_the_example_show_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking away the # changes nothing."""
    plain = load_settings()
    for name, (on, value) in example_lines().items():
        if not on:
            monkeypatch.setenv(name, value)
    shown = load_settings()
    off = [name.removeprefix("TOLLBOOK_").lower() for name, (on, _) in example_lines().items() if not on]
    for field in set(off) - {"env_file"}:
        assert getattr(shown, field) == getattr(plain, field), field


def test_the_example_is_right_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tollbook itself takes the file, and what is on in it is enough for every process."""
    copy = tmp_path / "tollbook.env"
    shutil.copy(EXAMPLE, copy)
    monkeypatch.setenv("TOLLBOOK_ENV_FILE", str(copy))
    settings = load_settings()
    assert settings.require_database_url() == "postgresql://tollbook:CHANGE-ME@127.0.0.1:5432/tollbook"
    assert [str(address) for address in settings.require_esl()] == ["127.0.0.1:8021"]
    assert settings.data_dir == Path("/var/lib/tollbook")


def test_sh_reads_the_example_as_systemd_does() -> None:
    """The recipe for commands by hand, `set -a; . FILE`, gives the same values."""
    script = f'set -a; . "{EXAMPLE}"; exec env'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, env={}, timeout=10, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("TOLLBOOK_"))
    assert seen == {name: value for name, (on, value) in example_lines().items() if on}


def parameters(file: str) -> dict[str, str]:
    """The <param>s of a FreeSWITCH configuration; raises when it is not well-formed XML."""
    root = ElementTree.parse(CONF / "freeswitch" / file).getroot()
    assert (root.tag, root.get("name")) == ("configuration", file.removesuffix(".xml"))
    return {param.attrib["name"]: param.attrib["value"] for param in root.findall("settings/param")}


def test_the_event_socket_is_not_open_to_the_world() -> None:
    """Loopback, an access list, and no default password."""
    given = parameters("event_socket.conf.xml")
    assert (given["listen-ip"], given["listen-port"]) == ("127.0.0.1", "8021")
    assert given["apply-inbound-acl"] == "loopback.auto"
    assert given["password"] not in ("", "ClueCon")


def test_json_cdrs_are_written_for_both_legs_to_disk_alone() -> None:
    """Both legs, every value encoded, one folder, no web server."""
    given = parameters("json_cdr.conf.xml")
    assert given["log-b-leg"] == "true"
    assert given["encode-values"] == "true"
    assert given["rotate"] == "false"
    assert given["log-dir"].startswith("/")
    assert given["err-log-dir"] == given["log-dir"]
    assert not {"url", "queue-capacity"} & set(given)
