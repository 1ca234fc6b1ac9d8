"""What an erasure would remove, shown before it begins; and what both read."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from pyiceberg.table import Table

from maintenance.erase.archived import accounts_of, count_account, find_calls
from maintenance.erase.scope import Scope, load_scope
from maintenance.importing.folder import files_left
from tollbook.archive.catalog import open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.config import Settings
from tollbook.spool_files import dead_letter_folder, spool_folders
from tollbook.store.archive_commits import archive_begun
from tollbook.store.database import Connection, TimeLimits, check_schema, connect
from tollbook.store.erasure import calls, events, naming, old_prices, receipts
from tollbook.store.erasure.receipts import Erasure
from tollbook.store.holds import refuse_held
from tollbook.store.tariffs import tariffs
from tollbook.times import written

# A search for a number reads all rows and legs, in one statement.
_LIMITS: Final = TimeLimits(statement_s=0, transaction_s=0)


@dataclass(frozen=True, kw_only=True)
class EraseRequest:
    """What to erase: the calls of an account (None: of all), of a number (None: all) that started before `until_ts`.

    `cdr_dirs`: folders of mod_json_cdr besides TOLLBOOK_CDR_DIR. `keep_numbers`: the account keeps what it owns.
    """

    account_id: str | None
    number: str | None
    until_ts: int
    by_whom: str
    reason: str
    cdr_dirs: Sequence[Path] = ()
    keep_numbers: bool = False


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an erasure would remove now. `archived` may count calls twice that are also in PostgreSQL.

    `whole`: files of imports that go with what they have of other accounts.
    `no_cdr_dir`: none of `folders` is one of mod_json_cdr. `missing`: the listener's folders that are not there,
    perhaps because the listener is not.
    `events`: that name the number, with those of calls that are gone.
    `resumes_ts`: when the unfinished erasure began that it goes on with, epoch ms. `later`: how many calls in
    PostgreSQL began since, and are not part of it.
    """

    scope: Scope
    stored: int
    archived: int
    open: int
    owned_numbers: int
    folders: Sequence[Path]
    whole: Sequence[Path]
    no_cdr_dir: bool
    missing: Sequence[Path]
    resumes_ts: int | None
    later: int
    events: int = 0

    def __str__(self) -> str:
        """Return it as lines."""
        lines = [
            f"to be erased for ever, of {self.scope}:",
            f"  {self.stored} calls in PostgreSQL, with their legs and old prices",
            f"  {self.archived} calls in the archive, and every old snapshot of it, of all accounts",
            f"  what {' and '.join(map(str, self.folders))} have of these calls",
            *(f"  {path}, whole: an import left it, and it may hold these calls" for path in self.whole),
        ]
        if self.resumes_ts is not None:
            began, until = written(self.resumes_ts), written(self.scope.until_ts)
            lines.insert(0, f"goes on with the erasure that began at {began}, of calls that began before {until}")
        if self.later:
            lines.append(begun_later(self.later))
        if self.owned_numbers:
            lines.append(f"  {self.owned_numbers} numbers that are owned: calls to them will have no account")
        if self.events:
            lines.append(f"  {self.events} events that name it")
        if self.open:
            lines.append(still_up(self.open))
        if self.no_cdr_dir:
            lines.append(
                "no folder of the switch's CDR files is named (TOLLBOOK_CDR_DIR, --cdr-dir): what it still has of these"
                " calls stays, and `tollbook recover` would bring it back"
            )
        if self.missing:
            lines.append(
                f"not there: {' and '.join(map(str, self.missing))}; if a listener ever ran on another machine, or with"
                " another TOLLBOOK_DATA_DIR, run this there, too"
            )
        return "\n".join(lines)


def still_up(count: int) -> str:
    """Return the line on calls that an erasure leaves because they have not ended."""
    return f"not erased: {count} calls that are still up; run this again when they have ended"


def begun_later(count: int) -> str:
    """Return the line on calls that an erasure leaves because they began after its first attempt."""
    return f"not part of it: {count} calls that began after the first attempt; when it has ended, run this once more"


def preview(settings: Settings, request: EraseRequest) -> Preview:
    """Look what there is to erase; raises AccountHeld, UsageError, StoreUnavailable and ArchiveError."""
    with opened(settings) as connection:
        refuse_held(connection, [request.account_id])
        scope, begun = asked_scope(connection, request)
        owned = owned_numbers(connection, scope, request)
        with open_catalog(settings) as catalog:
            table = load_known_calls(catalog, partial(archive_begun, settings.require_database_url()))
            named = 0
            if scope.number is None:
                stored, up = count_calls(connection, scope)
                archived = 0 if table is None else count_account(table, scope)
            else:
                found = dict(calls_naming(connection, scope, table))
                in_archive = [] if table is None else [call for piece in find_calls(table, scope) for call in piece]
                stored, archived, up = len(found), len(in_archive), count_up(connection, scope)
                accounts = {*found.values(), *(account for _, account in in_archive)}
                refuse_held(connection, accounts | accounts_besides_calls(connection, scope, request))
                named = len(_event_accounts(connection, scope))
        later = count_later(connection, scope, request.until_ts)
        if request.account_id is not None and begun is None and not (stored or archived or up or owned):
            # A name that was mistyped would get a receipt.
            tariffs.require_account(connection, request.account_id)
    return Preview(
        scope=scope, stored=stored, archived=archived, open=up, owned_numbers=len(owned),
        folders=[dead_letter_folder(settings.data_dir), *cdr_dirs(settings, request)],
        whole=files_left(settings.data_dir), no_cdr_dir=not cdr_dirs(settings, request),
        missing=_missing(settings.data_dir), resumes_ts=begun.begun_ts if begun else None,
        later=later, events=named,
    )  # fmt: skip


