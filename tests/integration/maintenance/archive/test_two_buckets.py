"""An operator gives new data files another bucket, by Iceberg's own property: what is read is of both."""

import pytest

from tests.archiving import archive_now, archived, stored
from tests.databases import store
from tests.factories import START_MS, call
from tests.integration.maintenance.conftest import BUCKET, S3Server, use_s3
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store.database import Connection


def test_a_page_has_calls_of_both(
    local_settings: Settings, database: Connection, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_s3(monkeypatch, s3_server)
    s3_server.files(allow_bucket_creation=True).create_dir("second")
    store(database, call("first"))
    archive_now(local_settings)
    with open_catalog(local_settings, writing=True) as catalog:
        table = load_calls(catalog)
        assert table is not None
        with table.transaction() as change:
            change.set_properties({"write.data.path": "s3://second/data"})
    store(database, call("second", start_ts=START_MS + 1))
    archive_now(local_settings)
    with open_catalog(local_settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        assert {task.file.file_path.split("/")[2] for task in table.scan().plan_files()} == {BUCKET, "second"}
    assert archived(local_settings) == stored(database)
