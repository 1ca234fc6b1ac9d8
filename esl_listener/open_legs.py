"""Reads the legs that are open in the database, with which the comparison of a switch's channels begins."""

from typing import Final

import gevent
from gevent.lock import BoundedSemaphore

from tollbook.errors import TollbookError
from tollbook.store.calls.switch_processes import OpenLeg, open_legs
from tollbook.store.database import TimeLimits, connect, limit_transaction, store_errors

#: A hundred switches are connected at the same moment, and would take all connections that PostgreSQL has.
OPEN_LEGS_AT_ONCE: Final = 4


class OpenLegReader:
    """Reads for all switches, each time on a connection of its own, so that it never waits for a batch."""

    def __init__(self, url: str, limits: TimeLimits) -> None:
        self._url = url
        self._limits = limits
        self._reading = BoundedSemaphore(OPEN_LEGS_AT_ONCE)

    def read(self, address: str) -> list[OpenLeg]:
        """Return the legs that are open for a switch's address. Raises our errors.

        In a greenlet of its own: the caller is killed when its connection to the switch ends, and a query must not be.
        """
        reading: gevent.Greenlet[[], list[OpenLeg] | TollbookError] = gevent.Greenlet(lambda: self._query(address))
        reading.start()
        result = reading.get()
        if isinstance(result, TollbookError):
            raise result
        return result

    def _query(self, address: str) -> list[OpenLeg] | TollbookError:
        """Return an error instead of raising it: gevent prints what a greenlet raises."""
        try:
            # store_errors is outermost, because the connection may be found dead only at the commit that ends it.
            with self._reading, store_errors(), connect(self._url, name="channels", limits=self._limits) as connection:
                limit_transaction(connection)
                return open_legs(connection, address)
        except TollbookError as error:
            return error
