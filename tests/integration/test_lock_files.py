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


def entries(lock: str) -> dict[str, str]:
    """What a lock file says of each package: its version, its hashes, and on whose behalf it is there."""
    texts = re.split(r"^(?=\w)", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    return {canonicalize_name(text.partition("==")[0]): text for text in texts}


def pins(lock: str) -> dict[str, Requirement]:
    """The one exact version that a lock file gives for each package."""
    return {name: Requirement(text.partition(" \\\n")[0]) for name, text in entries(lock).items()}


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def without_pin(wanted: Iterable[str], lock: str) -> list[str]:
    """The requirements of pyproject.toml that a lock file does not meet."""
    pinned = pins(lock)
    missing: list[str] = []
    for text in wanted:
        requirement = Requirement(text)
        pin = pinned.get(canonicalize_name(requirement.name))
        exact = [specifier.version for specifier in pin.specifier if specifier.operator == "=="] if pin else []
        version = next(iter(exact), None)
        if version is None or not requirement.specifier.contains(version):
            missing.append(text)
    return missing


def test_what_users_need_is_locked() -> None:
    """The lock has each dependency, the embedded PostgreSQL and the build backend, in a version that is allowed."""
    assert without_pin(FOR_USERS, RUNTIME) == [], "run `make lock`"


def test_what_developers_need_is_locked() -> None:
    """The developers' lock has each tool for tests and checks, and the users' lock has none of them."""
    assert without_pin(FOR_DEVELOPERS, DEV) == [], "run `make lock`"
    assert names(FOR_DEVELOPERS) & pins(RUNTIME).keys() == set()


@pytest.mark.parametrize(("lock", "wanted"), [(RUNTIME, FOR_USERS), (DEV, [*FOR_USERS, *FOR_DEVELOPERS])])
def test_what_nobody_asks_for_any_more_is_not_locked(lock: str, wanted: list[str]) -> None:
    """A lock file names each package that it has on behalf of pyproject.toml, and these are the ones that are there."""
    asked_for = {name for name, text in entries(lock).items() if "tollbook (pyproject.toml" in text}
    assert asked_for == names(wanted), "run `make lock`"


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
    assert [name for name, entry in entries(lock).items() if "--hash=sha256:" not in entry] == []
