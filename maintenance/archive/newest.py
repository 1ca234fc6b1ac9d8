"""Which metadata file is the newest state of the archive, for `tollbook archive attach`.

Each commit writes a metadata file with the next number and then makes the catalog point to it. The file with the
highest number is the newest, unless it is torn, or its own manifests are gone, as after a refused commit; if it lacks
those of older states, the storage is damaged or not whole, and nothing older is taken in its place. A file whose
commit was killed before the catalog pointed to it is just as good: its batch is still claimed in the outbox, or its
rows replace those that the archive has. Two states of which each has a batch that the other lacks are two histories:
adopting one would leave calls of the other behind, so the operator must judge.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from pyiceberg.io import FileIO
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

from maintenance.archive.commit import BATCH_PROPERTY
from maintenance.archive.guard import unknown_files
from maintenance.archive.metadata_files import COMMIT_PROPERTY, MetadataFile, list_metadata, number_of, read_metadata
from tollbook.archive.damage import read_list
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveDamaged, ArchiveForked
from tollbook.store.archive_commits import Announcements

# Of the files that stay aside, a message names so many.
_NAMED: Final = 10


@dataclass(frozen=True, kw_only=True)
class State:
    """A metadata file and its content, whose manifests all exist."""

    file: MetadataFile
    metadata: TableMetadata


@dataclass(frozen=True, kw_only=True)
class Newest:
    """The newest state; None if no file is whole. `aside`: the files that are neither it nor its past."""

    state: State | None
    aside: Sequence[MetadataFile]


def find_newest(
    io: FileIO, location: str, pointer: Table | None, known: Announcements, disowned_files: Collection[str]
) -> Newest:
    """Find the newest state below a table's location; `pointer` is the table as its catalog has it, if it can be read.

    Raises ArchiveForked if there are two histories, ArchiveDamaged if a newer state is damaged, and what the storage
    raises.
    """
    storage = Storage(io, location)
    files = _candidates(storage, pointer, known, disowned_files)
    for _, same_number in groupby(files, key=lambda file: file.number):
        numbered = list(same_number)
        states = [state for file in numbered if (state := whole_state(io, file)) is not None]
        if not states:
            for file in numbered:
                _refuse_damaged(io, file)
        else:
            newest = max(states, key=lambda state: state.metadata.last_updated_ms)
            aside = _aside(storage, files, newest)
            _refuse_two_histories(io, newest, aside)
            return Newest(state=newest, aside=aside)
    return Newest(state=None, aside=files)


def named_state(io: FileIO, location: str, file: str) -> Newest:
    """Return the state of a file that the operator names, whatever it leaves aside; raises what the storage raises."""
    storage = Storage(io, location)
    listed = list_metadata(storage)
    state = whole_state(io, MetadataFile(location=file, number=number_of(file), written_s=0))
    return Newest(state=state, aside=listed if state is None else _aside(storage, listed, state))


def _candidates(
    storage: Storage, pointer: Table | None, known: Announcements, disowned_files: Collection[str]
) -> list[MetadataFile]:
    """List the files that may be the newest state, that with the highest number first.

    If the catalog leads to the last state that this database committed, these are that state and those that another
    database wrote. If it leads elsewhere, all from there on; if nowhere, all.
    """
    found, since = list_metadata(storage), -1
    if pointer is not None:
        since = number_of(pointer.metadata_location)
        if pointer.properties.get(COMMIT_PROPERTY) in known.current:
            found = unknown_files(pointer, known, disowned_files)
        own_path, written_s = storage.path(pointer.metadata_location), pointer.metadata.last_updated_ms / 1000
        own = MetadataFile(location=pointer.metadata_location, number=since, written_s=written_s)
        found = [own, *(file for file in found if storage.path(file.location) != own_path)]
    left_out = {storage.path(file) for file in disowned_files}
    chosen = [file for file in found if file.number >= since and storage.path(file.location) not in left_out]
    return sorted(chosen, key=lambda file: file.number, reverse=True)


def whole_state(io: FileIO, file: MetadataFile) -> State | None:
    """Read a state; return None if its file is torn or missing, or a list of its current snapshot's files is.

    Raises what the storage raises.
    """
    metadata = read_metadata(io, file.location)
    if metadata is None or any(True for _ in _lost_lists(io, metadata)):
        return None
    return State(file=file, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class _LostList:
    """A manifest list or a manifest: where it was, what is wrong with it, and whether only this state needs it."""

    location: str
    damage: str
    own: bool


def _lost_lists(io: FileIO, metadata: TableMetadata) -> Iterator[_LostList]:
    """Yield the manifest list and manifests that the current snapshot lacks; raises what the storage raises.

    A commit that was refused or killed may lack what it wrote itself, which no other state needs: the manifests of its
    own snapshot, and its manifest list. A state that added no snapshot has the one of an older state.
    """
    snapshot = metadata.current_snapshot()
    if snapshot is None:
        return
    added = snapshot.timestamp_ms == metadata.last_updated_ms
    try:
        manifests = snapshot.manifests(io)
    except Exception as error:
        damage = read_list(io, snapshot.manifest_list)
        if not isinstance(damage, str):
            raise
        missing = isinstance(error, FileNotFoundError)
        yield _LostList(location=snapshot.manifest_list, damage=damage, own=added and missing)
        return
    for manifest in manifests:
        if not io.new_input(manifest.manifest_path).exists():
            own = added and manifest.added_snapshot_id == snapshot.snapshot_id
            yield _LostList(location=manifest.manifest_path, damage="is missing", own=own)


def _refuse_damaged(io: FileIO, file: MetadataFile) -> None:
    """Raise ArchiveDamaged if a state that is not whole lacks more than a commit that failed leaves behind."""
    metadata = read_metadata(io, file.location)
    for lost in () if metadata is None else _lost_lists(io, metadata):
        if not lost.own:
            raise ArchiveDamaged(
                f"{lost.location} {lost.damage}, and {file.location}, which may be the newest state, cannot be read"
                " without it: bring it back from a backup, or mount the whole warehouse; nothing was attached and"
                " nothing removed. `tollbook archive attach FILE` goes on from an older metadata file that you name,"
                " and leaves the calls since then behind",
                lost.location,
            )


def incomplete_state(io: FileIO, file: MetadataFile) -> str | None:
    """Return what a readable state that stays aside lacks, and what that may mean; None for another reason.

    Raises what the storage raises.
    """
    metadata = read_metadata(io, file.location)
    lost = None if metadata is None else next(_lost_lists(io, metadata), None)
    if lost is None:
        return None
    return (
        f"{file.location} stays aside because {lost.location} {lost.damage}: a commit that was cut off or refused"
        " leaves this, but if it was finished, its calls are left behind; then bring that file back from a backup, and"
        f" `tollbook archive attach {file.location}`"
    )


def _aside(storage: Storage, files: Sequence[MetadataFile], newest: State) -> list[MetadataFile]:
    """List the files that are not the past of a state; older ones than its log names are its past."""
    log = [entry.metadata_file for entry in newest.metadata.metadata_log]
    oldest = min((number_of(file) for file in log), default=-1)
    past = {storage.path(file) for file in (newest.file.location, *log)}
    return [file for file in files if file.number >= oldest and storage.path(file.location) not in past]


def _refuse_two_histories(io: FileIO, newest: State, aside: Sequence[MetadataFile]) -> None:
    """Raise ArchiveForked if a state that stays aside has batches that the newest lacks, and names them.

    Older snapshots than the newest state has have expired there, with the ids of their batches: they say nothing.
    """
    since_ms = min((snapshot.timestamp_ms for snapshot in newest.metadata.snapshots), default=0)
    batches = _batches(newest.metadata, since_ms)
    rivals = [
        file
        for file in aside
        if (state := whole_state(io, file)) is not None and _batches(state.metadata, since_ms) - batches
    ]
    if rivals:
        named = ", ".join(file.location for file in rivals[:_NAMED]) + (", …" if len(rivals) > _NAMED else "")
        raise ArchiveForked(
            f"the archive has two histories: {newest.file.location} is the newest state, and it lacks calls that are in"
            f" {named}. Nothing was attached and nothing removed. `tollbook archive attach FILE` goes on from the file"
            " that you name; `tollbook archive attach --disown FILE` leaves one aside for good"
        )


def _batches(metadata: TableMetadata, since_ms: int) -> set[str]:
    return {
        batch
        for snapshot in metadata.snapshots
        if snapshot.timestamp_ms >= since_ms and snapshot.summary is not None
        if (batch := snapshot.summary[BATCH_PROPERTY]) is not None
    }
