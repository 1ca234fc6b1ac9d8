"""What `make install` installs is what pyproject.toml asks for, each file by its hash."""

import re
import tomllib
from collections.abc import Iterable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.paths import ROOT

RUNTIME, DEV = "requirements.lock", "requirements-dev.lock"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOR_USERS = [
    *PYPROJECT["project"]["dependencies"],
    *PYPROJECT["project"]["optional-dependencies"]["embedded"],
    *PYPROJECT["dependency-groups"]["build"],
]
FOR_DEVELOPERS = PYPROJECT["dependency-groups"]["dev"]


def pins(lock: str) -> dict[str, Requirement]:
    """The one exact version that a lock file gives for each package."""
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    requirements = [Requirement(line.partition("--hash")[0]) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def without_pin(wanted: Iterable[str], lock: str) -> list[str]:
    """The requirements of pyproject.toml that a lock file does not meet."""
    pinned = pins(lock)
    missing: list[str] = []
    for text in wanted:
        requirement = Requirement(text)
        pin = pinned.get(canonicalize_name(requirement.name))
        version = next((one.version for one in pin.specifier if one.operator == "=="), None) if pin else None
        if version is None or not requirement.specifier.contains(version):
            missing.append(text)
    return missing


def test_what_users_need_is_locked() -> None:
    """The lock has each dependency, the embedded PostgreSQL and the build backend, in a version that is allowed."""
    assert without_pin(FOR_USERS, RUNTIME) == [], "run `make lock`"


def test_what_developers_need_is_locked() -> None:
    """The developers' lock has each tool for tests and checks, and the users' lock has none of them."""
    assert without_pin(FOR_DEVELOPERS, DEV) == [], "run `make lock`"
    tools = {canonicalize_name(Requirement(text).name) for text in FOR_DEVELOPERS}
    assert tools - pins(RUNTIME).keys() == tools


def test_what_is_not_in_the_lock_is_seen() -> None:
    """The two tests above can fail: on a package that is missing, and on a version that is too old."""
    assert without_pin(["nonesuch>=1", "click>=999", "click"], RUNTIME) == ["nonesuch>=1", "click>=999"]


def test_tests_run_on_what_users_install() -> None:
    """Both lock files name the same version of each package that they share."""
    runtime, dev = pins(RUNTIME), pins(DEV)
    assert {name: str(pin.specifier) for name, pin in runtime.items()} == {
        name: str(dev[name].specifier) for name in runtime
    }


def test_the_build_backend_is_the_one_that_is_locked() -> None:
    """The group `build` says what build-system says: `make install` builds without fetching anything more."""
    assert PYPROJECT["dependency-groups"]["build"] == PYPROJECT["build-system"]["requires"]


@pytest.mark.parametrize("lock", [RUNTIME, DEV])
def test_a_lock_has_hashes_and_names_no_server(lock: str) -> None:
    """Every package has its hashes, and where it is fetched from is the business of the machine that installs it."""
    text = (ROOT / lock).read_text()
    assert "//" not in text
    assert not re.search(r"^--", text, re.MULTILINE)
    packages = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(packages) == len(pins(lock))
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
