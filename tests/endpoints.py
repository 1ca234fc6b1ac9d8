"""Endpoints of accounts, written straight into the database, and the events that were noted for them."""

from tollbook.store.database import Connection

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

#: An event, whose it is, and the revision of the row.
Noted = tuple[str, str | None, int]


def add_account(connection: Connection, *accounts: str) -> None:
    """Let accounts exist."""
    for account in accounts:
        connection.execute(
            "INSERT INTO account (account_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", (account, account)
        )


def add_endpoint(
    connection: Connection,
    account_id: str | None = "acme",
    url: str = "https://example.com/hook",
    *,
    events: list[str] | None = None,
    secret: str = SECRET,
) -> int:
    """Add an endpoint, None: an operator's; return its number."""
    if account_id is not None:
        add_account(connection, account_id)
    row = connection.execute(
        "INSERT INTO webhook (account_id, url, events, secret, created_by) VALUES (%s, %s, %s, %s, 'test')"
        " RETURNING webhook_id",
        (account_id, url, events, secret),
    ).fetchone()
    assert row
    return row[0]


def noted(connection: Connection, call_id: str | None = None) -> list[Noted]:
    """Return the events of a call, or all, in the order in which they were noted."""
    return connection.execute(
        "SELECT event, account_id, revision FROM call_event WHERE call_id = coalesce(%s, call_id) ORDER BY seq",
        (call_id,),
    ).fetchall()


def waiting(connection: Connection, webhook_id: int) -> list[str]:
    """Return the events that wait for an endpoint, in their order."""
    rows = connection.execute(
        "SELECT event FROM event_delivery JOIN call_event USING (seq) WHERE webhook_id = %s ORDER BY seq", (webhook_id,)
    )
    return [event for (event,) in rows]
