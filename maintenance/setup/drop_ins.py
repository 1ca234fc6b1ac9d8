"""What the units must be told where the folders are not those that they name: a unit writes only where it says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tollbook.errors import SettingsError
from tollbook.process import own_command

#: The folders that the units of conf/systemd name.
UNITS_DATA_DIR: Final = Path("/var/lib/tollbook")
UNITS_CDR_DIR: Final = Path("/var/spool/freeswitch/json_cdr")

_FOLDER: Final = Path("/etc/systemd/system")
_NAME: Final = "setup.conf"
_HEADER: Final = "# Written by `tollbook setup`, for folders that the unit itself does not name.\n"
_READING_CDRS: Final = frozenset({"tollbook-listen.service", "tollbook-recover.service"})


def drop_ins(services: list[str], data_dir: Path, cdr_dir: Path | None) -> Mapping[str, str]:
    """Return the text of a drop-in for each service that needs one."""
    found: dict[str, str] = {}
    for service in services:
        writes = [data_dir] if data_dir != UNITS_DATA_DIR else []
        lines = ""
        if cdr_dir is not None and cdr_dir != UNITS_CDR_DIR and service in _READING_CDRS:
            writes.append(cdr_dir)
            if service == "tollbook-recover.service":
                lines += f"[Unit]\nConditionPathIsDirectory=\nConditionPathIsDirectory={_escaped(cdr_dir)}\n"
                command = " ".join(_word(word) for word in own_command(("recover", str(cdr_dir))))
                lines += f"[Service]\nExecStart=\nExecStart={command}\n"
        if writes:
            lines += "[Service]\nReadWritePaths=" + " ".join(f"-{_word(path)}" for path in writes) + "\n"
            found[service] = _HEADER + lines
    return found


def write_drop_ins(services: list[str], data_dir: Path, cdr_dir: Path | None, *, folder: Path = _FOLDER) -> list[Path]:
    """Write what is needed, and remove what an earlier run wrote and is needed no more; return what changed.

    Raises SettingsError.
    """
    wanted, changed = drop_ins(services, data_dir, cdr_dir), list[Path]()
    try:
        for service in services:
            path, text = folder / f"{service}.d" / _NAME, wanted.get(service)
            before = path.read_text() if path.exists() else None
            if text == before:
                continue
            changed.append(path)
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(text)
            new.replace(path)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}") from None
    return changed


def _escaped(path: Path | str) -> str:
    return str(path).replace("%", "%%")


def _word(word: Path | str) -> str:
    """Return one word of a unit's list or command, whatever it holds."""
    text = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"' if set(text) & set(" \t\"'\\;") else text
