"""Which history a database has: recognise one that was restored, copied, moved, or set up anew.

Transaction ids order the changes that a sync reads, and the archive holds what a database once had. Both only make
sense within one history, and nothing in a restored database looks wrong by itself. So three things are compared:

- the identity of the server, the database and the table `database_history` itself with the identity that this table
  holds. A dump carries the rows of the table but not its oid; a template copy is another database; a new server,
  `pg_upgrade` included, has another system identifier.
- the server's present transaction id with the highest one that was written down outside the database, in
  `history.json` in the data directory. A physical copy carries everything that is in the database.
- the identity with the one in that file: a database that was set up anew holds nothing to compare.

The archiver writes the file at every run, so a physical restore that goes back by less than five minutes can pass; its
new timeline, if it has one, still begins a new epoch, and the archive's own guard compares every commit.
"""

import json
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString, cast

from tollbook.errors import ArchiveForked, SettingsError
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.days.sync_window import begin_changes

# SQL for the identity of this server, database and table, which no dump, template copy or other server has.
IDENTITY: Final[LiteralString] = """
    concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
        (SELECT oid FROM pg_database WHERE datname = current_database()), 'database_history'::regclass::oid)
"""

# The timeline too: after a failover or a recovery to a point in time, ids that a client has seen are given out again.
# That alone is no restore, and attaching the archive would not make it go away.
_EPOCH: Final[LiteralString] = f"""
    SELECT md5(concat_ws('/', epoch, {IDENTITY}, (SELECT timeline_id FROM pg_control_checkpoint())))
    FROM database_history
"""  # noqa: S608 - literals alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """That the database was restored, copied or moved: when this was noticed (epoch s), and how it shows."""

    at_s: float
    how: str

    def __str__(self) -> str:
        """Return it as one line that says what to do."""
        return f"{self.how}: `tollbook archive attach` makes the archive and it fit together, docs/backup.md says more"


def read_epoch(connection: Connection) -> str:
    """Return the name of the present history: it differs from every earlier one in which other ids were given out.

    Costs a few microseconds, and needs no other rights than the API's role has. Raises StoreUnavailable.
    """
    with store_errors():
        row = connection.execute(_EPOCH).fetchone()
    return cast("tuple[str]", row)[0]


def restored(connection: Connection) -> Restored | None:
    """Return what `recognise` noticed and `accept` has not settled; None when history goes on."""
    with store_errors():
        row = connection.execute(
            "SELECT extract(epoch FROM restored_at)::float8, restored_how FROM database_history"
            " WHERE restored_at IS NOT NULL"
        ).fetchone()
    return Restored(at_s=row[0], how=row[1]) if row else None


