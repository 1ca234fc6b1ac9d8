"""A part of what takes long, such as `1/3`: of any three in a row one."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """The part `number` of `of`, from 1 on."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read `1/3`. Raises ValueError, with what to say, for a text that names no part."""
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        part = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= part.number <= part.of:
            raise ValueError(f"--part={text} is no part such as --part=1/3")
        return part

    def has(self, place: int) -> bool:
        """Return whether what stands at a place, from 0 on, belongs to the part."""
        return place % self.of == self.number - 1
