"""The share of an account: how many of its requests are at work, how many wait, and what the others are told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from export_app import database
from export_app import share as module
from export_app.server import http_server
from export_app.share import ACCOUNT_WAITING, ALL_WAITING, Share, waiting_room
from export_app.web.errors import ApiError
from tests.waiting import wait_until
from tollbook.archive.reader import MAX_READERS
from tollbook.config import MAX_ENGINE_QUESTIONS
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount

ACME, OTHER = OneAccount("acme"), OneAccount("other")


@pytest.fixture
def share() -> Share:
    return Share("stats", "stats", 2, waiting_room())


@pytest.fixture
def ask(share: Share) -> Iterator[Callable[[Accounts], threading.Event]]:
    """Return a function that starts a request in a thread; its event is set once it is at work."""
    done, threads = threading.Event(), list[threading.Thread]()

    def start(accounts: Accounts) -> threading.Event:
        at_work = threading.Event()

        def work() -> None:
            with share.taken(accounts):
                at_work.set()
                done.wait(60)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return at_work

    yield start
    done.set()
    for thread in threads:
        thread.join(60)


def waiting(share: Share) -> int:
    """Return how many requests wait for their share."""
    return sum(len(requests.waiting) for requests in share._of.values())


def test_an_operators_question_about_an_account_is_an_operators(
    share: Share, ask: Callable[[Accounts], threading.Event]
) -> None:
    """Whoever asks for the operator takes nothing of the account's share, whichever account is asked about."""
    asked_about = [OneAccount(account_id, for_operator=True) for account_id in ("acme", "other")]
    for at_work in [ask(account) for account in asked_about]:
        assert at_work.wait(60)
    assert ask(ACME).wait(60)
    ask(EveryAccount())
    wait_until(lambda: waiting(share) == 1)


def test_an_account_works_on_its_share_and_no_more(share: Share, ask: Callable[[Accounts], threading.Event]) -> None:
    """Two at a time and eight that wait: the next is refused at once, and other accounts and operators are not."""
    for at_work in [ask(ACME), ask(ACME)]:
        assert at_work.wait(60)
    queued = [ask(ACME) for _ in range(ACCOUNT_WAITING)]
    wait_until(lambda: waiting(share) == ACCOUNT_WAITING)
    with pytest.raises(ApiError, match=r"too many stats at once.*2 at a time") as refused, share.taken(ACME):
        pass
    assert (refused.value.status, refused.value.code, dict(refused.value.headers)) == (
        429, "too_many_at_once", {"Retry-After": "5"},
    )  # fmt: skip
    assert not any(at_work.is_set() for at_work in queued)
    for accounts in (OTHER, EveryAccount()):
        with share.taken(accounts), share.taken(accounts):
            pass


def test_a_request_that_waits_is_next(share: Share) -> None:
    """It begins when one of its account's ends."""
    at_work = threading.Event()

    def work() -> None:
        with share.taken(ACME):
            at_work.set()

    with ExitStack() as held:
        first = ExitStack()
        first.enter_context(share.taken(ACME))
        held.enter_context(share.taken(ACME))
        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: waiting(share) == 1)
        assert not at_work.is_set()
        first.close()
        assert at_work.wait(60)
        thread.join(60)


def test_nobody_overtakes_a_request_that_waits(
    share: Share, ask: Callable[[Accounts], threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that becomes free is the waiting request's at once, before its thread has woken up."""
    first = ExitStack()
    first.enter_context(share.taken(ACME))
    assert ask(ACME).wait(60)
    waits = ask(ACME)
    wait_until(lambda: waiting(share) == 1)
    monkeypatch.setattr(module, "SHARE_TIMEOUT_S", 0.0)
    first.close()
    with pytest.raises(ApiError), share.taken(ACME):
        pass
    assert waits.wait(60)


def test_threads_are_left_when_all_wait_that_may() -> None:
    """What waits for a share or a connection, and what works on one, is less than all threads."""
    working = database.KEY_CONNECTIONS + database.PAGE_CONNECTIONS + database.STATS_CONNECTIONS
    waiting_for_connections = 2 * database.MAX_WAITING  # pages and stats
    summing = 2 * MAX_ENGINE_QUESTIONS  # as many wait as are answered
    busy = ALL_WAITING + waiting_for_connections + working + MAX_READERS + summing
    assert busy < http_server.THREADS


def test_what_waits_is_bounded_over_all_accounts(share: Share, ask: Callable[[Accounts], threading.Event]) -> None:
    """So many accounts cannot hold all threads; an account that has nothing at work is not concerned."""
    greedy = [OneAccount(str(number)) for number in range(ALL_WAITING // ACCOUNT_WAITING + 1)]
    for accounts in greedy:
        for at_work in [ask(accounts), ask(accounts)]:
            assert at_work.wait(60)
    for accounts in greedy[:-1]:
        for _ in range(ACCOUNT_WAITING):
            ask(accounts)
    wait_until(lambda: waiting(share) == ALL_WAITING)
    with pytest.raises(ApiError), share.taken(greedy[-1]):
        pass
    with share.taken(ACME):
        pass


def test_those_that_wait_for_another_share_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """All wait in one room, because each holds a thread of one process; whoever leaves it makes place."""
    monkeypatch.setattr(module, "SHARE_TIMEOUT_S", 0.05)
    room = threading.Semaphore(1)
    stats, pages = Share("stats", "stats", 1, room), Share("pages", "pages", 1, room)
    with stats.taken(ACME), pages.taken(ACME):
        room.acquire()
        monkeypatch.setattr(module, "SHARE_TIMEOUT_S", 60)  # so it is refused without waiting
        with pytest.raises(ApiError), pages.taken(ACME):
            pass
        room.release()
        monkeypatch.setattr(module, "SHARE_TIMEOUT_S", 0.05)
        for share in (stats, pages, stats):
            with pytest.raises(ApiError), share.taken(ACME):
                pass
    assert room.acquire(blocking=False)


def test_waiting_ends(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has waited long enough is refused, and leaves no place taken."""
    monkeypatch.setattr(module, "SHARE_TIMEOUT_S", 0.05)
    with share.taken(ACME), share.taken(ACME), pytest.raises(ApiError), share.taken(ACME):
        pass
    with share.taken(ACME), share.taken(ACME):
        pass


def test_an_idle_account_is_forgotten(share: Share) -> None:
    """Accounts that come once do not fill the memory, whether their request succeeds or not."""
    with pytest.raises(LookupError), share.taken(ACME):
        raise LookupError
    with share.taken(OTHER):
        pass
    assert share._of == {}


def test_it_is_crowded_once_a_second_request_comes(share: Share, ask: Callable[[Accounts], threading.Event]) -> None:
    """Whether it waits for its account's share, or is another account's."""
    assert ask(ACME).wait(60)
    assert not share.is_crowded
    assert ask(OTHER).wait(60)
    assert share.is_crowded
