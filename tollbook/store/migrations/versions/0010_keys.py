"""Keys that expire, and a log of what was done with each key."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column and the log, which begins with what is known of the keys that there are."""
    op.execute("""
        ALTER TABLE api_key ADD COLUMN expires_at timestamptz;
        CREATE TABLE key_event (
            event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            key_id      bigint NOT NULL REFERENCES api_key ON DELETE CASCADE,
            event       text NOT NULL CONSTRAINT key_event_event CHECK (
                event IN ('created', 'used', 'rotated', 'revoked')),
            happened_at timestamptz NOT NULL DEFAULT now(),
            by_whom     text,
            note        text NOT NULL DEFAULT ''
        );
        CREATE INDEX key_event_key ON key_event (key_id, happened_at);
        CREATE UNIQUE INDEX key_event_use ON key_event (key_id, ((happened_at AT TIME ZONE 'UTC')::date))
            WHERE event = 'used';
        INSERT INTO key_event (key_id, event, happened_at, note)
            SELECT key_id, 'created', created_at, 'before there was a log' FROM api_key
            UNION ALL SELECT key_id, 'revoked', revoked_at, 'before there was a log' FROM api_key
            WHERE revoked_at IS NOT NULL
            ORDER BY 3;
    """)
