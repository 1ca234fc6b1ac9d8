"""A data file has no dictionary of what hardly repeats, whoever writes it."""

from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import open_parquet, plan_files
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.dictionaries import UNLIKE
from tollbook.archive.schema import ARCHIVE_COLUMNS
from tollbook.config import Settings
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY


def dictionaries(settings: Settings) -> list[set[str]]:
    """Return the columns that have a dictionary, of each data file."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        found: list[set[str]] = []
        for task in plan_files(table, ex.AlwaysTrue()):
            with table.io.new_input(task.file.file_path).open() as stream:
                group = open_parquet(stream).metadata.row_group(0)
                columns = [group.column(place) for place in range(group.num_columns)]
                found.append({column.path_in_schema for column in columns if column.has_dictionary_page})
    return found


def test_appended_and_compacted_files_have_them_where_values_repeat(
    local_settings: Settings, database: Connection
) -> None:
    booleans = {"estimated", "voicemail", "trunk_root"}  # of which Parquet makes none
    repeating = set(ARCHIVE_COLUMNS) - UNLIKE - booleans
    for run in range(2):
        store(database, *(call(f"{run}-{number}", start_ts=START_MS - 40 * MS_PER_DAY + number) for number in range(9)))
        archive_now(local_settings)
    assert dictionaries(local_settings) == [repeating, repeating]
    assert compact_archive(local_settings).compacted.files_after == 1
    assert dictionaries(local_settings) == [repeating]
