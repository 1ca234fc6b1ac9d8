"""Details from the wire to the database: recorded calls over a real socket, with RECORD_STOP and CUSTOM events."""

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.commands import Start
from tests.paths import DETAILS
from tests.recorded_details import NAMES, legs_heard, recorded, rows_of
from tests.waiting import wait_until
from tollbook.model.details import DETAIL_COLUMNS
from tollbook.simulator.recording import load
from tollbook.simulator.thread import SwitchThread
from tollbook.store.database import scalar

VARIABLES = "tenant,campaign,agent_note,sip_h_X-Tenant,sip_h_X-Campaign,sip_h_Diversion"
COMPLETE = "SELECT count(*) FROM call_cdr WHERE end_ts IS NOT NULL"


@pytest.mark.parametrize("form", ["json", "plain"])
def test_every_recording_gives_its_details(start: Start, database_url: str, form: str) -> None:
    """72 calls at once, over one socket: what the listener stores is what their legs give."""
    rows = {row.call_id: row for name in NAMES for row in rows_of(legs_heard(name))}
    with SwitchThread() as switch:
        listener = start("listen", esl=f"{switch.url}?format={form}", variables=VARIABLES)
        switch.wait_for_subscriber(20)
        switch.play([load(DETAILS / name) for name in NAMES], verbatim=True)
        with psycopg.connect(database_url, autocommit=True) as connection:
            wait_until(lambda: scalar(connection, COMPLETE) >= len(rows), 30, every_s=0.05)
        assert listener.stop() == 0, listener.output
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        found = {row["call_id"]: row for row in connection.execute("SELECT * FROM call_cdr")}
    assert found.keys() == rows.keys()
    kept = set(VARIABLES.split(","))
    for call_id, row in found.items():
        details = rows[call_id].details
        for field in DETAIL_COLUMNS:
            if field == "recordings":
                assert row[field] == (list(details.recordings) or None)
            elif field not in ("destination", "vars"):
                assert row[field] == getattr(details, field), field
    for name in NAMES:
        for call_id, truth in recorded(name).details.items():
            stored = {name: value for name, value in (found[call_id]["vars"] or {}).items() if name in truth["vars"]}
            assert stored == {name: value for name, value in truth["vars"].items() if name in kept}
