-- The whole schema as `tollbook db upgrade` leaves it. No program runs this file: it is for readers, and a test proves
-- it equal to the sum of migrations/versions. Three tables have rows from the start: hot_window and tariff_version one
-- each, and numbering the dial plans of some countries. The partitions of days are created as they are needed.

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
CREATE TABLE call_leg_late (LIKE call_leg INCLUDING ALL);
ALTER TABLE call_leg ATTACH PARTITION call_leg_late FOR VALUES FROM (MINVALUE) TO (0);

-- Where the archive takes over: calls that started before window_start (epoch ms) are read from it, except that rows of
-- call_cdr_late take precedence. Updated in the transaction that drops a day. leg_start (epoch µs) is the same for the
-- legs. The late partitions end at calls_late_until and legs_late_until: these are the same numbers, but ahead of them in a
-- new database, where days long before the retention get no partitions of their own although nothing was pruned.
CREATE TABLE hot_window (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    window_start bigint NOT NULL,
    leg_start    bigint NOT NULL,
    calls_late_until bigint NOT NULL DEFAULT 0,
    legs_late_until  bigint NOT NULL DEFAULT 0
);

-- Every switch process that a listener has heard, by its Core-UUID. When a new process at the same address does not
-- know the calls of the previous one, that one died and its calls with it, unreported: they end at its last sign of
-- life, seen_us (epoch µs).
CREATE TABLE switch_process (
    core    text PRIMARY KEY,
    address text NOT NULL,
    switch  text NOT NULL,
    seen_us bigint NOT NULL,
    unheard bigint NOT NULL DEFAULT 0    -- sessions that its heartbeats counted but that it sent no event of
);
CREATE INDEX switch_process_address ON switch_process (address);

-- Rows that are not in the archive yet. A row waits here only once, however often it changes meanwhile.
CREATE TABLE archive_outbox (
    start_ts   bigint NOT NULL,
    call_id    text COLLATE "C" NOT NULL,
    switch     text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    since      timestamptz NOT NULL DEFAULT now(),
    batch_id   uuid,
    deleted    boolean NOT NULL DEFAULT false,  -- a row of this key was deleted: it may be archived, under any account
    PRIMARY KEY (start_ts, call_id, switch)
);
-- Every few minutes the archiver asks which accounts have enough rows waiting, or old enough ones, among millions of
-- rows: this index alone answers that.
CREATE INDEX archive_outbox_account ON archive_outbox (account_id, since) WHERE batch_id IS NULL;
CREATE INDEX archive_outbox_batch ON archive_outbox (batch_id) WHERE batch_id IS NOT NULL;

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
    CHECK (array_to_string(international_prefixes || national_prefixes, '') ~ '^[0-9XZ]*$')
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

-- The price that a call had before a run replaced it; `revision` is the row's revision at that price.
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
    CHECK (account_id IS NOT NULL OR 'operator' = ANY (scopes))
);

-- Any other role with rights on these tables still sees all their rows: the policies of tollbook_api restrict only that
-- role. The owner, and so the listener, is not checked.
ALTER TABLE call_cdr ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_number ENABLE ROW LEVEL SECURITY;
ALTER TABLE price_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON call_cdr USING (true);
CREATE POLICY everyone ON call_leg USING (true);
CREATE POLICY everyone ON account USING (true);
CREATE POLICY everyone ON account_number USING (true);
CREATE POLICY everyone ON price_history USING (true);

-- The role of the API, which every `db upgrade` creates where it may (tollbook/store/row_security.py): it sees the rows
-- of one account or, when asked explicitly, of every account. CASE, not OR: that file says why.
GRANT USAGE ON SCHEMA public TO tollbook_api;
GRANT SELECT ON call_cdr, call_leg, account, account_number, rate_plan, rate, hot_window, price_history, rerate_run
    TO tollbook_api;
-- Which calls the archive holds in an outdated form, but not whose they are.
GRANT SELECT (start_ts, call_id, switch) ON archive_outbox TO tollbook_api;
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
-- A leg has no account: it is visible when its call is, which call_cdr's own policy decides in this subquery.
CREATE POLICY tollbook_api ON call_leg AS RESTRICTIVE FOR SELECT TO tollbook_api USING (
    CASE WHEN (SELECT current_setting('tollbook.every_account', true)) = 'on' THEN true
        ELSE EXISTS (
            SELECT FROM call_cdr AS call
            WHERE call.start_ts = call_leg.call_start_ts AND call.call_id = call_leg.call_id
              AND call.switch = call_leg.switch
        ) END
);
