-- Who priced calls again, when, and why. Without finished_at it was cut short: what it had changed until then stands.
CREATE TABLE rerate_run (
    run_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    by_whom     text NOT NULL,
    reason      text NOT NULL,
    scope       text NOT NULL
);

-- The price that a call had before a run replaced it; `revision` is the row's while it had that price.
-- Kept for ever: an invoice may have been written from it.
CREATE TABLE price_history (
    start_ts    bigint NOT NULL,
    call_id     text COLLATE "C" NOT NULL,
    switch      text COLLATE "C" NOT NULL,
    revision    integer NOT NULL,
    account_id  text COLLATE "C",
    cost_micros bigint,
    currency    text,
    unrated     text,
    parts       jsonb,
    run_id      bigint NOT NULL REFERENCES rerate_run,
    PRIMARY KEY (start_ts, call_id, switch, revision)
);

-- As in 0006: `tollbook.store.access` restricts the API's role to one account's.
ALTER TABLE price_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON price_history USING (true);
