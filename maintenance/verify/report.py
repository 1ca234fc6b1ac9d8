"""What a verification found, and how it is printed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from maintenance.agents.verify import VerifiedAgents
from maintenance.verify.data_file import CheckedFile
from tollbook.log import printable
from tollbook.model.totals import AccountDifference
from tollbook.times import date_of, written

_SHOWN_FILES: Final = 50
_SHOWN_ACCOUNTS: Final = 10

_COPY = (
    "copy the file back to the same place from a copy of the bucket or folder, then verify again; without one its calls"
    " are lost, and nothing was removed"
)


@dataclass(frozen=True, kw_only=True)
class DamagedFile:
    """A damaged data file. `healable`: PostgreSQL still has its calls. `healed`: they were written again."""

    checked: CheckedFile
    healable: bool
    healed: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON's values."""
        first, last = self.checked.span_ms or (None, None)
        return {
            "file": self.checked.file.file_path, "damage": self.checked.damage, "account_id": self.checked.account_id,
            "month": self.checked.month, "first_ts": first, "last_ts": last, "calls": self.checked.file.record_count,
            "healed": self.healed, "heals": "postgresql" if self.healable else "copy",
        }  # fmt: skip

    def __str__(self) -> str:
        """Return it as lines: the file, its calls, and what to do."""
        account = self.checked.account_id
        span = self.checked.span_ms
        when = self.checked.month if span is None else f"{written(span[0])} to {written(span[1])}"
        whose = "calls without an account" if account is None else f"calls of account {printable(account)}"
        lines = [
            f"{'HEALED' if self.healed else 'DAMAGED'}  {self.checked.file.file_path}",
            f"  {printable(self.checked.damage)}",
            f"  {self.checked.file.record_count} {whose}, {when}",
        ]
        if self.healed:
            lines.append("  PostgreSQL had these calls: they are archived again")
        elif self.healable:
            lines.append("  PostgreSQL still has these days: `tollbook archive verify --heal` archives the calls again")
        else:
            lines.append(f"  PostgreSQL no longer has these calls: {_COPY}")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class DifferentDay:
    """A day, counted from 1970-01-01, on which the archive and PostgreSQL do not agree, and for which accounts."""

    day: int
    accounts: Sequence[AccountDifference]

    def __str__(self) -> str:
        """Return it as lines."""
        shown = [f"  {different}" for different in self.accounts[:_SHOWN_ACCOUNTS]]
        if len(self.accounts) > _SHOWN_ACCOUNTS:
            shown.append(f"  and {len(self.accounts) - _SHOWN_ACCOUNTS} more accounts: --json prints all")
        heading = f"DIFFERS  {date_of(self.day)}: the archive and PostgreSQL do not agree"
        return "\n".join([heading, *shown, *(f"  {remedy}" for remedy in self._remedies())])

    def _remedies(self) -> Iterator[str]:
        """Yield what heals each kind of difference."""
        day = date_of(self.day)
        send_again = f"`tollbook prune --send-again {day}`, then `tollbook archive run`"
        if any(account.database.calls > account.archive.calls for account in self.accounts):
            yield f"the archive lacks calls: {send_again}, archives those of these accounts as PostgreSQL has them"
        if any(account.database.calls < account.archive.calls for account in self.accounts):
            yield (
                f"PostgreSQL lacks calls: `tollbook archive restore {day}` brings them back from the archive; those"
                " that the archive has twice become one by the next `tollbook archive run`"
            )
        if any(account.database.calls == account.archive.calls for account in self.accounts):
            yield (
                f"seconds or prices differ: if PostgreSQL is right, {send_again}; if the archive is,"
                f" `tollbook archive restore {day}`, which takes the row that was changed more often, and of two that"
                " were changed equally often the archive's"
            )


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What was found. `lists`: damaged lists of data files, without which no data file was read.

    `counted`: calls by the files' metadata, `stated`: by the snapshot, None if only a part was verified. `days`: how
    many days were compared with PostgreSQL. `restored`: why the state that was verified may be an older one than the
    archive's newest; then no day was compared.
    """

    files: int = 0
    proved: int = 0
    restored: str = ""
    counted: int = 0
    stated: int | None = None
    days: int = 0
    lists: Sequence[tuple[str, str]] = ()
    damaged: Sequence[DamagedFile] = ()
    different: Sequence[DifferentDay] = ()
    agents: VerifiedAgents | None = None

    @property
    def sound(self) -> bool:
        """Return whether nothing is damaged, or all of it was healed."""
        healed = all(file.healed for file in self.damaged)
        agree = not self.different and self.stated in (None, self.counted)
        return healed and agree and not self.lists and not self.restored and (self.agents is None or self.agents.sound)

    def to_json(self) -> str:
        """Return it as a JSON object."""
        return json.dumps(
            {
                "sound": self.sound, "restored": self.restored or None, "files": self.files, "proved": self.proved,
                "unproved": self.files - self.proved - len(self.damaged), "calls": self.counted,
                "calls_of_the_snapshot": self.stated, "days_compared": self.days,
                "damaged_lists": [{"file": location, "damage": damage} for location, damage in self.lists],
                "damaged": [file.to_dict() for file in self.damaged],
                "different_days": [
                    {"day": str(date_of(day.day)), "accounts": [different.account_id for different in day.accounts]}
                    for day in self.different
                ],
                "agents": None if self.agents is None else self.agents.to_dict(),
            },
            indent=2,
        )  # fmt: skip

    def __str__(self) -> str:
        """Return it as lines: what is wrong first, the sums last."""
        lines = [f"RESTORED  {self.restored}"] if self.restored else []
        lines += [f"DAMAGED  {location}\n  {damage}\n  {_COPY}" for location, damage in self.lists]
        lines += map(str, self.damaged[:_SHOWN_FILES])
        if len(self.damaged) > _SHOWN_FILES:
            lines.append(f"and {len(self.damaged) - _SHOWN_FILES} more files: --json prints all")
        lines += map(str, self.different)
        if self.stated not in (None, self.counted):
            lines.append(f"DIFFERS  the newest snapshot says that it has {self.stated} calls, its files {self.counted}")
        if self.agents not in (None, VerifiedAgents()):
            lines.append(str(self.agents))
        unproved = self.files - self.proved - len(self.damaged)
        verdict = "sound" if self.sound else "NOT SOUND"
        if self.restored and replace(self, restored="").sound:
            verdict = "ATTACH FIRST, nothing else is wrong"
        lines.append(
            f"{verdict}: {self.files} files with {self.counted} calls read; {self.proved} proved by their digests,"
            f" {unproved} unproved (written before there were digests), {len(self.damaged)} damaged;"
            f" {self.days} days compared with PostgreSQL"
        )
        return "\n".join(lines)
