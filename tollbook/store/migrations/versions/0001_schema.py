"""The first schema, and the rows of a new database."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and fill those that have rows from the start."""
    for name in ("0001_schema.sql", "0001_rows.sql"):
        op.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
