"""Page checksums in every data file: written by every writer, verified by every reader.

Parquet can keep a CRC-32 of each page. Without it, two of three flipped bits read back as other data: 213 of 300 tried.
pyiceberg has no setting to write them or to verify them, so this module replaces the two of its private functions that
choose the options of its Parquet writer and reader. The version of pyiceberg is capped in pyproject.toml, and a test
flips bits, so that an upgrade cannot lose the checksums unnoticed. What opens a Parquet file by itself passes `VERIFY`.

The checksums cover the pages. The footer has none: `maintenance.archive.digests` covers whole files.
"""

from typing import Any, Final

from pyiceberg.io import pyarrow as iceberg_pyarrow

#: The option with which pyarrow verifies the pages that it reads.
VERIFY: Final = {"page_checksum_verification": True}

_pyiceberg: Any = iceberg_pyarrow
_writer_options: Any = _pyiceberg._get_parquet_writer_kwargs
_file_format: Any = _pyiceberg._get_file_format


def _options_with_checksums(properties: Any) -> dict[str, Any]:
    return {**_writer_options(properties), "write_page_checksum": True}


def _verifying_file_format(file_format: Any, **options: Any) -> Any:
    return _file_format(file_format, **options, **VERIFY)


# On import, so that whatever imports pyarrow by way of `tollbook.archive._pyarrow` has both.
_pyiceberg._get_parquet_writer_kwargs = _options_with_checksums
_pyiceberg._get_file_format = _verifying_file_format
