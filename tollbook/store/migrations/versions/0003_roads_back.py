"""The roads back: what the database remembers, so that a restore, a copy or a lost tier is seen and put right."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Append each feature's own statements below, in a block of its own."""
    # Syncs learn of calls that are gone, and which changes can no longer be read (tollbook/store/days/sync_window.py).
    # What a database that was pruned before has lost nobody wrote down: there, changes begin with this upgrade.
    op.execute("""
        ALTER TABLE hot_window ADD COLUMN changes_after xid8 NOT NULL DEFAULT '0',
            ADD COLUMN changes_since bigint NOT NULL DEFAULT 0;
        UPDATE hot_window SET changes_after = pg_current_xact_id(),
            changes_since = (extract(epoch FROM now()) * 1000)::bigint WHERE window_start > 0;
        CREATE TABLE call_gone (
            start_ts   bigint NOT NULL,
            call_id    text COLLATE "C" NOT NULL,
            switch     text COLLATE "C" NOT NULL,
            account_id text COLLATE "C",
            changed    xid8 NOT NULL DEFAULT pg_current_xact_id(),
            updated_ts bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint
        );
        CREATE INDEX call_gone_changed ON call_gone (changed, account_id);
        ALTER TABLE call_gone ENABLE ROW LEVEL SECURITY;
        CREATE POLICY everyone ON call_gone USING (true);
        CREATE FUNCTION note_moved_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO call_gone (start_ts, call_id, switch, account_id)
    VALUES (OLD.start_ts, OLD.call_id, OLD.switch, OLD.account_id);
    RETURN NULL;
END $$;
        CREATE TRIGGER call_moved AFTER UPDATE ON call_cdr FOR EACH ROW
            WHEN (OLD.account_id IS NOT NULL AND OLD.account_id IS DISTINCT FROM NEW.account_id)
            EXECUTE FUNCTION note_moved_call();
    """)
    # Each commit to the archive is announced, and a file that is no newer state is disowned
    # (tollbook/store/archive_commits.py).
    op.execute("""
        CREATE TABLE archive_commit (
            sequence     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            commit_id    uuid NOT NULL UNIQUE,
            kind         text NOT NULL,
            base         text,
            number       integer NOT NULL,
            announced_at timestamptz NOT NULL DEFAULT now(),
            finished_at  timestamptz
        );
        CREATE TABLE archive_disowned (
            file        text PRIMARY KEY,
            disowned_at timestamptz NOT NULL DEFAULT now()
        );
    """)
    # A database that went back, or is a copy, is recognised (tollbook/store/history.py).
    op.execute("""
        CREATE TABLE database_history (
            only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            epoch        uuid NOT NULL DEFAULT gen_random_uuid(),
            identity     text,
            was_ahead_at xid8,
            restored_at  timestamptz,
            restored_how text,
            CHECK ((restored_at IS NULL) = (restored_how IS NULL))
        );
        INSERT INTO database_history DEFAULT VALUES;
    """)
    # Accounts whose calls must be kept (tollbook/store/holds.py).
    op.execute("""
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
    """)
    # Erasures and their receipts (tollbook/store/erasure).
    op.execute("""
        CREATE TABLE erasure (
            erasure_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            account_id  text COLLATE "C",
            of_number   boolean NOT NULL,
            number      text,
            until_ts    bigint NOT NULL,
            by_whom     text NOT NULL,
            reason      text NOT NULL,
            begun_at    timestamptz NOT NULL DEFAULT now(),
            finished_at timestamptz,
            calls       bigint,
            keys_sha256 text,
            counts      jsonb NOT NULL DEFAULT '{}',
            CHECK (account_id IS NOT NULL OR of_number),
            CHECK ((number IS NOT NULL) = (of_number AND finished_at IS NULL)),
            CHECK (finished_at IS NULL OR (calls IS NOT NULL AND keys_sha256 IS NOT NULL))
        );
        CREATE TABLE erasure_call (
            erasure_id uuid NOT NULL REFERENCES erasure,
            start_ts   bigint NOT NULL,
            call_id    text COLLATE "C" NOT NULL,
            switch     text COLLATE "C" NOT NULL,
            account_id text COLLATE "C",
            noted      boolean NOT NULL DEFAULT false,
            PRIMARY KEY (erasure_id, start_ts, call_id, switch)
        );
        CREATE INDEX erasure_call_call ON erasure_call (erasure_id, call_id);
        CREATE TABLE erasure_file (
            erasure_id uuid NOT NULL REFERENCES erasure,
            place      text NOT NULL,
            path       text NOT NULL,
            PRIMARY KEY (erasure_id, place, path)
        );
    """)
    # The last sign of life of a switch process is the event with the greatest number (switch_processes.py).
    op.execute("ALTER TABLE switch_process ADD COLUMN sequence bigint NOT NULL DEFAULT 0")
    # What the archive may hold although this database never sent it there (tollbook/store/outbox.py).
    op.execute("ALTER TABLE hot_window ADD COLUMN unverified_before bigint NOT NULL DEFAULT 0")
    # Every price that a call had, whoever replaced it (tollbook/store/tariffs/price_history.py).
    op.execute("""
        ALTER TABLE price_history
            ALTER COLUMN run_id DROP NOT NULL,
            ADD COLUMN cause text NOT NULL DEFAULT 'rerate',
            ADD COLUMN replaced_at timestamptz NOT NULL DEFAULT clock_timestamp();
        UPDATE price_history SET replaced_at = begun_at FROM rerate_run WHERE rerate_run.run_id = price_history.run_id;
        ALTER TABLE price_history
            ALTER COLUMN cause DROP DEFAULT,
            DROP CONSTRAINT price_history_pkey,
            ADD PRIMARY KEY (start_ts, call_id, switch, revision, replaced_at),
            ADD CONSTRAINT price_history_cause CHECK (
                cause IN ('rerate', 'event', 'cdr_file', 'joined', 'archive', 'other')),
            ADD CONSTRAINT price_history_run CHECK ((cause = 'rerate') = (run_id IS NOT NULL));
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
    """)
    # What a call may have cost that nobody is billed for (tollbook/model/doubts.py).
    op.execute("ALTER TABLE call_cdr ADD COLUMN doubts jsonb")
    # What is dialled before a number and does not change where it goes: *67 withholds the caller's (numbering.py).
    op.execute("""
        ALTER TABLE numbering ADD COLUMN service_prefixes text[] NOT NULL DEFAULT '{}'
            CHECK (array_to_string(service_prefixes, '') ~ '^[0-9*#]*$');
        UPDATE numbering SET service_prefixes = CASE numbering_id
            WHEN 'E164' THEN '{}'
            WHEN 'US' THEN '{*67,*82,1167,1182}'
            WHEN 'CA' THEN '{*67,*82,1167,1182}'
            WHEN 'GB' THEN '{141,1470}'
            WHEN 'FR' THEN '{3651}'
            WHEN 'IT' THEN '{*67#}'
            WHEN 'ES' THEN '{067}'
            WHEN 'AU' THEN '{1831,1832}'
            ELSE '{}'
        END::text[] || '{*31#,#31#}'::text[];
    """)
    # Numbers as nations write them; a plan that an operator has changed stays as it is.
    op.execute(r"""
        UPDATE numbering SET national_number = new_national, bare_number = new_bare, short_code = new_short
        FROM (VALUES
            -- 11XX is *XX of a telephone without a * key.
            ('US', '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|988|00?',
             '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|112|11\d\d|933|988|00?'),
            -- 310 xxxx is dialled without an area code, all over the country.
            ('CA', '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}', '[2-9]11|988|00?',
             '[2-9]\d{2}[2-9]\d{6}', '[2-9]\d{2}[2-9]\d{6}|310\d{4}', '[2-9]11|112|11\d\d|988|00?'),
            ('GB', '[1-9]\d{8,9}|8001111|845464\d', '', '999|1\d{2,3}|116\d{3}|118\d{3}',
             '[1-9]\d{8,9}|8001111|845464\d', '', '999|1\d{2,3}|116\d{3}|118\d{3}|1800\d|[2-8]\d{2,4}'),
            ('IT', '', '0[1-9]\d{4,9}|3\d{8,9}|[89]\d{5,9}|1[6-9]\d{4,8}', '1\d{2}|1[25]\d{2}|116\d{3}',
             '', '0[1-9]\d{4,9}|3\d{8,9}|55\d{8}|[89]\d{5,9}|144\d{6}|1[6-9]\d{4,8}',
             '1[0-5]\d{1,4}|1[6-9]\d{1,3}|42323|45045'),
            ('ES', '', '[5-9]\d{8}', '112|0\d{2}|1\d{3}|116\d{3}|118\d{2}',
             '', '[5-9]\d{8}', '[0-2]\d{2,5}|90\d\d?'),
            -- 4004 xxxx and 3003 xxxx are dialled without an area code, in every area.
            ('BR', '[1-9][1-9](9\d{8}|[2-5]\d{7})|[3589]00\d{6,7}', '[1-9][1-9](9\d{8}|[2-5]\d{7})',
             '1\d{2}|10[36]\d{2}',
             '[1-9][1-9](9\d{8}|[2-5]\d{7})|[3589]0[03]\d{6,7}|300\d{5}|4(00\d|020|370|864)\d{4}',
             '[1-9][1-9](9\d{8}|[2-5]\d{7})|300\d{5}|4(00\d|020|370|864)\d{4}', '1\d{2}|10\d{2,3}|133\d|911'),
            ('RU', '[3-9]\d{9}', '', '112|0[1-4]|10[1-4]', '[3-9]\d{9}', '', '0[1-9]|1\d{2}'),
            ('IN', '[1-9]\d{9}', '[6-9]\d{9}|1800\d{6,7}|1860\d{7}', '1\d{2,3}',
             '[1-9]\d{9}|186[12]\d{9}', '[6-9]\d{9}|1800\d{6,7}|1860\d{7}|186[12]\d{9}', '[12578]\d{2,5}|5\d{6,8}'),
            ('AU', '[2-478]\d{8}', '1[38]00\d{6}|13\d{4}', '000|106|112|12\d{2,4}',
             '[2-478]\d{8}|14\d{7}', '1[38]00\d{6}|13\d{4}|1345\d{4}|1802\d{3}|190\d{7}',
             '000|106|11\d{1,2}|12\d{2,5}|225|733|767')
        ) AS plan (plan_id, old_national, old_bare, old_short, new_national, new_bare, new_short)
        WHERE (numbering_id, national_number, bare_number, short_code) = (plan_id, old_national, old_bare, old_short)
    """)
