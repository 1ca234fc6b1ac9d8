"""Two `tollbook serve` on one database, as docs/scale.md describes them behind a proxy."""

import json
from pathlib import Path

from tests.api_server import serving
from tests.databases import store
from tests.factories import call
from tollbook.store import keys
from tollbook.store.database import Connection

LIMIT = 20


def test_servers_share_cursors_and_no_limit(database: Connection, database_url: str, tmp_path: Path) -> None:
    """A walk may meet another server at every page; the rate limit is each server's own."""
    store(database, *(call(f"c{number}") for number in range(10)))
    _, key = keys.create(database, account_id=None, scopes=["operator"])
    database.commit()
    with (
        serving(database_url, tmp_path / "one.log", rate_limit=f"{LIMIT}") as one,
        serving(database_url, tmp_path / "two.log", rate_limit=f"{LIMIT}") as two,
    ):
        found: list[str] = []
        cursor, servers = "", [one, two]
        while not found or cursor:
            servers.reverse()
            response, body = servers[0].get(f"/v1/calls?limit=3{cursor and f'&cursor={cursor}'}", key)
            assert response.status == 200, body
            page = json.loads(body)
            found += [row["call_id"] for row in page["rows"]]
            cursor = page.get("next_cursor", "")
        assert sorted(found) == sorted(f"c{number}" for number in range(10))
        # Three times, because the minute that is counted may end meanwhile.
        assert 429 in (one.get("/v1/whoami", key)[0].status for _ in range(3 * LIMIT))
        assert two.get("/v1/whoami", key)[0].status == 200
