"""Which columns of a data file have a dictionary: those whose values repeat.

By default all have one. Where hardly two values are alike, making it takes a third of the time of writing, and the file
is a quarter larger than with the values as they are. pyiceberg has no setting for single columns, so this module
replaces its writer of Parquet by one with the option. The version of pyiceberg is capped in pyproject.toml.
"""

from typing import Any, Final

from pyiceberg.io import pyarrow as iceberg_pyarrow

#: The columns of our tables in which hardly two values are alike.
UNLIKE: Final = frozenset(("call_id", "sip_call_id", "start_ts", "answer_ts", "end_ts", "from_ts", "until_ts"))

_pyiceberg: Any = iceberg_pyarrow
_Writer: Any = _pyiceberg.ParquetFormatWriter


def _with_few_dictionaries(output_file: Any, file_schema: Any, properties: Any) -> Any:
    writer = _Writer(output_file, file_schema, properties)
    names = [field.name for field in file_schema.fields]
    writer._parquet_writer_kwargs["use_dictionary"] = [name for name in names if name not in UNLIKE]
    return writer


def leave_out() -> None:
    """Have pyiceberg write no dictionaries of such columns from now on; to call it again changes nothing."""
    _pyiceberg.ParquetFormatWriter = _with_few_dictionaries
