-- What calls cost, in the money of which plan: NULL where no plan was found. Carried by each row, because a plan can be
-- assigned anew tomorrow, and sums of two currencies are no sums.
ALTER TABLE call_cdr ADD COLUMN currency text;

-- A plan may stand on another, its base: a number that the plan itself has no rate for is looked up there.
-- version: of its own rates, 0 before its first import.
ALTER TABLE rate_plan ADD COLUMN base_plan_id text REFERENCES rate_plan;
ALTER TABLE rate_plan ADD COLUMN version integer NOT NULL DEFAULT 0;
ALTER TABLE rate_plan ADD CHECK (base_plan_id <> plan_id);

-- Every import that changed something.
CREATE TABLE plan_version (
    plan_id     text NOT NULL REFERENCES rate_plan ON DELETE CASCADE,
    version     integer NOT NULL CHECK (version > 0),
    imported_at timestamptz NOT NULL DEFAULT now(),
    source      text NOT NULL,           -- the names of the files
    rates       integer NOT NULL,        -- how many rates the plan has since
    PRIMARY KEY (plan_id, version)
);

-- A rate is never changed and never deleted: it is in the plan's versions from `version` until before `until_version`
-- (NULL: it is in today's), so that what it priced can be explained for ever.
ALTER TABLE rate ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE rate ADD COLUMN until_version integer CHECK (until_version > version);
ALTER TABLE rate DROP CONSTRAINT rate_plan_id_direction_prefix_valid_from_ts_key;
CREATE UNIQUE INDEX rate_today ON rate (plan_id, direction, prefix, valid_from_ts) WHERE until_version IS NULL;

UPDATE rate_plan SET version = 1 WHERE EXISTS (SELECT FROM rate WHERE rate.plan_id = rate_plan.plan_id);
INSERT INTO plan_version (plan_id, version, source, rates)
SELECT plan_id, 1, 'before versions were kept', count(*) FROM rate GROUP BY plan_id;

-- An account's plan from from_ts (epoch ms) on, until its next row; NULL: none. Two plans at one time cannot be written.
CREATE TABLE account_plan (
    account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE,
    from_ts    bigint NOT NULL CHECK (from_ts >= 0),
    plan_id    text REFERENCES rate_plan,
    PRIMARY KEY (account_id, from_ts)
);
INSERT INTO account_plan (account_id, from_ts, plan_id)
SELECT account_id, 0, plan_id FROM account WHERE plan_id IS NOT NULL;
ALTER TABLE account DROP COLUMN plan_id;

-- Its keys are refused. Its calls are recorded and priced all the same: they happened.
ALTER TABLE account ADD COLUMN disabled_at timestamptz;

-- Dial plans: how numbers are dialled, and so how they become E.164. In the prefixes X stands for any digit and Z for
-- one from 1 to 9 (the code of a carrier). The numbers are regular expressions that the whole of what remains must match. docs/rating.md explains.
CREATE TABLE numbering (
    numbering_id           text PRIMARY KEY,
    name                   text NOT NULL,
    country_code           text NOT NULL CHECK (country_code ~ '^([1-9][0-9]{0,2})?$'),
    international_prefixes text[] NOT NULL,       -- dialled before a country code: 00, 011
    national_prefixes      text[] NOT NULL,       -- dialled before a national number: 0, 8
    national_number        text NOT NULL,         -- a national number, without that prefix
    bare_number            text NOT NULL DEFAULT '',  -- what is dialled whole without a prefix; '': nothing
    short_code             text NOT NULL DEFAULT '',  -- what stays as it is: 112; '': nothing
    -- A pattern that is none is refused as it is written, not met by a call.
    CHECK (('' ~ national_number) IS NOT NULL AND ('' ~ bare_number) IS NOT NULL AND ('' ~ short_code) IS NOT NULL),
    CHECK (array_to_string(international_prefixes || national_prefixes, '') ~ '^[0-9XZ]*$')
);

CREATE FUNCTION raise_deck_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deck_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER numbering_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON numbering
    FOR EACH STATEMENT EXECUTE FUNCTION raise_deck_version();

ALTER TABLE account ADD COLUMN numbering_id text REFERENCES numbering;

INSERT INTO numbering VALUES
    ('E164', 'country code first, with or without +', '', '{""}', '{}', '', '', ''),
    ('US', 'United States', '1', '{011,101XXXX011}', '{1,101XXXX1}',
        '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|988|00?'),
    ('CA', 'Canada', '1', '{011,101XXXX011}', '{1,101XXXX1}',
        '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|988|00?'),
    ('GB', 'United Kingdom', '44', '{00}', '{0}',
        '[1-9]\d{8,9}|8001111|845464\d', '', '999|1\d{2,3}|116\d{3}|118\d{3}'),
    ('DE', 'Germany', '49', '{00,010XX00,0100XX00}', '{0,010XX0,0100XX0}',
        '[2-9]\d{4,12}|1[1-9]\d{3,11}', '', '11[0-7]|116\d{3}|118\d{2,3}'),
    ('FR', 'France', '33', '{00}', '{0}',
        '[1-9]\d{8}', '', '1[578]|1\d{2}|10\d{2}|3\d{3}|116\d{3}|118\d{3}'),
    -- No prefix at all: the 0 of a landline is part of the number, in Italy and from abroad.
    ('IT', 'Italy', '39', '{00}', '{}',
        '', '0[1-9]\d{4,9}|3\d{8,9}|[89]\d{5,9}|1[6-9]\d{4,8}', '1\d{2}|1[25]\d{2}|116\d{3}'),
    ('ES', 'Spain', '34', '{00}', '{}',
        '', '[5-9]\d{8}', '112|0\d{2}|1\d{3}|116\d{3}|118\d{2}'),
    -- 0 or 00, then two digits of a carrier; 0 and an area without one is dialled over VoIP.
    ('BR', 'Brazil', '55', '{00ZX}', '{0,0ZX}',
        '[1-9][1-9](9\d{8}|[2-5]\d{7})|[3589]00\d{6,7}', '[1-9][1-9](9\d{8}|[2-5]\d{7})', '1\d{2}|10[36]\d{2}'),
    -- 8 waits for a second tone before 10 and a country code; 7 is also Kazakhstan's.
    ('RU', 'Russia', '7', '{810}', '{8,7}',
        '[3-9]\d{9}', '', '112|0[1-4]|10[1-4]'),
    ('IN', 'India', '91', '{00}', '{0}',
        '[1-9]\d{9}', '[6-9]\d{9}|1800\d{6,7}|1860\d{7}', '1\d{2,3}'),
    ('AU', 'Australia', '61', '{0011,0014,0015,0018,0019}', '{0}',
        '[2-478]\d{8}', '1[38]00\d{6}|13\d{4}', '000|106|112|12\d{2,4}');
