"""The legs of a run on disk, until all are read: so memory does not grow with a file, and calls are written whole.

The records of a call's legs stand anywhere in a file, the b-leg's often before the a-leg's.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from maintenance.importing.folder import hold_folder, staging_left, staging_path
from maintenance.importing.variables import ReadLeg
from tollbook.model.leg import Leg
from tollbook.model.parent import Parent

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Leg).decode
_INSERTED_AT_ONCE: Final = 1000
# SQLite takes at most so many parameters.
_ASKED_AT_ONCE: Final = 10_000

_SCHEMA: Final = """
    CREATE TABLE leg (
        number INTEGER PRIMARY KEY, switch TEXT NOT NULL, uid TEXT NOT NULL, created_us INTEGER NOT NULL,
        parent TEXT NOT NULL, bleg TEXT NOT NULL, source TEXT NOT NULL, line INTEGER NOT NULL, content BLOB NOT NULL,
        taken INTEGER NOT NULL DEFAULT 0, UNIQUE (uid, switch, created_us)
    )
"""


class StagedLeg(NamedTuple):
    """A leg, where its record stands, and the id of its other leg if that is not among the records; else ''."""

    leg: Leg
    source: str
    line: int
    other: str


class Staging:
    """The file of a run; a context. What a killed run left is removed. Raises Retryable beside another run."""

    def __init__(self, data_dir: Path) -> None:
        self._held = ExitStack()
        self._held.enter_context(hold_folder(data_dir))
        for left in staging_left(data_dir):
            with suppress(OSError):
                left.unlink()
        self._path = staging_path(data_dir)
        self._database = sqlite3.connect(self._path, isolation_level=None)
        # Nothing of it is worth more than the run itself.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384", "temp_store = FILE"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(_SCHEMA)
        self._waiting: list[tuple[object, ...]] = []
        self.repeated = 0

    def __enter__(self) -> "Staging":
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._database.close()
        self._path.unlink(missing_ok=True)
        self._held.close()

    def add(self, read: ReadLeg, source: str, line: int) -> None:
        """Add a leg; one that is there already counts as repeated."""
        leg = read.leg
        facts = leg.create or leg.end
        parent = facts.parent.uid if facts and facts.parent else ""
        self._waiting.append((leg.switch, leg.uid, leg.created_us, parent, read.bleg, source, line, _encode(leg)))
        if len(self._waiting) >= _INSERTED_AT_ONCE:
            self._flush()

    def close_reading(self) -> int:
        """Let legs that another names as its b-leg be its children, and return how many legs there are."""
        self._flush()
        self._drop_repeated()
        self._database.execute("CREATE INDEX leg_parent ON leg (parent, switch) WHERE parent <> ''")
        self._database.execute("CREATE INDEX leg_order ON leg (created_us, uid)")
        self._adopt()
        # What is left is looked for in the book. A leg of this run that is in another call is there by its own record.
        self._database.execute(
            "UPDATE leg SET bleg = '' WHERE bleg <> ''"
            " AND EXISTS (SELECT 1 FROM leg AS other WHERE other.uid = leg.bleg AND other.switch = leg.switch)"
        )
        ((legs,),) = self._database.execute("SELECT count(*) FROM leg")
        return int(legs)

    def chunks(self, most: int) -> Iterator[list[StagedLeg]]:
        """Yield whole calls, by the time at which they began, in chunks of about `most` roots."""
        after: tuple[int, str] = (0, "")
        while True:
            roots = self._database.execute(
                "SELECT number, created_us, uid FROM leg WHERE parent = '' AND (created_us, uid) > (?, ?)"
                " ORDER BY created_us, uid LIMIT ?",
                (*after, most),
            ).fetchall()
            if not roots:
                return
            after = roots[-1][1:]
            yield self._with_legs_below({number for number, _, _ in roots}, {uid for _, _, uid in roots})

    def left(self) -> Iterator[StagedLeg]:
        """Yield the legs that no chunk had: the leg that they were made for is not among the records."""
        rows = self._database.execute(
            "SELECT source, line, content, parent, bleg FROM leg WHERE taken = 0 ORDER BY number"
        )
        for row in rows:
            yield _staged(row)

    def _with_legs_below(self, numbers: set[int], uids: set[str]) -> list[StagedLeg]:
        found: list[StagedLeg] = []
        level = self._take("number", numbers) + self._take("uid", uids)  # all lives of an id at once
        while level:
            found += level
            level = self._take("parent", {staged.leg.uid for staged in level})
        return found

    def _take(self, column: str, values: Iterable[object]) -> list[StagedLeg]:
        found: list[StagedLeg] = []
        wanted = list(values)
        for begin in range(0, len(wanted), _ASKED_AT_ONCE):
            asked = wanted[begin : begin + _ASKED_AT_ONCE]
            places = ", ".join("?" * len(asked))
            where = f"{column} IN ({places}) AND taken = 0" + (" AND parent <> ''" if column == "parent" else "")
            rows = self._database.execute(
                "SELECT source, line, content, parent, bleg, number FROM leg"  # noqa: S608 - our names
                f" WHERE {where}",
                asked,
            ).fetchall()
            self._database.executemany("UPDATE leg SET taken = 1 WHERE number = ?", [(row[-1],) for row in rows])
            found += [_staged(row[:-1]) for row in rows]
        return found

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._database.execute("BEGIN")
        done = self._database.executemany(
            "INSERT OR IGNORE INTO leg (switch, uid, created_us, parent, bleg, source, line, content)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._waiting,
        ).rowcount
        self._database.execute("COMMIT")
        self.repeated += len(self._waiting) - done
        self._waiting = []

    def _drop_repeated(self) -> None:
        """Keep one record of a leg: an export with microseconds and one without give it two times in one second.

        The one with microseconds states more; of two alike the first counts.
        """
        dropped = self._database.execute(
            "DELETE FROM leg WHERE EXISTS (SELECT 1 FROM leg AS other WHERE other.uid = leg.uid"
            " AND other.switch = leg.switch AND other.created_us BETWEEN leg.created_us - leg.created_us % 1000000"
            " AND leg.created_us - leg.created_us % 1000000 + 999999"
            " AND (other.created_us % 1000000 = 0, other.number) < (leg.created_us % 1000000 = 0, leg.number))"
        )
        self.repeated += dropped.rowcount

    def _adopt(self) -> None:
        """Of two legs that name each other, the one that began first is the a-leg."""
        self._database.execute("CREATE INDEX leg_bleg ON leg (bleg, switch) WHERE bleg <> ''")
        above = (
            "SELECT above.uid FROM leg AS above WHERE above.bleg <> '' AND above.bleg = leg.uid"
            " AND above.switch = leg.switch AND above.uid <> leg.uid"
            " AND (leg.bleg <> above.uid OR (above.created_us, above.number) < (leg.created_us, leg.number))"
            " ORDER BY above.created_us, above.number LIMIT 1"
        )
        self._database.execute(
            f"UPDATE leg SET parent = ({above}) WHERE parent = '' AND EXISTS ({above})"  # noqa: S608 - our own names
        )


def _staged(row: tuple[str, int, bytes, str, str]) -> StagedLeg:
    source, line, content, parent, other = row
    leg = _decode(content)
    create, end = leg.create, leg.end
    if parent and create is not None and create.parent is None:
        made_for = Parent(parent, "bleg_uuid")
        create, end = (
            facts and msgspec.structs.replace(facts, parent=made_for, outbound=True, user="") for facts in (create, end)
        )
        leg = msgspec.structs.replace(leg, create=create, end=end)
        other = leg.uid  # its record alone may have been imported as a call of its own
    return StagedLeg(leg, source, line, other)
