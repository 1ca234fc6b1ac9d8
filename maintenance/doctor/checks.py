"""All checks of `tollbook doctor`, in the order in which they are reported."""

from collections.abc import Iterator

from maintenance.doctor.finding import Finding, ok, warn
from maintenance.doctor.probes import certificates
from maintenance.doctor.probes.api import check_api
from maintenance.doctor.probes.database import check_database
from maintenance.doctor.probes.files import check_files
from maintenance.doctor.probes.switch import check_switch
from maintenance.doctor.run import CheckGroup
from tollbook.config import Settings
from tollbook.env_file import read_by_commands, unended_comments


def groups_for(settings: Settings) -> list[CheckGroup]:
    """Return all checks for these settings: a group has those that wait for one server."""
    return [
        CheckGroup(name="database", findings=lambda: check_database(settings)),
        CheckGroup(name="archive", findings=lambda: _check_archive(settings)),
        *(
            CheckGroup(name=f"switch {address}", findings=lambda address=address: check_switch(address))
            for address in settings.esl
        ),
        CheckGroup(name="files", findings=lambda: check_files(settings)),
        CheckGroup(name="API", findings=lambda: check_api(settings.api_bind)),
        *certificates.groups_for(settings),
    ]


def _check_archive(settings: Settings) -> Iterator[Finding | None]:
    # Here, while other groups wait for their servers: loading pyiceberg takes a second, on a busy machine many.
    from maintenance.doctor.probes.archive import check_archive

    yield None
    yield from check_archive(settings)


def check_settings(settings: Settings) -> Finding:
    """Report what the settings name; without a switch nothing is recorded."""
    workers = f" shared by {settings.worker_count} workers" if settings.worker_count > 1 else ""
    found = f"{len(settings.esl)} switches{workers}, data in {settings.data_dir}"
    if unended := _unended_comments():
        remedy = "systemd before 254 takes the next line for a part of the comment: end it without a backslash"
        return warn("settings", f"{found}; a comment ends with a backslash: {unended}", remedy)
    if not settings.esl:
        return warn("settings", found, "set TOLLBOOK_ESL=esl://:PASSWORD@HOST:8021 where `tollbook listen` runs")
    return ok("settings", found)


def _unended_comments() -> str:
    path = read_by_commands()
    try:
        lines = unended_comments(path.read_text()) if path is not None else []
    except (OSError, UnicodeDecodeError):  # what prevents us from reading the settings was reported already
        return ""
    return f"{path}, line {', '.join(map(str, lines))}" if lines else ""
