"""Bounded work: the legs of one call by an index in their order, and no partition for a day long past."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let a batch read a call's first legs alone, and the late partitions reach further than what was pruned."""
    op.execute("""
        DROP INDEX call_leg_call;
        CREATE INDEX call_leg_call ON call_leg (call_id, call_start_ts, created_us);
        ALTER TABLE hot_window
            ADD COLUMN calls_late_until bigint NOT NULL DEFAULT 0,
            ADD COLUMN legs_late_until bigint NOT NULL DEFAULT 0;
        UPDATE hot_window SET calls_late_until = window_start, legs_late_until = leg_start;
    """)
