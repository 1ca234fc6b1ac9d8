-- The whole schema as `tollbook db upgrade` leaves it. No program runs this file: it is for readers, and a test proves
-- it equal to the sum of migrations/versions. Six tables have rows from the start: hot_window, tariff_version,
-- database_history, sum_state and agent_window one each, and numbering the dial plans of some countries. The partitions of days are created as they are needed.

-- ---------------------------------------------------------------------------------------------------------------------
-- Calls
-- ---------------------------------------------------------------------------------------------------------------------

-- One row per call. The first 16 columns are the public record, in the public order. Times are epoch ms. call_id and
-- switch are compared bytewise ("C"), so that PostgreSQL and the archive sort alike.
-- The checks repeat the closed lists of tollbook/model/vocabulary.py and keep columns consistent: either a call is
-- complete, or every column that only its end decides is NULL.
CREATE TABLE call_cdr (
    call_id        text COLLATE "C" NOT NULL,
    account_id     text COLLATE "C",
    direction      text NOT NULL CONSTRAINT call_cdr_direction CHECK (direction IN ('inbound', 'outbound', 'internal')),
    from_num       text NOT NULL,
    to_num         text NOT NULL,
    start_ts       bigint NOT NULL,
    answer_ts      bigint,
    end_ts         bigint,
    duration_sec   integer CONSTRAINT call_cdr_duration_sec CHECK (duration_sec >= 0),
    billsec        integer CONSTRAINT call_cdr_billsec CHECK (billsec >= 0),
    answered       integer NOT NULL CONSTRAINT call_cdr_answered CHECK (answered IN (0, 1)),
    disposition    text CONSTRAINT call_cdr_disposition CHECK (disposition IN (
        'answered', 'busy', 'no_answer', 'rejected', 'cancelled', 'failed', 'abandoned', 'lost')),
    hangup_cause   text,
    queue_id       text,
    agent_id       text,
    cost_micros    bigint CONSTRAINT call_cdr_cost_micros CHECK (cost_micros >= 0),
    switch         text COLLATE "C" NOT NULL,
    revision       integer NOT NULL DEFAULT 0,      -- 0 while the call is up, 1 when complete, +1 each time replaced
    estimated      boolean NOT NULL DEFAULT false,  -- the end is our estimate: the switch never reported it
    parts          jsonb,                           -- what was charged, with the rate that priced each
    unrated        text,                            -- why cost_micros is NULL although the call is complete
    currency       text,                            -- the plan's; NULL without a plan
    prior_accounts text[] NOT NULL DEFAULT '{}',    -- accounts under which an earlier revision may be archived
    -- For nightly syncs: the transaction that last wrote the row, and when (epoch ms). A page of changes shows only
    -- rows whose transaction, and every one before it, has ended.
    changed        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    updated_ts     bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    doubts         jsonb,                           -- what may be free by mistake: [[kind, host or account], ...]
    -- The details of a call (tollbook/model/details.py); NULL where nothing states them, and in rows from before them.
    hung_up_by     text,
    pdd_ms         bigint,
    ring_ms        bigint,
    wait_ms        bigint,
    hold_ms        bigint,
    rx_mos         double precision,
    codec          text,
    sip_call_id    text,
    source_ip      text,
    gateway        text,
    sip_status     integer,
    destination    text,                            -- the name of the charged rate
    recordings     jsonb,                           -- an array of paths
    voicemail      boolean,
    vars           jsonb,                           -- an object of texts
    trunk_root     boolean,                         -- true: sip_call_id and source_ip are a carrier's
    -- Of each trunk leg [gateway, 1 if it was answered, pdd_ms, rx_mos], for /v1/stats; not archived. NULL: no trunk leg.
    trunk_legs     jsonb,
    talk_ms        bigint,                          -- a detail, too: of the agent who took the call
    imported       text,                            -- a detail, too: the format and file that the call was imported from
    -- A switch can reuse an id, and two switches can assign the same id in the same millisecond. The order is that of
    -- pages: an operator's page reads along this index, and an insert goes to its end.
    PRIMARY KEY (start_ts, call_id, switch),
    CONSTRAINT call_cdr_complete CHECK (
        (end_ts IS NULL) = (disposition IS NULL) AND (end_ts IS NULL) = (duration_sec IS NULL)
        AND (end_ts IS NULL) = (billsec IS NULL) AND (end_ts IS NULL) = (revision = 0)
    ),
    -- A complete call has either a cost or a reason why it has none.
    CONSTRAINT call_cdr_priced CHECK (
        (end_ts IS NULL AND cost_micros IS NULL AND unrated IS NULL)
        OR (end_ts IS NOT NULL AND (cost_micros IS NULL) = (unrated IS NOT NULL))
    ),
    CONSTRAINT call_cdr_talked CHECK ((answered = 1) = (answer_ts IS NOT NULL) AND (answered = 1 OR billsec = 0))
) PARTITION BY RANGE (start_ts);

CREATE INDEX call_cdr_account_start ON call_cdr (account_id, start_ts, call_id, switch);
CREATE INDEX call_cdr_call ON call_cdr (call_id);
CREATE INDEX call_cdr_unrated ON call_cdr (start_ts) WHERE unrated IS NOT NULL;
-- For a call that is looked for by its SIP trace: without a time, every day that PostgreSQL keeps would be read.
CREATE INDEX call_cdr_sip_call_id ON call_cdr (sip_call_id) WHERE sip_call_id IS NOT NULL;
-- Sums count the calls that are up from their rows: few, among millions.
CREATE INDEX call_cdr_up ON call_cdr (start_ts) WHERE end_ts IS NULL;
-- The order in which a sync reads. A B-tree on a column that every update changes rules out HOT updates, but there are
-- hardly any to lose (3 % measured: a page is full of other calls by the time one of its calls ends), and its cost to
-- the upsert is within the noise (docs/performance.md). With BRIN, a page of changes would read everything that has
-- changed since.
CREATE INDEX call_cdr_changed ON call_cdr (changed, account_id);

