"""The file of settings: systemd and sh read it alike, every command reads it, and one that may not says what to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maintenance.setup.settings_file import quoted
from tests.commands import environment, run_installed
from tollbook.env_file import assignments, load_env_file, unended_comments
from tollbook.errors import SettingsError

# Reads ~/.config/environment.d/*.conf with the parser that reads an EnvironmentFile=, and prints what it has found. It
# expands variables, which EnvironmentFile= does not.
GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
NAMED = {"n": "\n", "t": "\t"}
LETTERS = st.text("ab =#'\"\\`\t\n", max_size=12)


def as_systemd_reads(text: str, home: Path) -> dict[str, str]:
    folder = home / ".config" / "environment.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "one.conf").write_text(text)
    done = subprocess.run([GENERATOR], env={"HOME": str(home)}, capture_output=True, text=True, timeout=20, check=True)
    # It quotes as sh does, but for what C has a name for; what is empty it leaves out.
    printed = re.findall(r'^([AB])=(?:"(.*)"|(.*))$', done.stdout, re.MULTILINE)
    return {
        name: re.sub(r"\\(.)", lambda found: NAMED.get(found[1], found[1]), quoted) or plain
        for name, quoted, plain in printed
    }


@given(value=LETTERS, rest=LETTERS)
def test_systemd_reads_what_we_read(tmp_path_factory: pytest.TempPathFactory, value: str, rest: str) -> None:
    """Random quotes, backslashes, blanks and line ends, after A= and in the lines below it."""
    text = f"A={value}\nB={rest}\n"
    assume(not re.search(r"^\s*#", text, re.MULTILINE))  # before 254, systemd let a backslash continue a comment
    found = {made.name: made.value for made in assignments(text)}
    ours = {name: value for name, value in found.items() if name in ("A", "B") and value}
    assert as_systemd_reads(text, tmp_path_factory.mktemp("home")) == ours


def test_comments_that_an_older_systemd_does_not_end_are_found() -> None:
    """Those that end with a backslash that stands for nothing else."""
    text = "# a\nA=b \\\nc\n# d \\\nB=1\n; e \\\\\n  ;\\\\\\\n#\\"
    assert unended_comments(text) == [4, 7, 8]


@given(st.text("a# \\", max_size=6))
def test_a_comment_that_an_older_systemd_does_not_end_is_known(
    tmp_path_factory: pytest.TempPathFactory, comment: str
) -> None:
    """systemd before 254 loses the next line after exactly those that the doctor names; a later one after none."""
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    text = f"#{comment}\nB=1\n"
    lost = "B" not in as_systemd_reads(text, tmp_path_factory.mktemp("home"))
    assert lost == (unended_comments(text) == [1] and int(version.split()[1]) < 254)


@given(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=("Cs",)), max_size=20))
def test_sh_reads_a_written_value_as_we_do(value: str) -> None:
    """`set -a; . FILE` still gives the same."""
    script = f'A={quoted(value)}\nprintf %s "$A"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, timeout=20, check=True)
    assert done.stdout.decode() == value


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """And all that the file sets is added: pyiceberg and the S3 client have settings of their own."""
    file = tmp_path / "tollbook.env"
    file.write_text(
        "TOLLBOOK_ESL='esl://:p%23w@fs1'\nTOLLBOOK_ONNET=pbx\nPYICEBERG_CATALOG__TOLLBOOK__URI=x\nOTHER=1\n"
    )
    environ = {"TOLLBOOK_ENV_FILE": str(file), "TOLLBOOK_ONNET": "other"}
    load_env_file(environ)
    assert environ == {
        "TOLLBOOK_ENV_FILE": str(file), "TOLLBOOK_ONNET": "other", "TOLLBOOK_ESL": "esl://:p%23w@fs1",
        "PYICEBERG_CATALOG__TOLLBOOK__URI": "x", "OTHER": "1",
    }  # fmt: skip


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    latin = tmp_path / "latin.env"
    latin.write_bytes(b"TOLLBOOK_ONNET=M\xfcller\n")
    for path, reason in (
        (tmp_path / "missing.env", "No such file"),
        (tmp_path, "Is a directory"),
        (latin, "not UTF-8"),
    ):
        with pytest.raises(SettingsError, match=f"TOLLBOOK_ENV_FILE={path} cannot be read: .*{reason}"):
            load_env_file({"TOLLBOOK_ENV_FILE": str(path)})


def test_the_usual_file_is_read_without_being_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be missing. One that may not be read is no fault where systemd has read it; else it says what to do."""
    file = tmp_path / "tollbook.env"
    monkeypatch.setattr("tollbook.env_file.DEFAULT_ENV_FILE", file)
    environ: dict[str, str] = {}
    load_env_file(environ)
    assert environ == {}
    file.write_text("TOLLBOOK_ONNET=pbx\n")
    load_env_file(environ)
    assert environ == {"TOLLBOOK_ONNET": "pbx"}

    def closed(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", closed)  # root reads every file
    load_env_file({"TOLLBOOK_DATABASE_URL": "postgresql://"})
    with pytest.raises(
        SettingsError, match=f"the settings in {file} cannot be read by this user.*: as root run `.*`, or here `sudo "
    ):
        load_env_file({})


def test_a_command_reads_the_file_by_itself(tmp_path: Path) -> None:
    """Also what pyiceberg reads when it is imported: no shell has to."""
    file = tmp_path / "tollbook.env"
    file.write_text(
        f"TOLLBOOK_DATA_DIR='{tmp_path}'\nPYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE='file://{tmp_path}/there'\n"
    )
    script = """
import sys
from tollbook.cli import tollbook
import click
tollbook.get_command(click.Context(tollbook), "archive")
from pyiceberg.catalog import _ENV_CONFIG
print(_ENV_CONFIG.get_catalog_config("tollbook")["warehouse"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(env_file=str(file)), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == f"file://{tmp_path}/there\n"


def test_a_wrong_file_stops_no_help(tmp_path: Path) -> None:
    """What needs settings says what is wrong with them; --help needs none."""
    wrong = environment(env_file=str(tmp_path / "missing.env"))
    assert run_installed(["archive", "run", "--help"], wrong, tmp_path).returncode == 0
    done = run_installed(["archive", "run"], wrong, tmp_path)
    assert done.returncode == 78
    assert "missing.env cannot be read: No such file or directory: correct the path" in done.stderr