def asked_scope(connection: Connection, request: EraseRequest) -> tuple[Scope, Erasure | None]:
    """Return what a request removes, and the unfinished erasure that it goes on with; raises UsageError."""
    scope = load_scope(connection, request.account_id, request.number, request.until_ts)
    begun = receipts.unfinished(connection, scope.account_id, scope.number.canonical if scope.number else None)
    return (scope, None) if begun is None else (replace(scope, until_ts=begun.until_ts), begun)


def count_calls(connection: Connection, scope: Scope) -> tuple[int, int]:
    """Count the calls of an account in PostgreSQL: those that are complete, and those that are up."""
    assert scope.account_id is not None
    return calls.count_calls(connection, scope.account_id, scope.until_ts)


def count_up(connection: Connection, scope: Scope) -> int:
    """Count the calls of an erasure that have not ended."""
    if scope.number is None:
        return count_calls(connection, scope)[1]
    return len(dict(calls_naming(connection, scope, None, up=True)))


def count_later(connection: Connection, scope: Scope, until_ts: int) -> int:
    """Count the calls in PostgreSQL that began after those of the scope and before `until_ts`, and have ended."""
    if until_ts <= scope.until_ts:
        return 0
    widened = replace(scope, until_ts=until_ts)
    if scope.number is None:
        return count_calls(connection, widened)[0] - count_calls(connection, scope)[0]
    found = {key for key, _ in calls_naming(connection, widened, None)}
    return sum(key.start_ts >= scope.until_ts for key in found)


def owned_numbers(connection: Connection, scope: Scope, request: EraseRequest) -> dict[str, str]:
    """Return the numbers that an erasure takes from their owners, by `owner_key`, and who owns them."""
    if request.keep_numbers:
        return {}
    owners = tariffs.number_owners(connection)
    if scope.number is not None:
        return scope.number.owned(owners, scope.account_id)
    return {number: owner for number, owner in owners.items() if owner == scope.account_id}


def accounts_besides_calls(connection: Connection, scope: Scope, request: EraseRequest) -> set[str | None]:
    """Return the accounts that lose more than calls by a number's erasure: owners, and those of prices and events."""
    assert scope.number is not None
    priced = old_prices.old_price_accounts(
        connection, scope.number.sought,
        account_id=scope.account_id, until_ts=scope.until_ts, named_in=scope.number.named_in_row,
    )  # fmt: skip
    return {*priced, *_event_accounts(connection, scope), *owned_numbers(connection, scope, request).values()}


def _event_accounts(connection: Connection, scope: Scope) -> list[str | None]:
    assert scope.number is not None
    return events.event_accounts(
        connection, scope.number.sought,
        account_id=scope.account_id, until_ts=scope.until_ts, named_in=scope.number.named_in_row,
    )  # fmt: skip


@contextmanager
def opened(settings: Settings) -> Generator[Connection]:
    """Connect to the database, in autocommit."""
    with connect(settings.require_database_url(), name="erase", autocommit=True, limits=_LIMITS) as connection:
        check_schema(connection)
        yield connection


def _missing(data_dir: Path) -> list[Path]:
    spools, letters = spool_folders(data_dir), dead_letter_folder(data_dir)
    missing = [] if any(os.path.lexists(spool) for spool in spools) else spools[:1]
    return missing if os.path.lexists(letters) else [*missing, letters]


def cdr_dirs(settings: Settings, request: EraseRequest) -> list[Path]:
    """Return the folders of mod_json_cdr."""
    return [*([settings.cdr_dir] if settings.cdr_dir else []), *request.cdr_dirs]


def calls_naming(
    connection: Connection, scope: Scope, table: Table | None, *, up: bool = False
) -> Generator[calls.ErasedCall]:
    """Yield the calls in PostgreSQL with the number of the scope, which has one; a call can come twice.

    `table`: the archive, which knows the accounts of calls of which PostgreSQL has only legs.
    """
    assert scope.number is not None
    yield from naming.calls_naming(
        connection,
        scope.number.sought,
        account_id=scope.account_id,
        until_ts=scope.until_ts,
        up=up,
        named_in=scope.number.named_in_row,
        named_by_leg=scope.number.named_by,
        archived_accounts=lambda keys: {} if table is None else accounts_of(table, keys),
    )
