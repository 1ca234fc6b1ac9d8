"""What became of a call: who hung up, delays, quality, recordings, the operator's variables."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Append each feature's own statements below, in a block of its own."""
    # The details of a call (tollbook/model/details.py). No row is written or read: the columns have no default, and the
    # CHECK is NOT VALID, so that it holds for what is written from now on. Before, nobody can have written a value.
    op.execute("""
        ALTER TABLE call_cdr
            ADD COLUMN hung_up_by text,
            ADD COLUMN pdd_ms bigint,
            ADD COLUMN ring_ms bigint,
            ADD COLUMN wait_ms bigint,
            ADD COLUMN hold_ms bigint,
            ADD COLUMN rx_mos double precision,
            ADD COLUMN codec text,
            ADD COLUMN sip_call_id text,
            ADD COLUMN source_ip text,
            ADD COLUMN gateway text,
            ADD COLUMN sip_status integer,
            ADD COLUMN destination text,
            ADD COLUMN recordings jsonb,
            ADD COLUMN voicemail boolean,
            ADD COLUMN vars jsonb,
            ADD COLUMN trunk_root boolean,
            ADD CONSTRAINT call_cdr_hung_up_by CHECK (hung_up_by IN ('caller', 'callee', 'switch')) NOT VALID;
    """)
    # For a call that is looked for by its SIP trace. Rows from before have no entry, so it is built in one scan.
    op.execute("CREATE INDEX call_cdr_sip_call_id ON call_cdr (sip_call_id) WHERE sip_call_id IS NOT NULL")
    # What was erased is not brought back by its CDR files (tollbook/store/erasure/erased_legs.py).
    op.execute("""
        CREATE TABLE erasure_leg (
            erasure_id uuid NOT NULL REFERENCES erasure,
            switch     text COLLATE "C" NOT NULL,
            uid        text COLLATE "C" NOT NULL,
            created_us bigint NOT NULL,
            PRIMARY KEY (erasure_id, uid, switch, created_us)
        );
        CREATE TABLE erased_leg (
            leg_sha256 bytea PRIMARY KEY,
            until_ts   bigint NOT NULL
        );
    """)
    # Whether the archive has an earlier form of a row that waits. Of one that waits already nobody knows
    # (tollbook/store/outbox.py).
    op.execute("ALTER TABLE archive_outbox ADD COLUMN archived boolean NOT NULL DEFAULT false")
    # The figures of each trunk leg, for the statistics of gateways (tollbook/model/trunk_leg.py).
    op.execute("ALTER TABLE call_cdr ADD COLUMN trunk_legs jsonb")
