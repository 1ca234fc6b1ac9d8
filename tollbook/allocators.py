"""What a command keeps in memory without need: little, in commands that handle one large batch after another.

pyarrow's own allocator and glibc's, which has an arena for each thread, keep what every thread has had at once: a third
of what `archive run` took was memory that nothing used, and giving it back makes the run no slower.
"""

import ctypes
import sys
from collections.abc import MutableMapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
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
    are left out, as if they were not installed.
    """
    sys.meta_path[:] = [_Without if finder is PathFinder else finder for finder in sys.meta_path]
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


class _Without(PathFinder):
    """Finds what is installed, but for what is not needed."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return None for a package that is not needed, to an import and to who only asks whether it is there."""
        return None if fullname in _UNUSED else super().find_spec(fullname, path, target)
