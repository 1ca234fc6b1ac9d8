"""`archive_commit`: the commits to the archive's table, each announced before it is made; and whose archive it is.

Every function needs a connection in autocommit: an announcement must be durable before the commit that it announces.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID, uuid4

from tollbook.store.database import Connection, connect, store_errors
from tollbook.store.history import IDENTITY

# As many finished commits as the table's metadata names earlier states: an older one can belong to no file whose number
# is at or beyond the pointer's, because each finished commit raises that number.
_KEPT_FINISHED: Final = 100


@dataclass(frozen=True, kw_only=True)
class Announcements:
    """What this database knows of its commits.

    `owner`: the database's identity (`tollbook/store/history.py`). `numbers`: of every commit announced here, by its
    id, the number of its metadata file. `current`: the last that finished, and those announced after it, any of which
    may have succeeded. `open_numbers`: the numbers of the metadata files that unfinished commits may have left.
    `finished`: whether any has finished.
    """

    owner: str
    numbers: Mapping[str, int]
    current: frozenset[str]
    open_numbers: frozenset[int]
    finished: bool


def announcements(connection: Connection) -> Announcements:
    """Read what this database knows of its commits; raise StoreUnavailable.

    A copy of the server's files has the same identity: only the announcements that it lacks give it away.
    """
    with store_errors():
        rows = connection.execute(
            f"""
            SELECT {IDENTITY}, commit_id, number, finished_at IS NOT NULL
            FROM database_history LEFT JOIN archive_commit ON true ORDER BY sequence
            """  # noqa: S608 - literals alone
        ).fetchall()
    commits = cast("list[tuple[str, UUID, int, bool]]", [row for row in rows if row[1] is not None])
    last = max((place for place, (_, _, _, finished) in enumerate(commits) if finished), default=0)
    return Announcements(
        owner=rows[0][0],
        numbers={str(commit_id): number for _, commit_id, number, _ in commits},
        current=frozenset(str(commit_id) for _, commit_id, _, _ in commits[last:]),
        open_numbers=frozenset(number for _, _, number, finished in commits if not finished),
        finished=any(finished for _, _, _, finished in commits),
    )


def archive_begun(url: str) -> bool:
    """Return whether a database has ever written an archive that was not given up since; raise StoreUnavailable."""
    with store_errors(), connect(url, name="archive", autocommit=True) as connection:
        found = connection.execute("SELECT FROM archive_commit WHERE finished_at IS NOT NULL LIMIT 1").fetchone()
    return found is not None


def announce(connection: Connection, kind: str, *, base: str | None, number: int) -> str:
    """Record that a commit is about to be made, and return its new id."""
    commit_id = uuid4()
    with store_errors():
        connection.execute(
            "INSERT INTO archive_commit (commit_id, kind, base, number) VALUES (%s, %s, %s, %s)",
            (commit_id, kind, base, number),
        )
    return str(commit_id)


def finish(connection: Connection, commit_id: str) -> None:
    """Record that a commit succeeded, and forget those that no file of interest can belong to any more.

    It need not be durable: after a crash, the next run finds the commit announced and the table at it.
    """
    with store_errors(), connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(
            """
            WITH forgotten AS (
                DELETE FROM archive_commit WHERE sequence < (
                    SELECT sequence FROM archive_commit WHERE finished_at IS NOT NULL
                    ORDER BY sequence DESC OFFSET %s LIMIT 1
                )
            )
            UPDATE archive_commit SET finished_at = now() WHERE commit_id = %s AND finished_at IS NULL
            """,
            (_KEPT_FINISHED, commit_id),
        )


def forget_commits(connection: Connection) -> None:
    """Forget all commits: their archive is gone, and another one is to be begun."""
    with store_errors():
        connection.execute("DELETE FROM archive_commit")


def disowned(connection: Connection) -> frozenset[str]:
    """Return the metadata files that are known to be no newer state."""
    with store_errors():
        rows = connection.execute("SELECT file FROM archive_disowned").fetchall()
    return frozenset(file for (file,) in rows)


def disown(connection: Connection, files: Collection[str]) -> None:
    """Record metadata files that are no newer state of the archive."""
    with store_errors(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO archive_disowned (file) VALUES (%s) ON CONFLICT DO NOTHING", [(file,) for file in files]
        )
