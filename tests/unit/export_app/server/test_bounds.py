"""Which connections are closed when there are too many."""

from dataclasses import dataclass

import pytest

from export_app.server import bounds
from export_app.server.bounds import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_CLIENT, MAX_UNSENT_BYTES, surplus


@dataclass(kw_only=True, eq=False)
class Waiting:
    client: str = "192.0.2.1"
    is_proxy: bool = False
    since_s: float = 0.0
    total_outbufs_len: int = 0
    is_busy: bool = False


def some(count: int, **fields: object) -> list[Waiting]:
    """Connections that began to wait one after another."""
    return [Waiting(**{"since_s": float(number)} | fields) for number in range(count)]


def test_up_to_the_bounds_all_stay() -> None:
    """Each client may have MAX_CONNECTIONS_PER_CLIENT, all together MAX_CONNECTIONS."""
    clients = MAX_CONNECTIONS // MAX_CONNECTIONS_PER_CLIENT
    full = [one for n in range(clients) for one in some(MAX_CONNECTIONS_PER_CLIENT, client=f"192.0.2.{n}")]
    assert surplus(full) == []


def test_a_client_with_too_many_loses_those_that_wait_longest() -> None:
    """Nobody else loses any, not even one who has waited longer."""
    theirs = some(MAX_CONNECTIONS_PER_CLIENT + 2)
    others = some(50, client="192.0.2.2", since_s=-100.0)
    assert surplus(others + theirs[::-1]) == theirs[:2]


def test_a_trusted_proxy_counts_only_in_the_total() -> None:
    """A proxy's connections are many clients'."""
    proxy = some(MAX_CONNECTIONS, is_proxy=True)
    assert surplus(proxy) == []
    late = Waiting(client="192.0.2.2", since_s=1e9)
    assert surplus([*proxy, late]) == proxy[:1]


def test_many_clients_lose_those_that_wait_longest() -> None:
    """Past the total, whoever has waited longest goes, whoever that is."""
    many = [Waiting(client=f"192.0.2.{n}", since_s=float(n)) for n in range(MAX_CONNECTIONS + 3)]
    assert surplus(many) == many[:3]


def test_a_request_that_waits_for_us_is_kept_before_a_client_that_we_wait_for() -> None:
    """A connection whose request is being served stays; where all are, the newest goes."""
    busy = some(MAX_CONNECTIONS_PER_CLIENT, is_busy=True)
    new = Waiting(since_s=1e9)
    assert surplus([*busy, new]) == [new]
    newest = Waiting(since_s=1e9, is_busy=True)
    assert surplus([*busy, newest]) == [newest]


def test_unsent_responses_are_bounded_too() -> None:
    """Past MAX_UNSENT_BYTES those go whose clients have had their response for longest; nobody else."""
    part = MAX_UNSENT_BYTES // 4
    holding = some(6, total_outbufs_len=part)
    idle = Waiting(since_s=-100.0)
    assert surplus([*holding, idle]) == holding[:2]


def test_both_bounds_at_once_close_no_more_than_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bound of a client closed counts for the total."""
    monkeypatch.setattr(bounds, "MAX_CONNECTIONS_PER_CLIENT", 2)
    greedy, honest = some(4), Waiting(client="192.0.2.2", since_s=-1.0)
    assert surplus([*greedy, honest], at_most=3) == greedy[:2]
