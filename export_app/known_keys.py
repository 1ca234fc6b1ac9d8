"""The keys that are valid as far as this process knows: what is counted against a limit before the database is asked.

It decides no request. Every key is looked up before it opens anything, so that one which is revoked is refused at once.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from export_app.database import Database
from tollbook.store import keys

# All clients with too many attempts together cost the database one query in this time.
LIST_EVERY_S: Final = 1.0


class KnownKeys:
    """The hashes of valid keys: those that were used, and those of a list that is read when it is needed.

    There are no more of them than there are keys. `clock` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hashes: set[bytes] = set()
        self._lock = threading.Lock()
        self._listed_s = -LIST_EVERY_S

    def __contains__(self, key_hash: bytes | None) -> bool:
        return key_hash in self._hashes

    def add(self, key_hash: bytes) -> None:
        """Remember a key that is valid."""
        self._hashes.add(key_hash)

    def discard(self, key_hash: bytes) -> None:
        """Forget a key that is not valid any more."""
        self._hashes.discard(key_hash)

    def lists(self, key_hash: bytes, database: Database) -> bool:
        """Return whether a key is valid, or was up to LIST_EVERY_S ago; raises StoreUnavailable.

        For a key that was not used before, from an address that has made too many attempts.
        """
        with self._lock:
            now_s = self._clock()
            if now_s - self._listed_s >= LIST_EVERY_S:
                self._listed_s = now_s
                with database.looking_up() as connection:
                    self._hashes = keys.valid_hashes(connection)
            return key_hash in self._hashes
