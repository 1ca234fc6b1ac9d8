"""Two tiers: when a row changed, what outlives its day, and where the archive begins."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what pruning, and reads that cross into the archive, go by."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
