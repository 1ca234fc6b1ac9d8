"""Sums of calls of any age: which source answers a question.

1. The cubes, kept for ever, where they have what is filtered and grouped by: in them a year costs what a day does. They
   know whole quarter-hours (by destination, UTC days). What the time begins or ends within is asked of 2.
2. The rows that PostgreSQL keeps, and for older calls the archive's engine; also where sums are not built yet.
3. Nothing else: an answer has every call, or it is an error that says what to ask instead.

PostgreSQL's part, cubes and rows, is one snapshot, and the archive is loaded after it, as for a page
(`tollbook.model.tiers`). The connection is back in the pool before the archive is read, which can take seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from export_app.archive import SharedArchive
from export_app.database import Database
from export_app.web.errors import ApiError
from tollbook.archive.engine.question import MAX_GROUPS, Question, too_large
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey, Periods
from tollbook.model.selection import Selection
from tollbook.store.calls.seam import read_seam
from tollbook.store.calls.stats import GroupedSums, sum_calls
from tollbook.store.calls.trunk_leg_stats import TrunkLegSums, sum_trunk_legs
from tollbook.store.database import Connection
from tollbook.store.days.window import read_dropped_before, read_window
from tollbook.store.sums.cubes import CALLS
from tollbook.store.sums.gateways import sum_gateways
from tollbook.store.sums.question import Unanswered, sources_of
from tollbook.store.sums.read import sum_cubes


@dataclass(frozen=True, kw_only=True, slots=True)
class SumsQuestion:
    """Which calls to add up, by what, and how many groups to return: the arguments of `sum_calls`."""

    selection: Selection
    groups: Sequence[str | Periods]
    limit: int
    prefix_digits: int
    within_ms: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Archived:
    """What the archive has to add to an answer: the calls of a question, but for those with one of these keys."""

    question: Question
    excluded: frozenset[CallKey]


def sum_all_time(database: Database, archive: SharedArchive, question: SumsQuestion) -> GroupedSums:
    """Add up the calls of a question, whenever they began.

    Raises ApiError, StoreUnavailable and QuestionTooLarge; of older calls as `Archive.sum_calls`.
    """
    with database.summing(question.selection.accounts) as connection:
        found, archived = _ask_postgresql(connection, question)
    return _with_archived(archive, question, found, archived)


def sum_in_postgresql(connection: Connection, question: SumsQuestion) -> GroupedSums | None:
    """Add up the calls of a question, if PostgreSQL has all of them; None: the archive has some."""
    found, archived = _find_sources(connection, question)
    return None if archived else found[0] if len(found) == 1 else _ranked(question, found, [])


def sum_gateways_all_time(
    database: Database, archive: SharedArchive, question: SumsQuestion
) -> tuple[GroupedSums, list[tuple[GroupKey, TrunkLegSums]], bool]:
    """Add up the calls of a question without groups, and their trunk legs by its groups, as `sum_trunk_legs` does.

    Both are of one snapshot. Raises as `sum_all_time`, and ApiError, before the archive is asked, where neither the
    trunk legs' cube nor PostgreSQL's rows have all of them: the archive has no trunk legs.
    """
    total = replace(question, groups=[])
    with database.summing(question.selection.accounts) as connection:
        trunk_legs, more = _sum_trunk_legs(connection, question)
        found, archived = _ask_postgresql(connection, total)
    return _with_archived(archive, total, found, archived), trunk_legs, more


def _sum_trunk_legs(connection: Connection, question: SumsQuestion) -> tuple[list[tuple[GroupKey, TrunkLegSums]], bool]:
    selection, groups = question.selection, question.groups
    found = sum_gateways(connection, selection, groups, limit=question.limit)
    if not isinstance(found, str):
        return found
    kept_since = read_window(connection).start_ts
    if selection.since >= kept_since:
        return sum_trunk_legs(connection, selection, groups, limit=question.limit, prefix_digits=question.prefix_digits)
    raise ApiError(422, "not_kept", f"{_NOT_KEPT[found]}: or ask with since={kept_since}, since when all is kept")


_NOT_KEPT: Final[dict[Unanswered, str]] = {
    "question": "the trunk legs of calls in the archive are kept for operators alone, by gateway, time, direction and"
    " disposition: leave other groups and filters out",
    "edge": "the trunk legs of calls in the archive are kept by the quarter-hour: let since and until be whole ones",
    "unbuilt": "the trunk legs of all calls of that time were never counted",
}


def _check_kept(connection: Connection, selection: Selection) -> None:
    """Raise ApiError where the archive's retention has dropped calls of a selection that are to be read from it.

    The cubes, which outlive them, say whether there were any.
    """
    kept_from = read_dropped_before(connection)
    if selection.since >= kept_from:
        return
    quarter_ms = CALLS.unit_ms
    since, until = selection.since // quarter_ms * quarter_ms, -(-selection.until // quarter_ms) * quarter_ms
    dropped = Selection(accounts=selection.accounts, since=since, until=min(until, kept_from))
    counted = sum_cubes(connection, dropped, [], limit=1)
    if not isinstance(counted, GroupedSums) or counted.total.calls:
        raise ApiError(
            422,
            "not_kept",
            f"calls that began before {kept_from} are no longer in the archive (TOLLBOOK_ARCHIVE_RETENTION_MONTHS), and"
            f" only sums of them are kept: ask with since={kept_from}, or in whole quarter-hours, by time, account,"
            " direction, disposition, queue and agent, or in whole UTC days by destination",
        )


def _ask_postgresql(connection: Connection, question: SumsQuestion) -> tuple[list[GroupedSums], list[_Archived]]:
    """Return the answer, or what PostgreSQL has of it, with all groups, and what the archive has to add.

    Raises ApiError where the archive no longer has it.
    """
    found, archived = _find_sources(connection, question)
    for part in archived:
        _check_kept(connection, part.question.selection)
    return found, archived


def _find_sources(connection: Connection, question: SumsQuestion) -> tuple[list[GroupedSums], list[_Archived]]:
    whole = _sum_cubes(connection, question)
    if isinstance(whole, GroupedSums):
        return [whole], []
    if whole == "edge":
        selection = question.selection
        unit_ms = sources_of(selection, question.groups, of_queues=question.within_ms is not None)[0].cube.unit_ms
        first, end = -(-selection.since // unit_ms) * unit_ms, selection.until // unit_ms * unit_ms
        inside = _sum_cubes(connection, _of_time(question, first, end)) if first < end else None
        if isinstance(inside, GroupedSums):
            edges = [_of_time(question, selection.since, first), _of_time(question, end, selection.until)]
            rows, archived = _sum_rows(connection, edges)
            return [inside, *rows], archived
    return _sum_rows(connection, [question])


def _of_time(question: SumsQuestion, since: int, until: int) -> SumsQuestion:
    """Return a part of a question, of another time and with all its groups."""
    return replace(question, selection=replace(question.selection, since=since, until=until), limit=MAX_GROUPS)


def _sum_cubes(connection: Connection, asked: SumsQuestion) -> GroupedSums | Unanswered:
    return sum_cubes(connection, asked.selection, asked.groups, limit=asked.limit, within_ms=asked.within_ms)


def _sum_rows(connection: Connection, questions: Sequence[SumsQuestion]) -> tuple[list[GroupedSums], list[_Archived]]:
    """Return the sums of the rows of each question, and what the archive has to add."""
    found: list[GroupedSums] = []
    archived: list[_Archived] = []
    for asked in questions:
        seam = read_seam(connection, asked.selection)
        if seam.archived is not None:
            older = Question(
                selection=seam.archived,
                groups=tuple(asked.groups),
                prefix_digits=asked.prefix_digits,
                within_ms=asked.within_ms,
            )
            archived.append(_Archived(question=older, excluded=seam.excluded))
        rows = sum_calls(
            connection,
            asked.selection,
            asked.groups,
            limit=asked.limit if seam.archived is None else MAX_GROUPS,
            prefix_digits=asked.prefix_digits,
            within_ms=asked.within_ms,
        )
        found.append(rows)
    return found, archived


def _with_archived(
    archive: SharedArchive, question: SumsQuestion, found: Sequence[GroupedSums], archived: Sequence[_Archived]
) -> GroupedSums:
    if len(found) == 1 and not archived:
        return found[0]
    return _ranked(question, found, [archive.sum_calls(part.question, part.excluded) for part in archived])


def _ranked(
    question: SumsQuestion, found: Sequence[GroupedSums], archived: Sequence[dict[GroupKey, CallSums]]
) -> GroupedSums:
    """Add up the answers of several sources, which have all groups, and order the groups as `sum_calls` does."""
    if any(sums.more for sums in found):
        raise too_large(f"has more than {MAX_GROUPS:,} groups")
    total = CallSums()
    for answer in found:
        total = total.plus(answer.total)
    for sums in chain.from_iterable(part.values() for part in archived):
        total = total.plus(sums)
    groups: dict[GroupKey, CallSums] = {}
    if question.groups:
        for key, sums in chain(*(answer.groups for answer in found), *(part.items() for part in archived)):
            groups[key] = groups.get(key, CallSums()).plus(sums)
    times = [place for place, group in enumerate(question.groups) if isinstance(group, Periods)]

    def place_of(group: tuple[GroupKey, CallSums]) -> tuple[object, ...]:
        key, sums = group
        return (*(key[place] for place in times), -sums.calls, *((value is None, value) for value in key))

    ordered = sorted(groups.items(), key=place_of)
    return GroupedSums(total=total, groups=ordered[: question.limit], more=len(ordered) > question.limit)
