"""How the listener's greenlets wait for PostgreSQL, in a process of its own: gevent's patch is for good."""

import subprocess
import sys

# Prints how often another greenlet ran while a query slept, how many bytes went there and back in a pipeline, and how a
# wait with a time limit and a wait whose connection is cut end.
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import socket, sys, gevent
from esl_listener import database_wait
database_wait.install()
import psycopg
connection = psycopg.connect(sys.argv[1], autocommit=True)
ran = 0
def others():
    global ran
    while True:
        gevent.sleep(0.01)
        ran += 1
other = gevent.spawn(others)
connection.execute("SELECT pg_sleep(0.5)")
print(ran > 5)
text = "x" * 8_000_000
with connection.pipeline():
    cursors = [connection.execute("SELECT %s::text", (text,)) for _ in range(3)]
print([len(cursor.fetchone()[0]) for cursor in cursors])
print([*connection.notifies(timeout=0.1)])
def cut():
    with socket.socket(fileno=__import__("os").dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
gevent.spawn_later(0.2, cut)
try:
    connection.execute("SELECT pg_sleep(60)")
except psycopg.OperationalError:
    print("cut")
"""


def test_others_run_while_a_greenlet_waits(database_url: str) -> None:
    """Whatever it waits for: an answer, room to send, a notification for some time, or a server that is gone."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True", "[8000000, 8000000, 8000000]", "[]", "cut"]
