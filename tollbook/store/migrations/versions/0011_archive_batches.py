"""A batch of the archiver is a row with the versions of the rows that it claimed, and no longer a column of them."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Move the batches that were claimed and not acknowledged. Dropping a column leaves every row where it is."""
    op.execute("""
        -- An archiver of the version before must not claim in between: its batch would be in neither place.
        LOCK TABLE archive_outbox IN ACCESS EXCLUSIVE MODE;
        CREATE TABLE archive_batch (
            batch_id   uuid PRIMARY KEY,
            claimed_at timestamptz NOT NULL DEFAULT now(),
            rows       integer NOT NULL,
            first_ts   bigint NOT NULL,
            last_ts    bigint NOT NULL,
            outbox     text NOT NULL,
            tids       tid[] NOT NULL,
            xmins      xid[] NOT NULL
        );
        ALTER TABLE archive_batch ALTER tids SET STORAGE EXTERNAL, ALTER xmins SET STORAGE EXTERNAL;
        INSERT INTO archive_batch (batch_id, rows, first_ts, last_ts, outbox, tids, xmins)
        SELECT batch_id, count(*), min(start_ts), max(start_ts),
               concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                   (SELECT oid FROM pg_database WHERE datname = current_database()),
                   pg_relation_filenode('archive_outbox')),
               array_agg(ctid), array_agg(xmin)
        FROM archive_outbox WHERE batch_id IS NOT NULL GROUP BY batch_id;
        DROP INDEX archive_outbox_account, archive_outbox_batch;
        ALTER TABLE archive_outbox DROP COLUMN batch_id;
        CREATE INDEX archive_outbox_account ON archive_outbox (account_id, since);
    """)
