"""What a database has, by PostgreSQL's catalog."""

import re
from typing import LiteralString

import psycopg

from tollbook.store.database import Connection

# All that the catalog knows of a schema, without Alembic's own table; each row begins with a table's name.
CATALOG: dict[str, LiteralString] = {
    "relations": """
        SELECT relname, relkind::text, relpersistence::text, relrowsecurity, relforcerowsecurity,
               pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), reloptions::text, relacl::text
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
    """,
    "columns": """
        SELECT relname, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
               format_type(atttypid, atttypmod), attnotnull, attidentity::text,
               attgenerated::text, collname, pg_get_expr(adbin, adrelid), attacl::text
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p')
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            LEFT JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
    """,
    "constraints": """
        SELECT relname, conname, pg_get_constraintdef(pg_constraint.oid), convalidated, condeferrable
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": """
        SELECT tablename, indexdef, indisvalid FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass
        WHERE schemaname = 'public'
    """,
    "triggers": """
        SELECT relname, pg_get_triggerdef(pg_trigger.oid), tgenabled::text
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal
    """,
    "functions": """
        SELECT pg_get_functiondef(oid), proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    """,
    "policies": """
        SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check
        FROM pg_policies WHERE schemaname = 'public'
    """,
    "sequences": """
        SELECT seqrelid::regclass::text, seqtypid::regtype::text, seqstart, seqincrement, seqmax, seqmin, seqcycle
        FROM pg_sequence
    """,
    "types": """
        SELECT typname, typtype::text FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype NOT IN ('c', 'b')
    """,
    "schema": "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'",
}


def shape(url: str) -> dict[str, set[tuple[object, ...]]]:
    """Return the schema as the catalog has it, by kind of object."""
    with psycopg.connect(url) as connection:
        return {
            kind: {row for row in connection.execute(query).fetchall() if "alembic_version" not in str(row[0])}
            for kind, query in CATALOG.items()
        }


def values_of(connection: Connection, constraint: str) -> set[str]:
    """Return the texts that a column's CHECK lists."""
    row = connection.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s AND conparentid = 0"
        " ORDER BY conrelid LIMIT 1", (constraint,),
    ).fetchone()  # fmt: skip
    assert row
    return set(re.findall(r"'([^']*)'", row[0]))
