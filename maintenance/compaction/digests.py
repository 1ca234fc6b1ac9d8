"""Merge the files of digests: each commit's own into those of the months, without the digests of files that are gone.

Of a month, the files that are at least half full stay as they are, so that a night rewrites no more than one of them
and what is new. The merged files are written before those that they replace are deleted.
"""

from collections import defaultdict
from collections.abc import Iterable

from pyiceberg.table import Table

from maintenance.archive.digests import CHUNK, list_digests, month_name, read_digests, write_digests
from maintenance.archive.files import kept_manifests
from maintenance.archive.hashed_files import FileDigest
from tollbook.archive.catalog import archive_errors
from tollbook.archive.damage import naming_damaged_lists
from tollbook.archive.storage import Storage


def merge_digests(table: Table) -> None:
    """Merge the digests of a table's files; raise ArchiveError, ArchiveDamaged.

    Call as sole archiver: no commit may be under way.
    """
    with archive_errors("merging the digests of the archive's files"):
        storage = Storage(table.io, table.location())
        stored = list_digests(storage)
        commits = [file.location for file in stored if file.month is None]
        if not commits:
            return
        months = _months_of_files(table)
        new: defaultdict[str, dict[str, FileDigest]] = defaultdict(dict)
        for location in commits:
            for digest in read_digests(table.io, location) or ():
                if month := months.get(digest.location):
                    new[month][digest.location] = digest
        chunks: defaultdict[str, list[str]] = defaultdict(list)
        for file in stored:
            if file.month is not None:
                chunks[file.month].append(file.location)
        replaced = [*commits]
        for month in sorted({*new, *chunks}):
            replaced += _merge_month(table, month, new[month], chunks[month], months)
        for location in replaced:
            storage.delete(storage.path(location))


def _merge_month(
    table: Table, month: str, new: dict[str, FileDigest], chunks: Iterable[str], live: dict[str, str]
) -> list[str]:
    """Write a month's new digests together with those of the files that are not half full; return these files."""
    merged, replaced, gone = dict(new), list[str](), False
    for location in chunks:
        digests = read_digests(table.io, location) or ()
        kept = {digest.location: digest for digest in digests if digest.location in live}
        if len(kept) < CHUNK // 2:
            merged |= kept
            replaced.append(location)
            gone = gone or len(kept) < len(digests) or not kept
    if not new and len(replaced) < 2 and not gone:
        return []
    write_digests(table, sorted(merged.values(), key=lambda digest: digest.location), month)
    return replaced


def _months_of_files(table: Table) -> dict[str, str]:
    """Return the month of each data file that a snapshot names."""
    months: dict[int, str] = {}
    with naming_damaged_lists(table, every_snapshot=True):
        return {
            entry.data_file.file_path: months.setdefault(
                entry.data_file.partition[1], month_name(entry.data_file.partition[1])
            )
            for manifest in kept_manifests(table)
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
        }
