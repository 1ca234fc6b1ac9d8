"""What `tollbook archive verify` does with the table of agents: each file read, each closed day compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog

from tollbook.archive.agent_states import load_agent_states, sums_by_day
from tollbook.errors import ArchiveDamaged, ArchiveLost
from tollbook.model.agents.figures import AgentTime
from tollbook.store.agents.days import closed_days, sum_days
from tollbook.store.agents.read import read_agent_window
from tollbook.store.database import Connection
from tollbook.times import date_of

_SHOWN_DAYS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedAgents:
    """How many closed days were compared, which PostgreSQL has otherwise, or which are missing, and what is damaged.

    `sums_alone`: days that an archive had which is lost or was given up, and of which no more can be had.
    """

    days: int = 0
    different: Sequence[int] = ()
    sums_alone: int = 0
    damage: str | None = None

    @property
    def sound(self) -> bool:
        """Return whether nothing was found."""
        return not self.different and self.damage is None

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON's values."""
        return {
            "days_compared": self.days, "damage": self.damage, "days_with_sums_alone": self.sums_alone,
            "different_days": [str(date_of(day)) for day in self.different],
        }  # fmt: skip

    def __str__(self) -> str:
        """Return it as lines."""
        if self.damage is not None:
            return f"DAMAGED  the archive of agents: {self.damage}"
        lines = [
            f"DIFFERS  {date_of(day)}: the archive and PostgreSQL do not agree on what agents did"
            for day in self.different[:_SHOWN_DAYS]
        ]
        if len(self.different) > _SHOWN_DAYS:
            lines.append(f"  and {len(self.different) - _SHOWN_DAYS} more days")
        if self.different:
            lines.append(
                "  `tollbook archive attach` goes on from the newest state of the table, and takes up the days that"
                " PostgreSQL lacks; it archives those that the archive lacks, as long as PostgreSQL has what was said"
            )
        alone = f"; of {self.sums_alone} older ones it has the sums alone" if self.sums_alone else ""
        return "\n".join([*lines, f"agents: {self.days} closed days compared with PostgreSQL{alone}"])


def verify_agents(connection: Connection, catalog: Catalog) -> VerifiedAgents:
    """Read the whole table, and compare each day with the sums that PostgreSQL keeps.

    Damage is named, not raised. Raises ArchiveError for a storage or a catalog that is away, and StoreUnavailable.
    """
    window = read_agent_window(connection)
    closed = closed_days(connection)
    seen, different = set[int](), list[int]()
    try:
        table = load_agent_states(catalog)
        for day, archived in sums_by_day(table) if table is not None else ():
            seen.add(day)
            # An open day that the archive has is being closed: the next run takes its sums from there.
            if day not in closed and day >= window.open_day:
                continue
            if _by_agent(sum_days(connection, day, day + 1)) != _by_agent(archived):
                different.append(day)
    except (ArchiveDamaged, ArchiveLost) as error:
        return VerifiedAgents(days=len(seen & closed), damage=str(error))
    missing = closed - seen
    # What was said of older days has been dropped: nothing brings them back, and whoever gave them up was told.
    again = {day for day in missing if day >= window.kept_day}
    return VerifiedAgents(
        days=len(closed & seen) + len(again),
        different=tuple(sorted({*different, *again})),
        sums_alone=len(missing - again),
    )


def _by_agent(found: Sequence[AgentTime]) -> dict[tuple[str, str, str | None], object]:
    return {(row.switch, row.agent, row.account_id): row.sums for row in found}
