"""The keys and sessions that are valid as far as this process knows: counted before the database is asked.

It decides no request. Every key is looked up before it opens anything, so that one which is revoked is refused at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from export_app.database import Database
from tollbook.store import keys, sessions

# All clients with too many attempts together cost the database one query in this time.
LIST_EVERY_S: Final = 1.0
# One that was pushed out is found in the database, as one that is new.
MAX_KNOWN_SESSIONS: Final = 10_000


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


class KnownSessions:
    """The hashes of the keys of sessions that were used, by the hash of the token; the latest `most` of them.

    A link to a wallboard is a session of its own.
    """

    def __init__(self, most: int = MAX_KNOWN_SESSIONS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._listed: dict[bytes, bytes] = {}
        self._listed_s = -LIST_EVERY_S
        self._keys: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def key_of(self, token_hash: bytes) -> bytes | None:
        """Return the hash of the key of a session that was valid when it was last used."""
        return self._keys.get(token_hash)

    def add(self, token_hash: bytes, key_hash: bytes) -> None:
        """Remember a session that is valid."""
        with self._lock:
            self._keys[token_hash] = key_hash
            self._keys.move_to_end(token_hash)
            while len(self._keys) > self._most:
                self._keys.popitem(last=False)

    def lists(self, token_hash: bytes, database: Database) -> bool:
        """Return whether a session is valid, or was up to LIST_EVERY_S ago, as `KnownKeys.lists`."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._listed_s >= LIST_EVERY_S:
                self._listed_s = now_s
                with database.looking_up() as connection:
                    self._listed = sessions.valid_tokens(connection)
            return token_hash in self._listed

    def discard(self, token_hash: bytes) -> None:
        """Forget a session that has ended."""
        with self._lock:
            self._keys.pop(token_hash, None)
