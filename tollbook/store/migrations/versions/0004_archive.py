"""The archive's outbox, by account."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Index what waits by account and age."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
