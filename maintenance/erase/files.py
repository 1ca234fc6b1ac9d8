"""Which files hold legs of erased calls. They are noted first, all of them in all folders, and deleted after that.

A leg states the id of its call or of the leg that it was made for: a leg of a leg of a call names only the one in
between, whose file may be read later, or lie in another folder. So the folders are read again until no more are found.
The legs of the files are noted too: an erasure that goes on when the files are gone still finds what names them, in a
further folder.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from maintenance.erase.damaged import quoted_texts
from maintenance.erase.leg_files import LegFile, LegFiles
from maintenance.erase.number import SHORTEST_ANYWHERE
from maintenance.erase.scope import Scope
from tollbook.errors import SettingsError
from tollbook.model.call_span import LONGEST_CALL_MS
from tollbook.model.leg import Leg, LegKey
from tollbook.model.numbers import digits_of, owner_of
from tollbook.store.database import Connection
from tollbook.store.erasure import calls, receipts
from tollbook.store.erasure.erased_legs import names_of, note_leg, noted_legs

# Files that are looked up at once. Only those without a leg hold bytes.
_BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024


class ErasedFiles:
    """The files of an erasure in all folders. `owners`: the account that owns each number, by `owner_key`."""

    def __init__(
        self,
        connection: Connection,
        erasure_id: UUID,
        scope: Scope,
        owners: Mapping[str, str],
        folders: Sequence[LegFiles],
    ) -> None:
        self._connection, self._erasure_id, self._scope = connection, erasure_id, scope
        self._owners, self._folders = owners, folders
        self._noted = {(files.place, path) for files in folders for path in self._noted_in(files)}
        self._legs: set[LegKey] = set()  # those that are known

    def note(self) -> None:
        """Find and note the files, reading the folders until no more are found.

        Raises OSError, and SettingsError for files that cannot be read: nobody knows whether they are among them, or
        name others that are.
        """
        known = (-1, -1)
        problems: list[str] = []
        while known != (known_now := (len(self._noted), len(self._legs))):
            known = known_now
            problems = [problem for files in self._folders if (problem := self._note(files))]
        if problems:
            raise SettingsError(
                f"{problems[0]}, and may hold a call that is erased: make it readable, or delete it, and run this"
                " again; no file was deleted"
            )

    def delete(self) -> None:
        """Delete the noted files; raises OSError and SettingsError."""
        for files in self._folders:
            for path in self._noted_in(files):
                files.remove(path)

    def _noted_in(self, files: LegFiles) -> list[str]:
        return receipts.files(self._connection, self._erasure_id, files.place)

    def _note(self, files: LegFiles) -> str | None:
        """Note files of a folder; return the problem with the first one that cannot be read."""
        first = None
        for batch in _batches(files.read()):
            first = first or next((file.problem for file in batch if file.problem), None)
            for file in self._theirs(files.place, [file for file in batch if not file.problem]):
                if (files.place, file.path) not in self._noted:
                    receipts.add_file(self._connection, self._erasure_id, files.place, file.path)
                    self._noted.add((files.place, file.path))
                if file.leg is not None and file.leg.key not in self._legs:
                    note_leg(self._connection, self._erasure_id, file.leg)
                    self._legs.add(file.leg.key)
        return first

    def _theirs(self, place: str, files: Sequence[LegFile]) -> Iterator[LegFile]:
        """Yield those of an erased call, and those that have been noted."""
        texts = [quoted_texts(file.content) for file in files]
        ids = {name for file in files if file.leg is not None for name in names_of(file.leg)}.union(*texts)
        erased = calls.collected_with_ids(self._connection, self._erasure_id, ids)
        erased_ids = {name for _, name in erased}
        legs = noted_legs(self._connection, self._erasure_id, ids)
        self._legs |= legs
        begun: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for switch, uid, created_us in legs:
            begun[switch, uid].append(created_us // 1000)
        for file, held in zip(files, texts, strict=True):
            if (place, file.path) in self._noted:
                yield file
            elif file.leg is not None:
                if self._is_theirs(file.leg, erased, begun):
                    yield file
            elif not erased_ids.isdisjoint(held) or self._holds_leg(held) or self._states(file.accounts, held):
                yield file

    def _is_theirs(
        self, leg: Leg, erased: Mapping[tuple[str, str], list[int]], begun: Mapping[tuple[str, str], list[int]]
    ) -> bool:
        if self._scope.excludes(leg):
            return False
        created_ms = leg.created_us // 1000
        for switch, name in ((leg.switch, name) for name in names_of(leg)):
            within = any(start <= created_ms < start + LONGEST_CALL_MS for start in erased.get((switch, name), ()))
            # `sofia recover` makes the legs of a call in any order.
            near = any(abs(created_ms - at_ms) < LONGEST_CALL_MS for at_ms in begun.get((switch, name), ()))
            if within or near:
                return True
        stated = [facts for facts in (leg.create, leg.look, leg.end) if facts is not None]
        owners = {owner for facts in stated if (owner := owner_of(facts.dialed, self._owners))}
        return self._scope.has_leg(leg, owners)

    def _holds_leg(self, texts: set[str]) -> bool:
        return any(name in texts for _, name, _ in self._legs)

    def _states(self, accounts: frozenset[str], texts: set[str]) -> bool:
        """Return whether bytes that are no leg state the account, or name the number and no other account."""
        account_id, number = self._scope.account_id, self._scope.number
        if number is None:
            return account_id in accounts
        if account_id is not None and account_id not in accounts:
            is_short = len(digits_of(number.text) or "") < SHORTEST_ANYWHERE
            if accounts or is_short:
                return False
        return number.named_in(texts, account_id)


def _batches(files: Iterator[LegFile]) -> Iterator[list[LegFile]]:
    batch: list[LegFile] = []
    held = 0
    for file in files:
        batch.append(file)
        held += len(file.content)
        if len(batch) == _BATCH or held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