def recognise(connection: Connection, data_dir: Path) -> Restored | None:
    """Compare the database with what it was, begin a new epoch if it went back or is another, and return the finding.

    Every process calls it when it has connected. What was noticed is returned again at each call, until `accept`. Call
    outside a transaction; raises StoreUnavailable.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        compared = _compare(connection, data_dir)
        if compared.how:
            went_back = None if compared.went_back is None else str(compared.went_back)
            begun = connection.execute(
                _BEGIN_ANEW,
                {"before": compared.before, "identity": compared.identity, "ahead": went_back, "how": compared.how},
            )
            if begun.rowcount:
                begin_changes(connection)
        elif compared.before is None:
            connection.execute("UPDATE database_history SET identity = %s WHERE identity IS NULL", (compared.identity,))
        return restored(connection)


def look(connection: Connection, data_dir: Path) -> Restored | None:
    """Return what `recognise` would, and write nothing; raises StoreUnavailable."""
    found = restored(connection)
    if found is None:
        with store_errors():
            how = _compare(connection, data_dir).how
        found = Restored(at_s=time.time(), how=how) if how else None
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """The identity of the database and the one that it holds; how the two show a restore, '' if they do not."""

    identity: str
    before: str | None
    went_back: int | None
    how: str


def _compare(connection: Connection, data_dir: Path) -> _Compared:
    kept = _read(data_dir)
    row = connection.execute(_COMPARED).fetchone()
    identity, ahead, before, was_ahead_at = cast("tuple[str, int, str | None, int | None]", row)
    same = kept is not None and kept.identity == identity
    # The one written down was a committed transaction's, so the next one must be greater, also after a crash.
    went_back = kept.highest if kept is not None and same and kept.highest >= ahead else None
    how = ""
    if before is not None and before != identity:
        how = _how(before, identity)
    elif before is None and kept is not None and not same:
        how = "this database is new, and this data directory knows another one"
    elif went_back is not None and went_back != was_ahead_at:
        how = f"the server went back from transaction {went_back} to {ahead}"
    return _Compared(identity=identity, before=before, went_back=went_back, how=how)


def refuse_restored(connection: Connection, data_dir: Path) -> None:
    """Raise ArchiveForked if `recognise` notices a restore: the database may lack what the archive has.

    For a command that compares the two, or changes prices. Call outside a transaction; raises StoreUnavailable.
    """
    if (found := recognise(connection, data_dir)) is not None:
        raise ArchiveForked(f"nothing was changed: {found}")


def remember(connection: Connection, data_dir: Path) -> None:
    """Write down in the data directory how far this database has come. Call after `recognise`, outside a transaction.

    Raises SettingsError when the folder cannot be written, and StoreUnavailable.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        # A transaction that writes: only such a one's id is sure to be on the server's disk when it has committed.
        row = connection.execute(
            f"UPDATE database_history SET identity = identity RETURNING {IDENTITY}, pg_current_xact_id()::text"  # noqa: S608 - literals alone
        ).fetchone()
    identity, highest = cast("tuple[str, str]", row)
    path, new = _path(data_dir), data_dir / f"history.{uuid.uuid4().hex}"  # several processes may write it at once
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps({"identity": identity, "highest": int(highest)}))
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise SettingsError(f"{path} cannot be written: {error.strerror}; see TOLLBOOK_DATA_DIR") from error


def expect_attach(connection: Connection) -> None:
    """Let `restored` say that an archive is being attached, so that a try that is cut short is seen and done again.

    Raises StoreUnavailable.
    """
    with store_errors():
        connection.execute(
            "UPDATE database_history SET restored_at = now(), restored_how ="
            " 'an archive was attached to this database, and not to the end' WHERE restored_at IS NULL"
        )


def accept(connection: Connection) -> None:
    """Settle what `recognise` noticed: the archive has been attached to this database. Raises StoreUnavailable."""
    with store_errors():
        connection.execute("UPDATE database_history SET restored_at = NULL, restored_how = NULL")


_COMPARED: Final[LiteralString] = f"""
    SELECT {IDENTITY}, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, identity, was_ahead_at::text::bigint
    FROM database_history
"""  # noqa: S608 - literals alone

# Of several processes that notice it at once, the first one writes it.
_BEGIN_ANEW: Final[LiteralString] = """
    UPDATE database_history SET epoch = gen_random_uuid(), identity = %(identity)s,
        was_ahead_at = coalesce(%(ahead)s::xid8, was_ahead_at), restored_at = now(), restored_how = %(how)s
    WHERE identity IS NOT DISTINCT FROM %(before)s
        AND (%(ahead)s::xid8 IS NULL OR was_ahead_at IS DISTINCT FROM %(ahead)s::xid8)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    identity: str
    highest: int


def _how(before: str, now: str) -> str:
    """Say in which of its parts an identity changed."""
    (old_server, old_database, _), (server, database, _) = before.split("/"), now.split("/")
    if old_server != server:
        return "this database was made on another server: it was restored, moved or upgraded"
    if old_database != database:
        return "this database is a copy of another one on this server, or was restored from its dump"
    return "the tables of this database were restored from a dump"


def _path(data_dir: Path) -> Path:
    return data_dir / "history.json"


def _read(data_dir: Path) -> _Kept | None:
    """Read the file; None when there is none, or none that can be read: then only the database itself is compared."""
    try:
        found: Any = json.loads(_path(data_dir).read_text())
        return _Kept(identity=str(found["identity"]), highest=int(found["highest"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
