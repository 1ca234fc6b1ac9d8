"""What `GET /v1/calls` can be asked for, and what that selects: calls or changes. Pure: no database, no clock."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.auth.identity import Identity
from export_app.calls import cursor as cursors
from export_app.calls.cursor import CallsCursor, ChangesCursor, Cursor, SyncCursor
from export_app.calls.filters import FILTER_NAMES, FilterQuery
from export_app.calls.for_people import Locale
from export_app.web.errors import ApiError
from export_app.web.parameters import (
    MAX_LIMIT,
    EpochMs,
    Limit,
    ZoneName,
    names_hint,
    quoted,
)
from export_app.web.window import check_order
from tollbook.model.filters import Filters
from tollbook.model.record import COLUMNS, EXTRA_COLUMNS
from tollbook.model.selection import ChangePosition, Changes, Order, Selection
from tollbook.store.days.sync_window import SyncWindow
from tollbook.times import SECONDS_PER_DAY

DEFAULT_LIMIT: Final = 1000
_ALL_COLUMNS: Final = (*COLUMNS, *EXTRA_COLUMNS)
_COLUMN: Final = "|".join(_ALL_COLUMNS)

_START_AGAIN: Final = "leave it out to start again"


def _known_fields(text: str) -> str:
    for name in text.split(","):
        if name not in _ALL_COLUMNS:
            raise PydanticCustomError(
                "unknown_field",
                "has no column {name}: {hint}",
                {"name": quoted(name), "hint": names_hint(name, _ALL_COLUMNS)},
            )
    return text


Fields = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^({_COLUMN})(,({_COLUMN}))*$", "example": "call_id,start_ts,cost_micros"}),
    AfterValidator(_known_fields),
]


class CallsQuery(FilterQuery):
    """What `GET /v1/calls` can be asked for."""

    since: EpochMs = Field(default=0, description="Calls that started at or after this time; left out: all.")
    until: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Calls that started before this time; left out: now.",
    )
    updated_since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Instead of since and until: calls whose row was written at or after this time, in the order of"
        " change, also those of the half hour before. The last page has a `sync_cursor`, from which the next sync"
        " goes on.",
    )
    order: Order = Field(default="desc", description="desc or left out: newest first; asc: oldest first.")
    limit: Limit = Field(
        default=DEFAULT_LIMIT,
        description=f"Rows in a page at most; left out: {DEFAULT_LIMIT}; more than {MAX_LIMIT} counts as {MAX_LIMIT}.",
    )
    cursor: str | SkipJsonSchema[None] = Field(
        default=None,
        description="The `next_cursor` of the page before, or the `sync_cursor` of the sync before. It holds the"
        " window, the order and the filters, which may then be left out.",
    )
    fields: Fields | SkipJsonSchema[None] = Field(
        default=None,
        description="The columns of each row, in this order, separated by commas; left out: the 16 of the record."
        f" There are also {', '.join(EXTRA_COLUMNS)}.",
    )
    format: Literal["json", "csv", "xlsx"] = Field(
        default="json", description="The format of the answer; left out: json. xlsx is a workbook for people."
    )
    style: Literal["local"] | SkipJsonSchema[None] = Field(
        default=None,
        description="local: CSV for people, with times in `tz` and decimal amounts; left out: CSV for programs.",
    )
    tz: ZoneName | SkipJsonSchema[None] = Field(
        default=None,
        description="The time zone of style=local and of workbooks: a name of the IANA time zone database; left out:"
        " UTC.",
        json_schema_extra={"example": "Europe/Berlin"},
    )
    locale: Locale | SkipJsonSchema[None] = Field(
        default=None,
        description="Of style=local: whose spreadsheet reads it. `;` and a decimal comma for all but en; left out: en.",
    )
    raw: Literal["0", "1"] = Field(
        default="0",
        description="1: leave CSV fields unchanged, even those that a spreadsheet would run as formulas; left out: 0.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "CallsQuery":
        check_order(self.since, self.until)
        if self.style is not None and self.format != "csv":
            raise PydanticCustomError("style", "style=local is a style of format=csv: add that, or leave style out")
        if self.tz is not None and not self.is_for_people:
            raise PydanticCustomError("tz", "tz is for format=xlsx, and for format=csv with style=local")
        if self.locale is not None and self.style is None:
            raise PydanticCustomError("locale", "locale is for format=csv with style=local")
        if self.updated_since is not None:
            for name in ("since", "until", "order"):
                if name in self.model_fields_set:
                    raise PydanticCustomError(
                        "window", "updated_since returns rows in the order of change: leave {name} out", {"name": name}
                    )
        return self

    @property
    def is_for_people(self) -> bool:
        """Whether the answer has times in a zone and decimal amounts."""
        return self.format == "xlsx" or self.style == "local"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of an answer for people."""
        return ZoneInfo(self.tz or "UTC")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns asked for, each once."""
        return COLUMNS if self.fields is None else tuple(dict.fromkeys(self.fields.split(",")))


@dataclass(frozen=True, kw_only=True)
class SyncStart:
    """The first page of a sync: changes by transactions that ended at `updated_since` (epoch ms) or later."""

    updated_since: int
    filters: Filters


@dataclass(frozen=True, kw_only=True)
class SyncStep:
    """A page of a sync whose first page was for `updated_since`, epoch ms, in the history `epoch`."""

    updated_since: int
    epoch: str
    changes: Changes

    @property
    def filters(self) -> Filters:
        """What a call must match."""
        return self.changes.filters


def resolve_query(
    query: CallsQuery, identity: Identity, now_ms: int, spell: Callable[[str | None, str], Collection[str]]
) -> Selection | SyncStart | SyncStep:
    """Return what a query asks for; `spell` returns how a number can be written, in the account that an operator names.

    Raises ApiError for a cursor that is not ours, too old, or of other filters.
    """
    if query.cursor is None:
        filters = query.filters
        filters = filters.with_spellings(partial(spell, filters.account))
        accounts = identity.accounts_of(filters.account)
        if query.updated_since is not None:
            return SyncStart(updated_since=query.updated_since, filters=filters)
        return Selection(
            accounts=accounts,
            since=query.since,
            until=now_ms if query.until is None else query.until,
            order=query.order,
            filters=filters,
        )
    cursor = _checked_cursor(query, identity.key_hash, now_ms)
    accounts = identity.accounts_of(cursor.filters.account)
    filters = cursor.filters.with_spellings(partial(spell, cursor.filters.account))
    match cursor:
        case CallsCursor():
            return Selection(
                accounts=accounts,
                since=cursor.since,
                until=cursor.until,
                order=cursor.order,
                after=cursor.key,
                filters=filters,
            )
        case ChangesCursor():
            after = ChangePosition(cursor.changed, cursor.key)
            first, updated_since = cursor.changed, cursor.updated_since
        case SyncCursor():
            # When it was made, every transaction before its first one had ended.
            after, first, updated_since = None, cursor.first, cursor.made_s * 1000
    changes = Changes(accounts=accounts, first=first, after=after, filters=filters)
    return SyncStep(updated_since=updated_since, epoch=cursor.epoch, changes=changes)


def first_step(start: SyncStart, identity: Identity, window: SyncWindow, *, epoch: str, first: int) -> SyncStep:
    """Return the first page of a sync; `first` is the transaction that its time leads to.

    Raises ApiError if changes since that time may be missing.
    """
    if start.updated_since < window.since_ms:
        raise _too_long_ago(f"changes before {window.since_ms}", window)
    accounts = identity.accounts_of(start.filters.account)
    changes = Changes(accounts=accounts, first=max(first, window.after + 1), filters=start.filters)
    return SyncStep(updated_since=start.updated_since, epoch=epoch, changes=changes)


def check_step(step: SyncStep, window: SyncWindow, *, epoch: str, horizon: int) -> None:
    """Raise ApiError for a cursor of another history than `epoch`, or since which changes may be missing.

    `horizon`: the oldest transaction that still runs. It never goes back in one history, even where nobody noticed yet
    that another one began.
    """
    if step.epoch != epoch or step.changes.first > horizon:
        raise ApiError(
            400,
            "sync_reset",
            "the database was restored, copied or moved after this cursor was made, and the cursor means nothing in it:"
            f" begin anew without the cursor. {_BEGIN_ANEW}",
        )
    if step.changes.first <= window.after:
        raise _too_long_ago("some changes after this cursor was made", window)


_BEGIN_ANEW: Final = "Read all calls once with since, then sync with updated_since, the time at which you began to read"


def _too_long_ago(what: str, window: SyncWindow) -> ApiError:
    return ApiError(400, "too_long_ago", f"{what} are no longer kept: {_BEGIN_ANEW}, {window.since_ms} or later")


def _checked_cursor(query: CallsQuery, key_hash: bytes, now_ms: int) -> Cursor:
    assert query.cursor is not None
    cursor = cursors.decode(query.cursor, key_hash)
    if cursor is None:
        raise ApiError(
            400,
            "bad_cursor",
            "this cursor was changed or belongs to another key: send it as it came, with the same key,"
            f" or {_START_AGAIN}",
        )
    # A sync cursor lasts as long as PostgreSQL keeps the changes since it, which `check_step` decides.
    if not isinstance(cursor, SyncCursor) and now_ms // 1000 - cursor.made_s > cursors.MAX_AGE_S:
        days = cursors.MAX_AGE_S // SECONDS_PER_DAY
        raise ApiError(400, "expired_cursor", f"this cursor is more than {days} days old: {_START_AGAIN}")
    held = _held(cursor)
    for name in ("since", "until", "order", "updated_since", *FILTER_NAMES):
        if name in query.model_fields_set and getattr(query, name) != held.get(name):
            was = f"made with {name}={held[name]}" if held.get(name) is not None else f"made without {name}"
            raise ApiError(
                400, "cursor_mismatch", f"this cursor was {was}: send the same, or leave {name} out, or the cursor"
            )
    return cursor


def _held(cursor: Cursor) -> dict[str, object]:
    held: dict[str, object] = msgspec.structs.asdict(cursor.filters)
    match cursor:
        case CallsCursor():
            return held | {"since": cursor.since, "until": cursor.until, "order": cursor.order}
        case ChangesCursor():
            return held | {"updated_since": cursor.updated_since}
        case SyncCursor():
            return held
