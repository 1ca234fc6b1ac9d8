"""Sums of calls for all time, and what they need of each call."""

from alembic import op

revision = "0005"
down_revision = "0004"

# What of a call is counted (tollbook/store/calls/columns.py), as it was when this migration was written.
_COUNTED = """start_ts, account_id, direction, disposition, currency, queue_id, agent_id, destination, answered,
        billsec, cost_micros, wait_ms, ring_ms, talk_ms, trunk_legs"""


def upgrade() -> None:
    """Append each feature's own statements below, in a block of its own."""
    # Sums count the calls that are up from their rows, which this index finds. Built in one scan, and first: until the
    # next statement readers go on.
    op.execute("CREATE INDEX call_cdr_up ON call_cdr (start_ts) WHERE end_ts IS NULL")
    # How long the agent who took a queue's call talked (tollbook/model/rules/details/talking.py). Without a default, so
    # that no row is read or written.
    op.execute("ALTER TABLE call_cdr ADD COLUMN talk_ms bigint")
    # Sums of calls (tollbook/store/sums).
    op.execute("""
        CREATE TABLE sum_delta (
            sign         smallint NOT NULL,
            start_ts     bigint NOT NULL,
            account_id   text COLLATE "C",
            direction    text NOT NULL,
            disposition  text NOT NULL,
            currency     text,
            queue_id     text,
            agent_id     text,
            destination  text,
            answered     integer NOT NULL,
            billsec      integer NOT NULL,
            cost_micros  bigint,
            wait_ms      bigint,
            ring_ms      bigint,
            talk_ms      bigint,
            trunk_legs   jsonb
        );
        CREATE TABLE sum_account (
            account_no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account_id text COLLATE "C" NOT NULL UNIQUE
        );
        CREATE TABLE sum_name (
            name_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account_no integer NOT NULL,
            kind       text COLLATE "C" NOT NULL CHECK (kind IN ('queue', 'agent', 'destination', 'gateway')),
            value      text COLLATE "C" NOT NULL,
            UNIQUE (account_no, kind, value)
        );
        CREATE TABLE sum_other (
            account_no integer NOT NULL,
            kind       text COLLATE "C" NOT NULL,
            PRIMARY KEY (account_no, kind)
        );
        CREATE TABLE call_sum (
            account_no   integer NOT NULL,
            quarter      integer NOT NULL,
            direction    smallint NOT NULL,
            disposition  smallint NOT NULL,
            currency     text COLLATE "C" NOT NULL,
            calls        integer NOT NULL,
            answered     integer NOT NULL,
            unrated      integer NOT NULL,
            wait_calls   integer NOT NULL,
            ring_calls   integer NOT NULL,
            billsec      bigint NOT NULL,
            cost_micros  numeric NOT NULL,
            wait_ms      numeric NOT NULL,
            ring_ms      numeric NOT NULL,
            PRIMARY KEY (account_no, quarter, direction, disposition, currency)
        );
        CREATE TABLE queue_sum (
            account_no   integer NOT NULL,
            quarter      integer NOT NULL,
            queue        integer NOT NULL,
            agent        integer NOT NULL,
            direction    smallint NOT NULL,
            disposition  smallint NOT NULL,
            currency     text COLLATE "C" NOT NULL,
            waited_ms    bigint NOT NULL,
            talked       boolean NOT NULL,
            calls        integer NOT NULL,
            answered     integer NOT NULL,
            unrated      integer NOT NULL,
            ring_calls   integer NOT NULL,
            billsec      bigint NOT NULL,
            cost_micros  numeric NOT NULL,
            ring_ms      numeric NOT NULL,
            talk_ms      numeric NOT NULL,
            PRIMARY KEY (account_no, quarter, queue, agent, direction, disposition, currency, waited_ms, talked)
        );
        CREATE TABLE destination_sum (
            account_no   integer NOT NULL,
            day          integer NOT NULL,
            destination  integer NOT NULL,
            direction    smallint NOT NULL,
            disposition  smallint NOT NULL,
            currency     text COLLATE "C" NOT NULL,
            calls        integer NOT NULL,
            answered     integer NOT NULL,
            unrated      integer NOT NULL,
            wait_calls   integer NOT NULL,
            ring_calls   integer NOT NULL,
            billsec      bigint NOT NULL,
            cost_micros  numeric NOT NULL,
            wait_ms      numeric NOT NULL,
            ring_ms      numeric NOT NULL,
            PRIMARY KEY (account_no, day, destination, direction, disposition, currency)
        );
        CREATE TABLE operator_sum (
            quarter      integer NOT NULL,
            direction    smallint NOT NULL,
            disposition  smallint NOT NULL,
            currency     text COLLATE "C" NOT NULL,
            calls        integer NOT NULL,
            answered     integer NOT NULL,
            unrated      integer NOT NULL,
            wait_calls   integer NOT NULL,
            ring_calls   integer NOT NULL,
            billsec      bigint NOT NULL,
            cost_micros  numeric NOT NULL,
            wait_ms      numeric NOT NULL,
            ring_ms      numeric NOT NULL,
            PRIMARY KEY (quarter, direction, disposition, currency)
        );
        CREATE TABLE gateway_sum (
            quarter     integer NOT NULL,
            gateway     integer NOT NULL,
            direction   smallint NOT NULL,
            disposition smallint NOT NULL,
            legs        integer NOT NULL,
            answered    integer NOT NULL,
            pdd_legs    integer NOT NULL,
            mos_legs    integer NOT NULL,
            pdd_ms      numeric NOT NULL,
            mos_micros  bigint NOT NULL,
            PRIMARY KEY (quarter, gateway, direction, disposition)
        );
        CREATE INDEX call_sum_quarter ON call_sum USING brin (quarter) WITH (pages_per_range = 16);
        CREATE INDEX queue_sum_quarter ON queue_sum USING brin (quarter) WITH (pages_per_range = 16);
        CREATE INDEX destination_sum_day ON destination_sum USING brin (day) WITH (pages_per_range = 16);
        CREATE TABLE sum_unbuilt (
            day        integer NOT NULL,
            account_id text COLLATE "C",
            reason     text NOT NULL,
            claim      uuid NOT NULL DEFAULT gen_random_uuid(),
            UNIQUE NULLS NOT DISTINCT (day, account_id)
        );
        CREATE TABLE sum_state (
            only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            unbuilt_before   bigint NOT NULL,
            gateways_since   bigint NOT NULL,
            ordered_before   integer NOT NULL DEFAULT 0
        );
    """)
    # A database that has calls, or had some, begins without sums of them; `tollbook stats rebuild` makes them. Those of
    # trunk legs begin with the next day: the archive has none.
    op.execute("""
        INSERT INTO sum_state (unbuilt_before, gateways_since)
        SELECT CASE WHEN used THEN greatest((SELECT max(start_ts) + 1 FROM call_cdr), tomorrow) ELSE 0 END,
               CASE WHEN used THEN tomorrow ELSE 0 END
        FROM hot_window, LATERAL (
            SELECT window_start > 0 OR EXISTS (SELECT FROM call_cdr) OR EXISTS (SELECT FROM archive_commit),
                   ((extract(epoch FROM now()) / 86400)::bigint + 1) * 86400000
        ) AS found (used, tomorrow)
    """)
    # Statement triggers with transition tables: one INSERT a statement. They are the parent's alone, so what addresses
    # a partition by its name (moving a row, dropping a day, restoring one) changes no sum by itself. A call from before
    # the window may be counted, by its archived form: whoever knows that takes it away, and says so by a setting; of
    # all others the day is built anew.
    op.execute(f"""
        CREATE FUNCTION count_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO sum_delta SELECT 1, {_COUNTED}
        FROM new_calls WHERE end_ts IS NOT NULL;
        IF EXISTS (SELECT FROM new_calls WHERE start_ts < (SELECT window_start FROM hot_window)) THEN
            INSERT INTO sum_unbuilt (day, reason)
            SELECT DISTINCT (start_ts / 86400000)::integer, 'late call' FROM new_calls
            WHERE end_ts IS NOT NULL AND start_ts < (SELECT window_start FROM hot_window)
              AND coalesce(current_setting('tollbook.archived_counted', true), '') <> 'on'
            ORDER BY 1 ON CONFLICT (day, account_id) DO UPDATE SET claim = excluded.claim;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO sum_delta SELECT -1, {_COUNTED}
        FROM old_calls WHERE end_ts IS NOT NULL;
    ELSE
        INSERT INTO sum_delta SELECT -1, {_COUNTED}
        FROM old_calls WHERE end_ts IS NOT NULL
        UNION ALL SELECT 1, {_COUNTED}
        FROM new_calls WHERE end_ts IS NOT NULL;
        IF EXISTS (
            SELECT FROM old_calls WHERE end_ts IS NULL AND start_ts < (SELECT window_start FROM hot_window)
        ) THEN
            INSERT INTO sum_unbuilt (day, reason)
            SELECT DISTINCT (start_ts / 86400000)::integer, 'late call'
            FROM old_calls AS was JOIN new_calls AS is_now USING (start_ts, call_id, switch)
            WHERE was.end_ts IS NULL AND is_now.end_ts IS NOT NULL
              AND start_ts < (SELECT window_start FROM hot_window)
            ORDER BY 1 ON CONFLICT (day, account_id) DO UPDATE SET claim = excluded.claim;
        END IF;
    END IF;
    RETURN NULL;
END $$;
        CREATE TRIGGER count_inserted AFTER INSERT ON call_cdr REFERENCING NEW TABLE AS new_calls
            FOR EACH STATEMENT EXECUTE FUNCTION count_calls();
        CREATE TRIGGER count_updated AFTER UPDATE ON call_cdr REFERENCING OLD TABLE AS old_calls NEW TABLE AS new_calls
            FOR EACH STATEMENT EXECUTE FUNCTION count_calls();
        CREATE TRIGGER count_deleted AFTER DELETE ON call_cdr REFERENCING OLD TABLE AS old_calls
            FOR EACH STATEMENT EXECUTE FUNCTION count_calls();
    """)  # noqa: S608 - our own names
    op.execute("""
        ALTER TABLE sum_delta ENABLE ROW LEVEL SECURITY;
        ALTER TABLE sum_account ENABLE ROW LEVEL SECURITY;
        ALTER TABLE sum_name ENABLE ROW LEVEL SECURITY;
        ALTER TABLE sum_other ENABLE ROW LEVEL SECURITY;
        ALTER TABLE call_sum ENABLE ROW LEVEL SECURITY;
        ALTER TABLE queue_sum ENABLE ROW LEVEL SECURITY;
        ALTER TABLE destination_sum ENABLE ROW LEVEL SECURITY;
        ALTER TABLE operator_sum ENABLE ROW LEVEL SECURITY;
        ALTER TABLE gateway_sum ENABLE ROW LEVEL SECURITY;
        ALTER TABLE sum_unbuilt ENABLE ROW LEVEL SECURITY;
        CREATE POLICY everyone ON sum_delta USING (true);
        CREATE POLICY everyone ON sum_account USING (true);
        CREATE POLICY everyone ON sum_name USING (true);
        CREATE POLICY everyone ON sum_other USING (true);
        CREATE POLICY everyone ON call_sum USING (true);
        CREATE POLICY everyone ON queue_sum USING (true);
        CREATE POLICY everyone ON destination_sum USING (true);
        CREATE POLICY everyone ON operator_sum USING (true);
        CREATE POLICY everyone ON gateway_sum USING (true);
        CREATE POLICY everyone ON sum_unbuilt USING (true);
    """)
