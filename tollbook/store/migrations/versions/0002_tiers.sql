-- What a nightly sync reads by: the transaction that last wrote the row, and when (epoch ms).
-- A page of changes shows only rows whose transaction, and every one before it, has ended.
ALTER TABLE call_cdr ADD COLUMN changed xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE call_cdr ADD COLUMN updated_ts bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint;

-- The oldest partition of both tables: what came before the first day that still has a partition of its own. A pruned
-- day leaves here its rows that are still open or not archived yet, so one of them never stops pruning, and a call
-- that is recovered after its day was pruned finds room here on its way to the archive.
CREATE TABLE call_cdr_late (LIKE call_cdr INCLUDING ALL);
ALTER TABLE call_cdr ATTACH PARTITION call_cdr_late FOR VALUES FROM (MINVALUE) TO (0);
CREATE TABLE call_leg_late (LIKE call_leg INCLUDING ALL);
ALTER TABLE call_leg ATTACH PARTITION call_leg_late FOR VALUES FROM (MINVALUE) TO (0);

-- Where the archive begins: calls that started before window_start (epoch ms) are read from it, with call_cdr_late
-- laid over. Moved in the transaction that drops a day. leg_start (epoch µs) is the same for the legs.
CREATE TABLE hot_window (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    window_start bigint NOT NULL,
    leg_start    bigint NOT NULL
);
INSERT INTO hot_window (window_start, leg_start) VALUES (0, 0);
