"""What a scrape waits for while PostgreSQL says nothing at all."""

import threading
from contextlib import suppress

import pytest

from export_app.metrics import book
from export_app.metrics.book import BookCollector
from export_app.outages import Outages
from tollbook.config import Settings
from tollbook.store import health


def test_of_a_server_that_stands_still_one_scrape_waits_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus comes again every 15 seconds: each would leave a thread, until the service has no more of them."""
    asked, goes_on = threading.Event(), threading.Event()

    def stand_still(url: str) -> None:
        asked.set()
        goes_on.wait(30)
        raise OSError(url)

    monkeypatch.setattr(health, "looking", stand_still)
    monkeypatch.setattr(book, "HANGS_S", 0.1)
    settings = Settings(database_url="postgresql:///x")  # pyright: ignore[reportArgumentType] - a validator takes texts
    collector = BookCollector(settings, Outages())
    first, second = (threading.Thread(target=_read, args=(collector,)) for _ in range(2))
    first.start()
    assert asked.wait(10)
    second.start()
    second.join(10)
    still_waits = second.is_alive()
    goes_on.set()
    first.join(10)
    second.join(10)
    assert not still_waits


def _read(collector: BookCollector) -> None:
    with suppress(OSError):
        list(collector.collect())
