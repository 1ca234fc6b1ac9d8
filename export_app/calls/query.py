"""What `GET /v1/calls` can be asked for, and what that selects: calls or changes. Pure: no database, no clock."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from export_app.auth.identity import Identity
from export_app.calls import cursor as cursors
from export_app.calls.cursor import CallsCursor, ChangesCursor, Cursor, SyncCursor
from export_app.calls.filters import FilterQuery
from export_app.web.errors import ApiError
from export_app.web.parameters import (
    MAX_LIMIT,
    EpochMs,
    Limit,
    names_hint,
    quoted,
    without_default,
)
from tollbook.model.filters import Filters
from tollbook.model.record import COLUMNS, EXTRA_COLUMNS
from tollbook.model.selection import ChangePosition, Changes, Order, Selection
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
        json_schema_extra=without_default,
    )
    updated_since: EpochMs | SkipJsonSchema[None] = Field(
        default=None,
        description="Instead of since and until: calls whose row was written at or after this time, in the order of"
        " change, also those of the half hour before. The last page has a `sync_cursor`, from which the next sync"
        " goes on.",
        json_schema_extra=without_default,
    )
    order: Order = Field(default="desc", description="desc: newest first; asc: oldest first.")
    limit: Limit = Field(
        default=DEFAULT_LIMIT, description=f"Rows in a page at most; more than {MAX_LIMIT} counts as {MAX_LIMIT}."
    )
    cursor: str | SkipJsonSchema[None] = Field(
        default=None,
        description="The `next_cursor` of the page before, or the `sync_cursor` of the sync before. It holds the"
        " window, the order and the filters, which may then be left out.",
        json_schema_extra=without_default,
    )
    fields: Fields | SkipJsonSchema[None] = Field(
        default=None,
        description="The columns of each row, in this order, separated by commas; left out: the 16 of the record."
        f" There are also {', '.join(EXTRA_COLUMNS)}.",
        json_schema_extra=without_default,
    )
    format: Literal["json", "csv"] = Field(default="json", description="The format of the answer.")
    raw: Literal["0", "1"] = Field(
        default="0",
        description="1: leave CSV fields unchanged, even those that a spreadsheet would run as formulas.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "CallsQuery":
        if self.until is not None and self.since > self.until:
            raise PydanticCustomError("order", "since must not be later than until: swap them")
        if self.updated_since is not None:
            for name in ("since", "until", "order"):
                if name in self.model_fields_set:
                    raise PydanticCustomError(
                        "window", "updated_since returns rows in the order of change: leave {name} out", {"name": name}
                    )
        return self

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
    """A later page of a sync whose first page was for `updated_since` (epoch ms)."""

    updated_since: int
    changes: Changes


def resolve_query(query: CallsQuery, identity: Identity, now_ms: int) -> Selection | SyncStart | SyncStep:
    """Return what a query asks for; raises ApiError for a cursor that is not ours, too old, or of other filters."""
    if query.cursor is None:
        if query.updated_since is not None:
            return SyncStart(updated_since=query.updated_since, filters=query.filters)
        return Selection(
            accounts=identity.accounts,
            since=query.since,
            until=now_ms if query.until is None else query.until,
            order=query.order,
            filters=query.filters,
        )
    cursor = _checked_cursor(query, identity.key_hash, now_ms)
    match cursor:
        case CallsCursor():
            return Selection(
                accounts=identity.accounts,
                since=cursor.since,
                until=cursor.until,
                order=cursor.order,
                after=cursor.key,
                filters=cursor.filters,
            )
        case ChangesCursor():
            after = ChangePosition(cursor.changed, cursor.key)
            first, updated_since = cursor.changed, cursor.updated_since
        case SyncCursor():
            # When it was made, every transaction before its first one had ended.
            after, first, updated_since = None, cursor.first, cursor.made_s * 1000
    changes = Changes(accounts=identity.accounts, first=first, after=after, filters=cursor.filters)
    return SyncStep(updated_since=updated_since, changes=changes)


def check_window(updated_since: int, window_start: int) -> None:
    """Raise ApiError for changes since a time before `window_start`: some of those calls are in the archive alone."""
    if updated_since < window_start:
        raise ApiError(
            400,
            "too_long_ago",
            f"changes are kept for calls that started at {window_start} or later: read older calls once with since"
            f" and until, then sync with updated_since={window_start} or later",
        )


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
    # A sync cursor lasts as long as PostgreSQL keeps the changes since it, which `check_window` decides.
    if not isinstance(cursor, SyncCursor) and now_ms // 1000 - cursor.made_s > cursors.MAX_AGE_S:
        days = cursors.MAX_AGE_S // SECONDS_PER_DAY
        raise ApiError(400, "expired_cursor", f"this cursor is more than {days} days old: {_START_AGAIN}")
    held = _held(cursor)
    for name in ("since", "until", "order", "updated_since", *Filters.__struct_fields__):
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