-- Every leg with all its facts; rows are computed from them. (call_start_ts, call_id, switch) is the row that the leg
-- belongs to now.
CREATE TABLE call_leg (
    uid           text COLLATE "C" NOT NULL,
    created_us    bigint NOT NULL,       -- epoch µs
    switch        text COLLATE "C" NOT NULL,
    call_id       text COLLATE "C" NOT NULL,
    call_start_ts bigint NOT NULL,
    core          text NOT NULL,         -- the Core-UUID of the switch's process
    ended         boolean NOT NULL,
    facts         json NOT NULL,         -- not jsonb: written and read whole, and only our own code looks inside
    PRIMARY KEY (uid, created_us, switch)
) PARTITION BY RANGE (created_us);

-- A batch reads the first legs of each call that it touches, in this order, and no more (tollbook/store/calls/legs.py).
CREATE INDEX call_leg_call ON call_leg (call_id, call_start_ts, created_us);
CREATE INDEX call_leg_up ON call_leg (core) WHERE NOT ended;

-- The oldest partition of both tables: everything before the first day that still has a partition of its own. When a
-- day is pruned, its rows that are still open or not yet archived move here, so that they never stop pruning. A call
-- recovered after its day was pruned is also written here, on its way to the archive.
CREATE TABLE call_cdr_late (LIKE call_cdr INCLUDING ALL);
ALTER TABLE call_cdr ATTACH PARTITION call_cdr_late FOR VALUES FROM (MINVALUE) TO (0);
-- NOT VALID, as an upgrade adds it without reading the rows, which can only be NULL. It holds for every row all the same.
ALTER TABLE call_cdr ADD CONSTRAINT call_cdr_hung_up_by
    CHECK (hung_up_by IN ('caller', 'callee', 'switch')) NOT VALID;
CREATE TABLE call_leg_late (LIKE call_leg INCLUDING ALL);
ALTER TABLE call_leg ATTACH PARTITION call_leg_late FOR VALUES FROM (MINVALUE) TO (0);

-- Where the archive takes over: calls that started before window_start (epoch ms) are read from it, except that rows of
-- call_cdr_late take precedence. Updated in the transaction that drops a day. leg_start (epoch µs) is the same for the
-- legs. The late partitions end at calls_late_until and legs_late_until: these are the same numbers, but ahead of them in a
-- new database, where days long before the retention get no partitions of their own although nothing was pruned, and
-- behind them when an archive was attached to one. Whatever began before unverified_before (epoch ms) may be in that
-- archive, under any account, whether this database knows it or not.
CREATE TABLE hot_window (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    window_start bigint NOT NULL,
    leg_start    bigint NOT NULL,
    calls_late_until bigint NOT NULL DEFAULT 0,
    legs_late_until  bigint NOT NULL DEFAULT 0,
    -- For syncs: of the transactions up to changes_after, changes may be missing here. All of them had ended at
    -- changes_since (epoch ms). Raised whenever prune removes a row, and when the database was restored.
    changes_after    xid8 NOT NULL DEFAULT '0',
    changes_since    bigint NOT NULL DEFAULT 0,
    unverified_before bigint NOT NULL DEFAULT 0,
    dropped_before   bigint NOT NULL DEFAULT 0   -- the archive's retention dropped calls from before it (epoch ms)
);

-- For syncs: the calls that an account no longer has, because they were deleted (their legs belong to another call) or are
-- another account's now. `changed` and updated_ts as in call_cdr. A call can be here and in call_cdr: what is there counts.
CREATE TABLE call_gone (
    start_ts   bigint NOT NULL,
    call_id    text COLLATE "C" NOT NULL,
    switch     text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    changed    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    updated_ts bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint
);
CREATE INDEX call_gone_changed ON call_gone (changed, account_id);
-- A trigger, so that no writer can forget it; for the rows of which it is not true, its condition costs next to nothing.
CREATE FUNCTION note_moved_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO call_gone (start_ts, call_id, switch, account_id)
    VALUES (OLD.start_ts, OLD.call_id, OLD.switch, OLD.account_id);
    RETURN NULL;
END $$;
CREATE TRIGGER call_moved AFTER UPDATE ON call_cdr FOR EACH ROW
    WHEN (OLD.account_id IS NOT NULL AND OLD.account_id IS DISTINCT FROM NEW.account_id)
    EXECUTE FUNCTION note_moved_call();

-- Every switch process that a listener has heard, by its Core-UUID. When a new process at the same address does not
-- know the calls of the previous one, that one died and its calls with it, unreported: they end at its last sign of
-- life, seen_us (epoch µs).
CREATE TABLE switch_process (
    core    text PRIMARY KEY,
    address text NOT NULL,
    switch  text NOT NULL,
    seen_us bigint NOT NULL,
    unheard bigint NOT NULL DEFAULT 0,   -- sessions that its heartbeats counted but that it sent no event of
    sequence bigint NOT NULL DEFAULT 0   -- the Event-Sequence of the event that was made at seen_us
);
CREATE INDEX switch_process_address ON switch_process (address);

-- Rows that are not in the archive yet. A row waits here only once, however often it changes meanwhile.
CREATE TABLE archive_outbox (
    start_ts   bigint NOT NULL,
    call_id    text COLLATE "C" NOT NULL,
    switch     text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    since      timestamptz NOT NULL DEFAULT now(),
    deleted    boolean NOT NULL DEFAULT false,  -- a row of this key was deleted: it may be archived, under any account
    archived   boolean NOT NULL DEFAULT false,  -- the archive has an earlier form of it: its row did not wait before
    PRIMARY KEY (start_ts, call_id, switch)
);
-- Every few minutes the archiver asks which accounts have enough rows waiting, or old enough ones, among millions of
-- rows: this index alone answers that.
CREATE INDEX archive_outbox_account ON archive_outbox (account_id, since);

