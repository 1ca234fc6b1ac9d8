"""Sessions of people who signed in with a key, and links that show the wallboard of one queue."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add both tables."""
    op.execute("""
        CREATE TABLE api_session (
            token_hash bytea PRIMARY KEY,
            key_id     bigint NOT NULL REFERENCES api_key ON DELETE CASCADE,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX api_session_key ON api_session (key_id, created_at);
        CREATE INDEX api_session_end ON api_session (expires_at);
        CREATE TABLE wallboard_link (
            link_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            token_hash bytea NOT NULL UNIQUE,
            key_id     bigint NOT NULL REFERENCES api_key ON DELETE CASCADE,
            account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE,
            queue_id   text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX wallboard_link_key ON wallboard_link (key_id);
        CREATE INDEX wallboard_link_account ON wallboard_link (account_id);
    """)
