"""Rating: decks with versions, plans by date and over a base, numbering plans, currencies, disabled accounts."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what prices stay explainable by, and what numbers are read by."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
