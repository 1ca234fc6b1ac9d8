"""Every error that Tollbook raises on purpose, with its exit code and what to do about it.

The codes follow sysexits.h, so that systemd and monitoring can tell a wrong setting, which no restart mends, from a
database that is away. The units in conf/systemd do not restart after 77 and 78.

| code | errors | what to do |
|---|---|---|
| 64 | UsageError, QuestionTooLarge | correct the command line; ask for less |
| 65 | DataError, LegsRefused, TooLate, ClockAhead, FrameRefused | correct or remove the input: it fails again |
| 69 | SwitchUnavailable | try again later; see whether FreeSWITCH runs and can be reached |
| 74 | ArchiveDamaged | `tollbook archive verify` says what is damaged and what heals it |
| 75 | Retryable, StoreUnavailable, ProtocolError, ArchiveError, SchemaBehind | try again later |
| 75 | EngineBusy, EngineUnavailable | try again later; see whether the server that TOLLBOOK_ENGINE names runs |
| 77 | SwitchRefused, AccountHeld | correct the password or the switch's access list; lift the account's hold |
| 77 | WrongUser | run the command as the owner of the data directory |
| 78 | SettingsError, SchemaError, ArchiveLost, ArchiveForked | correct the setting, the schema or the catalog |
| 1 | TollbookError | see the message |
"""

import os
from collections.abc import Collection


class TollbookError(Exception):
    """Base of all our errors; the message says what is wrong and what to do about it."""

    exit_code = 1


class UsageError(TollbookError):
    """A command was asked for something that cannot be done."""

    exit_code = os.EX_USAGE


class QuestionTooLarge(UsageError):
    """The answer would take more time, memory or groups than one may."""


class DataError(TollbookError):
    """Input that no retry will make right: a bad value, a refused row, a malformed file."""

    exit_code = os.EX_DATAERR


class LegsRefused(DataError):
    """Some legs of a batch cannot be written; the others can."""

    def __init__(self, reason: str, legs: Collection[tuple[str, str, int]]) -> None:
        """Take the reason, and the keys of these legs: (switch, uid, created_us)."""
        super().__init__(reason)
        self.legs = frozenset(legs)


class TooLate(LegsRefused):
    """Legs came after the other legs of their calls were pruned: alone they would make wrong rows."""

    def __init__(self, legs: Collection[tuple[str, str, int]]) -> None:
        """Take the keys of the late legs: (switch, uid, created_us)."""
        super().__init__(
            "its call was archived, and its other legs are gone: alone it would make a wrong row;"
            " `tollbook archive query` shows the call, and `tollbook recover` adds those that the archive lacks",
            legs,
        )


class ClockAhead(LegsRefused):
    """Legs began on a day for which no partition is ready yet: their switch's clock is wrong, or ours is."""

    def __init__(self, legs: Collection[tuple[str, str, int]]) -> None:
        """Take the keys of the legs: (switch, uid, created_us)."""
        super().__init__(
            "its call begins more than a week from now: set the clock of the switch, or of this machine;"
            " `tollbook spool retry` writes it when the day has come",
            legs,
        )


class FrameRefused(TollbookError):
    """One frame is unusable (too large, not JSON, no event in it); the stream after it is sound."""

    exit_code = os.EX_DATAERR


class Retryable(TollbookError):
    """Base of the errors that pass: the same operation may succeed later."""

    exit_code = os.EX_TEMPFAIL


class StoreUnavailable(Retryable):
    """PostgreSQL refused, went away, or is too busy."""


class SwitchUnavailable(Retryable):
    """The switch's Event Socket is closed, silent, or gone."""

    exit_code = os.EX_UNAVAILABLE


class ProtocolError(Retryable):
    """The bytes on the Event Socket are not what FreeSWITCH sends; only a new connection helps."""


class ArchiveError(Retryable):
    """The archive's catalog or object storage failed."""


class EngineBusy(Retryable):
    """As many questions as may be asked of the archive at once are being answered."""


class EngineUnavailable(Retryable):
    """The server that answers questions about the archive (TOLLBOOK_ENGINE) is away, or failed."""


class SwitchRefused(TollbookError):
    """The switch answered, and refuses our password or our address."""

    exit_code = os.EX_NOPERM


class SettingsError(TollbookError):
    """A setting is missing or wrong."""

    exit_code = os.EX_CONFIG


class SchemaError(TollbookError):
    """The database, or the archive's table, has a schema that this version does not know."""

    exit_code = os.EX_CONFIG


class SchemaBehind(SchemaError):
    """The database waits for `tollbook db upgrade`, which may be done when this is tried again."""

    exit_code = os.EX_TEMPFAIL


class ArchiveDamaged(TollbookError):
    """A file of the archive is missing, or is not the one that was written."""

    exit_code = os.EX_IOERR

    def __init__(self, reason: str, location: str | None = None) -> None:
        """Take the reason, and where the file is, if that is known."""
        super().__init__(reason)
        self.location = location


class ArchiveLost(TollbookError):
    """The archive's catalog does not lead to its newest state, which `tollbook archive attach` finds again."""

    exit_code = os.EX_CONFIG


class ArchiveForked(TollbookError):
    """The archive belongs to another database, or has states that this one does not know: writing would fork it."""

    exit_code = os.EX_CONFIG


class AccountHeld(TollbookError):
    """The account is under a hold: none of its calls may be removed until that is lifted."""

    exit_code = os.EX_NOPERM


class WrongUser(TollbookError):
    """A command was given by another user than the owner of the data directory, who could not write its files."""

    exit_code = os.EX_NOPERM
