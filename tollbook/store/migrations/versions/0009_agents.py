"""Agents: what each switch says of them, whose they are, and what their days came to."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables. Nothing is known of the agents before."""
    op.execute("""
        CREATE TABLE agent (
            switch     text COLLATE "C" NOT NULL,
            agent      text COLLATE "C" NOT NULL CHECK (length(agent) <= 200),
            account_id text COLLATE "C",
            account_by text CHECK (account_by IN ('operator', 'domain', 'phone', 'calls')),
            own_since  bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (switch, agent),
            CHECK ((account_id IS NULL) = (account_by IS NULL))
        );
        CREATE INDEX agent_account ON agent (account_id);
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
        CREATE TABLE agent_gap (
            switch     text COLLATE "C" NOT NULL,
            from_us    bigint NOT NULL,
            until_us   bigint,
            PRIMARY KEY (switch, from_us)
        );
        CREATE TABLE agent_rule (
            agent      text COLLATE "C" PRIMARY KEY CHECK (length(agent) <= 200),
            account_id text COLLATE "C" NOT NULL REFERENCES account ON DELETE CASCADE
        );
        CREATE TABLE agent_served (
            switch     text COLLATE "C" NOT NULL,
            agent      text COLLATE "C" NOT NULL,
            evidence   text COLLATE "C" NOT NULL CHECK (evidence IN ('phone', 'calls')),
            account_id text COLLATE "C" NOT NULL,
            last_ts    bigint NOT NULL,
            PRIMARY KEY (switch, agent, evidence, account_id)
        );
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
        CREATE TABLE agent_window (
            only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            kept_day   integer NOT NULL DEFAULT 0,
            open_day   integer NOT NULL DEFAULT 0
        );
        INSERT INTO agent_window DEFAULT VALUES;
        ALTER TABLE agent ENABLE ROW LEVEL SECURITY;
        ALTER TABLE agent_state ENABLE ROW LEVEL SECURITY;
        ALTER TABLE agent_gap ENABLE ROW LEVEL SECURITY;
        ALTER TABLE agent_day ENABLE ROW LEVEL SECURITY;
        CREATE POLICY everyone ON agent USING (true);
        CREATE POLICY everyone ON agent_state USING (true);
        CREATE POLICY everyone ON agent_gap USING (true);
        CREATE POLICY everyone ON agent_day USING (true);
    """)
