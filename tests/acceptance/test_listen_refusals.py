"""Wrong settings and missing services give one clear line that says what to do, no traceback, and an exit code."""

import psycopg

from tests.commands import Running, Start, free_port
from tests.databases import on_server
from tollbook.simulator.thread import SwitchThread


def ended(running: Running) -> tuple[int, str]:
    code = running.process.wait(30)
    assert "Traceback" not in running.output
    return code, running.output


def test_a_wrong_password_ends_the_start(start: Start) -> None:
    with SwitchThread(password="right") as switch:
        code, output = ended(start("listen", esl=switch.url.replace("right", "wrong")))
    assert code == 77
    assert "refuses the password: set it in TOLLBOOK_ESL" in output


def test_a_closed_port_ends_the_start(start: Start) -> None:
    code, output = ended(start("listen", esl=f"esl://:x@127.0.0.1:{free_port()}"))
    assert code == 69
    assert "connection refused: is FreeSWITCH up" in output


def test_a_database_that_refuses_ends_the_start(start: Start, postgres_url: str) -> None:
    url = on_server(postgres_url, "no_such_database")
    code, output = ended(start("listen", esl="esl://:x@127.0.0.1:1", database_url=url))
    assert code == 75
    assert "no_such_database" in output
    assert "check TOLLBOOK_DATABASE_URL" in output


def test_an_unmigrated_database_ends_the_start(start: Start, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_one")
    url = on_server(postgres_url, "empty_one")
    code, output = ended(start("listen", esl="esl://:x@127.0.0.1:1", database_url=url))
    assert code == 75
    assert "run `tollbook db upgrade`" in output


def test_all_wrong_settings_are_named_at_once(start: Start) -> None:
    code, output = ended(start("listen", esl="8021", retention_days="0", acount_variable="x"))
    assert code == 78
    for part in (
        "TOLLBOOK_ESL: write each switch as esl://:PASSWORD@HOST:8021",
        "TOLLBOOK_RETENTION_DAYS: Input should be greater than or equal to 1",
        "TOLLBOOK_ACOUNT_VARIABLE is not a setting: did you mean TOLLBOOK_ACCOUNT_VARIABLE?",
    ):
        assert part in output


def test_one_switch_of_two_may_be_down(start: Start) -> None:
    with SwitchThread() as switch:
        listener = start("listen", esl=f"{switch.url},esl://:x@127.0.0.1:1")
        switch.wait_for_subscriber(20)
        listener.wait_for("127.0.0.1:1: connection refused")
        assert listener.stop() == 0


def test_one_switch_of_two_may_refuse(start: Start) -> None:
    """A password changed on one switch does not stop the listener from reading the others after a restart."""
    with SwitchThread() as switch, SwitchThread(password="changed") as other:
        listener = start("listen", esl=f"{switch.url},{other.url.replace('changed', 'old')}")
        switch.wait_for_subscriber(20)
        listener.wait_for("refuses the password")
        assert listener.stop() == 0


def test_a_cut_connection_is_made_again(start: Start) -> None:
    with SwitchThread() as switch:
        listener = start("listen", esl=switch.url)
        switch.wait_for_subscriber(20)
        switch.cut_connections()
        listener.wait_for("closed the connection")
        switch.wait_for_subscriber(20)
        assert listener.stop() == 0
