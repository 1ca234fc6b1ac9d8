"""When each task last ran, and how it ended; and where a call was imported from."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table, and the column: no call was imported before."""
    op.execute("""
        CREATE TABLE task_run (
            task          text PRIMARY KEY,
            begun_at      timestamptz NOT NULL,
            ended_at      timestamptz,
            succeeded_at  timestamptz,
            failing_since timestamptz,
            exit_code     smallint,
            seconds       double precision,
            runs          bigint NOT NULL DEFAULT 0,
            failures      bigint NOT NULL DEFAULT 0,
            items         bigint NOT NULL DEFAULT 0
        );
    """)
    op.execute("ALTER TABLE call_cdr ADD COLUMN imported text")
