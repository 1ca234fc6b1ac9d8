"""Statements: issued once, never changed, and whom they are for."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables, and what statements have to know of calls that are gone."""
    op.execute("""
        CREATE TABLE account_billing (
            account_id text COLLATE "C" PRIMARY KEY REFERENCES account ON DELETE CASCADE,
            name       text CHECK (length(name) <= 200),
            address    text[] CHECK (length(array_to_string(address, '')) <= 500),
            tax_id     text CHECK (length(tax_id) <= 60),
            zone       text,
            taxes      text
        );
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
        CREATE INDEX statement_month ON statement (month DESC, account_id);
        CREATE FUNCTION refuse_change_of_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issued statement is never changed or deleted: the next one corrects it';
END $$;
        CREATE TRIGGER statement_is_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON statement
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_statement();
        ALTER TABLE hot_window ADD COLUMN dropped_before bigint NOT NULL DEFAULT 0;
        ALTER TABLE erasure ADD COLUMN accounts text[];
        ALTER TABLE account_billing ENABLE ROW LEVEL SECURITY;
        ALTER TABLE statement ENABLE ROW LEVEL SECURITY;
        ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
        CREATE POLICY everyone ON account_billing USING (true);
        CREATE POLICY everyone ON statement USING (true);
        CREATE POLICY everyone ON erasure USING (true);
    """)
