"""Events out: who is told of calls, what happened to them, and what is still to be delivered."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tables, and the triggers that note what happens to a row in the transaction that writes it."""
    op.execute("""
        CREATE TABLE webhook (
            webhook_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account_id    text COLLATE "C" REFERENCES account ON DELETE CASCADE,
            kind          text NOT NULL DEFAULT 'webhook' CONSTRAINT webhook_kind CHECK (kind IN ('webhook', 'nats')),
            url           text NOT NULL CHECK (length(url) <= 2000),
            events        text[],
            secret        text NOT NULL DEFAULT '',
            created_at    timestamptz NOT NULL DEFAULT now(),
            created_by    text NOT NULL,
            deleted_at    timestamptz,
            deleted_by    text,
            disabled_at   timestamptz,
            disabled_why  text,
            failures      integer NOT NULL DEFAULT 0,
            failing_since timestamptz,
            paused_until  timestamptz,
            delivered     bigint NOT NULL DEFAULT 0,
            failed        bigint NOT NULL DEFAULT 0,
            dead          bigint NOT NULL DEFAULT 0,
            delivered_at  timestamptz,
            last_error    text,
            CHECK ((disabled_at IS NULL) = (disabled_why IS NULL))
        );
        CREATE UNIQUE INDEX webhook_nats ON webhook (kind) WHERE kind = 'nats' AND deleted_at IS NULL;
        CREATE INDEX webhook_account ON webhook (account_id);

        CREATE TABLE call_event (
            seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id   uuid NOT NULL DEFAULT gen_random_uuid(),
            event      text NOT NULL CONSTRAINT call_event_event CHECK (
                event IN ('call.started', 'call.answered', 'call.ended', 'call.updated', 'test')),
            account_id text COLLATE "C",
            start_ts   bigint,
            call_id    text COLLATE "C",
            switch     text COLLATE "C",
            revision   integer NOT NULL DEFAULT 0,
            made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
            record     jsonb
        );
        CREATE INDEX call_event_made ON call_event (made_at);
        CREATE INDEX call_event_call ON call_event (call_id);

        CREATE TABLE event_delivery (
            webhook_id   bigint NOT NULL,
            seq          bigint NOT NULL,
            call_no      bigint NOT NULL,
            due_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
            attempts     integer NOT NULL DEFAULT 0,
            failed_since timestamptz,
            dead_at      timestamptz,
            error        text,
            PRIMARY KEY (webhook_id, seq)
        );
        CREATE INDEX event_delivery_due ON event_delivery (webhook_id, due_at, seq) WHERE dead_at IS NULL;
        CREATE INDEX event_delivery_call ON event_delivery (webhook_id, call_no, seq) WHERE dead_at IS NULL;
        CREATE INDEX event_delivery_dead ON event_delivery (webhook_id, seq) WHERE dead_at IS NOT NULL;
        CREATE INDEX event_delivery_event ON event_delivery (seq);
    """)
    op.execute("""
        CREATE FUNCTION note_events() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook WHERE deleted_at IS NULL) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO call_event (event, account_id, start_ts, call_id, switch, revision, record)
        SELECT happened.event, call.account_id, start_ts, call_id, switch, revision,
            to_jsonb(call) - '{parts,prior_accounts,changed,updated_ts,doubts,trunk_legs}'::text[]
        FROM new_calls AS call CROSS JOIN LATERAL (VALUES
            (1, 'call.started', revision <= 1),
            (2, 'call.answered', revision <= 1 AND answered = 1),
            (3, 'call.ended', revision = 1),
            (4, 'call.updated', revision > 1)
        ) AS happened (step, event, holds)
        WHERE holds AND imported IS NULL AND (
            account_id IN (SELECT account_id FROM webhook WHERE deleted_at IS NULL)
            OR EXISTS (SELECT FROM webhook WHERE deleted_at IS NULL AND account_id IS NULL)
        )
        ORDER BY start_ts, call_id, switch, step;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO call_event (event, account_id, start_ts, call_id, switch, revision, record)
        SELECT happened.event, happened.account_id, start_ts, call_id, switch, call.revision,
            CASE WHEN step = 0 THEN '{"removed": true}' ELSE
                to_jsonb(call) - '{parts,prior_accounts,changed,updated_ts,doubts,trunk_legs}'::text[] END
        FROM old_calls AS was JOIN new_calls AS call USING (start_ts, call_id, switch) CROSS JOIN LATERAL (
            SELECT was.account_id IS DISTINCT FROM call.account_id AS moved
        ) AS compared CROSS JOIN LATERAL (VALUES
            (0, 'call.updated', moved AND was.account_id IS NOT NULL, was.account_id),
            (1, 'call.started', moved, call.account_id),
            (2, 'call.answered', call.answered = 1 AND (moved OR was.answered = 0), call.account_id),
            (3, 'call.ended', call.end_ts IS NOT NULL AND (moved OR was.end_ts IS NULL), call.account_id),
            (4, 'call.updated', NOT moved AND was.end_ts IS NOT NULL AND call.revision > was.revision, call.account_id)
        ) AS happened (step, event, holds, account_id)
        WHERE holds AND call.imported IS NULL AND (
            happened.account_id IN (SELECT account_id FROM webhook WHERE deleted_at IS NULL)
            OR EXISTS (SELECT FROM webhook WHERE deleted_at IS NULL AND account_id IS NULL)
        )
        ORDER BY start_ts, call_id, switch, step;
    ELSE
        INSERT INTO call_event (event, account_id, start_ts, call_id, switch, revision, record)
        SELECT 'call.updated', account_id, start_ts, call_id, switch, revision, '{"removed": true}'
        FROM old_calls
        WHERE imported IS NULL AND (
            account_id IN (SELECT account_id FROM webhook WHERE deleted_at IS NULL)
            OR EXISTS (SELECT FROM webhook WHERE deleted_at IS NULL AND account_id IS NULL)
        )
        ORDER BY start_ts, call_id, switch;
    END IF;
    RETURN NULL;
END $$;
        CREATE TRIGGER event_of_insert AFTER INSERT ON call_cdr REFERENCING NEW TABLE AS new_calls
            FOR EACH STATEMENT EXECUTE FUNCTION note_events();
        CREATE TRIGGER event_of_update AFTER UPDATE ON call_cdr
            REFERENCING OLD TABLE AS old_calls NEW TABLE AS new_calls
            FOR EACH STATEMENT EXECUTE FUNCTION note_events();
        CREATE TRIGGER event_of_delete AFTER DELETE ON call_cdr REFERENCING OLD TABLE AS old_calls
            FOR EACH STATEMENT EXECUTE FUNCTION note_events();

        CREATE FUNCTION address_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_delivery (webhook_id, seq, call_no)
    SELECT webhook_id, seq, hashtextextended(switch || ' ' || call_id, start_ts)
    FROM new_events AS noted JOIN webhook ON (webhook.account_id IS NULL OR webhook.account_id = noted.account_id)
        AND (events IS NULL OR event = ANY (events))
    WHERE event <> 'test' AND deleted_at IS NULL AND disabled_at IS NULL;
    RETURN NULL;
END $$;
        CREATE TRIGGER address_events AFTER INSERT ON call_event REFERENCING NEW TABLE AS new_events
            FOR EACH STATEMENT EXECUTE FUNCTION address_events();
    """)
    op.execute("""
        ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;
        ALTER TABLE call_event ENABLE ROW LEVEL SECURITY;
        ALTER TABLE event_delivery ENABLE ROW LEVEL SECURITY;
        CREATE POLICY everyone ON webhook USING (true);
        CREATE POLICY everyone ON call_event USING (true);
        CREATE POLICY everyone ON event_delivery USING (true);
    """)
