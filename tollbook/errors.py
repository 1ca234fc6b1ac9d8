"""Every error Tollbook raises on purpose.

`exit_code` follows sysexits.h, so that systemd and monitoring can tell a wrong setting (78: do not restart)
from a database that is away (75: try again).
"""

from collections.abc import Collection


class TollbookError(Exception):
    """Base of all our errors; the message says what is wrong and what to do about it."""

    exit_code = 1


class SettingsError(TollbookError):
    """A setting is missing or wrong."""

    exit_code = 78


class UsageError(TollbookError):
    """A command was asked for something that cannot be done."""

    exit_code = 64


class DataError(TollbookError):
    """Input that no retry will make right: a bad value, a refused row, a malformed file."""

    exit_code = 65


class TooLate(DataError):
    """Legs (switch, uid, created_us) of calls whose other legs were pruned: alone they would make wrong rows."""

    def __init__(self, legs: Collection[tuple[str, str, int]]) -> None:
        """Name the legs that came too late."""
        super().__init__(
            "its call was archived, and its other legs are gone: alone it would make a wrong row;"
            " `tollbook archive query` shows the call, and `tollbook recover` adds those that the archive lacks"
        )
        self.legs = frozenset(legs)


class SchemaError(TollbookError):
    """The database has a schema that this version does not know."""

    exit_code = 78


class SchemaBehind(SchemaError):
    """The database waits for `tollbook db upgrade`: whoever restarts us may find it done."""

    exit_code = 75


class Retryable(TollbookError):
    """Base of the errors that pass: the same operation may succeed later."""

    exit_code = 75


class StoreUnavailable(Retryable):
    """PostgreSQL refused, went away, or is too busy."""


class SwitchUnavailable(Retryable):
    """The switch's Event Socket is closed, silent, or gone."""

    exit_code = 69


class SwitchRefused(TollbookError):
    """The switch answered, and does not let us in: wrong password or an access list."""

    exit_code = 77


class ProtocolError(Retryable):
    """The bytes on the Event Socket are not what FreeSWITCH sends; only a new connection helps."""


class FrameRefused(TollbookError):
    """One frame is unusable (too large, not JSON, no event in it); the stream after it is sound."""

    exit_code = 65


class ArchiveError(Retryable):
    """The archive's catalog or object storage failed."""


class ArchiveLost(TollbookError):
    """The archive's files are there, and its catalog does not know them: somebody has to attach it."""

    exit_code = 78
