"""What a reader is shown of the columns that were read: recordings with addresses, and no carrier's address. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tollbook.model.details import ROOT_COLUMNS
from tollbook.model.record import Record
from tollbook.model.recordings import Recording, RecordingPaths

_TRUNK_ROOT: Final = "trunk_root"
_RECORDINGS: Final = "recordings"


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """How a reader is shown calls, of whichever tier.

    `hides_carriers`: sip_call_id and source_ip are null where they are a carrier's. `whole_paths`: recordings have
    their paths as the switch states them.
    """

    hides_carriers: bool
    whole_paths: bool
    recordings: RecordingPaths

    def recordings_at(self, paths: Iterable[str]) -> list[Recording]:
        """Return recordings as they are shown."""
        return [self.recordings.recording(path, whole=self.whole_paths) for path in paths]

    def columns_to_read(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns to read so that `columns` can be shown: these, then what decides about them."""
        hides = self.hides_carriers and not ROOT_COLUMNS.isdisjoint(columns)
        return (*columns, _TRUNK_ROOT) if hides else tuple(columns)

    def present(self, rows: Sequence[Record], columns: Sequence[str]) -> Sequence[Record]:
        """Return rows as they are shown; `columns` are those of `columns_to_read`. Rows may have more behind these."""
        changes: list[Callable[[list[object]], None]] = []
        if _TRUNK_ROOT in columns and self.hides_carriers:
            hidden = [place for place, name in enumerate(columns) if name in ROOT_COLUMNS]
            trunk_root = columns.index(_TRUNK_ROOT)

            def hide(row: list[object]) -> None:
                if row[trunk_root]:
                    for place in hidden:
                        row[place] = None

            changes.append(hide)
        if _RECORDINGS in columns:
            at = columns.index(_RECORDINGS)

            def show(row: list[object]) -> None:
                if isinstance(paths := row[at], str):
                    row[at] = self.recordings.shown(paths, whole=self.whole_paths)

            changes.append(show)
        return [_changed(row, changes) for row in rows] if changes else rows


def _changed(row: Record, changes: Sequence[Callable[[list[object]], None]]) -> Record:
    values = list(row)
    for change in changes:
        change(values)
    return tuple(values)
