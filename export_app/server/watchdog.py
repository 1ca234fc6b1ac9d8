"""systemd's watchdog: the message is sent by a worker thread, and asked for by the loop. So both must be well."""

from export_app.server.worker_threads import WorkerThreads
from tollbook.systemd import notify, watchdog_interval_s


class Watchdog:
    """A task for the worker threads, put before the requests that wait for one."""

    def __init__(self, threads: WorkerThreads) -> None:
        self._threads = threads
        self._interval_s = watchdog_interval_s()
        self._due_s = 0.0
        self._waits = False

    def tick(self, now_s: float) -> None:
        """Ask for the message when it is due, unless the last one still waits for a thread; `now_s` is monotonic."""
        if now_s < self._due_s or self._waits:
            return
        self._due_s, self._waits = now_s + self._interval_s, True
        self._threads.add_task(self, first=True)

    def service(self) -> None:
        """Send the message; a worker thread calls this."""
        notify("WATCHDOG=1")
        self._waits = False