-- The batches that the archiver has claimed and not acknowledged: none, or one and what a writer held of those before it.
-- A batch is versions of rows of the outbox, so whatever changes a row takes it out, and claiming writes to no row.
-- Versions are numbers of a table that is not written anew: `outbox` says of which one they are
-- (tollbook/store/outbox.py).
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
-- Compressing them would cost more than claiming does.
ALTER TABLE archive_batch ALTER tids SET STORAGE EXTERNAL, ALTER xmins SET STORAGE EXTERNAL;

-- Which history this database has (tollbook/store/history.py): `epoch` is a new one whenever a process notices that the
-- database was restored or copied, from an `identity` that is not the one it holds, or that the server's transaction ids
-- were further already, at `was_ahead_at`. restored_at and restored_how say so until `tollbook archive attach`.
CREATE TABLE database_history (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch        uuid NOT NULL DEFAULT gen_random_uuid(),
    identity     text,                   -- server, database and this table; NULL until the first process connects
    was_ahead_at xid8,
    restored_at  timestamptz,
    restored_how text,
    CHECK ((restored_at IS NULL) = (restored_how IS NULL))
);

-- Each commit to the archive's table, announced before it is made and finished after. What the archive has and is not
-- announced here was written by another database, or by this one before it was restored from a backup
-- (maintenance/archive/guard.py). Rows from before the 100 newest finished ones are deleted.
CREATE TABLE archive_commit (
    sequence     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    commit_id    uuid NOT NULL UNIQUE,
    kind         text NOT NULL,                  -- create, append, overwrite, delete, schema, expire, properties
    base         text,                           -- the metadata file that it changes; NULL: it creates the table
    number       integer NOT NULL,               -- of the metadata file that it writes
    announced_at timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz                     -- NULL: it failed, was killed, or is under way
);

-- Metadata files that this database did not write and that are no newer state of the archive: `tollbook archive attach`
-- left them aside, or an operator named them with --disown.
CREATE TABLE archive_disowned (
    file        text PRIMARY KEY,
    disowned_at timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Tariffs
-- ---------------------------------------------------------------------------------------------------------------------

-- A plan may have a base plan: a number that the plan itself has no rate for is looked up there.
CREATE TABLE rate_plan (
    plan_id      text PRIMARY KEY,
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    base_plan_id text REFERENCES rate_plan,
    version      integer NOT NULL DEFAULT 0,  -- of its own rates, 0 before its first import
    CHECK (base_plan_id <> plan_id)
);

-- Every import that changed something.
CREATE TABLE plan_version (
    plan_id     text NOT NULL REFERENCES rate_plan ON DELETE CASCADE,
    version     integer NOT NULL CHECK (version > 0),
    imported_at timestamptz NOT NULL DEFAULT now(),
    source      text NOT NULL,           -- the names of the files
    rates       integer NOT NULL,        -- how many rates the plan has in this version
    PRIMARY KEY (plan_id, version)
);

-- A rate is never deleted and its terms never change: it belongs to the plan's versions from `version` until just
-- before `until_version` (NULL: it is in today's), so that the calls it priced can be explained for ever.
CREATE TABLE rate (
    rate_id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id               text NOT NULL REFERENCES rate_plan ON DELETE CASCADE,
    direction             text NOT NULL CHECK (direction IN ('inbound', 'outbound', 'internal')),
    prefix                text NOT NULL CHECK (prefix ~ '^[0-9]*$'),
    per_min_micros        bigint NOT NULL CHECK (per_min_micros >= 0),
    connection_fee_micros bigint NOT NULL CHECK (connection_fee_micros >= 0),
    increment_sec         integer NOT NULL CHECK (increment_sec >= 1),
    first_increment_sec   integer NOT NULL CHECK (first_increment_sec >= 1),
    valid_from_ts         bigint NOT NULL,
    valid_to_ts           bigint,
    name                  text NOT NULL,
    version               integer NOT NULL DEFAULT 1,
    until_version         integer CHECK (until_version > version),
    CHECK (valid_to_ts > valid_from_ts)
);
CREATE UNIQUE INDEX rate_today ON rate (plan_id, direction, prefix, valid_from_ts) WHERE until_version IS NULL;

-- Numbering plans: how numbers are dialled, and so how they become E.164. In the prefixes X stands for any digit and Z
-- for a digit from 1 to 9 (the code of a carrier). The number columns are regular expressions, which must match all
-- that remains after the prefix. docs/rating.md explains.
CREATE TABLE numbering (
    numbering_id           text PRIMARY KEY,
    name                   text NOT NULL,
    country_code           text NOT NULL CHECK (country_code ~ '^([1-9][0-9]{0,2})?$'),
    international_prefixes text[] NOT NULL,           -- dialled before a country code: 00, 011
    national_prefixes      text[] NOT NULL,           -- dialled before a national number: 0, 8
    national_number        text NOT NULL,             -- a national number, without that prefix
    bare_number            text NOT NULL DEFAULT '',  -- a whole number, dialled without a prefix; '': none
    short_code             text NOT NULL DEFAULT '',  -- a number that stays as it is: 112; '': none
    -- A malformed regular expression is refused when it is written, not when a call meets it.
    CHECK (('' ~ national_number) IS NOT NULL AND ('' ~ bare_number) IS NOT NULL AND ('' ~ short_code) IS NOT NULL),
    CHECK (array_to_string(international_prefixes || national_prefixes, '') ~ '^[0-9XZ]*$'),
    -- Dialled before a number, and no part of it: *67, which withholds the caller's.
    service_prefixes       text[] NOT NULL DEFAULT '{}' CHECK (array_to_string(service_prefixes, '') ~ '^[0-9*#]*$')
);

CREATE TABLE account (
    account_id   text COLLATE "C" PRIMARY KEY,
    name         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- A disabled account's keys are refused. Its calls are still recorded and priced: they happened.
    disabled_at  timestamptz,
    numbering_id text REFERENCES numbering
);

-- The numbers that an account owns: they identify the account of an inbound call that carries no account code.
CREATE TABLE account_number (
    number     text PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE
);

-- An account's plan from from_ts (epoch ms) until its next row; NULL: no plan. So an account cannot have two plans at
-- one time.
CREATE TABLE account_plan (
    account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE,
    from_ts    bigint NOT NULL CHECK (from_ts >= 0),
    plan_id    text REFERENCES rate_plan,
    PRIMARY KEY (account_id, from_ts)
);

-- Raised by every change to accounts, numbers, numbering plans, plans and rates: a listener that sees it change loads
-- them again. The commands raise it themselves; numbering plans are written by hand, so a trigger does it for them.
CREATE TABLE tariff_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL
);
CREATE FUNCTION raise_tariff_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tariff_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER numbering_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON numbering
    FOR EACH STATEMENT EXECUTE FUNCTION raise_tariff_version();

-- Who priced calls again, when, and why. A run without finished_at was cut short, or still runs; what it has changed
-- stays.
CREATE TABLE rerate_run (
    run_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    by_whom     text NOT NULL,
    reason      text NOT NULL,
    scope       text NOT NULL
);

-- Every price that a complete call had before the one that it has now, whoever replaced it; `revision` is the row's
-- revision at that price. Kept for ever: an invoice may have been written from it. A move to another account counts as
-- a new price.
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
    run_id      bigint REFERENCES rerate_run,
    -- rerate: a run of `tollbook rerate`. event: a late event. cdr_file: `tollbook recover`. joined: the row's legs
    -- turned out to belong to another call, and the row is gone. archive: the archive had another price than the row
    -- that replaced its own. other: by SQL.
    cause       text NOT NULL CONSTRAINT price_history_cause CHECK (
        cause IN ('rerate', 'event', 'cdr_file', 'joined', 'archive', 'other')),
    replaced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (start_ts, call_id, switch, revision, replaced_at),
    CONSTRAINT price_history_run CHECK ((cause = 'rerate') = (run_id IS NOT NULL))
);

