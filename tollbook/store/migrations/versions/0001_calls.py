"""Calls, legs, accounts, keys, rates and the archive's outbox."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first schema."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
