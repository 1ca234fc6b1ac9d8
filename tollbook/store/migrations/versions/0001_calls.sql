-- One row per call. The first 16 columns are the public record, in the public order.
-- call_id is compared bytewise ("C") so that PostgreSQL and the archive sort alike.
CREATE TABLE call_cdr (
    call_id        text COLLATE "C" NOT NULL,
    account_id     text COLLATE "C",
    direction      text NOT NULL CHECK (direction IN ('inbound', 'outbound', 'internal')),
    from_num       text NOT NULL,
    to_num         text NOT NULL,
    start_ts       bigint NOT NULL,
    answer_ts      bigint,
    end_ts         bigint,
    duration_sec   integer CHECK (duration_sec >= 0),
    billsec        integer CHECK (billsec >= 0),
    answered       integer NOT NULL CHECK (answered IN (0, 1)),
    disposition    text,
    hangup_cause   text,
    queue_id       text,
    agent_id       text,
    cost_micros    bigint,
    switch         text COLLATE "C" NOT NULL,
    revision       integer NOT NULL DEFAULT 0,      -- 0 while the call is up, 1 when complete, +1 each time replaced
    estimated      boolean NOT NULL DEFAULT false,  -- its end is our estimate, not the switch's word
    parts          jsonb,                           -- what was charged, with the rate that priced each
    unrated        text,                            -- why cost_micros is NULL although the call is complete
    prior_accounts text[] NOT NULL DEFAULT '{}',    -- accounts under which an earlier revision may be archived
    -- In the order of pages, so that an operator's page reads along it. Two switches can hand out one id in one millisecond.
    PRIMARY KEY (start_ts, call_id, switch)
) PARTITION BY RANGE (start_ts);

CREATE INDEX call_cdr_account_start ON call_cdr (account_id, start_ts, call_id, switch);
CREATE INDEX call_cdr_call ON call_cdr (call_id);
CREATE INDEX call_cdr_unrated ON call_cdr (start_ts) WHERE unrated IS NOT NULL;

-- Every leg, whole: what the rows are computed from. (call_start_ts, call_id, switch) is the row it belongs to now.
CREATE TABLE call_leg (
    uid           text COLLATE "C" NOT NULL,
    created_us    bigint NOT NULL,
    switch        text COLLATE "C" NOT NULL,
    call_id       text COLLATE "C" NOT NULL,
    call_start_ts bigint NOT NULL,
    core          text NOT NULL,         -- the Core-UUID of the switch's process
    ended         boolean NOT NULL,
    facts         json NOT NULL,         -- not jsonb: written and read whole, and taken apart by nobody but us
    PRIMARY KEY (uid, created_us, switch)
) PARTITION BY RANGE (created_us);

CREATE INDEX call_leg_call ON call_leg (call_id);
CREATE INDEX call_leg_up ON call_leg (core) WHERE NOT ended;

-- Every process of a switch that was heard, by its Core-UUID. A new one at the same address that denies the calls of
-- the one before means that it died and took them with it, without a word: they end at its last sign of life, seen_us.
CREATE TABLE switch_life (
    core    text PRIMARY KEY,
    address text NOT NULL,
    switch  text NOT NULL,
    seen_us bigint NOT NULL,
    unheard bigint NOT NULL DEFAULT 0    -- sessions that its heartbeats counted and that it told nothing of
);
CREATE INDEX switch_life_address ON switch_life (address);

CREATE TABLE rate_plan (
    plan_id  text PRIMARY KEY,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$')
);

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
    UNIQUE (plan_id, direction, prefix, valid_from_ts),
    CHECK (valid_to_ts > valid_from_ts)
);

CREATE TABLE account (
    account_id text COLLATE "C" PRIMARY KEY,
    name       text NOT NULL,
    plan_id    text REFERENCES rate_plan,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Numbers that belong to an account: they name the account of an inbound call that carries no account code.
CREATE TABLE account_number (
    number     text PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE
);

-- Raised by every change to accounts, numbers, plans and rates: a listener that sees it move loads them anew.
CREATE TABLE deck_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL
);
INSERT INTO deck_version (version) VALUES (1);

CREATE TABLE api_key (
    key_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_hash     bytea NOT NULL UNIQUE,
    hint         text NOT NULL,          -- the first characters of the key, to tell keys apart
    account_id   text COLLATE "C" REFERENCES account ON DELETE CASCADE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CHECK (account_id IS NOT NULL OR 'operator' = ANY (scopes))
);

-- Rows that the archive has yet to take. A row waits here once, whatever happens to it meanwhile.
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
CREATE INDEX archive_outbox_waiting ON archive_outbox (since) WHERE batch_id IS NULL;
CREATE INDEX archive_outbox_batch ON archive_outbox (batch_id) WHERE batch_id IS NOT NULL;