-- A trigger, because ON CONFLICT DO UPDATE does not return the old row. Whoever writes rows names the cause, and the run,
-- in settings of the transaction.
CREATE FUNCTION keep_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO price_history (
        start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, run_id, cause
    ) VALUES (
        OLD.start_ts, OLD.call_id, OLD.switch, OLD.revision, OLD.account_id, OLD.cost_micros, OLD.currency, OLD.unrated,
        OLD.parts, nullif(current_setting('tollbook.rerate_run', true), '')::bigint,
        coalesce(nullif(current_setting('tollbook.price_cause', true), ''), 'other')
    );
    RETURN NULL;
END $$;
CREATE TRIGGER keep_price AFTER UPDATE ON call_cdr FOR EACH ROW
    WHEN (OLD.end_ts IS NOT NULL AND (
        (OLD.account_id, OLD.cost_micros, OLD.currency, OLD.unrated)
            IS DISTINCT FROM (NEW.account_id, NEW.cost_micros, NEW.currency, NEW.unrated)
        OR jsonb_path_query_array(OLD.parts, '$[*].cost_micros')
            IS DISTINCT FROM jsonb_path_query_array(NEW.parts, '$[*].cost_micros')
    ))
    EXECUTE FUNCTION keep_price();

-- ---------------------------------------------------------------------------------------------------------------------
-- Sums, kept for ever (tollbook/store/sums)
-- ---------------------------------------------------------------------------------------------------------------------

-- What the sums below do not count yet: a line for each call that was added (sign 1) or taken away (sign -1), in the
-- transaction that wrote its row. A changed row is both. Rows are added and, by the roll-up, deleted; never updated.
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
-- Statement triggers with transition tables: one INSERT a statement, whoever writes. They are the parent's alone: what
-- addresses a partition by its name (moving a row, dropping a day, restoring one) changes no sum by itself. A call from
-- before the window may be counted, by its archived form: whoever knows that takes it away, and says so by a setting; of
-- all others the day is built anew.
CREATE FUNCTION count_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO sum_delta SELECT 1, start_ts, account_id, direction, disposition, currency, queue_id, agent_id, destination, answered,
        billsec, cost_micros, wait_ms, ring_ms, talk_ms, trunk_legs
        FROM new_calls WHERE end_ts IS NOT NULL;
        IF EXISTS (SELECT FROM new_calls WHERE start_ts < (SELECT window_start FROM hot_window)) THEN
            INSERT INTO sum_unbuilt (day, reason)
            SELECT DISTINCT (start_ts / 86400000)::integer, 'late call' FROM new_calls
            WHERE end_ts IS NOT NULL AND start_ts < (SELECT window_start FROM hot_window)
              AND coalesce(current_setting('tollbook.archived_counted', true), '') <> 'on'
            ORDER BY 1 ON CONFLICT (day, account_id) DO UPDATE SET claim = excluded.claim;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO sum_delta SELECT -1, start_ts, account_id, direction, disposition, currency, queue_id, agent_id, destination, answered,
        billsec, cost_micros, wait_ms, ring_ms, talk_ms, trunk_legs
        FROM old_calls WHERE end_ts IS NOT NULL;
    ELSE
        INSERT INTO sum_delta SELECT -1, start_ts, account_id, direction, disposition, currency, queue_id, agent_id, destination, answered,
        billsec, cost_micros, wait_ms, ring_ms, talk_ms, trunk_legs
        FROM old_calls WHERE end_ts IS NOT NULL
        UNION ALL SELECT 1, start_ts, account_id, direction, disposition, currency, queue_id, agent_id, destination, answered,
        billsec, cost_micros, wait_ms, ring_ms, talk_ms, trunk_legs
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

-- Sums hold numbers in place of texts. Account 0: calls without an account.
CREATE TABLE sum_account (
    account_no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL UNIQUE
);
-- The names of an account's queues, agents and destinations; gateways are account -1's. Bounded: a further name, or a
-- longer one, is -1, and 0 is none.
CREATE TABLE sum_name (
    name_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_no integer NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('queue', 'agent', 'destination', 'gateway')),
    value      text COLLATE "C" NOT NULL,
    UNIQUE (account_no, kind, value)
);
-- Accounts that have had a name beyond the bounds, of this kind: by such names their sums say nothing.
CREATE TABLE sum_other (
    account_no integer NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    PRIMARY KEY (account_no, kind)
);

