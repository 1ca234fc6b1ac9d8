"""The numbers that stand for texts in the cubes, and how many there may be."""

from typing import Final, LiteralString

from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS

# Numbers in statements are texts here: only literal texts become SQL.
#: In place of a name: none, and one of those beyond the bounds.
NO_NAME: Final[LiteralString] = "0"
OTHER_NAME: Final[LiteralString] = "-1"
#: How the names beyond the bounds are shown, all as one.
OTHER: Final[LiteralString] = "(other)"

# Names come from the dialplan, some from the caller's variables: without a bound, one account could fill the cubes with
# a row per call. Of queues, agents and destinations 10,000 an account are more than anyone looks at.
MAX_NAMES: Final[LiteralString] = "10000"
LONGEST_NAME: Final[LiteralString] = "200"

#: The kind of name that a column has, and its column in a cube.
NAMED: Final[dict[LiteralString, LiteralString]] = {
    "queue_id": "queue",
    "agent_id": "agent",
    "destination": "destination",
}

#: In place of an account's number: that of gateways' names, and that of calls without an account.
OF_GATEWAYS: Final[LiteralString] = "-1"
OF_NOBODY: Final[LiteralString] = "0"


def _array(values: tuple[LiteralString, ...]) -> LiteralString:
    quoted: list[LiteralString] = [f"'{value}'" for value in values]
    return f"ARRAY[{', '.join(quoted)}]"


#: The closed lists; a cube has a value's place in its list, from 1.
CODED: Final[dict[LiteralString, LiteralString]] = {
    "direction": _array(DIRECTIONS),
    "disposition": _array(DISPOSITIONS),
}
