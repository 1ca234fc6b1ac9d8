"""The errors' exit codes are the documented ones."""

import re

from tollbook import errors
from tollbook.errors import TollbookError


def test_the_table_of_errors_is_true() -> None:
    """Every error is in the table of the module's docstring, once, beside its exit code."""
    rows = re.findall(r"^\| ([0-9]+) \| ([^|]+) \|", errors.__doc__ or "", re.MULTILINE)
    documented = sorted((name, int(code)) for code, names in rows for name in names.split(", "))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TollbookError)]
    assert documented == sorted((kind.__name__, kind.exit_code) for kind in kinds)
