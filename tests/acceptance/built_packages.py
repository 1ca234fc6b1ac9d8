"""Two Debian packages, built as docs/install.md says: of the checkout, and of the commit before it."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance.follow_install import SOURCES, build
from tests.acceptance.machine import Machine
from tests.checkout import tracked
from tests.paths import ROOT

# What a package is made of: a commit that changes nothing of this gives the same one.
PRODUCT = (
    "tollbook", "esl_listener", "export_app", "rating", "maintenance", "conf", "packaging", "pyproject.toml",
    "requirements.lock",
)  # fmt: skip
# Older than any that is built from a clone, whose versions begin with the time of the commit.
OLDER = "0.1.0~0"


def clone(into: Path) -> None:
    """Clone the checkout, with what is not committed yet as a commit."""
    _git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(into))
    kept = set(tracked())
    for path in _git(into, "ls-files", "-z").split("\0"):
        if path and path[0] != "." and path not in kept:
            (into / path).unlink()
    for path in kept:
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, into / path)
    _git(into, "add", "--all")
    if _git(into, "status", "--porcelain"):
        _git(into, "-c", "user.name=test", "-c", "user.email=test", "commit", "--quiet", "--message=not committed yet")


def commit_before(sources: Path) -> str | None:
    """Return the parent of the last commit that changed the product; None where the clone does not reach so far."""
    last = _git(sources, "rev-list", "--max-count=1", "HEAD", "--", *PRODUCT).strip()
    parent = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{last}^"], cwd=sources, capture_output=True, text=True
    )
    return parent.stdout.strip() or None


def build_both(machine: Machine, sources: Path, into: Path) -> None:
    """Build `new.deb` and `old.deb` on a machine that has the clone `sources`, writable, at SOURCES.

    The old one is built once. In a clone without history it is the new one again, with a lower version.
    """
    build(machine)
    (new,) = (sources / "dist").glob("*.deb")
    shutil.copy(new, into / "new.deb")
    before = commit_before(sources)
    if before is None:
        sys.stderr.write("NOT TRIED: an upgrade from the commit before, which this clone has not\n")
        repack(into / "new.deb", into / "old.deb")
        return
    kept = ROOT / "build" / f"before-{before[:12]}.deb"
    if not kept.exists():
        for older in kept.parent.glob("before-*.deb"):
            older.unlink()
        built = build_before(machine, sources, before)
        shutil.copy(built, kept.with_suffix(".making"))
        kept.with_suffix(".making").rename(kept)
    shutil.copy(kept, into / "old.deb")


def build_before(machine: Machine, sources: Path, commit: str) -> Path:
    """Build the package of a commit, with what that of the checkout has downloaded; return the file."""
    before = sources / "build" / "before"
    before.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=sources, capture_output=True, check=True)
    subprocess.run(["tar", "--extract", "--directory", before], input=archive.stdout, check=True)
    # Compressed as little as can be: that changes how long it takes, and nothing that is installed.
    faster = "sed -i -E 's/-Zzstd -z[0-9]+/-Zzstd -z1/' packaging/debian/rules"
    script = f"cd {SOURCES}/build/before; {faster}; packaging/build-dist $PYTHON; packaging/build-deb $PYTHON"
    variables = f"VERSION={OLDER} PYTHON={SOURCES}/.venv/bin/python CACHE={SOURCES}/build/locked"
    machine.run("bash", "-euc", f"export {variables}; {script}", online=True)
    (built,) = (before / "dist").glob("*.deb")
    return built


def repack(package: Path, older: Path) -> None:
    """Write the same package with a lower version."""
    folder = older.with_suffix("")
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder], check=True)
    control = folder / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    control.write_text(
        "".join(f"Version: {OLDER}\n" if line.startswith("Version: ") else f"{line}\n" for line in lines)
    )
    subprocess.run(["dpkg-deb", "-Zzstd", "-z1", "--build", folder, older], check=True)
    shutil.rmtree(folder)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
