"""What the API cannot reach, logged once for all requests that need it: at the start, once a minute, at the end."""

import logging
from dataclasses import dataclass, field
from typing import Final

from tollbook.log import Outage

_log = logging.getLogger("tollbook.serve")

# Of many requests at once some fail and some do not, while connections break and are made again.
_SETTLE_S: Final = 5.0
# That other files can be read says nothing of the damaged one, until nobody has met it for a while.
_DAMAGE_SETTLE_S: Final = 60.0
_CONNECTING: Final = "error connecting"
_DISCARDING: Final = "discarding "


def _outage() -> Outage:
    return Outage(_log, settle_s=_SETTLE_S)


def _damage() -> Outage:
    return Outage(_log, settle_s=_DAMAGE_SETTLE_S)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outages:
    """PostgreSQL; the archive's catalog and storage; a damaged file of it; the server that TOLLBOOK_ENGINE names."""

    database: Outage = field(default_factory=_outage)
    archive: Outage = field(default_factory=_outage)
    damage: Outage = field(default_factory=_damage)
    engine: Outage = field(default_factory=_outage)

    def database_answers(self) -> None:
        """Note that PostgreSQL has answered."""
        self.database.end(logging.WARNING, "requests are served again")

    def archive_answers(self) -> None:
        """Note that the archive was read."""
        self.archive.end(logging.WARNING, "archived calls are served again")
        self.damage.end(logging.WARNING, "no request has needed a damaged file for a minute")

    def engine_answers(self) -> None:
        """Note that sums of archived calls were computed."""
        self.engine.end(logging.WARNING, "sums of archived calls are computed again")


class PoolRecords(logging.Filter):
    """Makes what psycopg_pool logs of an outage a part of it: it has a line for each connection and each attempt."""

    def __init__(self, outage: Outage) -> None:
        super().__init__()
        self._outage = outage

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a record, unless it is about a connection that broke or cannot be made."""
        message = record.getMessage()
        if message.startswith(_CONNECTING):
            self._outage.fail(logging.ERROR, "cannot serve requests", reason=message)
            return False
        return not message.startswith(_DISCARDING)
