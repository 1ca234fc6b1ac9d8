"""What a database knows of its commits to the archive."""

from tollbook.store.archive_commits import announce, announcements, finish
from tollbook.store.database import Connection


def test_a_plain_role_can_tell_whose_archive_it_is(database: Connection) -> None:
    """The server's identity needs no rights beyond those on our own tables."""
    database.autocommit = True
    owner = announcements(database).owner
    database.execute("CREATE ROLE tollbook_plain")
    try:
        database.execute("GRANT SELECT ON database_history, archive_commit TO tollbook_plain")
        database.execute("SET ROLE tollbook_plain")
        assert announcements(database).owner == owner
    finally:
        database.execute("RESET ROLE")
        database.execute("DROP OWNED BY tollbook_plain")
        database.execute("DROP ROLE tollbook_plain")


def test_current_is_the_last_finished_commit_and_whatever_was_announced_after_it(database: Connection) -> None:
    """A commit that failed before the last one that succeeded cannot be the archive's state any more."""
    database.autocommit = True
    failed, done, open_one, open_too = (announce(database, "append", base=None, number=n) for n in (1, 1, 2, 2))
    assert announcements(database).current == {failed, done, open_one, open_too}
    finish(database, done)
    known = announcements(database)
    assert known.current == {done, open_one, open_too}
    assert known.numbers == {failed: 1, done: 1, open_one: 2, open_too: 2}
    assert known.open_numbers == {1, 2}
    assert known.finished
