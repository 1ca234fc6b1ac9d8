"""Prices that were replaced, by whom, when and why."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    """Add the history of prices."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
