"""The endpoint that stands for NATS: every account's, and one at most."""

from tollbook.store.database import Connection, limit_transaction, store_errors


def keep_nats(connection: Connection, where: str | None) -> None:
    """Let there be an endpoint for NATS at `where` (without a password), or none for None; raises StoreUnavailable.

    It stays the same while the server changes, and keeps what waits for it.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        if where is None:
            connection.execute(
                "UPDATE webhook SET deleted_at = now(), deleted_by = 'TOLLBOOK_NATS is not set'"
                " WHERE kind = 'nats' AND deleted_at IS NULL"
            )
            return
        connection.execute(
            "INSERT INTO webhook (kind, url, created_by) VALUES ('nats', %s, 'TOLLBOOK_NATS')"
            " ON CONFLICT (kind) WHERE kind = 'nats' AND deleted_at IS NULL DO UPDATE SET url = excluded.url"
            " WHERE webhook.url <> excluded.url",
            (where[:2000],),
        )
