"""A simulated switch that beats only when asked, and a client that has logged in."""

from collections.abc import Iterator

import pytest

from tests.esl_client import RawClient
from tollbook.simulator.thread import SwitchThread


@pytest.fixture
def switch() -> Iterator[SwitchThread]:
    with SwitchThread(heartbeat_s=3600) as running:
        yield running


@pytest.fixture
def client(switch: SwitchThread) -> Iterator[RawClient]:
    with RawClient(switch.address) as connected:
        yield connected.login()
