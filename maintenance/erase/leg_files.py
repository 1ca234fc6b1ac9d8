"""The files that hold one leg each: those of mod_json_cdr, wherever `recover` moved them, and dead letters."""

import errno
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec

from maintenance.erase.damaged import blocks_of, stated_accounts
from maintenance.recover.cdr_file import MAX_FILE_BYTES
from maintenance.recover.cdr_folder import DONE, LATE, REFUSED, CdrFolder, open_folder
from maintenance.recover.json_cdr import leg_of_file
from tollbook.errors import DataError, SettingsError
from tollbook.model.leg import Leg
from tollbook.spool_files import dead_letter_paths

# How long to wait for a `recover` of another database that reads the same folder.
_LOCK_WAIT_S: Final = 60.0

# What opening says of a file that has gone, and of what holds no bytes of its own: a link, a pipe, a socket.
_NO_FILE: Final = (errno.ENOENT, errno.ESTALE, errno.ELOOP, errno.EINVAL, errno.ENXIO)


@dataclass(frozen=True, kw_only=True, slots=True)
class LegFile:
    """A file by its path below its folder, and its leg.

    Without a leg it is damaged, too large, or no leg's: then `content` is a block of it, and `accounts` are those that
    the whole file states. A large file comes as several blocks. With a `problem` it could not be read.
    """

    path: str
    leg: Leg | None = None
    content: bytes = b""
    accounts: frozenset[str] = frozenset()
    problem: str | None = None


class LegFiles(Protocol):
    """A folder of such files. `place` names it in the receipt."""

    place: str

    def read(self) -> Iterator[LegFile]:
        """Read all files; raises OSError."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file, if it is still there."""
        ...


_Open: TypeAlias = Callable[[], BinaryIO]
_LegOf: TypeAlias = Callable[[bytes], Leg]


class CdrFiles:
    """The folder of mod_json_cdr, with `done`, `refused` and `late`."""

    def __init__(self, folder: CdrFolder, headers: Mapping[str, str]) -> None:
        self.place = f"CDR files in {folder.path}"
        self._headers = headers
        self._account_field = headers["account"].removeprefix("variable_")
        found = {target: folder.moved_to(target) for target in (DONE, REFUSED, LATE)}
        self._moved = {f"{target}/": inner for target, inner in found.items() if inner is not None}
        self._folders = {"": folder, **self._moved}

    def read(self) -> Iterator[LegFile]:
        """Read all files; links, and what else is no plain file, are left alone."""
        for prefix, folder in self._folders.items():
            for name in folder.names():
                yield from _read(
                    prefix + name, folder.path / name, lambda at=folder, name=name: at.open(name), self._leg_of,
                    self._account_field,
                )  # fmt: skip

    def remove(self, path: str) -> None:
        """Delete a file, if it is still there; raises SettingsError."""
        folder, _, name = path.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        if prefix in self._folders:
            self._folders[prefix].remove(name)

    def close(self) -> None:
        """Close the folders of files that were moved."""
        for folder in self._moved.values():
            folder.close()

    def _leg_of(self, content: bytes) -> Leg:
        return leg_of_file(content, self._headers)


@contextmanager
def cdr_files(path: Path, headers: Mapping[str, str]) -> Generator[CdrFiles]:
    """Open the folder of mod_json_cdr, while no `recover` is reading it; raises UsageError and SettingsError."""
    with open_folder(path) as folder:
        if not folder.lock(_LOCK_WAIT_S):
            raise SettingsError(f"another `tollbook recover` is reading {path}: run this again when it has ended")
        files = CdrFiles(folder, headers)
        try:
            yield files
        finally:
            files.close()


class _Letter(msgspec.Struct, frozen=True, kw_only=True):
    leg: Leg


_decode = msgspec.json.Decoder(_Letter).decode


class DeadLetters:
    """What the listener could not write: a leg that was refused, or a damaged stretch of a spool."""

    place = "dead letters"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> Iterator[LegFile]:
        """Read all dead letters; raises OSError."""
        for path in dead_letter_paths(self._folder):
            yield from _read(path.name, path, lambda path=path: path.open("rb"), self._leg_of, "account")

    def remove(self, path: str) -> None:
        """Delete a dead letter, if it is still there; raises OSError."""
        (self._folder / path).unlink(missing_ok=True)

    @staticmethod
    def _leg_of(content: bytes) -> Leg:
        try:
            return _decode(content).leg
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(str(error)) from error


def _read(path: str, whole_path: Path, opened: _Open, leg_of: _LegOf, account_field: str) -> Iterator[LegFile]:
    """Yield a file with its leg, or its blocks, or its problem; nothing if it is no file. Never more than a block."""
    try:
        with opened() as file:
            content = file.read(MAX_FILE_BYTES)
            if not file.read(1):
                yield _parsed(path, content, leg_of, account_field)
                return
            del content
            file.seek(0)
            accounts: set[str] = set()
            for block in blocks_of(file, MAX_FILE_BYTES):
                accounts |= stated_accounts(block, account_field)
            file.seek(0)
            for block in blocks_of(file, MAX_FILE_BYTES):
                yield LegFile(path=path, content=block, accounts=frozenset(accounts))
    except OSError as error:
        if error.errno not in _NO_FILE:
            yield LegFile(path=path, problem=f"{whole_path} cannot be read ({error.strerror})")


def _parsed(path: str, content: bytes, leg_of: _LegOf, account_field: str) -> LegFile:
    try:
        return LegFile(path=path, leg=leg_of(content))
    except DataError:
        return LegFile(path=path, content=content, accounts=stated_accounts(content, account_field))
