"""What `make dist` builds is whole, and runs outside the checkout."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from tests.api_server import TIMEOUT_S
from tests.checkout import copy_checkout, tracked
from tests.commands import environment, free_port
from tests.databases import on_server
from tests.paths import ROOT
from tests.waiting import wait_until

PACKAGES = {"tollbook", "esl_listener", "rating", "export_app", "maintenance"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both archives, built in a copy: a build writes into the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    copy_checkout(copy)
    build = [copy / "packaging" / "build-dist", sys.executable]
    done = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in an environment that has the wheel, and what the lock names from ours."""
    made = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], timeout=60, check=True)
    # In a .pth file a folder is searched, and the .pth files in it, such as that of our checkout, are not.
    site = next(made.glob("lib/python3*/site-packages"))
    (site / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = made / "bin" / "python3"
    install = [sys.executable, "-m", "pip", "--quiet", "--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, timeout=60, check=True)
    return made / "bin" / "tollbook"


def test_the_source_archive_has_every_file(dist: Path) -> None:
    """Whoever has it can build, install and test as from the repository."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in (member.name for member in opened if member.isfile())}
    added = {"PKG-INFO", "setup.cfg"} | {name for name in names if name.startswith("tollbook.egg-info/")}
    assert sorted(names - added) == tracked()


def test_the_wheel_has_the_packages_and_what_operators_copy(wheel: Path) -> None:
    """Every file of the five packages, conf/ and docs/, and nothing else: `tests` is a name that others use."""
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    shared = {name.partition(".data/data/share/tollbook/")[2] for name in names} - {""}
    assert {name for name in names if ".data/" not in name} == {
        path for path in tracked() if path.partition("/")[0] in PACKAGES
    }
    assert shared == {path for path in tracked() if path.partition("/")[0] in ("conf", "docs")} | {
        "CHANGELOG.md",
        "LICENSE",
    }


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a database without any schema."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE installed")
        yield on_server(postgres_url, "installed")
        connection.execute("DROP DATABASE installed WITH (FORCE)")


def test_the_wheel_runs_outside_the_checkout(installed: Path, empty_database: str, tmp_path: Path) -> None:
    """It makes the schema, and the API serves every file of its pages."""
    port = free_port()
    settings = environment(database_url=empty_database, api_bind=f"127.0.0.1:{port}", data_dir=str(tmp_path))

    def run(*arguments: str) -> str:
        command = [installed, *arguments]
        done = subprocess.run(command, env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").startswith("tollbook, version ")
    assert "partitions ready" in run("db", "upgrade")
    with subprocess.Popen([installed, "serve"], env=settings, cwd=tmp_path, stderr=subprocess.DEVNULL) as api:
        try:
            wait_until(lambda: get(port, "/healthz"), TIMEOUT_S)
            assert get(port, "/") == (ROOT / "export_app/pages/dashboard_page/index.html").read_bytes()
            for file in (ROOT / "export_app" / "pages" / "dashboard_page").iterdir():
                if file.name != "index.html":
                    assert get(port, f"/assets/{file.name}") == file.read_bytes(), file.name
        finally:
            api.terminate()
    assert api.returncode == 0


def get(port: int, path: str) -> bytes | None:
    """Return what the API has at `path`; None while it does not answer."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT_S) as response:
            return response.read()
    except OSError:
        return None