-- Complete calls by quarter-hour (start_ts / 900000). direction and disposition are places, from 1, in the lists of
-- tollbook/model/vocabulary.py; currency '' is none. Money and times are numeric: no sum of them overflows.
CREATE TABLE call_sum (
    account_no   integer NOT NULL,
    quarter      integer NOT NULL,
    direction    smallint NOT NULL,
    disposition  smallint NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    calls        integer NOT NULL,
    answered     integer NOT NULL,
    unrated      integer NOT NULL,
    wait_calls   integer NOT NULL,           -- those that have a wait_ms
    ring_calls   integer NOT NULL,
    billsec      bigint NOT NULL,
    cost_micros  numeric NOT NULL,
    wait_ms      numeric NOT NULL,
    ring_ms      numeric NOT NULL,
    PRIMARY KEY (account_no, quarter, direction, disposition, currency)
);
-- Calls with a queue or an agent. waited_ms is each call's own wait, -1 if it has none: agents take few calls in a
-- quarter-hour, so it makes hardly more rows, and every service level and the longest wait are exact.
CREATE TABLE queue_sum (
    account_no   integer NOT NULL,
    quarter      integer NOT NULL,
    queue        integer NOT NULL,
    agent        integer NOT NULL,
    direction    smallint NOT NULL,
    disposition  smallint NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    waited_ms    bigint NOT NULL,
    talked       boolean NOT NULL,           -- it is known how long the agent talked
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
-- Calls by the charged rate's name and UTC day (start_ts / 86400000).
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
-- All accounts' calls, for operators.
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
-- All accounts' trunk legs; of which call's direction and disposition.
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
    mos_micros  bigint NOT NULL,             -- millionths: sums of fractions would depend on their order
    PRIMARY KEY (quarter, gateway, direction, disposition)
);
-- To find a day's rows of every account.
CREATE INDEX call_sum_quarter ON call_sum USING brin (quarter) WITH (pages_per_range = 16);
CREATE INDEX queue_sum_quarter ON queue_sum USING brin (quarter) WITH (pages_per_range = 16);
CREATE INDEX destination_sum_day ON destination_sum USING brin (day) WITH (pages_per_range = 16);
-- Days, of an account or (NULL) of all, whose sums are not to be trusted until `tollbook stats rebuild` has made them.
-- `claim` changes whenever a day is named again: who rebuilds from an older state must begin anew.
CREATE TABLE sum_unbuilt (
    day        integer NOT NULL,
    account_id text COLLATE "C",
    reason     text NOT NULL,
    claim      uuid NOT NULL DEFAULT gen_random_uuid(),
    UNIQUE NULLS NOT DISTINCT (day, account_id)
);
-- unbuilt_before: nobody has named the days of calls before it (epoch ms) yet; the upgrade sets it where there were calls.
-- gateways_since: trunk legs are counted of calls from it on; the archive does not have them.
CREATE TABLE sum_state (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    unbuilt_before   bigint NOT NULL,
    gateways_since   bigint NOT NULL,
    ordered_before   integer NOT NULL DEFAULT 0   -- the cells of days before it lie in the order of their keys
);

-- ---------------------------------------------------------------------------------------------------------------------
-- What must be kept, and what was erased
-- ---------------------------------------------------------------------------------------------------------------------

-- Accounts whose calls must be kept: neither an erasure nor the archive's retention removes one. A hold that was lifted
-- stays on record.
CREATE TABLE account_hold (
    hold_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  text COLLATE "C" NOT NULL REFERENCES account,
    placed_at   timestamptz NOT NULL DEFAULT now(),
    by_whom     text NOT NULL,
    reason      text NOT NULL,
    released_at timestamptz,
    released_by text,
    CHECK ((released_at IS NULL) = (released_by IS NULL))
);
CREATE UNIQUE INDEX account_hold_in_force ON account_hold (account_id) WHERE released_at IS NULL;

-- The receipts: whose calls were erased, of which time, when, by whom and why. `number` is there until the erasure is
-- finished, so that a killed one can go on; `counts` is by place, and keys_sha256 of the keys of the erased calls.
CREATE TABLE erasure (
    erasure_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id  text COLLATE "C",          -- NULL: of every account
    of_number   boolean NOT NULL,
    number      text,
    until_ts    bigint NOT NULL,           -- of calls that started before it, epoch ms
    by_whom     text NOT NULL,
    reason      text NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    calls       bigint,
    keys_sha256 text,
    counts      jsonb NOT NULL DEFAULT '{}',
    accounts    text[],                    -- whose calls were erased; NULL: unfinished, or from before this was kept
    CHECK (account_id IS NOT NULL OR of_number),
    CHECK ((number IS NOT NULL) = (of_number AND finished_at IS NULL)),
    CHECK (finished_at IS NULL OR (calls IS NOT NULL AND keys_sha256 IS NOT NULL))
);

-- What an unfinished erasure removes: the keys of the calls, with their accounts, their legs, and the files.
CREATE TABLE erasure_call (
    erasure_id uuid NOT NULL REFERENCES erasure,
    start_ts   bigint NOT NULL,
    call_id    text COLLATE "C" NOT NULL,
    switch     text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    noted      boolean NOT NULL DEFAULT false,   -- in call_gone, for syncs
    PRIMARY KEY (erasure_id, start_ts, call_id, switch)
);
CREATE INDEX erasure_call_call ON erasure_call (erasure_id, call_id);
CREATE TABLE erasure_leg (
    erasure_id uuid NOT NULL REFERENCES erasure,
    switch     text COLLATE "C" NOT NULL,
    uid        text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    PRIMARY KEY (erasure_id, uid, switch, created_us)
);
CREATE TABLE erasure_file (
    erasure_id uuid NOT NULL REFERENCES erasure,
    place      text NOT NULL,
    path       text NOT NULL,
    PRIMARY KEY (erasure_id, place, path)
);

