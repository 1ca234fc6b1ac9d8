"""What a command keeps in memory without need: little, in commands that handle one large batch after another.

pyarrow's own allocator and glibc's, which has an arena for each thread, keep what every thread has had at once: a third
of what `archive run` took was memory that nothing used, and giving it back makes the run no slower.
"""

import ctypes
import sys
from collections.abc import MutableMapping
from importlib.abc import MetaPathFinder
from typing import Final

# mallopt(3).
_M_TRIM_THRESHOLD: Final = -1
_M_ARENA_MAX: Final = -8

_ARENAS: Final = 2
_KEPT_BYTES: Final = 1_000_000

# pyarrow imports them wherever they are, 48 MB and 0.3 s of CPU that nothing here needs. They come with other packages.
_UNUSED: Final = ("numpy", "pandas")


def keep_little(environment: MutableMapping[str, str]) -> None:
    """Have this process give back what it frees; call before pyarrow is imported, which reads the environment then.

    Where the C library has no mallopt, that is done for Arrow's part alone. Packages that pyarrow only tries to import
    are left out.
    """
    sys.meta_path.insert(0, _Without())
    environment.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back() -> None:
    """Give back what is free between what is in use, which `keep_little` leaves; does nothing without malloc_trim."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class _Without(MetaPathFinder):
    """Finds that a package is not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Raise ModuleNotFoundError for a package that is not needed."""
        del path, target
        if fullname in _UNUSED:
            raise ModuleNotFoundError(f"No module named {fullname!r}: `tollbook` leaves it out", name=fullname)
