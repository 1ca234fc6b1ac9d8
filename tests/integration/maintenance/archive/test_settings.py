"""The archive's settings lead to the right catalog, and an error about them shows no secret."""

from pathlib import Path

import pytest

from tollbook.archive.catalog import catalog_properties, open_catalog
from tollbook.config import Settings
from tollbook.errors import SettingsError


class TestSettings:
    def test_a_warehouse_alone_keeps_the_catalog_in_postgresql(
        self, local_settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE", "s3://calls/archive")
        monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__S3__ENDPOINT", "http://127.0.0.1:9000")
        properties = catalog_properties(local_settings)
        assert properties["uri"].startswith("postgresql+psycopg://")
        assert properties["warehouse"] == "s3://calls/archive"
        assert properties["s3.region"] == "us-east-1"
        assert properties["s3.endpoint"] == "http://127.0.0.1:9000"

    def test_another_catalog_replaces_ours(self, local_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__URI", "http://127.0.0.1:8181")
        properties = catalog_properties(local_settings)
        assert properties["uri"] == "http://127.0.0.1:8181"
        assert properties["py-io-impl"] == "tollbook.archive.file_io.DurableFileIO"
        assert not {"type", "warehouse"} & set(properties)

    def test_the_error_for_refused_settings_has_no_password(
        self, local_settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYICEBERG_CATALOG__TOLLBOOK__URI", "gopher://user:secret@host/db")
        with pytest.raises(SettingsError) as refused, open_catalog(local_settings):
            pass
        assert "PYICEBERG_CATALOG__TOLLBOOK__" in str(refused.value)
        assert "secret" not in str(refused.value)

    def test_a_folder_that_fits_into_no_uri_is_refused(self, local_settings: Settings) -> None:
        odd = local_settings.model_copy(update={"data_dir": Path("/srv/calls#1")})
        with pytest.raises(SettingsError, match="TOLLBOOK_DATA_DIR"):
            catalog_properties(odd)
