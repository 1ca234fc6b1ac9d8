"""What calls are grouped by in sums, as the parts of a statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from tollbook.model.call_sums import Periods
from tollbook.model.selection import Selection
from tollbook.store.calls.where import matching

# What calls can be grouped by, apart from periods of time.
GROUP_COLUMNS: Final[dict[str, LiteralString]] = {
    "account_id": "call_cdr.account_id",
    "direction": "direction",
    "disposition": "disposition",
    "hangup_cause": "hangup_cause",
    "queue_id": "queue_id",
    "agent_id": "agent_id",
    "destination": "destination",
    "prefix": "left(ltrim(to_num, '+'), %(prefix_digits)s)",
}
#: The group of trunk legs alone (`trunk_leg_stats.py`).
GATEWAY: Final = "gateway"
_VALUES: Final[dict[str, LiteralString]] = {**GROUP_COLUMNS, GATEWAY: "leg ->> 0"}


#: The names of the groups in the statement, and of the parameters that hold their periods.
GROUP_NAMES: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("first", "first_starts"),
    ("second", "second_starts"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grouping:
    """The parts of a statement that selects calls and groups them. A list of names that is not empty ends with a comma
    and a space.
    """

    values: LiteralString
    names: LiteralString
    nothing: LiteralString
    times: LiteralString
    conditions: LiteralString
    parameters: dict[str, object]


def group_calls(selection: Selection, groups: Sequence[str | Periods], limit: int, prefix_digits: int) -> Grouping:
    """Return the parts of a statement for the calls of a selection in up to two groups, of which `limit` are asked."""
    matched, named = matching(selection.accounts, selection.filters)
    conditions: list[LiteralString] = ["start_ts >= %(since)s", "start_ts < %(until)s", *matched]
    parameters: dict[str, object] = {"since": selection.since, "until": selection.until, **named}
    parameters |= {"limit": limit, "prefix_digits": prefix_digits}
    values: LiteralString = ""
    names: LiteralString = ""
    nothing: LiteralString = ""
    times: LiteralString = ""
    for group, (name, starts) in zip(groups, GROUP_NAMES, strict=False):
        if isinstance(group, Periods):
            # Bisection in the list of starts keeps time zones out of this statement.
            values += f"width_bucket(start_ts, %({starts})s::bigint[]) - 1 AS {name}, "
            nothing += "NULL::integer, "
            times += f"{name}, "
            parameters[starts] = list(group.starts)
        else:
            values += f"{_VALUES[group]} AS {name}, "
            nothing += "NULL, "
        names += f"{name}, "
    return Grouping(
        values=values,
        names=names,
        nothing=nothing,
        times=times,
        conditions=" AND ".join(conditions),
        parameters=parameters,
    )
