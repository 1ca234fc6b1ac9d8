"""The archiver: of all commands that write the archive, one at a time."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from psycopg import Error

from tollbook.errors import ArchiveError
from tollbook.store.command_lock import LockHeld, hold_lock
from tollbook.store.locks import ARCHIVE_LOCK

# A compaction releases the lock after each commit, and a commit takes less than this.
LOCK_WAIT_S = 120.0


@contextmanager
def sole_archiver(url: str, *, name: str, wait_s: float = LOCK_WAIT_S) -> Generator[Callable[[], None]]:
    """Hold the lock that lets one command at a time write the archive (`command_lock`); yield a check that it is held.

    The check raises ArchiveError when the lock's transaction has ended by itself. Raises ArchiveError when another
    command has the lock, and StoreUnavailable.
    """
    with ExitStack() as held:
        try:
            check_lock = held.enter_context(hold_lock(url, number=ARCHIVE_LOCK, name=name, wait_s=wait_s))
        except LockHeld as holder:
            raise ArchiveError(
                f"another command is writing the archive and did not finish within {wait_s:.0f} s ({holder}):"
                " nothing is lost, the next run takes what waits; try again later"
            ) from None

        def check() -> None:
            try:
                check_lock()
            except Error as error:
                raise ArchiveError(
                    f"the connection that kept other commands from writing the archive was closed: {error}; nothing is"
                    " lost, try again; a pooler must not close idle transactions (PgBouncer's idle_transaction_timeout)"
                ) from error

        yield check