-- The legs of erased calls, so that their CDR files do not bring them back: SHA-256 of `switch TAB uid`, and before what
-- time (epoch ms) a leg began that was erased. Whose they were, and when, is not kept.
CREATE TABLE erased_leg (
    leg_sha256 bytea PRIMARY KEY,
    until_ts   bigint NOT NULL
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Statements
-- ---------------------------------------------------------------------------------------------------------------------

-- What the statements of an account say of it, where that differs from its name and the settings; NULL: as those say.
CREATE TABLE account_billing (
    account_id text COLLATE "C" PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    name       text CHECK (length(name) <= 200),
    address    text[] CHECK (length(array_to_string(address, '')) <= 500),   -- its lines
    tax_id     text CHECK (length(tax_id) <= 60),
    zone       text,                     -- of the month: a name of the IANA time zone database
    taxes      text                      -- NAME=PERCENT, several separated by commas; '': none
);

-- Issued statements, kept for ever. `content` is all that a statement says, as canonical JSON; later ones read from it
-- what was charged. from_ts and until_ts (epoch ms) bound the starts of its calls: a month in the zone that it had then.
CREATE TABLE statement (
    account_id text COLLATE "C" NOT NULL REFERENCES account,
    month      text NOT NULL CHECK (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    from_ts    bigint NOT NULL,
    until_ts   bigint NOT NULL CHECK (until_ts >= from_ts),
    series     text COLLATE "C" NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    issued_at  timestamptz NOT NULL DEFAULT now(),
    content    text NOT NULL,
    sha256     text NOT NULL CHECK (sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex')),
    PRIMARY KEY (account_id, month),
    UNIQUE (series, number)
);
-- The order of an operator's list.
CREATE INDEX statement_month ON statement (month DESC, account_id);
CREATE FUNCTION refuse_change_of_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issued statement is never changed or deleted: the next one corrects it';
END $$;
CREATE TRIGGER statement_is_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON statement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_statement();

-- ---------------------------------------------------------------------------------------------------------------------
-- Events out (docs/webhooks.md)
-- ---------------------------------------------------------------------------------------------------------------------

-- Who is told of calls: an account's endpoints, and those of operators (account_id NULL), which hear of every call.
-- NATS is an endpoint of its own kind. A deleted one goes for good with its last deliveries (`tollbook prune`).
CREATE TABLE webhook (
    webhook_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    text COLLATE "C" REFERENCES account ON DELETE CASCADE,
    kind          text NOT NULL DEFAULT 'webhook' CONSTRAINT webhook_kind CHECK (kind IN ('webhook', 'nats')),
    url           text NOT NULL CHECK (length(url) <= 2000),
    events        text[],                       -- NULL: all
    secret        text NOT NULL DEFAULT '',     -- signs; tollbook_api may write it, and cannot read it
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL,
    deleted_at    timestamptz,
    deleted_by    text,
    disabled_at   timestamptz,                  -- nothing is sent, and nothing new waits for it
    disabled_why  text,
    failures      integer NOT NULL DEFAULT 0,   -- in a row; failing_since: when the first of them was
    failing_since timestamptz,
    paused_until  timestamptz,
    delivered     bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    dead          bigint NOT NULL DEFAULT 0,    -- given up, like delivered and failed: only grows
    delivered_at  timestamptz,
    last_error    text,
    CHECK ((disabled_at IS NULL) = (disabled_why IS NULL))
);
CREATE UNIQUE INDEX webhook_nats ON webhook (kind) WHERE kind = 'nats' AND deleted_at IS NULL;
CREATE INDEX webhook_account ON webhook (account_id);

-- What happened to calls of accounts that have an endpoint, with the row as it was then (without prices' parts, and with
-- `removed` where the account lost the call). Pruned after days, delivered or not (tollbook/store/events/prune.py).
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

-- What an endpoint has still to be told: deleted when it has been. Of the deliveries with the same call_no, a hash of
-- the call's key, the first goes first; one that is given up (dead_at) holds up no other.
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

-- Statement triggers on the parent alone, as those of the sums: whoever writes a row notes its events in the same
-- transaction, and moving, pruning or restoring rows by their partition notes none. Where nobody has an endpoint they look
-- once at an empty table. Imported calls have no events. An account that loses a call to another is told so by its key.
-- A plan is made once, for the few rows of the first batch: without nested loops it is no worse for 500.
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
CREATE TRIGGER event_of_update AFTER UPDATE ON call_cdr REFERENCING OLD TABLE AS old_calls NEW TABLE AS new_calls
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

-- ---------------------------------------------------------------------------------------------------------------------
-- Operation
-- ---------------------------------------------------------------------------------------------------------------------

-- The last run of each task that a timer starts (tollbook/store/task_runs.py): such a process has ended before anybody
-- could ask it. `exit_code` and `seconds` are those of the last run that ended; a run that was killed begins and does
-- not end. runs, failures and items (rows, files) only grow.
CREATE TABLE task_run (
    task          text PRIMARY KEY,
    begun_at      timestamptz NOT NULL,
    ended_at      timestamptz,
    succeeded_at  timestamptz,
    failing_since timestamptz,            -- when the first of the last runs, all of which failed, ended
    exit_code     smallint,
    seconds       double precision,
    runs          bigint NOT NULL DEFAULT 0,
    failures      bigint NOT NULL DEFAULT 0,
    items         bigint NOT NULL DEFAULT 0
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Agents of mod_callcenter (docs/agents.md)
-- ---------------------------------------------------------------------------------------------------------------------

-- The agents that each switch has named, at most 10,000 a switch, and the account that each belongs to, if one is known:
-- by the operator's rule, by the domain of the name, by its phone, or by the calls that it handled. Settled whenever one of these
-- changes (tollbook/store/agents/accounts.py).
CREATE TABLE agent (
    switch     text COLLATE "C" NOT NULL,
    agent      text COLLATE "C" NOT NULL CHECK (length(agent) <= 200),
    account_id text COLLATE "C",
    account_by text CHECK (account_by IN ('operator', 'domain', 'phone', 'calls')),
    own_since  bigint NOT NULL DEFAULT 0,  -- epoch ms; above 0: before that it was another account's
    PRIMARY KEY (switch, agent),
    CHECK ((account_id IS NULL) = (account_by IS NULL))
);
CREATE INDEX agent_account ON agent (account_id);

-- What was said of an agent: from at_us on (epoch µs of the switch's clock) its status or its state is `value`; or the
-- switch has it no longer. It holds until the next row of that kind. Only ever added to, so that two listeners, and any
-- order, give the same. sequence: the event's; 0 of what `callcenter_config agent list` said.
CREATE TABLE agent_state (
    switch     text COLLATE "C" NOT NULL,
    agent      text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('status', 'state', 'removed')),
    at_us      bigint NOT NULL,
    sequence   bigint NOT NULL,
    value      text NOT NULL CHECK (length(value) <= 64),
    PRIMARY KEY (switch, agent, kind, at_us, sequence)
);
CREATE INDEX agent_state_at ON agent_state (at_us);

-- When nobody listened to a switch: from its last sign of life until its agents were listed again, NULL: not yet.
CREATE TABLE agent_gap (
    switch     text COLLATE "C" NOT NULL,
    from_us    bigint NOT NULL,
    until_us   bigint,
    PRIMARY KEY (switch, from_us)
);

-- The operator's word: an agent's name, or @domain for all agents of a domain, and the account.
CREATE TABLE agent_rule (
    agent      text COLLATE "C" PRIMARY KEY CHECK (length(agent) <= 200),
    account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE
);

-- For whom an agent was seen to work, and when last (epoch ms): the account that its phone's leg states, and those whose
-- calls from outside it handled.
CREATE TABLE agent_served (
    switch     text COLLATE "C" NOT NULL,
    agent      text COLLATE "C" NOT NULL,
    evidence   text COLLATE "C" NOT NULL CHECK (evidence IN ('phone', 'calls')),
    account_id text COLLATE "C" NOT NULL,
    last_ts    bigint NOT NULL,
    PRIMARY KEY (switch, agent, evidence, account_id)
);

-- What an agent's UTC day came to, once the day is closed and its spans are in the archive; kept for ever. account_id:
-- whose it was then.
CREATE TABLE agent_day (
    day         integer NOT NULL,
    switch      text COLLATE "C" NOT NULL,
    agent       text COLLATE "C" NOT NULL,
    account_id  text COLLATE "C",
    handled     integer NOT NULL,
    ready_ms    integer NOT NULL,
    offering_ms integer NOT NULL,
    incall_ms   integer NOT NULL,
    idle_ms     integer NOT NULL,
    paused_ms   integer NOT NULL,
    offline_ms  integer NOT NULL,
    unknown_ms  integer NOT NULL,
    PRIMARY KEY (day, switch, agent)
);
CREATE INDEX agent_day_account ON agent_day (account_id, day);

-- From kept_day on agent_state has all that was said; the days before open_day are closed.
CREATE TABLE agent_window (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    kept_day   integer NOT NULL DEFAULT 0,
    open_day   integer NOT NULL DEFAULT 0
);
INSERT INTO agent_window DEFAULT VALUES;

-- ---------------------------------------------------------------------------------------------------------------------
-- Who may see what
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE api_key (
    key_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_hash     bytea NOT NULL UNIQUE,
    hint         text NOT NULL,          -- the first characters of the key, to tell keys apart
    account_id   text COLLATE "C" REFERENCES account ON DELETE CASCADE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    networks     cidr[],                 -- where the key may be used from; NULL: anywhere
    expires_at   timestamptz,            -- NULL: never
    CHECK (account_id IS NOT NULL OR 'operator' = ANY (scopes))
);

-- What was done with each key (tollbook/store/key_log.py), and on which days (UTC) it was used.
CREATE TABLE key_event (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id      bigint NOT NULL REFERENCES api_key ON DELETE CASCADE,
    event       text NOT NULL CONSTRAINT key_event_event CHECK (event IN ('created', 'used', 'rotated', 'revoked')),
    happened_at timestamptz NOT NULL DEFAULT now(),
    by_whom     text,                    -- who gave the command; NULL: a client, or not known
    note        text NOT NULL DEFAULT ''
);
CREATE INDEX key_event_key ON key_event (key_id, happened_at);
CREATE UNIQUE INDEX key_event_use ON key_event (key_id, ((happened_at AT TIME ZONE 'UTC')::date))
    WHERE event = 'used';

-- Who signed in with a key (tollbook/store/sessions.py), until when: the token is in a browser's cookie, here is its
-- hash. What a session may do is its key's business, which is read with it.
CREATE TABLE api_session (
    token_hash bytea PRIMARY KEY,
    key_id     bigint NOT NULL REFERENCES api_key ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX api_session_key ON api_session (key_id, created_at);
CREATE INDEX api_session_end ON api_session (expires_at);

-- Links that show the wallboard of one queue of one account and nothing else (tollbook/store/wallboard_links.py). key_id:
-- the operator's key that made it, with which it ends.
CREATE TABLE wallboard_link (
    link_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    key_id     bigint NOT NULL REFERENCES api_key ON DELETE CASCADE,
    account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE,
    queue_id   text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX wallboard_link_key ON wallboard_link (key_id);
CREATE INDEX wallboard_link_account ON wallboard_link (account_id);

-- Any other role with rights on these tables still sees all their rows: the policies of tollbook_api restrict only that
-- role. The owner, and so the listener, is not checked.
ALTER TABLE call_cdr ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_number ENABLE ROW LEVEL SECURITY;
ALTER TABLE price_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_gone ENABLE ROW LEVEL SECURITY;
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
ALTER TABLE statement ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_billing ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_gap ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON call_cdr USING (true);
CREATE POLICY everyone ON call_leg USING (true);
CREATE POLICY everyone ON account USING (true);
CREATE POLICY everyone ON account_number USING (true);
CREATE POLICY everyone ON price_history USING (true);
CREATE POLICY everyone ON call_gone USING (true);
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
CREATE POLICY everyone ON statement USING (true);
CREATE POLICY everyone ON account_billing USING (true);
CREATE POLICY everyone ON erasure USING (true);
CREATE POLICY everyone ON webhook USING (true);
CREATE POLICY everyone ON call_event USING (true);
CREATE POLICY everyone ON event_delivery USING (true);
CREATE POLICY everyone ON agent USING (true);
CREATE POLICY everyone ON agent_state USING (true);
CREATE POLICY everyone ON agent_gap USING (true);
CREATE POLICY everyone ON agent_day USING (true);

-- The role of the API, which every `db upgrade` creates where it may (tollbook/store/row_security.py): it sees the rows
-- of one account or, when asked explicitly, of every account. CASE, not OR: that file says why.
GRANT USAGE ON SCHEMA public TO tollbook_api;
GRANT SELECT ON call_cdr, call_leg, account, account_number, rate_plan, rate, hot_window, price_history, rerate_run,
    database_history, call_gone, sum_delta, sum_account, sum_name, sum_other, call_sum, queue_sum, destination_sum, operator_sum,
    gateway_sum, sum_unbuilt, sum_state, statement, account_billing, agent, agent_state, agent_gap, agent_day, agent_window
    TO tollbook_api;
-- Whether calls were erased since a statement was issued, but not by whom, why and of which number.
GRANT SELECT (account_id, finished_at, accounts) ON erasure TO tollbook_api;
-- Which calls the archive holds in an outdated form, but not whose they are.
GRANT SELECT (start_ts, call_id, switch) ON archive_outbox TO tollbook_api;
-- Whether there ever was an archive.
GRANT SELECT (finished_at) ON archive_commit TO tollbook_api;
-- Endpoints, as /v1/webhooks shows and makes them, never a secret; of events a test alone is made there, and none is read.
GRANT SELECT (webhook_id, account_id, kind, url, events, created_at, deleted_at, disabled_at, disabled_why, failing_since,
    delivered, failed, dead, delivered_at, last_error) ON webhook TO tollbook_api;
GRANT INSERT (account_id, url, events, secret, created_by), UPDATE (deleted_at, deleted_by) ON webhook TO tollbook_api;
GRANT SELECT (seq, event_id, account_id), INSERT (event, account_id) ON call_event TO tollbook_api;
GRANT SELECT (webhook_id, seq, call_no, dead_at), INSERT (webhook_id, seq, call_no) ON event_delivery TO tollbook_api;
-- Since when a switch is not heard, whose agents do who knows what.
GRANT SELECT (switch, seen_us) ON switch_process TO tollbook_api;
CREATE POLICY tollbook_api ON call_cdr AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON account AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON account_number AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON price_history AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON call_gone AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON sum_delta AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON sum_account AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON sum_name AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_no = (
            SELECT account_no FROM sum_account WHERE account_id = (SELECT current_setting('tollbook.account', true))
        ) END
);
CREATE POLICY tollbook_api ON sum_other AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_no = (
            SELECT account_no FROM sum_account WHERE account_id = (SELECT current_setting('tollbook.account', true))
        ) END
);
CREATE POLICY tollbook_api ON call_sum AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_no = (
            SELECT account_no FROM sum_account WHERE account_id = (SELECT current_setting('tollbook.account', true))
        ) END
);
CREATE POLICY tollbook_api ON queue_sum AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_no = (
            SELECT account_no FROM sum_account WHERE account_id = (SELECT current_setting('tollbook.account', true))
        ) END
);
CREATE POLICY tollbook_api ON destination_sum AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_no = (
            SELECT account_no FROM sum_account WHERE account_id = (SELECT current_setting('tollbook.account', true))
        ) END
);
CREATE POLICY tollbook_api ON operator_sum AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    (SELECT current_setting('tollbook.every_account', true)) = 'on'
);
CREATE POLICY tollbook_api ON gateway_sum AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    (SELECT current_setting('tollbook.every_account', true)) = 'on'
);
CREATE POLICY tollbook_api ON sum_unbuilt AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id IS NULL OR account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON statement AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON account_billing AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
-- An erasure of a number may have removed any account's calls.
CREATE POLICY tollbook_api ON erasure AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id IS NULL OR account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON webhook AS RESTRICTIVE FOR ALL TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON call_event AS RESTRICTIVE FOR ALL TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
-- A delivery is its endpoint's, whose own policy decides in this subquery.
CREATE POLICY tollbook_api ON event_delivery AS RESTRICTIVE FOR ALL TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE EXISTS (SELECT FROM webhook WHERE webhook.webhook_id = event_delivery.webhook_id) END
);
-- A leg has no account: it is visible when its call is, which call_cdr's own policy decides in this subquery.
CREATE POLICY tollbook_api ON call_leg AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE EXISTS (
            SELECT FROM call_cdr AS call
            WHERE call.start_ts = call_leg.call_start_ts AND call.call_id = call_leg.call_id
              AND call.switch = call_leg.switch
        ) END
);
CREATE POLICY tollbook_api ON agent AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
CREATE POLICY tollbook_api ON agent_day AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE account_id = (SELECT current_setting('tollbook.account', true)) END
);
-- What was said of an agent, and when a switch was not heard, are visible to whom the agent, or one of the switch, is.
CREATE POLICY tollbook_api ON agent_state AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE (switch, agent) IN (SELECT own.switch, own.agent FROM agent AS own) END
);
CREATE POLICY tollbook_api ON agent_gap AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE switch IN (SELECT own.switch FROM agent AS own) END
);
